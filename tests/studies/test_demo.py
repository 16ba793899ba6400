"""The demo on a very small world: every file it promises, and tables that agree with the heads behind them."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from reference.heads import auc as slow_auc

import corit
from corit import cli
from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.images.face_shape import mean_face
from corit.studies.demo import MODELS, compare_models
from corit.studies.replicate import replicate
from corit.world.miniature import Miniature, MiniatureSpec

KINDS = {"DF", "F2F", "FS", "NT"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    with pytest.raises(SystemExit) as stop:
        cli.main(f"demo --no-photographs --out {out} --people 6 --pictures 2 --seeds 2 --workers 0".split())
    assert stop.value.code == 0
    return out


def test_the_demo_writes_report_results_and_detector(folder):
    found = json.loads((folder / "results.json").read_text())
    assert found["seeds"] == [0, 1]
    for table in ("in_domain", "leave_one_out"):
        for model in MODELS:
            assert set(found[table][model]) == KINDS
            for kind, value in found[table][model].items():
                low, high = found["intervals"][table][model][kind]
                assert 0 <= low <= high <= 1
                assert 0 <= value <= 1
    assert "miniature" in found["world"]
    assert found["seconds"] > 0
    page = (folder / "report.html").read_text()
    assert "None of it is a result on real photographs" in page
    assert page.count("data:image/") > 20
    world = Miniature(MiniatureSpec(), ["val"])
    made = corit.Detector.load(folder / "detector")
    own = made(world.load(world.samples[0])).rows[0]
    assert (own.status, own.reason) == ("ok", "")
    assert own.verdict == made.card.calibration.verdict(own.score)
    assert made.card.domain == "drawn faces of the miniature world"


def test_the_demos_detector_is_unsure_outside_its_domain(folder, tmp_path, capsys):
    points = mean_face() * 96
    cv2.imwrite(str(tmp_path / "a.png"), np.full((96, 96, 3), 90, np.uint8))
    (tmp_path / "l.json").write_text(json.dumps({"a.png": points.tolist()}))
    asked = f"detect {tmp_path / 'a.png'} --detector {folder / 'detector'} --aligned --landmarks {tmp_path / 'l.json'}"
    with pytest.raises(SystemExit) as stop:
        cli.main([*asked.split(), "--format", "jsonl"])
    assert stop.value.code == 0
    printed = capsys.readouterr()
    (line,) = map(json.loads, printed.out.splitlines())
    words = "outside what this detector was trained on: it knows drawn faces of the miniature world only"
    assert (line["verdict"], line["reason"], line["status"]) == ("unsure", words, "ok")
    assert f"corit: these files are {words}; every verdict is unsure\n" in printed.err


def test_tables_hold_the_aucs_of_their_heads(folder):
    spec = MiniatureSpec(train=6, val=2, test=4, pictures=2)
    found = compare_models(folder, spec=spec, seeds=(0, 1), workers=0)
    store = FeatureStore.open(folder / "features" / "corit")
    te = store.features(split="test")
    kind = te.column("manipulation")
    for table, task in (("in_domain", 0), ("leave_one_out", 4)):
        rows = np.flatnonzero((kind == "") | (kind == "NT"))
        part = te.take(rows)
        scores = [found.fits["corit"].head(task, s).logits(part.to_tensor()).numpy() for s in range(2)]
        expected = np.median([slow_auc(part.y, s) for s in scores])
        assert getattr(found, table)["corit"]["NT"].value == pytest.approx(expected, abs=1e-12)
    sizes = [len(p.labels) for p in found.fits["corit"].problems]
    assert sizes == [60, 48, 48, 48, 48]


def test_replication_takes_medians_and_repeats_no_world(tmp_path):
    spec = MiniatureSpec(train=4, val=2, test=2, pictures=2)
    asked = {"spec": spec, "seeds": (0,), "workers": 0}
    first = replicate(tmp_path, worlds=(0, 1), steps=2, faces=40, **asked)
    runs = [json.loads((tmp_path / f"world-{w}" / "results.json").read_text()) for w in (0, 1)]
    values = [r["in_domain"]["corit"]["FS"] for r in runs]
    found = first["in_domain"]["corit"]["FS"]
    assert found == {"median": pytest.approx(sum(values) / 2, abs=1e-4), "low": min(values), "high": max(values)}
    assert runs[0]["backbone"] != runs[1]["backbone"]
    before = (tmp_path / "world-0" / "results.json").stat().st_mtime_ns
    assert replicate(tmp_path, worlds=(0, 1), steps=2, faces=40, **asked) == first
    assert (tmp_path / "world-0" / "results.json").stat().st_mtime_ns == before
    with pytest.raises(DataError, match="at least one world"):
        replicate(tmp_path, worlds=(), **asked)
    with pytest.raises(DataError, match=r"begun with seeds \[0\] instead of \[1\]"):
        replicate(tmp_path, worlds=(0, 1), steps=2, faces=40, **{**asked, "seeds": (1,)})
    with pytest.raises(DataError, match="begun with world"):
        replicate(tmp_path, worlds=(0, 1), steps=2, faces=40, **{**asked, "spec": replace(spec, traces="disjoint")})
