"""Verdicts, blame and rankings on cells made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from diagnose.handmade import cell, diagnosis

from corit.diagnose.verdict import blame, rankings, reaches, verdicts, word
from corit.theory.collapse import Radius

RHOS = (0.0, 0.01, 0.05, 0.1, 1.0)
STABLE, LATE = [0.9] * 5, [0.9, 0.9, 0.9, 0.9, 0.5]
EARLY, AT_ONCE, NEVER = [0.9, 0.9, 0.5, 0.5, 0.5], [0.9, 0.5, 0.7, 0.7, 0.7], [0.59] * 5
LATER = [0.5, 0.54, 0.7, 0.7, 0.7]

WORDS = {
    "no collapse": ([STABLE] * 3, "stable"),
    "a collapse at a large radius": ([LATE] * 3, "stable"),
    "a collapse at the recommended radius": ([EARLY] * 3, "in the collapse zone"),
    "below the grid": ([AT_ONCE] * 3, "in the collapse zone"),
    "learned at a larger radius than the recommended": ([[0.5, 0.54, 0.54, 0.7, 0.5]] * 3, "stable"),
    "learned late and stayed": ([LATER] * 3, "stable"),
    "one seed of three collapses early": ([LATE, LATE, EARLY], "in the collapse zone"),
    "nothing learned": ([NEVER] * 3, "never learned"),
    "half of the seeds learned nothing": ([NEVER, NEVER, STABLE, STABLE], "never learned"),
    "one of three seeds learned nothing, the rest is stable": ([NEVER, STABLE, STABLE], "stable"),
    "one of three seeds learned nothing, one collapses early": ([NEVER, EARLY, STABLE], "in the collapse zone"),
    "diverged early": ([[0.9, 0.9, math.nan, math.nan, math.nan]] * 3, "in the collapse zone"),
    "diverged everywhere": ([[math.nan] * 5] * 3, "never learned"),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_cell_has_the_verdict_of_its_seeds(name):
    auc, expected = WORDS[name]
    assert word(cell(auc=auc, rhos=RHOS)) == expected


def test_the_zone_ends_at_the_recommended_radius_itself():
    assert reaches(Radius(0.05), 0.05)
    assert not reaches(Radius(0.0501), 0.05)
    assert not reaches(Radius(0.05, ">"), 0.05)
    assert reaches(Radius(0.02, ">"), 0.05)  # nothing is known of it beyond the grid's end at 0.02
    assert reaches(Radius(0.05, "<"), 0.05)


def test_a_line_says_the_radius_with_its_censoring_on_both_sides():
    sloping = cell("C", [[0.9, 0.9, 0.9, 0.69, 0.6]] * 3, RHOS)
    found = diagnosis(cell("A", [STABLE] * 3, RHOS), cell("B", [AT_ONCE] * 3, RHOS), sloping, rhos=RHOS)
    lines = {v.cell.group: v.line for v in verdicts(found)}
    assert lines["A"] == "A: stable; COR > 1 [> 1, > 1]"
    assert lines["B"].startswith("B: in the collapse zone; COR < 0.01 [< 0.01, < 0.01]; its bound is not lower than")
    assert lines["C"] == "C: stable; COR > 1 [> 1, > 1], half-way 0.0968 [0.0968, 0.0968]"


def test_a_line_says_how_many_seeds_never_learned():
    (said,) = verdicts(diagnosis(cell("A", [NEVER, STABLE, STABLE], RHOS), rhos=RHOS))
    assert said.line == "A: stable; COR > 1 [never learned, > 1]; 1 of 3 seeds never learned"


def test_the_factor_that_lowers_the_bound_most_is_to_blame():
    """Bounds 0.2 and 0.02: the statistical factor takes 1/5, the geometric 1/4, the misspecification gives 2 back."""
    good, bad = cell("A", [STABLE], RHOS, (2.0, 0.5, 0.2)), cell("B", [EARLY], RHOS, (0.5, 1.0, 0.04))
    found = diagnosis(good, bad, rhos=RHOS)
    said = blame(found, bad)
    assert said.factor == "statistical"
    assert said.against == "the stable groups (A)"
    expected = {"geometric": 0.25, "misspecification": 2.0, "statistical": 0.2}
    assert {k: math.exp(v) for k, v in said.logs.items()} == pytest.approx(expected)
    assert "its bound is 0.1 of that of the stable groups (A); the statistical factor (0.2) is to blame" in (
        verdicts(found)[1].line
    )
    assert blame(found, good) is None


@pytest.mark.parametrize("factor", [0, 1, 2])
def test_each_of_the_three_can_be_the_one(factor):
    shrunk = np.array([2.0, 0.9, 0.2])
    shrunk[factor] /= 10
    bad = cell("B", [NEVER], RHOS, tuple(shrunk))
    found = diagnosis(cell("A", [STABLE], RHOS, (2.0, 0.9, 0.2)), bad, rhos=RHOS)
    assert blame(found, bad).factor == ("geometric", "misspecification", "statistical")[factor]


def test_nothing_is_to_blame_where_the_bound_is_not_lower():
    bad = cell("B", [EARLY], RHOS, (4.0, 1.0, 0.2))
    found = diagnosis(cell("A", [STABLE], RHOS, (2.0, 1.0, 0.3)), bad, rhos=RHOS)
    assert blame(found, bad).factor == ""
    assert "none of Theorem 1's factors is to blame" in verdicts(found)[1].line


def test_without_a_stable_group_its_best_layer_is_the_reference():
    here = cell("B", [EARLY], RHOS, (2.0, 1.0, 0.01), layer=4)
    best = cell("B", [LATE], RHOS, (2.0, 1.0, 0.1), layer=2)
    worse = cell("B", [NEVER], RHOS, (2.0, 1.0, 0.2), layer=1)
    said = blame(diagnosis(here, best, worse, rhos=RHOS), here)
    assert (said.factor, said.against) == ("statistical", "its layer 2")


def test_a_fragile_cell_without_anything_to_compare_with_says_so():
    (said,) = verdicts(diagnosis(cell("B", [EARLY], RHOS), rhos=RHOS))
    assert said.blame is None
    assert said.line.endswith("no stable group and no better layer to compare its factors with")


def test_stores_and_heads_are_not_compared_with_each_other():
    bad = cell("B", [EARLY], RHOS, (2.0, 1.0, 0.01))
    others = (cell("A", [STABLE], RHOS, store="T"), cell("A", [STABLE], RHOS, head="mlp"))
    assert blame(diagnosis(bad, *others, rhos=RHOS), bad) is None


def test_forgeries_are_ranked_by_cor_and_by_gsnr_most_fragile_first():
    a, b = cell("A", [STABLE], RHOS, (2.0, 1.0, 0.1)), cell("B", [EARLY], RHOS, (2.0, 1.0, 0.3))
    c, d = cell("C", [NEVER], RHOS, (2.0, 1.0, 0.2)), cell("D", [AT_ONCE], RHOS, (2.0, 1.0, 0.4))
    (ranked,) = rankings(diagnosis(a, b, c, d, rhos=RHOS))
    assert [x.group for x in ranked.by_cor] == ["C", "D", "B", "A"]
    assert [x.group for x in ranked.by_gsnr] == ["A", "C", "B", "D"]
    assert ranked.count == 3  # C never learned
    assert ranked.correlations["cor_gsnr"] == ranked.correlations["cor_bound"] == pytest.approx(-1.0)


def test_correlations_use_all_layers_and_ranks_only_the_last():
    deep = [cell(g, [auc], RHOS, (2.0, 1.0, f)) for g, auc, f in (("A", STABLE, 0.4), ("B", LATE, 0.3))]
    shallow = [replace(cell("A", [EARLY], RHOS, (2.0, 1.0, 0.2)), layer=1)]
    (ranked,) = rankings(diagnosis(*deep, *shallow, rhos=RHOS))
    assert [x.layer for x in ranked.by_cor] == [4, 4]
    assert (ranked.count, ranked.correlations["cor_gsnr"]) == (3, pytest.approx(1.0))


def test_a_rank_correlation_of_equal_radii_is_not_defined():
    (ranked,) = rankings(diagnosis(cell("A", [STABLE], RHOS), cell("B", [STABLE], RHOS, (1.0, 1.0, 0.2)), rhos=RHOS))
    assert all(math.isnan(v) for v in ranked.correlations.values())


def test_equal_radii_are_ranked_by_the_half_way_radius():
    sloping, steep = [0.9, 0.9, 0.9, 0.69, 0.6], [0.9, 0.9, 0.69, 0.6, 0.6]
    found = diagnosis(*(cell(g, [a], RHOS) for g, a in (("A", STABLE), ("B", sloping), ("C", steep))), rhos=RHOS)
    (ranked,) = rankings(found)
    assert [x.group for x in ranked.by_cor] == ["C", "B", "A"]
    assert {str(c.collapse.cor.median) for c in ranked.by_cor} == {"> 1"}


def test_early_gsnr_is_the_mean_of_the_first_tenth_of_the_looks():
    one = cell("A", [STABLE, STABLE], RHOS)
    looks = np.arange(40.0)[:, None, None, None] * np.array([1.0, 10.0])[None, None, :, None]
    longer = replace(one.course, steps=np.arange(40), clustered=looks)
    assert replace(one, course=longer).early.tolist() == [1.5, 15.0]
    assert one.early.tolist() == [one.course.clustered[0, 0, s, 0] for s in range(2)]
