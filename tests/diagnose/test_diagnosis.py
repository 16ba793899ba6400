"""What is written equals what the theory's own functions say of the same rows, whatever interrupts the work."""

from __future__ import annotations

import csv
import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from diagnose.handmade import LAYERS, QUICK, D, arrays, npz

from corit.diagnose import diagnosis as diagnosing
from corit.diagnose.diagnosis import diagnose_stores
from corit.diagnose.features import FINAL
from corit.diagnose.stores import read_stores
from corit.diagnose.tables import write_tables
from corit.errors import FitError
from corit.heads.rows import TensorRows
from corit.theory import sweep as sweeping
from corit.theory.cor import critical_radius
from corit.theory.phases import course_phases
from corit.theory.sweep import Watching, sweep, task


def table(folder):
    with open(folder / "cor.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diagnosed")
    found = diagnose_stores(read_stores([npz(folder)]), QUICK, folder)
    write_tables(found, folder)
    return folder, found


def task_of(layer, group, kind):
    """The same rows without the code of the package that chooses them."""
    held = arrays()
    x = held["z"] if layer == FINAL else held["levels"][:, layer - 1]
    parts = []
    for part in ("train", "val", "test"):
        chosen = (held["split"] == part) & ((held["y"] == 0) | (held["manipulation"] == group))
        parts.append((TensorRows(torch.from_numpy(x[chosen])), held["y"][chosen]))
    return task(layer, group, *parts, QUICK.recipe(kind))


@pytest.mark.parametrize("kind", ["linear", "mlp"])
@pytest.mark.parametrize("layer", [1, FINAL])
def test_the_table_holds_the_values_of_sweep_and_critical_radius(kind, layer, made, agree):
    recipe = QUICK.recipe(kind)
    for group in ("A", "B"):
        one = [task_of(layer, group, kind)]
        grid = sweep(one, recipe, QUICK.rhos, QUICK.seeds, steps=QUICK.steps, refine=QUICK.refine)
        watch = Watching(QUICK.interval, QUICK.rows)
        course = sweep(one, recipe, (0.0, 0.3), QUICK.seeds, steps=QUICK.steps, watch=watch, refine=0).course
        ratio, gsnr = course.ratio[:, 0, :, 0], course.gsnr[:, 0, :, 0]
        bound = critical_radius(course.steps, ratio, course_phases(course).pre[:, 0, :, 0])
        whole = critical_radius(course.steps, ratio)
        at = "z" if layer == FINAL else str(layer)
        rows = [r for r in table(made[0]) if (r["layer"], r["group"], r["head"]) == (at, group, kind)]
        assert [int(r["seed"]) for r in rows] == list(QUICK.seeds)
        for s, row in enumerate(rows):
            for k, rho in enumerate(QUICK.rhos):
                agree(float(row[f"auc_rho_{rho:g}"]), grid.auc[0, s, k], rtol=1e-5)
            radius = grid.collapse[0].radius[s]
            assert (row["cor"] == "") == bool(radius.censoring)
            assert row["cor_censored"] == (str(radius) if radius.censoring else "")
            if not radius.censoring:
                agree(float(row["cor"]), radius.value, rtol=1e-5)
            agree(float(row["bound"]), bound.radius[s], rtol=2e-3)
            agree(float(row["bound_whole"]), whole.radius[s], rtol=2e-3)
            assert int(row["bottleneck_step"]) == bound.step[s]
            agree(float(row["gsnr"]), gsnr[course.steps.tolist().index(bound.step[s]), s], rtol=2e-3)


def test_the_three_factors_multiply_to_the_bound(made, agree):
    for c in made[1].cells:
        agree(np.prod(list(c.course.factors.values()), 0), c.course.ratio, rtol=1e-3)
        agree(c.factors.prod(-1), c.bound, rtol=1e-3)


def test_every_layer_group_head_and_seed_has_a_row(made):
    rows = [(r["layer"], r["group"], r["head"], r["seed"]) for r in table(made[0])]
    assert len(set(rows)) == len(rows) == (LAYERS + 1) * 2 * 2 * 2
    with open(made[0] / "trajectories.csv", newline="") as file:
        steps = [int(r["step"]) for r in csv.DictReader(file)]
    assert len(steps) == len(rows) * QUICK.steps
    assert set(steps) == set(range(QUICK.steps))


def test_the_summary_says_how_it_was_made_and_what_it_means(made):
    held = json.loads((made[0] / "summary.json").read_text())
    assert held["stores"] == {"f": "a world of numbers; no backbone"}
    assert (held["rhos"], held["seeds"], held["scaling"]) == (list(QUICK.rhos), list(QUICK.seeds), "standard")
    assert {(v["group"], v["head"]) for v in held["verdicts"]} == {(g, h) for g in "AB" for h in ("linear", "mlp")}
    assert len(held["landscapes"]) == 4
    assert len(held["cells"]) == (LAYERS + 1) * 2 * 2
    assert {r["head"] for r in held["rankings"]} == {"linear", "mlp"}


@pytest.mark.parametrize("scaling", ["standard", "whiten"])
@pytest.mark.parametrize(
    ("scale", "shift", "dtype"),
    [(1e20, 0, "f4"), (1e-25, 0, "f4"), (1e-25, 3, "f4"), (1e60, 0, "f8"), (1e-60, 0, "f8"), (1e20, 1e6, "f8")],
)
def test_a_diagnosis_does_not_depend_on_feature_unit_and_origin(scale, shift, dtype, scaling, tmp_path, agree):
    plan, held = replace(QUICK, scaling=scaling, layers=(1, FINAL), groups=("A",)), arrays()
    moved = {k: ((held[k].astype(float) + shift) * scale).astype(dtype) for k in ("z", "levels")}
    (tmp_path / "moved").mkdir()
    plain, other = (
        diagnose_stores(read_stores([file]), plan, file.parent)
        for file in (npz(tmp_path), npz(tmp_path / "moved", "f", **moved))
    )
    for a, b in zip(plain.cells, other.cells, strict=True):
        agree(b.auc, a.auc, atol=1e-12)
        assert [r.censoring for r in b.collapse.radius] == [r.censoring for r in a.collapse.radius]
        for name in ("bound", "whole", "gsnr", "corrected"):
            agree(getattr(b, name), getattr(a, name), rtol=1e-3)
        for name in ("loss", "gradient", "trace_h", "lambda_max"):
            agree(getattr(b.course, name), getattr(a.course, name), rtol=1e-3)


def test_the_headline_is_z(made):
    assert made[1].headline("f") == FINAL
    assert {c.layer for c in made[1].headlines()} == {FINAL}


def without_seconds(folder):
    names = ("cor.csv", "trajectories.csv", "summary.json")
    lines = [(folder / n).read_text().splitlines() for n in names]
    return [[line for line in text if '"seconds"' not in line] for text in lines]


@pytest.mark.parametrize("stop", ["linear heads", "mlp heads", "mlp courses"])
def test_an_interrupted_diagnosis_goes_on_and_leaves_the_same_files(stop, made, tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    @contextmanager
    def bars(label):
        def progress(done, total):
            if label.startswith(stop):
                raise Stopped

        yield progress

    stores = read_stores([npz(tmp_path)])
    with pytest.raises(Stopped):
        diagnose_stores(stores, QUICK, tmp_path, bars=bars)
    kept = len(list(tmp_path.glob("sweeps/**/*.safetensors")))
    trained = []
    fit = sweeping.fit
    monkeypatch.setattr(sweeping, "fit", lambda *a, **k: trained.append(a) or fit(*a, **k))
    write_tables(diagnose_stores(stores, QUICK, tmp_path), tmp_path)
    assert len(trained) == len(list(tmp_path.glob("sweeps/**/*.safetensors"))) - kept
    assert without_seconds(tmp_path) == without_seconds(made[0])


def test_two_stores_of_two_widths_are_diagnosed_beside_each_other(tmp_path):
    other = arrays()["levels"][:, :, :3]
    paths = [npz(tmp_path), npz(tmp_path, "g", levels=other, z=None)]
    found = diagnose_stores(read_stores(paths), QUICK, tmp_path)
    assert found.layers == {"f": (1, 2, 3, FINAL), "g": (1, 2, 3)}
    assert found.headline("g") == 3
    assert set(found.landscapes) == {(s, g, h) for s in "fg" for g in "AB" for h in QUICK.heads}
    axes = {s: found.landscapes[s, "A", "linear"].directions[0] for s in "fg"}
    assert [len(a) for a in axes.values()] == [2 * D + 1, 4]


def test_a_head_that_diverged_has_no_landscape_and_the_others_have(tmp_path, monkeypatch):
    real = diagnosing.sweep

    def broken(tasks, *asked, **more):
        found = real(tasks, *asked, **more)
        for t, heads in zip(found.tasks, found.heads, strict=True):
            if t.group == "B":
                heads.weight[:] = torch.nan
        return found

    monkeypatch.setattr(diagnosing, "sweep", broken)
    found = diagnose_stores(read_stores([npz(tmp_path)]), QUICK, tmp_path)
    assert {g for _, g, _ in found.landscapes} == {"A"}


def test_progress_is_told_for_heads_and_courses(tmp_path):
    told = {}

    @contextmanager
    def bars(label):
        yield lambda done, total: told.setdefault(label, []).append((done, total))

    diagnose_stores(read_stores([npz(tmp_path)]), QUICK, tmp_path, bars=bars)
    assert list(told) == [f"{h} {what} on f" for h in QUICK.heads for what in ("heads", "courses")]
    assert all(told[label][-1][0] == told[label][-1][1] > 0 for label in told)


def test_numbers_do_not_depend_on_which_layers_are_asked_for(made, tmp_path):
    plan = replace(QUICK, layers=(2,), groups=("B",), heads=("linear",))
    (alone,) = diagnose_stores(read_stores([npz(tmp_path)]), plan, tmp_path).cells
    (beside,) = made[1].where(layer=2, group="B", head="linear")
    np.testing.assert_allclose(alone.auc, beside.auc, rtol=1e-6)
    np.testing.assert_allclose(alone.bound, beside.bound, rtol=1e-3)


def paired(**changes):
    """Each fake shares its source with the real before it, and lies near it; both are far from the origin."""
    held = arrays()
    source = np.array([f"source {i // 2}" for i in range(len(held["y"]))])
    moved = {k: held[k].copy() for k in ("z", "levels")}
    for values in moved.values():
        values[1::2] = 0.1 * values[1::2] + values[::2] + 0.2
        values += 4
    return {"group": source, **moved, **changes}


@pytest.fixture(scope="module")
def by_source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("by source")
    plan = replace(QUICK, heads=("linear",), layers=(1,))
    found = diagnose_stores(read_stores([npz(folder, **paired())]), plan, folder)
    write_tables(found, folder)
    return folder, found, plan


def test_sources_of_rows_cluster_the_gsnr_of_a_diagnosis(by_source, agree):
    folder, found, _ = by_source
    for c in found.cells:
        assert c.course.clusters[0] >= 10
        first = c.course.clustered[0, 0, :, 0], c.course.corrected[0, 0, :, 0]
        assert (first[0] > first[1]).all()
        agree(c.early, c.course.clustered[: max(1, len(c.course.steps) // 10), 0, :, 0].mean(0))
        agree(c.early_centred, c.course.centred_clustered[: max(1, len(c.course.steps) // 10), 0, :, 0].mean(0))
        at = np.searchsorted(c.course.steps, c.step)
        agree(c.estimate, c.course.clustered[at, 0, [0, 1], 0])
        agree(c.centred, c.course.centred_clustered[at, 0, [0, 1], 0])
    record = json.loads((folder / "summary.json").read_text())["cells"][0]
    assert record["gsnr_estimator"] == "clustered"
    assert record["gsnr_clusters"] == found.cells[0].course.clusters[0]
    agree(record["gsnr_early_centred"], float(np.median(found.cells[0].early_centred)), rtol=1e-4)
    with open(folder / "trajectories.csv", newline="") as file:
        first = next(csv.DictReader(file))
    agree(float(first["clustered"]), found.cells[0].course.clustered[0, 0, 0, 0], rtol=1e-4)


def test_an_estimator_that_is_named_is_taken(by_source, tmp_path, agree):
    plan = replace(by_source[2], estimator="plain")
    found = diagnose_stores(read_stores([npz(tmp_path, **paired())]), plan, tmp_path)
    write_tables(found, tmp_path)
    for c in found.cells:
        agree(c.early, c.course.gsnr[: max(1, len(c.course.steps) // 10), 0, :, 0].mean(0))
    assert json.loads((tmp_path / "summary.json").read_text())["cells"][0]["gsnr_estimator"] == "plain"
    with pytest.raises(FitError, match="expected the estimator plain, corrected, clustered or None, got 'best'"):
        replace(plan, estimator="best")


def test_rows_without_shared_sources_are_taken_one_by_one(made):
    record = json.loads((made[0] / "summary.json").read_text())["cells"][0]
    assert (record["gsnr_estimator"], record["gsnr_clusters"]) == ("corrected", 0)
    assert record["gsnr_estimate"] == record["gsnr_corrected"]
