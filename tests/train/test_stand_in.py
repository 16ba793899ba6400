"""Compressed training features: small, deterministic, with the head's own logits, and good enough to train on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from train.own_rows import WIDTH, detector, direction, rows, store

from corit.errors import DetectorError, FitError
from corit.heads.defaults import default_head
from corit.heads.fit import fit
from corit.heads.head import Head
from corit.heads.problem import standardised_problem
from corit.heads.rows import Standardiser, TensorRows
from corit.metrics.auc import auc
from corit.seeding import generator, torch_generator
from corit.train.rows import LabelledRows, rows_of
from corit.train.stand_in import FILE, compress, read_stand_in, write_stand_in

WIDE = 512


@pytest.fixture(scope="module")
def wide():
    """400 rows of 512 numbers: a few strong directions without meaning, and a weak one that tells fakes."""
    rng = generator("wide")
    strong = rng.normal(size=(20, WIDE)) * np.linspace(1.5, 0.3, 20)[:, None]
    weak = rng.normal(size=WIDE)
    labels = np.arange(400) % 2
    z = rng.normal(size=(400, 20)) @ strong + rng.normal(size=(400, WIDE)) + 0.5 * labels[:, None] * weak + 5
    splits = np.array(("train", "train", "val", "test"))[np.arange(400) // 2 % 4]
    kinds = np.where(labels == 1, "DF", "")
    return LabelledRows(
        TensorRows(torch.tensor(z).float()), labels, splits, np.full(400, "set"), kinds, np.arange(400) // 2
    )


def trained(table):
    train, valid = table.part("train"), table.part("val")
    problem = standardised_problem(train.z, train.labels, valid.z, valid.labels, default_head())
    return fit([problem], default_head()).head()


def held_out_auc(head, table):
    test = table.part("test")
    return auc(test.labels, head.score_rows(test.z).numpy())


@pytest.fixture(scope="module")
def head(wide):
    return trained(wide)


def test_the_head_gives_compressed_rows_its_own_logits(wide, head, agree):
    small = compress(wide, head, "r", limit=50_000)
    assert len(small.to_bytes()) <= 50_000
    assert len(small.rows) == len(wide)
    agree(head.score_rows(small.rows.z), head.score_rows(wide.z), rtol=0, atol=2e-5)
    for name in ("labels", "splits", "sources", "kinds", "groups"):
        assert np.array_equal(getattr(small.rows, name), getattr(wide, name))


def test_a_head_that_is_trained_on_compressed_rows_is_as_good(wide, head):
    again = trained(compress(wide, head, "r", limit=60_000).rows)
    assert held_out_auc(head, wide) > 0.9
    assert held_out_auc(again, wide) == pytest.approx(held_out_auc(head, wide), abs=0.03)


def test_compressed_rows_have_the_means_of_each_class_and_part(wide, head):
    small = compress(wide, head, "r", limit=50_000).rows
    gap = [
        np.subtract(*(t.part("train").z.gather(np.flatnonzero(t.part("train").labels == y)).mean(0) for y in (1, 0)))
        for t in (wide, small)
    ]
    assert float((gap[0] - gap[1]).norm() / gap[0].norm()) < 0.05


def test_more_bytes_keep_rows_better(wide, head):
    whole = wide.z.gather(np.arange(400))
    errors = [(compress(wide, head, "r", limit=n).rows.z.values - whole).norm() for n in (40_000, 80_000, 150_000)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0]


def test_the_bytes_are_the_same_each_time(wide, head):
    assert compress(wide, head, "r", limit=50_000).to_bytes() == compress(wide, head, "r", limit=50_000).to_bytes()


def test_of_too_many_rows_the_same_part_of_each_class_is_kept(wide, head):
    few = compress(wide, head, "r", limit=80_000, most_rows=200)
    assert few.measured == 400
    assert few.rows.counts == {name: n // 2 for name, n in wide.counts.items()}


def test_a_perceptron_is_kept_nearly(wide, agree):
    recipe = default_head("mlp")
    weight = torch.randn(recipe.hidden, WIDE, generator=torch_generator("w")) / WIDE**0.5
    scale = Standardiser(torch.full((WIDE,), 5.0), torch.full((WIDE,), 0.1))
    head = Head(weight, torch.zeros(recipe.hidden), scale, recipe, torch.ones(recipe.hidden), torch.zeros(()))
    small = compress(wide, head, "r", limit=100_000).rows
    true, kept = head.score_rows(wide.z), head.score_rows(small.z)
    assert np.corrcoef(true, kept)[0, 1] > 0.99


def test_a_column_that_never_changes_stays(wide, head):
    z = wide.z.values.clone()
    z[:, 3] = 7.0
    assert torch.equal(compress(replace(wide, z=TensorRows(z)), head, "r", limit=50_000).rows.z.values[:, 3], z[:, 3])


def test_too_small_a_limit_and_rows_without_training_are_refused(wide, head):
    with pytest.raises(FitError, match="room for at least one direction of 512 numbers"):
        compress(wide, head, "r", limit=10_000)
    with pytest.raises(FitError, match="expected training rows"):
        compress(wide.part("test"), head, "r")


def test_a_file_holds_numbers_and_names_of_sets_only(tmp_path):
    measured = store(tmp_path / "s", rows("secret", 20, towards=direction(1), dataset="faces"))
    path = write_stand_in(measured, detector(direction(1)), tmp_path / FILE)
    data = path.read_bytes()
    assert b"secret" not in data
    back = read_stand_in(path)
    assert (back.recipe, back.sources, back.kinds, back.measured) == (measured.digest, ("faces",), ("", "DF"), 40)
    assert back.to_bytes() == data
    assert back.rows.counts == rows_of(measured).counts
    assert back.rows.z.width == WIDTH


def test_features_of_another_recipe_are_refused(tmp_path):
    measured = store(tmp_path / "s", rows("a", 10, towards=direction(1)))
    other = detector(direction(1))
    other.card = replace(other.card, recipe=other.card.recipe.replace(**{"model.tau": 0.5}))
    with pytest.raises(DetectorError, match="expected features of the detector's recipe"):
        write_stand_in(measured, other, tmp_path / FILE)


def test_a_damaged_file_is_refused(tmp_path, wide, head):
    path = tmp_path / FILE
    with pytest.raises(DetectorError, match="cannot be read"):
        read_stand_in(path)
    whole = compress(wide, head, "r", limit=50_000).to_bytes()
    path.write_bytes(whole[:1000])
    with pytest.raises(DetectorError, match="restore the file"):
        read_stand_in(path)
    path.write_bytes(whole.replace(b'\\"format\\": 1', b'\\"format\\": 9'))
    with pytest.raises(DetectorError, match="another format"):
        read_stand_in(path)
