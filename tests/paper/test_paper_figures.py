"""Figures by themselves: masks of many layers and of no picture, the long training's scores, what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from diagnose.handmade import cell, diagnosis
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from PIL import Image

from corit.bench.protocols import Protocol, Selection
from corit.bench.rows import ProtocolRows
from corit.bench.runner import RunSettings
from corit.bench.variant import CORIT
from corit.errors import DataError
from corit.heads.head import HeadRecipe
from corit.heads.rows import TensorRows
from corit.metrics.auc import auc
from corit.paper import architecture, long_training, masks
from corit.paper import diagnosis as instruments
from corit.paper.page import save
from corit.progress import no_bar
from corit.recipe import ModelRecipe
from corit.seeding import generator
from corit.views.prepare import Views

KINDS = ("real", "DF")


def drawn(layers):
    """A mask figure of a backbone of so many layers, with four patches."""
    rng = generator("mask figure", layers)
    view = Views(
        np.zeros((8, 8, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8), np.eye(3, 4) > 0, np.ones((8, 8), bool)
    )
    shown = {k: (view, rng.random((layers, 4)) < 0.5) for k in KINDS}
    kept = {k: 0.9 + 0.1 * rng.random((3, layers)) for k in KINDS}
    encoder = SimpleNamespace(backbone=SimpleNamespace(depth=layers, grid=(2, 2)))
    return masks.draw(shown, kept, "foreground", encoder), kept


@pytest.mark.parametrize("layers", [5, 12, 24])
def test_masks_show_every_layer_of_every_kind(layers):
    made, _ = drawn(layers)
    titles = [a.get_title() for a in made.subfigs[0].axes if a.get_title()]
    assert sorted(titles) == sorted([*KINDS, *(f"layer {l + 1}" for l in range(layers) for _ in KINDS)])


def test_kept_fractions_have_mean_and_range_on_an_axis_that_fits():
    made, kept = drawn(24)
    (axis,) = made.subfigs[1].axes
    assert axis.get_ylim()[0] > 0.85
    np.testing.assert_allclose(axis.lines[0].get_ydata(), kept["real"].mean(0))
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (kept["real"].min(), kept["real"].max())
    assert axis.get_xticks().tolist() == list(range(1, 25))


def test_pictures_without_the_region_do_not_count():
    values = np.array([[0.5, 1.0], [np.nan, np.nan], [1.0, 1.0]])
    assert [v.tolist() for v in masks.spread(values)] == [[0.75, 1.0], [0.5, 1.0], [1.0, 1.0]]
    assert masks.numbers({"real": np.full((2, 2), np.nan)})[1] == ("real", "mean", "", "")


def test_a_kind_without_a_usable_picture_is_refused():
    lab = SimpleNamespace(source=lambda data: SimpleNamespace(samples=()))
    encoder = SimpleNamespace(preparer=lambda: None)
    with pytest.raises(DataError, match="expected a test picture of NT in ff to draw masks on, got none"):
        masks.views_of(lab, "ff", "NT", encoder)


def test_a_diagnosis_without_neuraltextures_is_refused():
    with pytest.raises(DataError, match="expected S to be diagnosed on NT, got A"):
        instruments.cell(diagnosis(cell("A")), "S", 4, "linear")


def test_figure_7_of_diverged_heads_alone_is_refused(monkeypatch):
    none = SimpleNamespace(landscapes={}, plan=SimpleNamespace(seeds=(0,)), shown=0.05)
    monkeypatch.setattr(instruments, "diagnosis", lambda lab: none)
    monkeypatch.setattr(instruments, "notes", lambda lab: ())
    with pytest.raises(DataError, match="all diverged"):
        instruments.LANDSCAPES.make(None)


def test_figure_4_has_an_arrow_from_regions_to_embedding():
    backbone = SimpleNamespace(depth=8, patch=8, width=96)
    keys = ("x, x~", "R", "[C; V; T]", "g", "a", "m", "r", "F_l", "z")
    encoder = SimpleNamespace(backbone=backbone, recipe=SimpleNamespace(model=ModelRecipe()))
    (axis,) = architecture.draw(encoder, dict.fromkeys(keys, (1,))).axes
    arrows = [p.get_path().vertices for p in axis.patches if isinstance(p, FancyArrowPatch)]
    starts_in = lambda v: 0.1 <= v[0][0] <= 1.9 and 0.8 <= v[0][1] <= 2.4
    ends_at = lambda v: any(2.5 <= x <= 4.2 and 3.3 <= y <= 3.6 for x, y in v)
    assert sum(starts_in(v) and ends_at(v) for v in arrows) == 1
    assert any("T at layer 0" in t.get_text() for t in axis.texts)


OF = Protocol(
    "p",
    train=(Selection("d", "train"),),
    select=(Selection("d", "val"),),
    test=(Selection("d", "test"),),
)


def rows(split, people, faces=1):
    """A picture of each person, real and fake in turn, with so many faces."""
    names = [f"{split}-{p}" for p in range(people) for _ in range(faces)]
    y = np.repeat(np.arange(people) % 2, faces)
    z = generator("faces", split).normal(size=(len(y), 3)) + y[:, None]
    columns = {"id": names, "path": names, "group": names, "video": [""] * len(y), "label": y, "data": ["d"] * len(y)}
    return ProtocolRows(TensorRows(torch.from_numpy(z).float()), pa.table(columns), {})


@pytest.fixture
def lab(monkeypatch):
    """A run of two epochs on rows by hand, by split."""
    held = {"train": rows("train", 16), "val": rows("val", 8), "test": rows("test", 10, faces=3)}
    monkeypatch.setattr(long_training, "LONGER", 2)
    monkeypatch.setattr(long_training, "require_recipe", lambda protocol, stores: None)
    monkeypatch.setattr(long_training, "select_rows", lambda protocol, selections, stores: held[selections[0].split])
    settings = RunSettings(seeds=(0, 1), head=HeadRecipe(epochs=1, batch=4))
    made = SimpleNamespace(stores=lambda protocol, v: {}, settings=settings, bars=no_bar)
    return made, held


def test_figure_5_scores_a_picture_by_its_most_suspicious_face(lab):
    run, held = lab
    found, counts = long_training.auc_course(run, OF, CORIT)
    assert (found.shape, counts) == ((2, 2), {"d": (5, 5, 0)})
    recipe = HeadRecipe(epochs=2, batch=4)
    heads = long_training.heads_by_epoch(run, held["train"], held["val"], recipe, "corit")
    test = held["test"]
    for at, head in enumerate(heads):
        faces = head.logits(test.rows.values).numpy().reshape(10, 3)
        assert found[at // 2, at % 2] == pytest.approx(auc(test.y[::3], faces.max(1)))
    last = long_training.fit(
        [
            long_training.standardised_problem(
                held["train"].rows, held["train"].y, held["val"].rows, held["val"].y, recipe
            )
        ],
        long_training.replace(recipe, select="last"),
        seeds=run.settings.seeds,
    )
    for s in range(2):
        torch.testing.assert_close(heads[2 + s].weight, last.head(seed=s).weight)


@pytest.mark.parametrize(("split", "role"), [("train", "train on"), ("val", "select by")])
def test_figure_5_refuses_test_rows_in_training_or_selection(lab, split, role):
    run, held = lab
    held["test"] = held[split]
    with pytest.raises(DataError, match=f"the rows to {role} share"):
        long_training.auc_course(run, OF, CORIT)


def test_several_figures_on_one_sheet_have_letters(tmp_path):
    two = (Figure(figsize=(3, 2)), Figure(figsize=(3, 2)))
    for figure in two:
        figure.subplots()
    save(two, ["said"], tmp_path / "two.png")
    assert [f.get_suptitle() for f in two] == ["(a)", "(b)"]
    assert Image.open(tmp_path / "two.png").width > 200
    one = Figure(figsize=(3, 2))
    one.subplots()
    save((one,), ["said"], tmp_path / "one.png")
    assert one.get_suptitle() == ""
