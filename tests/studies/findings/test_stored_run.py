"""`corit findings --store` on tiny stores: forgeries, variants and splits, the whole run, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from studies.findings.stored_sets import TOKENS, WIDTH, levels, pairs, samples, store

from corit import cli
from corit.errors import DataError, StoreError
from corit.studies.findings.stored.plan import Case, plan_of
from corit.studies.findings.stored.rows import mask_of, read_forgeries
from corit.studies.findings.stored.run import Stores, run
from corit.studies.findings.stored.sweeps import split_task
from corit.studies.findings.worlds import read_worlds

PAIRED = samples("dfdc", 30, blends=15)
OTHER = samples("composite", 16, paired=False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("stores")
    made = [store(root / f"dfdc-{v}", PAIRED, v) for v in ("pool", "corit", "tokens", "no-mask")]
    made += [store(root / f"other-{v}", OTHER, v) for v in ("tokens", "corit")]
    return [str(f) for f in made]


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    return pairs(path, [f"f{i:02d}" for i in range(30)], [0.9 + 0.1 * (i % 2) for i in range(30)])


def test_stores_of_the_same_pictures_are_one_set(folders, alike):
    forgeries = {f.name: f for f in read_forgeries(folders, alike)}
    assert list(forgeries) == ["dfdc close", "dfdc loose", "self-blended", "composite"]
    assert [f.set for f in forgeries.values()] == [0, 0, 0, 1]
    assert [f.subtle for f in forgeries.values()] == [True, False, True, False]
    assert sorted(forgeries["dfdc close"].stores) == ["corit", "no-mask", "pool", "unifd"]
    assert forgeries["dfdc close"].stores["unifd"].name == "dfdc-tokens"
    assert sorted(forgeries["composite"].stores) == ["corit", "unifd"]


def test_a_forgery_has_the_reals_of_its_groups(folders, alike):
    close, loose, blended, other = read_forgeries(folders, alike)
    for forgery in (close, loose, blended):
        assert (np.bincount(forgery.y) == 15).all()
        assert set(forgery.group[forgery.y == 0]) == set(forgery.group[forgery.y == 1])
    assert not set(close.group) & set(loose.group)
    assert set(blended.group) == {f"dfdc/{i:02d}" for i in range(15)}
    assert (np.bincount(other.y) == 16).all()


def test_without_correlations_the_pairs_stay_together(folders):
    assert [f.name for f in read_forgeries(folders)] == ["dfdc", "self-blended", "composite"]


def test_features_are_those_of_the_rows(folders, agree):
    forgery = read_forgeries(folders)[0]
    rows = {s.id: s for s in PAIRED}
    wanted = np.stack([levels(rows[i], 0.0)[3] for i in forgery.ids.tolist()]).astype(np.float16)
    agree(forgery.read("corit", 3), wanted.reshape(len(wanted), -1).astype(np.float32))
    agree(forgery.read("unifd", 3), wanted[:, 0].astype(np.float32))
    assert forgery.read("pool", 1).shape == (60, TOKENS * WIDTH)


def test_a_store_without_injection_gives_unifd_where_no_other_does(tmp_path):
    folder = store(tmp_path / "pool", PAIRED, "pool")
    (forgery, _) = read_forgeries([folder])
    assert sorted(forgery.stores) == ["pool", "unifd"]
    assert forgery.read("unifd", 2).shape == (60, WIDTH)


def test_splits_keep_groups_and_cover_all_rows(folders, alike):
    for forgery in read_forgeries(folders, alike):
        folds = forgery.folds(5)
        tested = np.zeros(len(folds), int)
        for split in range(5):
            parts = {p: mask_of(folds, split, p, 5) for p in ("train", "val", "test")}
            assert (sum(m.astype(int) for m in parts.values()) == 1).all()
            groups = [set(forgery.group[m]) for m in parts.values()]
            assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
            assert all(set(forgery.y[m]) == {0, 1} for m in parts.values())
            tested += parts["test"]
        assert (tested == 1).all()


def test_composites_are_sliced_by_their_names(tmp_path):
    rows = samples("composite", 16, paired=False)
    names = ["easy_1_1111", "hard_2_1000", "mid_3_0011", "mid_4_1010"]
    fakes = [s for s in rows if s.label == 1]
    rows = [s for s in rows if s.label == 0]
    rows += [replace(s, id=f"x/fake/{names[i % 4].replace('_', f'_{i}', 1)}.jpg") for i, s in enumerate(fakes)]
    (forgery,) = read_forgeries([store(tmp_path / "s", rows, "tokens")])
    slices = forgery.slices()
    assert sorted(slices) == ["easy", "eyes", "eyes and below", "hard", "mid", "nose or mouth", "whole face"]
    assert slices["mid"].sum() == 16 + 8
    assert slices["eyes"].sum() == 16 + 4


def test_moments_and_floors_come_from_training_rows_alone(folders, agree):
    forgery, plan = read_forgeries(folders)[0], plan_of(quick=True).at_depth(4)
    one = split_task(forgery, plan, Case("unifd", "linear", "centre"), 4, 0)
    x = forgery.read("unifd", 4)[torch.from_numpy(mask_of(forgery.folds(3), 0, "train", 3))].double()
    agree(one.task.problem.standardiser.mean, x.mean(0).float())
    agree(one.common[0], float(x.mean(0).norm()))
    agree(one.common[2], float(x.mean(0).square().sum() / x.square().sum(1).mean()))


@pytest.fixture(scope="module")
def out(folders, alike, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    words = ["findings", "--quick", "--workers", "0", "--out", str(out), "--pairs", str(alike), "--store", *folders]
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 0
    return out


@pytest.mark.slow
def test_every_claim_has_verdict_numbers_and_interval(out):
    record = read_worlds(out / "findings.json")["real"]
    assert len(record["claims"]) == 27
    for claim in record["claims"]:
        assert claim["verdict"] in {"shown", "not shown", "mixed"}
        assert claim["rule"]
        assert all(len(e["by_split"]) == 2 for e in claim["effects"].values())
    assert record["plan"]["layers"] == [2, 4]
    assert record["forgeries"]["dfdc close"]["fakes"] == 15
    assert str(out) not in json.dumps(record)
    assert Image.open(out / "findings-real.png").width > 800


@pytest.mark.slow
def test_a_run_resumes_and_takes_another_split(out, folders, alike):
    before = read_worlds(out / "findings.json")["real"]
    kept = next((out / "real" / "sweeps").glob("*.json"))
    stamp = kept.stat().st_mtime_ns
    (out / "real" / "landscapes" / "unifd.linear.raw.0.json").unlink()
    again = run(out, Stores(tuple(folders), alike), plan_of(quick=True), workers=0)
    assert [c["effects"] for c in again["claims"]] == [c["effects"] for c in before["claims"]]
    more = run(out, Stores(tuple(folders), alike), plan_of(quick=True, splits=3), workers=0)
    assert len(more["claims"][0]["effects"]["share that falls to chance"]["by_split"]) == 3
    assert kept.stat().st_mtime_ns == stamp


@pytest.mark.slow
def test_another_plan_or_other_rows_need_another_folder(out, folders, alike):
    with pytest.raises(DataError, match="was begun with"):
        run(out, Stores(tuple(folders), alike), plan_of(), workers=0)
    with pytest.raises(DataError, match="was begun with"):
        run(out, Stores(tuple(folders)), plan_of(quick=True), workers=0)


def test_stores_that_do_not_fit(folders, alike, tmp_path):
    with pytest.raises(DataError, match="expected one store of each variant"):
        read_forgeries([*folders, str(store(tmp_path / "again", PAIRED, "corit"))])
    with pytest.raises(DataError, match="expected a store without injection"):
        read_forgeries([f for f in folders if f.endswith("corit")])
    with pytest.raises(DataError, match="expected fakes of .* in the stores"):
        read_forgeries(folders, pairs(tmp_path / "none.csv", ["x"], [0.9]))
    with pytest.raises(DataError, match="expected 12 groups of reals or more of few, got 4"):
        read_forgeries([store(tmp_path / "few", samples("few", 4), "tokens")])
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="expected the columns fake and correlation_112"):
        read_forgeries(folders, tmp_path / "bad.csv")
    with pytest.raises(StoreError, match="expected a feature store at"):
        read_forgeries([tmp_path / "none"])


def test_options_of_stores_need_a_store(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["findings", "--splits", "2"])
    assert stop.value.code
    assert "expected --store with" in capsys.readouterr().err
