"""The whole command on the quick plan: what it leaves, that it goes on where it was, and what it refuses."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from corit import cli
from corit.errors import DataError
from corit.studies.findings import run as runs
from corit.studies.findings.plan import FindingsPlan, quick_plan
from corit.studies.findings.run import measurements_of, read, run

VERDICTS = {"shown", "not shown", "mixed"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("findings")
    with pytest.raises(SystemExit) as stop:
        cli.main(f"findings --quick --out {out} --workers 0".split())
    assert stop.value.code == 0
    return out


@pytest.mark.slow
def test_every_claim_has_verdict_numbers_and_interval(folder):
    found = json.loads((folder / "claims.json").read_text())
    assert len(found["claims"]) == 21
    for claim in found["claims"]:
        assert claim["verdict"] in VERDICTS
        assert len(claim["interval"]) == 2
        assert claim["effects"]
        assert claim["rule"]
    assert found["frozen"]["choices"]["linear"]["learning_rate"] == 0.5
    assert "validation identities of world 0" in found["frozen"]["on"]
    assert [e["target"] for e in found["encoders"]] == ["semantic", "semantic", "random"]
    assert found["seconds"] > 0
    assert Image.open(folder / "findings.png").width > 1000


@pytest.mark.slow
def test_finished_measurements_are_not_repeated(folder, monkeypatch):
    before = json.loads((folder / "claims.json").read_text())
    gone = next((folder / "measured" / "regional").glob("*.json"))
    kept, text = next((folder / "measured" / "sweeps").glob("*.json")), gone.read_text()
    gone.unlink()
    stamp = kept.stat().st_mtime_ns
    again = run(folder, quick_plan(), workers=0)
    assert again["claims"] == before["claims"]
    assert again["seconds"] >= before["seconds"]
    assert gone.read_text() == text
    assert kept.stat().st_mtime_ns == stamp


@pytest.mark.slow
def test_another_plan_needs_another_folder(folder):
    with pytest.raises(DataError, match=r"was begun with batch 8 instead of .*, encoders "):
        run(folder, FindingsPlan(), workers=0)


@pytest.mark.slow
def test_a_missing_measurement_is_named(folder, tmp_path):
    with pytest.raises(DataError, match="expected the measurement"):
        read(tmp_path, quick_plan())
    assert set(read(folder, quick_plan()).sweeps) == {s.name for s in quick_plan().settings}


def test_an_interrupted_run_leaves_whole_files_and_resumes(tmp_path, monkeypatch):
    done = []

    def measure(self, out, plan, frozen):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(self.name)
        return {"cells": []}

    monkeypatch.setattr(runs.Measurement, "run", measure)
    monkeypatch.setattr(runs, "extract_world", lambda *_: None)
    monkeypatch.setattr(runs, "ensure_encoder", lambda *_: None)
    monkeypatch.setattr(runs.hyperparameters, "choose_all", lambda *_: {})
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, quick_plan(), workers=0)
    written = list((tmp_path / "measured").rglob("*"))
    assert len([p for p in written if p.suffix == ".json"]) == 3
    assert not [p for p in written if ".part" in p.name]


def test_measurements_have_distinct_files():
    names = [(u.kind, u.name) for u in measurements_of(FindingsPlan())]
    assert len(set(names)) == len(names)
    assert {k for k, _ in names} == {"sweeps", "courses", "proxy", "regional", "opposition"}
