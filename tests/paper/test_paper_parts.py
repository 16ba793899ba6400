"""The pieces under the tables: printed numbers, grids, means with shared draws, damaged sources, stages, outlooks."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from corit.bench.benchmark import Predictions
from corit.bench.means import mean_over_test_sets
from corit.bench.perturbed import PerturbedFirstFrames, original_id
from corit.bench.testbed import Size, miniature_testbed
from corit.data.perturbed import PerturbedSource
from corit.errors import DataError
from corit.heads.defaults import limit_batch
from corit.heads.head import HeadRecipe
from corit.metrics.bootstrap import Estimate
from corit.paper.artefact import artefact
from corit.paper.comparison_table import ComparisonTable, MeasuredRow
from corit.paper.outlook import duration
from corit.paper.printed import FRAME_AUC_TABLES, NOISE, printed
from corit.seeding import generator
from corit.theory.collapse import NEVER, Radius, Spread
from corit.world.miniature import Miniature, MiniatureSpec

WORLD = Miniature(MiniatureSpec(0, 2, 2, 3, 2))


def test_averages_are_recomputed_where_every_value_is_printed():
    known = printed(3)
    told, whole = known.averages["UniFD"]
    assert told == 80.0
    assert whole == pytest.approx(np.mean(list(known.values["UniFD"].values())))
    assert known.value("UniFD", "Avg") == whole


def test_quoted_and_repository_numbers_are_returned():
    first = printed(1).official[0]
    assert printed(1).repository(first.row, first.column) == first.value
    assert printed(1).repository("nobody", "Avg") is None
    assert printed(1).official_note.startswith(
        "Repositories. ForAda: README of OUC-VAS/ForensicsAdapter a4cc94f, best on test;"
    )
    assert printed(9).official_note == ""
    said = printed(6).quoted[0]
    assert printed(6).value(said.row, said.column) == said.value


@pytest.mark.parametrize("number", [0, 14])
def test_the_paper_has_thirteen_tables(number):
    with pytest.raises(DataError, match="Tables 1 to 13"):
        printed(number)


def grid(number=13, **changes):
    known = printed(number)
    columns = (*known.columns, known.average)
    values = dict.fromkeys(columns, Estimate(0.5, 0.4, 0.6))
    line = MeasuredRow("mine", next(iter(known.values)), values)
    return ComparisonTable("T", "AUC, %", columns, (line,), known, **changes)


def test_rows_are_ours_then_the_papers_then_all_others():
    found = grid()
    assert [(r[0], r[1]) for r in found.rows] == [("mine", "ours"), ("mine", "paper"), ("Concat", "paper")]
    head, body = found.cells()
    assert head == ["", "whose", *found.columns]
    assert body[0][2] == "50.0 [40.0, 60.0]"


def test_stand_ins_have_stars_and_wide_tables_are_transposed():
    assert "CDFv1*" in grid(stand_ins={"CDFv1": "something else"}).cells()[0]
    head, body = grid(4).cells()
    assert head[1] == "mine, ours"
    assert [row[0] for row in body] == list(grid(4).columns)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 8, 9, 11, 12, 13])
def test_every_printed_average_that_differs_is_known(number):
    known = printed(number)
    half = 0.005 if number in (4, 5) else 0.05
    pairs = {row: pair for row, pair in known.averages.items() if None not in pair}
    assert pairs
    assert set(known.differing) == {row for row, (told, whole) in pairs.items() if abs(told - whole) > half + 1e-9}


def test_every_differing_average_is_noted_once():
    three, five = grid(3).notes(), grid(5).notes()
    assert sum("82.8" in n for n in three) == 1
    assert printed(3).differing == {"UniFD": ("80.0", "82.82")}
    assert any("CNN-Spot 69.58 (69.59), PatchForensics 71.24 (71.25), Freq-spec 55.45 (55.50)" in n for n in five)


def test_the_papers_noise_is_its_largest_difference():
    known = [printed(n) for n in FRAME_AUC_TABLES]
    same = {1: "CoRIT", 3: "CoRIT", 8: "1 1 1", 9: "F+Bd+Bg 3 Avg.", 11: "0.1", 12: "18", 13: "Concat"}
    unifd = {1: "UniFD", 3: "UniFD", 8: "0 0 0"}
    most = 0.0
    for rows in (same, unifd):
        cells = [(c, k.value(rows[k.number], c)) for k in known if k.number in rows for c in k.columns]
        by = {c: [v for d, v in cells if d == c and v is not None] for c, _ in cells}
        most = max(most, *(max(v) - min(v) for v in by.values() if v))
    assert most == pytest.approx(NOISE)
    assert all(any("1.4 points" in n for n in grid(n).notes()) for n in FRAME_AUC_TABLES)
    assert not any("1.4 points" in n for k in (2, 4, 5) for n in grid(k).notes())


def test_digits_are_the_papers_and_averages_are_exact():
    assert printed(4).text("CoRIT", "SAN") == "65.89"
    assert printed(4).text("CNN-Spot", "BigGAN") == "84.50"
    assert printed(8).text("0 0 0", "Avg") == "78.58"  # 78.575, which binary numbers would round down
    assert printed(1).text("FWA", "DFDC") == ""
    assert printed(2).text("CoRIT", "Avg") == "91.0"
    assert printed(1).repository_text("ForAda", "CDFv2") == "90.0"


def test_radii_and_their_censoring_have_separate_columns():
    known = printed(7)
    spread = Spread(Radius(1.68, ""), Radius(0.01, "<"), Radius(5.0, ">"))
    never = Spread(NEVER, NEVER, NEVER)
    values = {"L5": spread, "L10": never}
    made = ComparisonTable("T", "COR", known.columns, (MeasuredRow("mine", "UniFD", values),), known, 1.0, 2)
    rows = list(csv.DictReader(io.StringIO(made.csv())))
    first, second, paper = rows[:3]
    assert [first[k] for k in ("value", "low", "high")] == ["1.68", "", ""]
    assert [first[f"{k}_censored"] for k in ("value", "low", "high")] == ["", "< 0.01", "> 5"]
    assert [second[f"{k}_censored"] for k in ("value", "low", "high")] == ["never learned"] * 3
    assert paper["value"] == "0.57"
    assert made.cells()[1][0][2:4] == ["1.68 [< 0.01, > 5]", "never learned"]
    assert "censored" not in grid().csv()


def test_markdown_and_csv_hold_the_same_values():
    found = grid()
    assert found.markdown().splitlines()[2].startswith("| mine | ours | 50.0 [40.0, 60.0] |")
    assert "mine,ours,CDFv1,50.0000,40.0000,60.0000," in found.csv()


def scored(seed, n=30, people=10):
    rng = generator("scored", seed)
    y = np.arange(n) % 2
    scores = rng.random((3, n)) + 0.5 * y
    who = np.array([f"p{i % people}" for i in range(n)])
    return Predictions(tuple(map(str, range(n))), y, scores, who, np.arange(n))


def slow_auc(y, s):
    pairs = [(a > b) + 0.5 * (a == b) for a in s[y == 1] for b in s[y == 0]]
    return float(np.mean(pairs))


def test_a_mean_over_test_sets_is_the_median_over_heads(agree):
    sets = {"a": scored(0), "b": scored(1)}
    want = np.median([np.mean([slow_auc(s.labels, s.scores[h]) for s in sets.values()]) for h in range(3)])
    found = mean_over_test_sets(sets, "auc", 10)
    agree(found.value, want)
    assert found.estimate.low <= found.estimate.high


def test_draws_are_the_same_for_detectors_on_the_same_rows():
    sets = {"a": scored(0), "b": scored(1)}
    one, two = mean_over_test_sets(sets, "auc", 20), mean_over_test_sets(sets, "auc", 20)
    assert one.minus(two) == Estimate(0.0, 0.0, 0.0)


def test_tiny_test_sets_have_a_mean_without_an_interval():
    pair = np.array(["p0", "p1"])
    one = {
        k: Predictions(("0", "1"), np.array([0, 1]), np.array([[0.2, 0.7]]), pair + k, np.arange(2))
        for k in "abcdefghijkl"
    }
    found = mean_over_test_sets(one, "auc", 5)
    assert found.value == 1.0
    assert len(found.draws) < 2
    assert np.isnan([found.estimate.low, found.estimate.high]).all()


def test_first_frames_have_twenty_perturbations_each():
    made = PerturbedFirstFrames(WORLD)
    first = {original_id(s.id) for s in made.samples}
    assert len(made.samples) == 20 * len(first)
    assert {s.split for s in made.samples} == {"test"}
    one = next(s for s in made.samples if s.dataset == "jpeg 3")
    sample = next(s for s in WORLD.samples if s.id == original_id(one.id))
    assert np.array_equal(made.load(one).pixels, PerturbedSource(WORLD, "jpeg", 3).load(sample).pixels)
    assert not np.array_equal(made.load(one).pixels, WORLD.load(sample).pixels)


def test_a_sample_without_a_perturbation_is_refused():
    with pytest.raises(DataError, match="expected a sample of a perturbed source"):
        PerturbedFirstFrames(WORLD).load(WORLD.samples[0])


def test_a_testbed_refuses_unknown_protocols():
    here = miniature_testbed(Size.of(4, 1))
    with pytest.raises(DataError, match="no protocol 'x' here"):
        here.protocol("x")
    assert here.describe_stand_ins(("CDFv1",)).startswith("Stand-ins. CDFv1: DF of another world")
    assert here.describe_stand_ins(("Avg",)) == ""


def test_no_protocol_of_the_miniature_trains_or_selects_on_a_test_set():
    here = miniature_testbed(Size.of(4, 1))
    for of in here.protocols.values():
        assert {s.split for s in of.train} == {"train"}
        assert {s.split for s in of.select} == {"val"}
        assert {s.split for s in of.test} == {"test"}


@pytest.mark.parametrize(("minutes", "said"), [(None, ""), (0.5, "30 s"), (2, "2 min"), (120, "2 h"), (5000, "3 days")])
def test_durations_have_the_fitting_unit(minutes, said):
    assert duration(minutes) == said


def test_artefacts_are_found_by_either_name():
    assert artefact("table1") is artefact("table01")
    with pytest.raises(DataError, match="the paper has no 'figure12'"):
        artefact("figure12")


def test_few_rows_get_smaller_mini_batches():
    assert limit_batch(HeadRecipe(batch=20), 1000).batch == 20
    assert limit_batch(HeadRecipe(batch=20), 40).batch == 10
    assert limit_batch(HeadRecipe(batch=20), 2).batch == 1
