from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from features.stand_ins import LEVELS, Pictures, Preparing, StandIn, recipe
from timm.models.vision_transformer import VisionTransformer

from corit.backbones.build import wrap
from corit.backbones.load import load_backbone
from corit.errors import DataError, MachineError, StoreError, WeightsError
from corit.failures import machine_failure
from corit.features import shards
from corit.features.extract import ExtractionSummary, extract
from corit.features.store import FeatureStore
from corit.features.targets import StoreTarget
from corit.features.writer import StoreWriter
from corit.model.encode import Encoder
from corit.progress import progress_bar
from corit.recipe import BackboneRecipe, Recipe
from corit.views.prepare import Preparer, Views
from corit.world.miniature import Miniature, MiniatureSpec


def run(path, source=None, encoder=None, preparer=None, keep_levels=False, **kw):
    target = StoreTarget(encoder or StandIn(), path, keep_levels, preparer or Preparing())
    return extract(source or Pictures(), [target], **kw)


def rows(path):
    """Every stored row by id and face, features included."""
    found = {}
    for part in sorted(Path(path).glob("*.arrow")):
        for row in shards.read(part)[1].to_pylist():
            key = row["id"], row["face"]
            assert key not in found
            found[key] = row
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    run(path, forge=2)
    return rows(path)


def test_every_picture_becomes_rows(tmp_path, agree):
    done = run(tmp_path)
    store = FeatureStore.open(tmp_path)
    table = store.table.to_pylist()
    assert {r["id"] for r in table} == {s.id for s in Pictures().samples}
    assert done.counts == store.counts()
    assert set(done.counts) == {"ok", "unreadable", "no_face", "too_small"}
    assert done.rows == len(store)
    assert done.rate > 0
    sample, row = Pictures().samples[7], next(r for r in table if r["id"] == "p007")
    for name in ("path", "label", "split", "manipulation", "dataset", "group", "video", "frame"):
        assert row[name] == getattr(sample, name)
    for row in table:
        assert (row["status"] == "ok") == (row["reason"] == "")
    faces = [r for r in table if r["status"] == "too_small"]
    assert {r["face"] for r in faces} == {1}
    assert faces[0]["box"] == [1, 1, 5, 5.5]
    assert "damaged" in next(r["reason"] for r in table if r["id"] == "p004")
    features = store.features()
    assert features.column("face")[0] == 0
    picture = Pictures().load(next(s for s in Pictures().samples if s.id == features.ids[0]))
    agree(features.gather(np.array([0]))[0], picture.pixels.reshape(-1)[:6] / 16)


def test_levels_are_kept_on_request(tmp_path):
    run(tmp_path, keep_levels=True)
    assert FeatureStore.open(tmp_path).header.levels == LEVELS
    assert FeatureStore.open(tmp_path).features(level=2).width == 6


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (Pictures(), {"batch": 1}),
        (Pictures(), {"batch": 7, "shard_rows": 5}),
        (Pictures(), {"batch": 1000}),
        (Pictures(shuffled=True), {"batch": 4}),
        (Pictures(deaf=True), {"workers": 2}),
        (Pictures(shuffled=True), {"workers": 1, "batch": 3}),
    ],
)
def test_no_setting_and_no_order_changes_a_row(tmp_path, whole, source, options):
    run(tmp_path, source, forge=2, **options)
    assert rows(tmp_path) == whole


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_batches_are_bounded(tmp_path, batch):
    encoder = StandIn()
    run(tmp_path, encoder=encoder, batch=batch, forge=3)
    assert max(encoder.sizes) == batch


def test_fakes_are_forged_of_reals_only(whole):
    forged = [r for r in whole.values() if "~" in r["id"]]
    originals = {key: whole[r["id"].split("~")[0], r["face"]] for key, r in whole.items() if "~" in r["id"]}
    assert {r["id"].split("~")[1] for r in forged} == {"sbi0", "sbi1"}
    for r in forged:
        real = originals[r["id"], r["face"]]
        assert (real["label"], r["label"], r["manipulation"]) == (0, 1, "self-blended")
        assert all(r[name] == real[name] for name in ("group", "split", "path", "dataset", "video", "frame", "box"))
        assert r["status"] == real["status"]
        assert r["status"] != "ok" or r["z"] != real["z"]
    prepared = {r["id"] for r in whole.values() if r["label"] == 0 and r["status"] in ("ok", "too_small")}
    assert {r["id"].split("~")[0] for r in forged} == prepared


def test_a_function_says_how_many_fakes_each_real_picture_gets(tmp_path, whole):
    chosen = sorted({r["id"].split("~")[0] for r in whole.values() if "~" in r["id"]})[::2]
    run(tmp_path, forge=lambda s: 2 * (s.id in chosen))
    ours = rows(tmp_path)
    assert {r["id"].split("~")[0] for r in ours.values() if "~" in r["id"]} == set(chosen)
    assert all(whole[key] == row for key, row in ours.items())


def test_forging_more_later_measures_only_what_lacks(tmp_path, whole):
    encoder = StandIn()
    run(tmp_path)
    run(tmp_path, encoder=encoder, forge=2)
    assert sum(encoder.sizes) == sum(r["status"] == "ok" and "~" in r["id"] for r in whole.values())
    assert rows(tmp_path) == whole
    again = run(tmp_path, forge=2)
    assert (again.rows, again.skipped) == (0, 24)


def test_a_picture_without_faces_has_no_fakes(tmp_path):
    class Gone(Preparing):
        def crops(self, picture):
            return ()

    run(tmp_path, Pictures(4))
    done = run(tmp_path, Pictures(4), preparer=Gone(), forge=1)
    assert set(done.counts) == {"no_face"}
    assert run(tmp_path, Pictures(4), preparer=Gone(), forge=1).rows == 0


def test_stored_pictures_are_not_decoded_again(tmp_path):
    run(tmp_path, limit=10)
    assert {i for i, _ in rows(tmp_path)} == {f"p{i:03d}" for i in range(10)}
    log = tmp_path / "log"
    done = run(tmp_path, Pictures(log=log))
    assert log.read_text().split() == [f"p{i:03d}" for i in range(10, 24)]
    assert done.skipped == 10


def test_features_beyond_half_precision(tmp_path):
    done = run(tmp_path, encoder=StandIn(scale=1e7))
    assert "ok" not in done.counts
    assert done.counts["overflow"] > 0
    assert run(tmp_path, encoder=StandIn(scale=1e7)).rows == 0


def test_progress_counts_samples(tmp_path):
    told = []
    run(tmp_path, limit=4)
    run(tmp_path, batch=5, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[0][0] > 4
    assert told[-1] == (24, 24)


def test_the_bar_goes_to_standard_error(tmp_path, capsys):
    with progress_bar("measuring") as progress:
        run(tmp_path, progress=progress)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "measuring" in captured.err
    assert "24/24" in captured.err


# --- stopping


def dying(path, point, count, **kw):
    """Run until `point` is passed for the `count`-th time, then die as by kill -9."""
    seen = 0

    def deadly(function, before):
        def call(*a, **k):
            nonlocal seen
            seen += 1
            if seen == count and before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*a, **k)
            if seen == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    owner, name, before = {
        "a picture is read": (Pictures, "load", True),
        "a batch is measured": (StandIn, "__call__", False),
        "a shard is on its way": (os, "fsync", True),
        "a shard is not yet named": (os, "replace", True),
        "a shard has just been named": (os, "replace", False),
        "rows were appended": (StoreWriter, "append", False),
    }[point]
    setattr(owner, name, deadly(getattr(owner, name), before))
    run(path, **kw)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(
    "point",
    [
        "a picture is read",
        "a batch is measured",
        "a shard is on its way",
        "a shard is not yet named",
        "a shard has just been named",
        "rows were appended",
    ],
)
def test_killed_and_run_again_nothing_is_lost_or_there_twice(tmp_path, whole, point, count):
    child = multiprocessing.get_context("fork").Process(
        target=dying, args=(tmp_path, point, count), kwargs={"forge": 2, "shard_rows": 7, "batch": 3}
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    kept, log = {i for i, _ in rows(tmp_path)}, tmp_path / "log"
    run(tmp_path, Pictures(log=log), forge=2)
    assert rows(tmp_path) == whole
    assert not kept & set(log.read_text().split())
    assert not list(tmp_path.glob("*.tmp"))


def test_killed_over_and_over(tmp_path, whole):
    process, rng = multiprocessing.get_context("fork"), np.random.default_rng(0)
    for _ in range(8):
        options = {"source": Pictures(kill=f"p{rng.integers(24):03d}"), "forge": 2, "shard_rows": 3, "batch": 2}
        child = process.Process(target=run, args=(tmp_path,), kwargs=options)
        child.start()
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)  # 0 once the deadly picture's turn is past
    run(tmp_path, forge=2)
    assert rows(tmp_path) == whole


@pytest.fixture
def heard():
    """Ctrl-C is heard, also where the tests run in a script's background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_the_first_interrupt_stores_whole_pictures(tmp_path, whole):
    before, log = signal.getsignal(signal.SIGINT), tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Pictures(stop="p009"), batch=4, forge=2)
    assert signal.getsignal(signal.SIGINT) is before
    kept = rows(tmp_path)
    assert "p009" in {i for i, _ in kept}
    assert len(kept) < len(whole)
    run(tmp_path, Pictures(log=log), forge=2)
    assert rows(tmp_path) == whole
    assert not {i for i, _ in kept} & set(log.read_text().split())


@pytest.mark.usefixtures("heard")
def test_the_second_interrupt_stops_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Pictures(stop="p009", signals=2), batch=4)
    assert "p009" not in {i for i, _ in rows(tmp_path)}
    assert run(tmp_path).rows > 0


@pytest.mark.usefixtures("heard")
def test_an_interrupt_that_is_ignored_stays_ignored(tmp_path):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert run(tmp_path, Pictures(stop="p009", signals=2), batch=4).rows > 24
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


@pytest.mark.usefixtures("heard")
def test_an_interrupt_with_workers(tmp_path, whole):
    def progress(done, total):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Pictures(deaf=True), workers=1, batch=4, forge=2, progress=progress)
    assert 0 < len(rows(tmp_path)) < len(whole)


def test_extraction_outside_the_main_thread(tmp_path):
    thread = threading.Thread(target=run, args=(tmp_path,))
    thread.start()
    thread.join()
    assert len(FeatureStore.open(tmp_path)) > 24


# --- errors


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bug_ends_the_run_and_is_no_status(tmp_path, workers):
    with pytest.raises(ZeroDivisionError) as caught:
        run(tmp_path, Pictures(bug="p009"), batch=2, workers=workers)
    told = str(caught.value) + " ".join(getattr(caught.value, "__notes__", []))
    assert "while preparing sample 'p009' (dir/p009.png)" in told
    assert "p005" in {i for i, _ in rows(tmp_path)}  # what was measured before is stored


def test_a_worker_that_dies_is_an_error(tmp_path):
    with pytest.raises((MachineError, RuntimeError)) as caught:  # the loader's own, where the model is at work
        run(tmp_path, Pictures(kill="p009"), batch=2, workers=1)
    assert machine_failure(caught.value).startswith("a worker process was killed")
    assert "p009" not in {i for i, _ in rows(tmp_path)}


def test_recipes_do_not_mix(tmp_path):
    run(tmp_path, limit=3)
    with pytest.raises(StoreError, match=r"model\.tau is 0\.1 in the store, 0\.5"):
        run(tmp_path, encoder=StandIn(recipe(**{"model.tau": 0.5})))
    with pytest.raises(StoreError, match=r"backbone\.weights"):
        run(tmp_path, encoder=StandIn(digest="e" * 64))


def test_the_store_names_the_weights(tmp_path):
    run(tmp_path)
    assert FeatureStore.open(tmp_path).recipe.backbone.weights == "d" * 64
    with pytest.raises(WeightsError, match="holds dddd"):
        run(tmp_path, encoder=StandIn(recipe(**{"backbone.weights": "ab"})))


def test_ids_must_be_unique(tmp_path):
    class Twice(Pictures):
        @property
        def samples(self):
            return super().samples + super().samples[:1]

    with pytest.raises(DataError, match="'p000' twice"):
        run(tmp_path, Twice())


@pytest.mark.parametrize("options", [{"batch": 0}, {"workers": -1}, {"forge": -1}])
def test_counts_must_make_sense(tmp_path, options):
    with pytest.raises(DataError, match="batch >= 1"):
        run(tmp_path, **options)


def test_an_empty_run():
    assert (ExtractionSummary().rows, ExtractionSummary().rate) == (0, 0.0)


# --- with a real model


def encoder(**changes):
    torch.manual_seed(0)
    model = VisionTransformer(img_size=16, patch_size=8, embed_dim=12, depth=2, num_heads=3, num_classes=0)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    half = (0.5, 0.5, 0.5)
    return Encoder(wrap(model, "stand-in", "random:0", half, half, ""), recipe(**changes))


class Faces(Preparing):
    def views(self, crop):
        image = np.kron(crop.pixels, np.ones((2, 2, 1), np.uint8))
        twin = np.where(np.arange(16)[:, None, None] < 8, 255 - image, image)
        regions = np.arange(4) % 3 == np.arange(3)[:, None]
        return Views(image, twin[None], regions, np.ones((16, 16), bool), crop.box)


@pytest.mark.parametrize("kind", ["corit", "unifd"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_stored_feature_is_the_encoders(tmp_path, agree, kind, precision):
    of = encoder(**{"model.kind": kind, "backbone.precision": precision})
    run(tmp_path, Pictures(8), of, Faces(), keep_levels=True, batch=3)
    features = FeatureStore.open(tmp_path).features()
    assert features.width == of.width
    alone = []
    for name, face in zip(features.ids, features.column("face"), strict=True):
        sample = next(s for s in Pictures(8).samples if s.id == name)
        crop = Faces().crops(Pictures(8).load(sample))[face]
        alone.append(of([Faces().views(crop)]).z.float().numpy()[0])
    agree(features.to_tensor(), np.stack(alone), rtol=0.02 if precision == "bfloat16" else 1e-3, atol=0.02)
    assert FeatureStore.open(tmp_path).features(level=2).width == of.level_shape[1] * 12


def miniature(workers, path):
    world = Miniature(MiniatureSpec(train=2, val=2, test=2, pictures=1))
    backbone = load_backbone("miniature", "packaged")
    of = Encoder(backbone, Recipe(BackboneRecipe("miniature")))
    preparer = Preparer.of(of.recipe, side=backbone.side, grid=backbone.grid)
    done = extract(world, [StoreTarget(of, path)], forge=1, workers=workers)
    return world, preparer, of, done


def test_the_miniature_from_end_to_end(tmp_path, agree):
    world, preparer, of, done = miniature(0, tmp_path / "alone")
    assert done.counts == {"ok": 6 * (1 + 4 + 1)}
    features = FeatureStore.open(tmp_path / "alone").features()
    for i in (0, 20):
        sample = next(s for s in world.samples if s.id == features.ids[i].split("~")[0])
        views = preparer(world.load(sample))
        if "~" in features.ids[i]:
            views = [preparer.views(preparer.forge(preparer.crops(world.load(sample))[0], 0))]
        agree(features.gather(np.array([i])), of(views).z, rtol=1e-3, atol=1e-2)
    miniature(2, tmp_path / "helped")
    assert rows(tmp_path / "helped") == rows(tmp_path / "alone")
