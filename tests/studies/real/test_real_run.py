"""The whole study on tiny generated pictures with the miniature: resumed, with missing folders, and its page."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from studies.real import real_pictures

from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.report.real import page_text, summary_text
from corit.studies.real import layers, run
from corit.studies.real.bank import load_rows
from corit.studies.real.components import corit
from corit.studies.real.plan import CORIT, PARTS, TOKENS, quick_plan
from corit.studies.real.stores import VariantPairs, folder_of, source_of

pytestmark = pytest.mark.slow

PLAN = replace(
    quick_plan(),
    backbone="miniature",
    weights="packaged",
    pairs=12,
    generated=5,
    photographs=4,
    blends=8,
    variant_pairs=6,
    folds=2,
    rhos=(0.0, 0.05),
    penalties=(1e-2,),
    epochs=1,
    draws=10,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("real")
    real_pictures.dfdc(root)
    real_pictures.faces(root, "stylegan-faces", 5)
    real_pictures.photographs(root, 4)
    return root


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    """The folder and the record of a run that is stopped in its first part, and then run to its end."""
    out = tmp_path_factory.mktemp("study")
    measured = []

    def stop(rows, plan):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(len(rows))
        return original(rows, plan)

    original, layers.measure = layers.measure, stop
    try:
        with pytest.raises(KeyboardInterrupt):
            run.run(data, out, PLAN, families=("components",))
        before = journal(out)
        layers.measure = lambda rows, plan: measured.append(len(rows)) or original(rows, plan)
        record = run.run(data, out, PLAN, families=("components",), command="corit study real --data DIR --out OUT")
    finally:
        layers.measure = original
    return out, record, before, measured


def journal(out):
    lines = [json.loads(line) for line in (out / run.MEASURED).read_text().splitlines()[1:]]
    return [line["name"] for line in lines if line["name"].startswith("layers/")]


def test_a_stopped_run_resumes_where_it_was(done):
    out, _, before, measured = done
    assert before == ["layers/dfdc", "layers/stylegan"]
    assert journal(out) == [*before, "layers/photograph", "layers/all faces"]
    assert len(measured) == 4  # nothing is measured twice


def test_a_finished_run_only_reads(done, data, monkeypatch):
    out, record, *_ = done
    monkeypatch.setattr(run, "load_backbone", None)
    again = run.run(data, out, PLAN, families=("components",), command=record["command"])
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(record))


def test_the_record_on_disk_is_the_result(done):
    out, record, *_ = done
    stored = json.loads((out / run.RECORD).read_text())
    assert stored == json.loads(json.dumps(record))
    assert page_text(stored) == page_text(record)


def test_every_part_is_measured(done):
    _, record, *_ = done
    assert all(record[part] for part in PARTS)
    assert list(record["layers"]) == ["dfdc", "stylegan", "photograph", "all faces"]
    trained = ["dfdc", "stylegan", "dfdc + stylegan", "self-blend", "photograph"]
    assert list(record["transfer"]) == trained
    assert list(record["control"]) == [t for t in trained if "+" not in t]
    assert set(record["transfer"]["dfdc"]["tests"]) == {"dfdc", "stylegan", "self-blend"}
    assert set(record["transfer"]["photograph"]["tests"]) == {"photograph"}
    assert set(record["variants"]) == {"components"}


def test_what_is_left_out_is_said(done):
    _, record, *_ = done
    assert "composited-faces: the folder is missing" in record["left_out"]
    assert "the variants of tau" in record["left_out"]
    assert "composited-faces: the folder is missing" in " ".join(page_text(record).split())


def test_only_aligned_pairs_are_taken_and_groups_stay_in_one_split(done):
    _, record, *_ = done
    counts = record["sets"]["dfdc"]["rows"]
    assert sum(counts["real"].values()) == sum(counts["dfdc"].values()) == 12
    assert counts["real"] == counts["dfdc"]  # pairs
    assert sum(counts["self-blended"].values()) == 8


def test_the_page_has_a_section_for_each_part_and_every_answer(done):
    _, record, *_ = done
    page = page_text(record)
    assert page.count("\n## ") == 9
    assert all(f"### {v['question']}" in page for v in record["verdicts"])
    assert "corit study real --data DIR --out OUT" in page
    assert all(v["answer"] in summary_text(record) for v in record["verdicts"])


def test_corits_reading_of_stored_levels_is_its_z(done, agree):
    out, *_ = done
    store = FeatureStore.open(folder_of(out, "miniature", "dfdc", CORIT))
    rows = load_rows("dfdc", {CORIT.name: store})
    z = store.features(face=0).to_tensor().numpy()
    agree(rows.read(corit(layers.depth(rows, CORIT.name))), z)


def test_the_plain_tokens_are_those_of_unifd(done, data, agree):
    from corit.backbones.load import load_backbone
    from corit.model.encode import Encoder
    from corit.recipe import BackboneRecipe, Recipe

    out, *_ = done
    backbone = load_backbone("miniature")
    recipe = Recipe(BackboneRecipe(backbone.name, backbone.digest)).replace(**{"model.kind": "unifd"})
    encoder, source = Encoder(backbone, recipe), source_of(data, PLAN, "dfdc")
    sample = source.samples[0]
    z = encoder(encoder.preparer()(source.load(sample))).z[0]
    store = FeatureStore.open(folder_of(out, "miniature", "dfdc", TOKENS))
    stored = store.features(level=backbone.depth, face=0)
    row = stored.to_tensor()[stored.ids.tolist().index(sample.id)]
    agree(row[: backbone.width], z, atol=5e-3)


def test_variants_see_no_test_pair(data):
    pairs = VariantPairs(source_of(data, PLAN, "dfdc"), 6)
    assert len({s.group for s in pairs.samples}) == 6
    assert len(pairs.samples) == 12
    assert {s.split for s in pairs.samples} <= {"train", "val"}


def test_another_plan_needs_another_folder(done, data):
    out, *_ = done
    with pytest.raises(DataError, match="begun with plan"):
        run.run(data, out, replace(PLAN, draws=11))


def test_a_folder_without_faces_is_named(tmp_path):
    real_pictures.photographs(tmp_path, 1)
    with pytest.raises(DataError, match="dfdc-crops, stylegan-faces, composited-faces"):
        run.run(tmp_path, tmp_path / "out", PLAN)


def test_without_pairs_there_are_no_variants_and_no_blends(tmp_path):
    real_pictures.faces(tmp_path / "data", "composited-faces", 5)
    record = run.run(tmp_path / "data", tmp_path / "out", PLAN, parts=("layers", "variants"))
    assert list(record["layers"]) == ["composite"]
    assert record["variants"] == {} == record["transfer"]
    assert "the variants and the self-blends, which need dfdc-crops" in record["left_out"]
    assert "the part transfer" in record["left_out"]
    assert "no verdict" in summary_text(record)
    assert page_text(record).startswith("# Real")
