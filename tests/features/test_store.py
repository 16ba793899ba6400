from __future__ import annotations

import mmap
import multiprocessing
import os
import pickletools
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pytest
import torch
from features.stand_ins import LEVELS, WIDTH, recipe

from corit.data.sample import Sample
from corit.data.stamp import CurrentVersion, Version
from corit.errors import StoreError
from corit.features import shards
from corit.features.shards import FeatureRow, StoreHeader, measured_row
from corit.features.store import Features, FeatureStore
from corit.features.writer import StoreWriter
from corit.heads.rows import Subset, chunks
from corit.journal import LOCK

HEADER = StoreHeader.of(recipe(), WIDTH)
LEVELLED = StoreHeader.of(recipe(), WIDTH, LEVELS)


def sample(i, **changes):
    split = ("train", "val", "test")[i % 3]
    return replace(
        Sample(f"s{i:02d}", f"{i}.png", (0, 1, None)[i % 3], split, "DF" * (i % 2), group=f"g{i}"), **changes
    )


def value(i, face=0):
    return np.random.default_rng([i, face]).normal(size=WIDTH)


def row(i, face=0, **changes):
    return measured_row(sample(i, **changes), face, (0.0, 1.0, 2.5, 3.0 + face), value(i, face))


def failed(i):
    return FeatureRow(sample(i), status="no_face", reason="no face was found")


def filled(path, rows, header=HEADER, **kw):
    with StoreWriter(path, header, **kw) as writer:
        for r in rows:
            writer.append(r if isinstance(r, list) else [r])
    return FeatureStore.open(path)


def test_what_is_written_is_read(tmp_path, agree):
    store = filled(tmp_path / "new" / "store", [[row(1, 0), row(1, 1)], failed(2), row(0)], shard_rows=2)
    assert len(store) == 4
    assert store.counts() == {"ok": 3, "no_face": 1}
    assert (store.digest, store.width, store.recipe) == (recipe().digest, WIDTH, recipe())
    assert store.table.column_names == shards.METADATA.names
    features = store.features()
    assert list(zip(features.ids, features.column("face"), strict=True)) == [("s00", 0), ("s01", 0), ("s01", 1)]
    wanted = np.stack([value(0), value(1), value(1, 1)])
    agree(features.to_tensor(), wanted.astype(np.float16))
    assert features.to_tensor().dtype == torch.float32
    assert features.y.tolist() == [0, 1, 1]
    assert features.y.dtype == np.int8
    assert features.table["box"].to_pylist()[2] == [0.0, 1.0, 2.5, 4.0]
    missing = store.table.filter(pa.compute.field("status") == "no_face").to_pylist()[0]
    assert missing["id"] == "s02"
    assert missing["box"] is None
    assert missing["label"] is None
    assert missing["reason"] == "no face was found"


def test_unknown_labels_are_not_reals(tmp_path):
    assert filled(tmp_path, [row(2)]).features().y.tolist() == [-1]


@pytest.mark.parametrize("shard_rows", [1, 3, 100])
def test_gathering_does_not_depend_on_shards(tmp_path, agree, shard_rows):
    features = filled(tmp_path, [row(i) for i in (9, 3, 7, 1, 0, 4, 2)], shard_rows=shard_rows).features()
    assert len(list(tmp_path.glob("*.arrow"))) == -(-7 // shard_rows)
    index = np.array([5, 0, 0, 6])
    agree(features.gather(index), np.stack([value(i) for i in (7, 0, 0, 9)]).astype(np.float16))
    agree(features.take(index).to_tensor(), features.gather(index))


def test_features_are_rows_of_a_head(tmp_path, agree):
    features = filled(tmp_path, [row(i) for i in range(5)]).features()
    assert (len(features), features.width) == (5, WIDTH)
    agree(torch.cat(list(chunks(features, 2))), features.to_tensor())
    agree(Subset(features, np.array([4, 1])).gather(np.array([1])), features.to_tensor()[1:2])


def test_features_stay_mapped(tmp_path):
    block = filled(tmp_path, [row(i) for i in range(5)]).features().z.blocks[0]
    assert block.dtype == np.float16
    assert not block.flags.owndata
    assert not block.flags.writeable


class Mapping:
    def __init__(self):
        self.advice = []

    def madvise(self, advice):
        self.advice.append(advice)


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="this system takes no advice on mappings")
def test_pages_are_given_back_after_every_so_many_bytes():
    one, other = Mapping(), Mapping()
    pages = shards.Pages([one, other], limit=100)
    given_back = []
    for count in (60, 39, 1, 99, 250, 99):
        pages.read(count)
        given_back.append(len(one.advice))
    assert given_back == [0, 0, 1, 1, 2, 2]
    assert one.advice == other.advice == [mmap.MADV_DONTNEED] * 2


def test_features_survive_that_their_pages_are_given_back(tmp_path, agree):
    features = filled(tmp_path, [row(i) for i in range(7)], shard_rows=2).features()
    parts = [shards.read(p).pages for p in tmp_path.glob("*.arrow")]
    eager = replace(features, z=replace(features.z, pages=shards.Pages([*parts, *features.z.pages._mappings], limit=1)))
    digest = eager.data_digest
    for i in range(7):
        agree(eager.gather(np.array([i]))[0], value(i).astype(np.float16))
    assert digest == features.data_digest


def test_rows_of_one_picture_are_never_parted(tmp_path):
    filled(tmp_path, [row(0), [row(1, f) for f in range(5)], row(2)], shard_rows=2)
    sizes = [shards.read(p)[1].num_rows for p in sorted(tmp_path.glob("*.arrow"))]
    assert sizes == [6, 1]


def test_wide_rows_make_small_shards(tmp_path, monkeypatch):
    monkeypatch.setattr("corit.features.writer.SHARD_BYTES", 2 * HEADER.row_bytes)
    filled(tmp_path, [row(i) for i in range(5)])
    assert len(list(tmp_path.glob("*.arrow"))) == 3
    assert HEADER.row_bytes == 2 * WIDTH
    assert LEVELLED.row_bytes == 2 * (WIDTH + np.prod(LEVELS))


def test_slow_rows_do_not_wait_for_a_full_shard(tmp_path, monkeypatch):
    monkeypatch.setattr("corit.features.writer.SHARD_SECONDS", -1.0)
    filled(tmp_path, [row(i) for i in range(3)])
    assert len(list(tmp_path.glob("*.arrow"))) == 3


@pytest.mark.parametrize(
    ("equal", "ids"),
    [
        ({"split": "train"}, ["s00", "s03"]),
        ({"split": ("train", "test")}, ["s00", "s02", "s03", "s05"]),
        ({"label": 1}, ["s01", "s04"]),
        ({"split": "train", "manipulation": "DF"}, ["s03"]),
        ({"manipulation": ["", "DF"], "id": {"s02", "s77"}}, ["s02"]),
    ],
)
def test_selecting_by_metadata(tmp_path, agree, equal, ids):
    store = filled(tmp_path, [row(i) for i in range(6)], shard_rows=4)
    for found in (store.features(**equal), store.features().select(**equal)):
        assert found.ids.tolist() == ids
        agree(found.to_tensor(), np.stack([value(int(i[1:])) for i in ids]).astype(np.float16))


def test_selecting_nothing_or_by_nonsense_is_an_error(tmp_path):
    store = filled(tmp_path, [row(0), failed(1)])
    with pytest.raises(StoreError, match=r"no measured row with \{'split': 'val'\}.*'no_face': 1"):
        store.features(split="val")
    with pytest.raises(StoreError, match="no column 'colour'.*split"):
        store.features(colour="red")
    assert len(store.features().select(split="val")) == 0


def test_levels_are_read_one_by_one(tmp_path, agree):
    kept = [np.random.default_rng(i).normal(size=LEVELS) for i in range(4)]
    rows = [measured_row(sample(i), 0, None, value(i), kept[i]) for i in range(4)]
    store = filled(tmp_path, [*rows, failed(4)], LEVELLED, shard_rows=3)
    for l in range(LEVELS[0]):
        features = store.features(level=l)
        assert features.width == LEVELS[1] * LEVELS[2]
        assert not features.z.blocks[0].flags.owndata
        agree(features.to_tensor(), np.stack([k[l].reshape(-1) for k in kept]).astype(np.float16))
    with pytest.raises(StoreError, match="from 0 to 2, got 3"):
        store.features(level=3)
    assert store.features().table["box"].null_count == 4


def test_levels_that_were_not_kept(tmp_path):
    with pytest.raises(StoreError, match="keeps no levels"):
        filled(tmp_path, [row(0)]).features(level=1)


def test_digest_of_the_data(tmp_path):
    def digest(name, rows):
        return filled(tmp_path / name, rows).features().data_digest

    first = digest("a", [row(0), row(1)])
    assert first == digest("same", [row(1), row(0), failed(2)])
    assert first != digest("fewer", [row(0)])
    assert first != digest("label", [row(0, label=1), row(1)])
    assert first != digest("value", [measured_row(sample(0), 0, None, value(5)), row(1)])


@pytest.mark.parametrize("bad", [1e5, -7e4, np.nan, np.inf])
@pytest.mark.parametrize("where", ["z", "levels"])
def test_what_half_precision_cannot_hold_becomes_a_row_that_says_so(tmp_path, bad, where):
    z, levels = value(0), np.zeros(LEVELS)
    (z if where == "z" else levels).reshape(-1)[3] = bad
    poor = measured_row(sample(0), 0, None, z, levels)
    assert poor.status == "overflow"
    assert "65504" in poor.reason
    store = filled(tmp_path, [poor, measured_row(sample(1), 0, None, value(1), np.zeros(LEVELS))], LEVELLED)
    assert store.counts() == {"overflow": 1, "ok": 1}
    assert store.features().ids.tolist() == ["s01"]


def test_features_that_become_zero_in_half_precision_overflow():
    assert measured_row(sample(0), 0, None, value(0) * 1e-12).status == "overflow"
    assert measured_row(sample(0), 0, None, value(0), np.full(LEVELS, 1e-12)).status == "overflow"
    assert measured_row(sample(0), 0, None, np.zeros(WIDTH), np.zeros(LEVELS)).status == "ok"
    assert measured_row(sample(0), 0, None, np.where(np.arange(WIDTH) == 1, 1.0, 1e-12)).status == "ok"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"status": "ok"}, "exactly when"),
        ({"status": "no_face", "z": np.zeros(3, np.float16)}, "exactly when"),
        ({"z": np.zeros(3)}, "float16"),
        ({"z": np.full(3, np.inf, np.float16)}, "finite"),
        ({"z": np.zeros(3, np.float16), "levels": np.zeros(3)}, "float16"),
    ],
)
def test_rows_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        FeatureRow(sample(0), **arguments)


def test_features_need_their_metadata(tmp_path):
    features = filled(tmp_path, [row(0), row(1)]).features()
    with pytest.raises(ValueError, match="metadata row"):
        Features(features.z, features.table[:1], features.digest)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            StoreHeader.of(recipe(**{"model.tau": 0.7}), WIDTH),
            r"model\.tau is 0\.1 in the store, 0\.7 asked for\. Choose",
        ),
        (
            StoreHeader.of(recipe(**{"views.blend.scale": 0.9, "model.rrm": False}), WIDTH),
            r"views\.blend\.scale.*model\.rrm",
        ),
        (StoreHeader.of(recipe(**{"backbone.weights": "ab"}), WIDTH), r"backbone\.weights is '' in the store"),
        (StoreHeader("[model]\nnovelty = 3\n", "f" * 64, WIDTH), "cannot read.*novelty"),
        (StoreHeader(recipe().to_toml(), "f" * 64, WIDTH), "another version"),
        (StoreHeader.of(recipe(), WIDTH + 1), f"width {WIDTH} and levels None, asked for {WIDTH + 1}"),
        (LEVELLED, r"levels None, asked for 6 and \(3, 2, 3\)"),
    ],
)
def test_recipes_do_not_mix(tmp_path, header, message):
    filled(tmp_path, [row(0)])
    with pytest.raises(StoreError, match=message):
        StoreWriter(tmp_path, header)
    assert len(filled(tmp_path, [row(1)])) == 2  # the refused writer let go of the lock


def test_a_folder_of_two_stores_is_refused(tmp_path):
    filled(tmp_path / "a", [row(0)])
    filled(tmp_path / "b", [row(1)], StoreHeader.of(recipe(**{"model.tau": 0.7}), WIDTH))
    (tmp_path / "b" / "part-000000.arrow").rename(tmp_path / "a" / "part-000001.arrow")
    with pytest.raises(StoreError, match=r"model\.tau"):
        FeatureStore.open(tmp_path / "a")


def test_a_row_is_there_once(tmp_path):
    filled(tmp_path, [row(0)])
    with StoreWriter(tmp_path, HEADER) as writer, pytest.raises(StoreError, match="'s00' already"):
        writer.append([row(0, face=1)])
    (tmp_path / "part-000007.arrow").write_bytes((tmp_path / "part-000000.arrow").read_bytes())
    with pytest.raises(StoreError, match="'s00', face 0, twice"):
        FeatureStore.open(tmp_path)


def test_shards_never_take_the_place_of_others(tmp_path):
    filled(tmp_path, [row(i) for i in range(3)], shard_rows=1)
    (tmp_path / "part-000001.arrow").unlink()
    store = filled(tmp_path, [row(1), row(5)])
    assert store.features().ids.tolist() == ["s00", "s01", "s02", "s05"]
    assert (tmp_path / "part-000003.arrow").exists()


def test_the_writer_finds_stored_pictures(tmp_path):
    now = CurrentVersion(())
    rows = [row(0), failed(1), measured_row(sample(2), 0, None, value(2) * 1e9)]
    filled(tmp_path, [replace(r, version=Version(now.stamp, "content")) for r in rows])
    with StoreWriter(tmp_path, HEADER) as writer:
        assert [writer.find(sample(i), now) for i in range(4)] == [True, False, True, None]


def test_half_written_shards_are_cleared(tmp_path):
    filled(tmp_path, [row(0)])
    (tmp_path / "part-000001.arrow.tmp").write_bytes(b"half")
    assert len(FeatureStore.open(tmp_path)) == 1
    filled(tmp_path, [row(1)])
    assert sorted(p.name for p in tmp_path.glob("*")) == [LOCK, "part-000000.arrow", "part-000001.arrow"]


def _try(path, answers):
    try:
        StoreWriter(path, HEADER)
    except StoreError as err:
        answers.put(str(err))


def test_two_processes_do_not_write_together(tmp_path):
    process = multiprocessing.get_context("fork")
    answers = process.Queue()
    with StoreWriter(tmp_path, HEADER):
        with pytest.raises(StoreError, match="another process"):
            StoreWriter(tmp_path, HEADER)
        other = process.Process(target=_try, args=(tmp_path, answers))
        other.start()
        assert "another process" in answers.get(timeout=60)
        other.join()
    with StoreWriter(tmp_path, HEADER) as writer:
        assert writer.find(sample(0), CurrentVersion(())) is None


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"ARROW1" + b[6:100]])
def test_a_damaged_shard_is_an_error(tmp_path, damage):
    filled(tmp_path, [row(0)])
    shard = tmp_path / "part-000000.arrow"
    shard.write_bytes(damage(shard.read_bytes()))
    with pytest.raises(StoreError, match=r"part-000000\.arrow is damaged.*delete it"):
        FeatureStore.open(tmp_path)


def _foreign(path, schema, columns):
    with pa.ipc.new_file(path, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([pa.array(c) for c in columns], schema=schema))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "another Arrow file"),
        (HEADER.schema.metadata | {b"corit.format": b"99"}, "format 99.*reads 1"),
        (HEADER.schema.metadata, "columns"),
    ],
)
def test_foreign_files_are_refused(tmp_path, metadata, message):
    _foreign(tmp_path / "part-000000.arrow", pa.schema({"x": pa.int64()}, metadata), [[1]])
    with pytest.raises(StoreError, match=message):
        FeatureStore.open(tmp_path)


def test_no_store(tmp_path):
    with pytest.raises(StoreError, match="run `corit extract` first"):
        FeatureStore.open(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="expected to write to .*choose another folder"):
        StoreWriter(tmp_path / "file", HEADER)
    with pytest.raises(StoreError, match="at least one row"):
        StoreWriter(tmp_path, HEADER, shard_rows=0)


def _no_space(_):
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_reported_and_stored_rows_stay(tmp_path, monkeypatch):
    filled(tmp_path, [row(0)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _no_space)
        with pytest.raises(StoreError, match="cannot be written: No space left"):
            filled(tmp_path, [row(1)])
    assert len(filled(tmp_path, [row(1)])) == 2


def test_other_tools_read_the_shards(tmp_path):
    filled(tmp_path, [row(0), failed(1), row(2)], shard_rows=2)
    table = pyarrow.dataset.dataset(tmp_path, format="arrow", exclude_invalid_files=True).to_table()
    assert table["id"].to_pylist() == ["s00", "s01", "s02"]
    assert table["z"][1].as_py() is None
    np.testing.assert_array_equal(table["z"][2].values.to_numpy(), value(2).astype(np.float16))


def test_nothing_is_pickled(tmp_path):
    filled(tmp_path, [row(0)])
    data = (tmp_path / "part-000000.arrow").read_bytes()
    assert data.startswith(b"ARROW1")
    with pytest.raises(ValueError, match="opcode|pickle"):
        list(pickletools.genops(data))
