"""The whole study on tiny generated pictures with the miniature: stopped and resumed, its record and its page."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from studies.real import real_pictures

from corit.backbones.load import load_backbone
from corit.errors import DataError
from corit.model.corit import forward
from corit.report.parts import page_text, save_figure, summary_text
from corit.studies.parts import injection, run
from corit.studies.parts.pictures import Pictures, course_of, read_tokens
from corit.studies.parts.plan import HEADS, PERTURBS, STORES, THRESHOLDS, quarters, quick_plan
from corit.studies.real.stores import source_of

pytestmark = pytest.mark.slow

PLAN = replace(
    quick_plan(),
    backbone="miniature",
    weights="packaged",
    pairs=16,
    blends=12,
    measured=5,  # an odd pair is left out
    scenes=4,
    compared=8,
    folds=3,
    epochs=1,
    draws=20,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("parts")
    real_pictures.dfdc(root, 24)
    real_pictures.photographs(root, 4)
    return root


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    """The folder and the record of a run that is stopped behind its first block, and then run to its end."""
    out = tmp_path_factory.mktemp("study")
    measured = []
    original = run.measure_block

    def stop(*args, **kwargs):
        if len(measured) == 1:
            raise KeyboardInterrupt
        measured.append(1)
        return original(*args, **kwargs)

    plan = replace(PLAN, pairs=24)
    try:
        run.measure_block = stop
        with pytest.raises(KeyboardInterrupt):
            run.run(data, out, plan)
        run.measure_block = lambda *args, **kwargs: measured.append(1) or original(*args, **kwargs)
        record = run.run(data, out, plan, command="corit study parts --data DIR --out DIR")
    finally:
        run.measure_block = original
    return out, record, len(measured)


def test_a_stopped_run_repeats_no_block(done):
    out, record, measured = done
    assert measured == len(list((out / "tokens").iterdir())) == record["proxy"]["pictures"] / 4


def test_a_finished_run_only_reads(done, data, monkeypatch):
    out, record, _ = done
    monkeypatch.setattr(run, "load_backbone", None)
    again = run.run(data, out, replace(PLAN, pairs=24), command=record["command"])
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(record))


def test_the_record_on_disk_gives_the_same_page(done, tmp_path):
    out, record, _ = done
    stored = json.loads((out / run.RECORD).read_text())
    page = page_text(stored)
    assert page == page_text(record)
    assert all(f"### {v['question']}" in page for v in record["verdicts"])
    assert all(v["answer"] in summary_text(record) for v in record["verdicts"])
    assert "nan" not in page.lower().replace("landmarks", "")
    save_figure(stored, tmp_path / "parts.png")
    assert (tmp_path / "parts.png").stat().st_size > 10_000


def test_every_part_is_measured(done):
    _, record, _ = done
    assert record["left_out"] == []
    assert set(record["proxy"]["cosine"]) == set(HEADS)
    depth = record["backbone"]["layers"]
    for p in PERTURBS:
        kept = record["masks"]["dfdc"][p]["kept"]
        assert set(kept) == set(THRESHOLDS)
        assert all(len(kept[t]["foreground"]) == depth for t in THRESHOLDS)
    assert record["masks"]["photograph"]["pictures"] == 4
    assert list(record["tokens"]["gsnr"]) == [str(l) for l in quarters(depth)]
    assert set(record["injection"]["auc"]["z"]["converged"]["auc"]) == {s.name for s in STORES} | {injection.UNIFD}
    assert len(record["injection"]["auc"]["z"]) == 5
    assert len(record["injection"]["auc"]["1"]) == 2


def test_no_picture_is_named(done):
    _, record, _ = done
    assert not any(end in json.dumps(record).lower() for end in (".jpg", ".jpeg"))


def test_the_proxy_of_source_is_zero_outside_of_the_mask_at_the_embedding(done):
    _, record, _ = done
    silent = record["masks"]["dfdc"]["source"]["silent"]
    assert silent["background"][0] > 0.5 > silent["foreground"][0]
    assert silent["background"][1] == 0


def test_the_course_is_that_of_corits_own_pass(data):
    backbone = load_backbone("miniature")
    pictures = Pictures.of(source_of(data, replace(PLAN, pairs=24).real, "dfdc"), backbone, "cpu")
    block = pictures.pairs(2)[0]
    course, masks = course_of(pictures, block, "source")
    encoder = pictures.encoders["source"]
    images, twins = (
        backbone.normalise(np.stack([v(p.views["source"]) for p in block]))
        for v in (lambda v: v.image, lambda v: v.twins[0])
    )
    regions = torch.from_numpy(np.stack([p.views["source"].regions for p in block]))
    whole = forward(backbone, images, twins, regions, encoder.recipe.model, keep_masks=True, keep_patches=True)
    assert torch.equal(masks, whole.masks)
    assert torch.allclose(backbone.norm(course[backbone.depth][0]), whole.patches[:, 1], atol=1e-5)
    assert [p.sample.label for p in block] == [0, 1, 0, 1]
    assert {p.sample.split for p in block} == {"test"}


def test_stored_tokens_are_the_averages_of_their_patches(done):
    out, *_ = done
    arrays = read_tokens(sorted((out / "tokens").iterdir()))
    assert arrays["patch"].shape[:2] == arrays["pooled"].shape[:2]
    assert arrays["regions"].shape[0] == arrays["patch"].shape[0]
    assert np.isfinite(arrays["masked"].astype(float)).all()


def test_pairs_without_a_partner_are_not_compared():
    rows = type("Rows", (), {})()
    rows.group, rows.y = np.array(["a", "a", "b", "c", "c"]), np.array([0, 1, 1, 0, 1])
    rows.take = lambda chosen: chosen
    assert injection.first_pairs(rows, 5).tolist() == [True, True, False, True, True]
    assert injection.first_pairs(rows, 1).tolist() == [True, True, False, False, False]


def test_a_folder_without_pairs_is_named(tmp_path):
    with pytest.raises(DataError, match="expected the folder dfdc-crops"):
        run.run(tmp_path, tmp_path / "out", PLAN)


def test_another_plan_needs_another_folder(done, data):
    out, *_ = done
    with pytest.raises(DataError, match="begun with plan"):
        run.run(data, out, PLAN)


def test_too_few_test_pairs_are_said(data):
    pictures = Pictures.of(source_of(data, PLAN.real, "dfdc"), load_backbone("miniature"), "cpu")
    with pytest.raises(DataError, match="expected at least 2 test pairs of dfdc-crops"):
        pictures.pairs(1)


def test_without_photographs_scenes_are_left_out(tmp_path):
    real_pictures.dfdc(tmp_path / "data", 16)
    record = run.run(tmp_path / "data", tmp_path / "out", PLAN, parts=("injection",))
    assert record["left_out"] == ["the part pictures", "photographs"]
    assert page_text(record).startswith("# Parts")
    assert record["proxy"] == {}
