"""The page of `corit diagnose`: one file, every figure and table with its world, backbone, head and seeds."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from diagnose.handmade import cell, diagnosis
from PIL import Image

from corit.diagnose.control import Control
from corit.diagnose.verdict import rankings
from corit.errors import DataError
from corit.report import courses, diagnose, planes, radii
from corit.theory.floors import Floors

RHOS = (0.0, 0.01, 0.05, 0.1, 1.0)
STABLE, EARLY, AT_ONCE, NEVER = [0.9] * 5, [0.9, 0.9, 0.5, 0.5, 0.5], [0.9, 0.5, 0.7, 0.7, 0.7], [0.59] * 5
COURSES = {"A": STABLE, "B": EARLY, "C": AT_ONCE, "D": NEVER, "E": [0.9, 0.9, np.nan, np.nan, np.nan]}


def everything():
    """Two stores, two layers, both heads; what is censored on both sides, what never learned and what diverged."""
    cells = [
        cell(g, [auc, auc], RHOS, (2.0, 1.0, 0.1 + 0.01 * k), store=s, layer=l, head=h)
        for s in ("S", "T")
        for l in (2, 4)
        for h in ("linear", "mlp")
        for k, (g, auc) in enumerate(COURSES.items())
    ]
    return diagnosis(*cells, rhos=RHOS)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    diagnose.write(everything(), folder)
    return folder, (folder / "report.html").read_text()


def test_the_page_needs_nothing_but_itself(page):
    assert not re.findall(r'(?:src|href)="(?!data:image/|#)[^"]*"', page[1])
    assert not re.findall(r"https?://|@import|url\(|<script|<link", page[1])
    assert sorted(p.name for p in page[0].iterdir()) == ["cor.csv", "report.html", "summary.json", "trajectories.csv"]


def test_figures_and_tables_name_world_backbone_head_and_seeds(page):
    said = "S: world of S; backbone of S; T: world of T; backbone of T. Head: linear"
    shown = re.findall(r"<figure>.*?</figure>", page[1], re.S)
    assert len(shown) == 2 + 1 + 1 + 2 + 2 + 2 + 2 + 2
    for figure in shown:
        assert re.search("S: world of S; backbone of S; T: world of T; backbone of T. Head: .* Seeds 0, 1.", figure)
    notes = re.findall(r"</table></div>\s*<p class=\"note\">(.*?)</p>", page[1], re.S)
    assert len(notes) == page[1].count("</table>") == 6
    assert sum(said in n for n in notes) == 5  # one table is of the perceptron
    assert all("Seeds 0, 1." in n for n in notes)


def test_verdicts_and_what_is_censored_on_both_sides_are_on_the_page(page):
    for words in ("&gt; 1 [&gt; 1, &gt; 1]", "&lt; 0.01 [&lt; 0.01, &lt; 0.01]", "0.05 [0.05, 0.05]", "never learned"):
        assert f"<td>{words}<" in page[1]
    assert page[1].count('class="verdict real">stable') == 4
    assert page[1].count('class="verdict fake">in the collapse zone') == 12
    assert page[1].count('class="verdict unsure">never learned') == 4
    assert "Left out: S: too few of C." in page[1]


def test_the_table_and_the_summary_are_censored_alike(page):
    with open(page[0] / "cor.csv", newline="") as file:
        rows = [r for r in csv.DictReader(file) if (r["store"], r["layer"], r["head"]) == ("S", "4", "linear")]
    shown = {r["group"]: (r["cor"], r["cor_censored"]) for r in rows}
    assert shown == {
        "A": ("", "> 1"),
        "B": ("0.05", ""),
        "C": ("", "< 0.01"),
        "D": ("", "never learned"),
        "E": ("0.05", ""),
    }
    assert [r["auc_rho_0.05"] for r in rows if r["group"] == "E"] == ["", ""]
    held = json.loads((page[0] / "summary.json").read_text())
    records = {c["group"]: c["cor"][0] for c in held["cells"] if (c["store"], c["layer"]) == ("T", "2")}
    assert records == {"A": "> 1", "B": "0.05", "C": "< 0.01", "D": "never learned", "E": "0.05"}


def test_lines_for_the_terminal():
    lines = diagnose.text(everything()).splitlines()
    assert lines[0] == "S, layer 4, linear head"
    assert lines[1] == "  A: stable; COR > 1 [> 1, > 1]"
    assert "D < C < B = E < A" in "\n".join(lines)
    assert lines[-1] == "left out: S: too few of C"


def curve(figure, axis=0, line=0):
    return figure.axes[axis].lines[line]


def test_figure_2a_is_the_median_over_seeds():
    found = diagnosis(
        cell("A", [[0.9, 0.8, 0.7, 0.5], [0.7, 0.6, 0.5, 0.5], [0.8, 0.9, 0.6, 0.5]], RHOS[1:]), rhos=RHOS[1:]
    )
    assert curve(radii.against_radius(found)).get_xdata().tolist() == list(RHOS[1:])
    assert curve(radii.against_radius(found)).get_ydata().tolist() == [0.8, 0.8, 0.6, 0.5]


def test_figure_2a_has_a_linear_heads_floors_and_its_heads_on_centred_features():
    """Dots at the nearest mean, dashes at the logistic regression, and a dashed curve of the control."""
    one, centred = cell("A", [STABLE] * 2, RHOS), np.array([EARLY, [0.7] * 5])
    control = Control(centred, one.collapse)
    drawn = {}
    for head in ("linear", "mlp"):
        held = replace(one, head=head, floors=Floors(0.62, 0.93), control=control)
        lines = radii.against_radius(diagnosis(held, rhos=RHOS)).axes[0].lines
        drawn[head] = [np.atleast_1d(line.get_ydata()).tolist() for line in lines]
    assert [0.62, 0.62] in drawn["linear"]
    assert [0.93, 0.93] in drawn["linear"]
    assert not {0.62, 0.93} & {y for ys in drawn["mlp"] for y in ys}
    for lines in drawn.values():
        assert np.median(centred, 0).tolist() in lines


def test_figure_2b_is_the_gain_seed_by_seed_up_to_a_tenth():
    found = diagnosis(
        cell("A", [[0.6, 0.7, 0.8, 0.5], [0.8, 0.7, 0.9, 0.5], [0.7, 0.7, 0.7, 0.5]], RHOS[1:]), rhos=RHOS[1:]
    )
    np.testing.assert_allclose(curve(radii.gains(found)).get_xdata(), RHOS[1:4])
    np.testing.assert_allclose(curve(radii.gains(found)).get_ydata(), [0, 0, 0.1], atol=1e-12)
    assert radii.gains(diagnosis(cell("A", [[0.6, 0.7]], (0.2, 0.3)), rhos=(0.2, 0.3))) is None


def test_panels_call_heads_by_the_names_of_the_page():
    titles = {a.get_title() for a in radii.against_radius(everything()).axes}
    assert {"S, layer 4, linear head", "S, layer 4, perceptron"} <= titles
    assert radii.layerwise(everything(), "mlp").axes[0].get_title() == "S, perceptron"


def test_figure_2b_does_not_fill_a_panel_with_rounding():
    found = diagnosis(cell("A", [[0.6, 0.6 + 1e-16, 0.6, 0.6, 0.6]], RHOS), rhos=RHOS)
    low, high = radii.gains(found).axes[0].get_ylim()
    assert high - low == pytest.approx(radii.LEAST)
    wide = diagnosis(cell("A", [[0.6, 0.6, 0.7, 0.8, 0.5]], RHOS), rhos=RHOS)
    assert radii.gains(wide).axes[0].get_ylim()[1] > 0.2


def test_figure_1b_marks_what_is_censored_at_the_edges():
    layers = {2: STABLE, 3: AT_ONCE, 4: EARLY, 5: NEVER}
    found = diagnosis(*(cell("A", [auc], RHOS, layer=l) for l, auc in layers.items()), rhos=RHOS)
    lines = [x for x in radii.layerwise(found, "linear").axes[0].lines if len(x.get_xdata()) == 1]
    shown = [(x.get_marker(), float(x.get_ydata()[0])) for x in lines]
    assert shown == [("^", 1.0), ("v", 0.01), ("o", 0.05), ("x", 0.005)]


def test_figure_1b_has_the_half_way_radius_as_a_dotted_line():
    layers = {2: STABLE, 3: [0.9, 0.9, 0.9, 0.7, 0.5], 4: NEVER}
    found = diagnosis(*(cell("A", [auc], RHOS, layer=l) for l, auc in layers.items()), rhos=RHOS)
    dotted = next(x for x in radii.layerwise(found, "linear").axes[0].lines if x.get_linestyle() == ":")
    np.testing.assert_allclose(dotted.get_ydata(), [1.0, 0.1, np.nan])


def test_figure_3_is_the_median_course_with_its_bottleneck():
    gsnr = np.linspace(1, 8, 8)[:, None, None, None] * np.array([1.0, 2.0, 4.0])[None, None, :, None]
    one = cell("A", [STABLE] * 3, RHOS)
    found = diagnosis(replace(one, course=replace(one.course, gsnr=gsnr)), rhos=RHOS)
    for figure in (courses.by_group(found, "linear"), courses.by_layer(found, "linear")):
        assert curve(figure).get_ydata().tolist() == (2 * np.linspace(1, 8, 8)).tolist()
        assert (curve(figure, line=1).get_xdata()[0], curve(figure, line=1).get_ydata()[0]) == (20, 6.0)


@pytest.mark.parametrize(("ends", "hollow"), [([30, 40, np.inf], False), ([30, np.inf, np.inf], True)])
def test_a_bottleneck_of_the_whole_course_is_hollow(ends, hollow):
    found = diagnosis(replace(cell("A", [STABLE] * 3, RHOS), end=np.array(ends)), rhos=RHOS)
    assert (curve(courses.by_group(found, "linear"), line=1).get_markerfacecolor() == "white") == hollow


def test_figure_6_has_a_panel_for_each_group_that_all_stores_have():
    cells = [cell(g, store=s) for s, groups in (("S", "AB"), ("T", "BC")) for g in groups]
    drawn = courses.beside(diagnosis(*cells), "linear")
    assert [a.get_title() for a in drawn.axes] == ["B"]
    assert courses.beside(diagnosis(cell("A", store="S"), cell("B", store="T")), "linear") is None
    assert len(courses.beside(diagnosis(cell("A"), cell("B")), "linear").axes) == 2


def test_figure_7_has_one_scale_and_leaves_diverged_heads_open():
    found = diagnosis(cell("A", store="S"), cell("B", store="S"), cell("A", store="T"), cell("B", store="T"))
    drawn = dict(planes.of_head(found, "linear"))
    del drawn["T", "B"]
    figure = planes.contours(drawn)
    assert [t.get_text() for a in figure.axes for t in a.texts] == ["diverged"]
    limits = {c.get_clim() for a in figure.axes[:4] for c in a.collections if c.get_array() is not None}
    assert len({low for low, _ in limits}) == 1
    assert len(planes.surfaces(drawn).axes) == 4


def test_figure_7_names_its_axes_and_refuses_to_be_drawn_from_nothing():
    found = diagnosis(cell("A", store="S"), cell("A", store="T"))
    for axis in planes.surfaces(planes.of_head(found, "linear")).axes:
        assert (axis.get_xlabel(), axis.get_ylabel(), axis.get_zlabel()) == ("a, along u", "b, along v", "loss (nats)")
    for draw in (planes.contours, planes.surfaces):
        with pytest.raises(DataError, match="expected at least one head with finite weights"):
            draw({})


def test_a_page_without_any_landscape_is_a_page(tmp_path):
    found = replace(diagnosis(cell("A"), cell("B")), landscapes={})
    diagnose.write(found, tmp_path)
    assert "Every head trained with rho = 0.1 diverged." in (tmp_path / "report.html").read_text()


def test_pictures_in_the_page_are_pictures(page):
    import base64
    import io

    uris = re.findall(r'src="data:image/png;base64,([^"]+)"', page[1])
    assert len(uris) == 14
    for uri in uris:
        assert Image.open(io.BytesIO(base64.b64decode(uri))).width > 200


def test_equal_radii_are_printed_as_equal():
    made = diagnosis(*(cell(g, [auc], RHOS) for g, auc in (("A", STABLE), ("B", STABLE), ("C", EARLY))), rhos=RHOS)
    (ranked,) = rankings(made)
    assert diagnose.chained(ranked.by_cor) == "C < A = B"
    assert diagnose.chained(()) == ""


@pytest.mark.parametrize("scaling", ["raw", "centre", "unit", "standard"])
def test_sams_own_radius_is_drawn_where_units_agree(scaling):
    of = everything()
    of = replace(of, plan=replace(of.plan, scaling=scaling))
    drawn = [radii.layerwise(of, "linear"), radii.against_radius(of)]
    dashed = [[line for axis in figure.axes for line in axis.lines if line.get_linestyle() == "--"] for figure in drawn]
    assert [bool(lines) for lines in dashed] == [scaling in ("raw", "centre")] * 2
    assert all(scaling in a.get_xlabel() for a in drawn[1].axes if a.get_xlabel())


def test_every_radius_has_its_units_beside_it(page):
    rows = list(csv.DictReader((page[0] / "cor.csv").open()))
    assert {(r["mean_norm"], r["rms_norm"], r["common"]) for r in rows} == {("20.0", "25.0", "0.64")}
    known = [r for r in rows if r["cor"]]
    assert known
    assert all(float(r["cor_raw"]) == pytest.approx(0.02 * float(r["cor"]), rel=1e-4) for r in known)
    assert all(r["cor_relative"] == r["cor"] for r in known)
    assert all(not r["cor_raw"] and not r["cor_relative"] for r in rows if not r["cor"])
    summary = json.loads((page[0] / "summary.json").read_text())
    for record in (*summary["cells"], *summary["landscapes"]):
        assert [record["units"][k] for k in ("raw_factor_low", "raw_factor", "raw_factor_high")] == [0.01, 0.02, 0.04]
    words = (
        "Units: S, layer 4, A and reals: ||E x|| 20, root-mean-square norm 25, common share 0.64; a radius is 0.01 to"
    )
    assert words in page[1]
    assert "units: T, layer 4, A and reals: ||E x|| 20" in diagnose.text(everything())
