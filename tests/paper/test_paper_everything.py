"""One run of everything in a small miniature: its files, captions, numbers, and what a second run does."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
from paper.paper_runs import WORLD, command
from PIL import Image

from corit.paper.artefact import ARTEFACTS
from corit.paper.printed import printed

TABLES = [f"table{n:02d}" for n in range(1, 14)]
FIGURES = [f"figure{n:02d}" for n in range(1, 12)]


def index(folder):
    return {a["name"]: a for a in json.loads((folder / "index.json").read_text())["artefacts"]}


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_list_has_thirteen_tables_and_eleven_figures():
    assert [a.name for a in ARTEFACTS] == TABLES + FIGURES


@pytest.mark.parametrize("name", TABLES + FIGURES)
def test_every_artefact_has_a_full_caption(everything, name):
    entry = index(everything)[name]
    assert entry["status"] == "ok", entry["reason"]
    assert entry["world"].startswith("miniature, seed 0, 6/2/6 identities")
    assert entry["backbone"].startswith("miniature, packaged weights ")
    assert entry["head"]
    assert isinstance(entry["seeds"], list)
    assert entry["seconds"] >= 0
    assert all((everything / f).exists() for f in entry["files"])


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_content(everything, name):
    pixels = np.asarray(Image.open(everything / f"{name}.png").convert("L"))
    assert min(pixels.shape) > 300
    assert (pixels < 128).mean() > 0.001


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_our_numbers_and_the_papers(everything, name):
    rows, known = lines(everything / f"{name}.csv"), printed(int(name[-2:]))
    ours = [r for r in rows if r["whose"] == "ours"]
    assert ours
    for r in ours:
        if r["value"] and r["low"] and r["high"]:  # a radius that is censored has no number
            assert float(r["low"]) <= float(r["value"]) <= float(r["high"])
    theirs = [r for r in rows if r["whose"] == "paper"]
    assert theirs
    for r in theirs:  # rows that stand alone carry the paper's own names
        if r["row"] in known.values and r["column"] in known.values[r["row"]]:
            assert float(r["value"]) == known.values[r["row"]][r["column"]]
            assert r["value"] == known.texts[r["row"]][r["column"]]


@pytest.mark.parametrize("name", ["table01", "table02", "table03", "table04", "table08", "table09", "table13"])
def test_stand_ins_are_noted_and_in_every_column(everything, name):
    assert index(everything)[name]["notes"][0].startswith(("Stand-ins. ", "The trained attention"))
    known = printed(int(name[-2:]))
    on = {r["column"]: r["measured_on"] for r in lines(everything / f"{name}.csv") if r["whose"] == "ours"}
    assert all(on[c] for c in known.columns)
    assert on[known.average] == ""


def test_the_erratum_of_table_3_is_noted_and_corrected(everything):
    assert any("80.0" in n and "82.8" in n for n in index(everything)["table03"]["notes"])
    rows = lines(everything / "table03.csv")
    (average,) = [r["value"] for r in rows if (r["row"], r["whose"], r["column"]) == ("UniFD", "paper", "Avg")]
    assert average == "82.82"


def test_the_papers_decimals_are_kept(everything):
    rows = [r for r in lines(everything / "table05.csv") if r["whose"] != "ours"]
    found = {(r["row"], r["column"]): r["value"] for r in rows}
    assert found["CoRIT", "ProGAN"] == "99.99"
    assert found["CoRIT", "CRN"] == "97.35"
    assert found["NPR", "CycleGAN"] == "95.00"
    effort = [r["value"] for r in lines(everything / "table04.csv") if r["row"] == "Effort"]
    assert effort == ["99.34"]
    assert " 99.99 " in (everything / "table05.md").read_text()


@pytest.mark.parametrize("name", ["table06", "table07", *(f"figure{n:02d}" for n in (1, 2, 3, 5, 6, 7, 9, 10, 11))])
def test_artefacts_of_the_forgeries_note_their_stand_ins(everything, name):
    said = index(everything)[name]["notes"][0]
    assert said.startswith("Stand-ins. ")
    kinds = ["CDFv2"] if name == "figure05" else ["NT"] if name == "table07" else ["DF", "F2F", "FS", "NT"]
    assert all(f"{k}: " in said for k in kinds)


@pytest.mark.parametrize("name", ["table06", "table07"])
def test_columns_of_the_forgeries_have_a_star(everything, name):
    columns = printed(7).columns if name == "table07" else ("DF", "F2F", "FS", "NT")
    assert all(f"{c}*" in (everything / f"{name}.txt").read_text() for c in columns)
    assert all(r["measured_on"] for r in lines(everything / f"{name}.csv") if r["whose"] == "ours")


def test_a_table_opens_with_its_title_and_metric(everything):
    assert (everything / "table07.txt").read_text().startswith("COR by layer on NeuralTextures (NT): empirical COR\n")
    assert any("NeuralTextures (NT)" in n for n in index(everything)["table07"]["notes"])


def test_radii_are_numbers_with_censoring_columns(everything):
    rows = [r for r in lines(everything / "table07.csv") if r["whose"] == "ours"]
    assert rows
    for r in rows:
        for k in ("value", "low", "high"):
            assert bool(r[k]) != bool(r[f"{k}_censored"])
            assert not r[k] or float(r[k]) > 0
            assert r[f"{k}_censored"][:1] in ("", ">", "<", "n")
    assert "over head seeds, not videos" in " ".join(index(everything)["table07"]["notes"])


def test_quoted_numbers_are_noted(everything):
    notes = {n: " ".join(index(everything)[n]["notes"]) for n in ("table02", "table03", "table06")}
    assert "CoRIT, Avg 91.0 (text: 88.9 by frame and 91.0 by video)" in notes["table02"]
    assert "CoRIT, Avg 91.6 (UniFD's printed 80.0 plus the printed gain of 11.6)" in notes["table03"]
    assert "F2F 12.5 and NT 8.2 (text;" in notes["table06"]


def test_captions_describe_heads_and_draws(everything):
    found = index(everything)
    for name in ("figure03", "figure06"):
        assert "adamw (learning rate 0.003) without SAM (rho 0)" in found[name]["head"]
        assert any("bottleneck" in n for n in found[name]["notes"])
    for name in ("figure01", "figure02", "table07"):
        assert found[name]["rho"] == "0, 0.05, 1"
        assert "16 steps" in found[name]["head"]
    assert found["figure07"]["seeds"] == [0]
    assert "SAM with rho 0.05" in found["figure07"]["head"]
    assert any("98 % quantile" in n for n in found["figure07"]["notes"])
    assert any("u and v are two random directions" in n for n in found["figure07"]["notes"])
    assert found["figure05"]["head"].endswith("15 epochs in the tables, 150 here")
    for name in ("figure04", "figure09", "figure10", "figure11"):
        assert found[name]["head"] == "no head is trained, so there are no seeds"
    assert found["table06"]["metric"] == "AUC, %"
    assert "Each column: 6 real and 6 fake pictures." in found["table06"]["notes"]


def test_figures_1_and_2_explain_lines_bands_and_triangles(everything):
    first, second = (" ".join(index(everything)[n]["notes"]) for n in ("figure01", "figure02"))
    for said in ("Dashed: rho = 0.05", "Dotted: AUC 0.55", "bands their range", "bars from the smallest"):
        assert said in first
    assert "upwards no collapse up to the largest radius, downwards collapse at the first" in first
    assert "(b) The gain over rho = 0" in second


def test_figures_of_radii_and_courses_write_their_numbers(everything):
    rows = lines(everything / "figure01.csv")
    assert {r["panel"] for r in rows} == {"a", "b"}
    assert {r["head"] for r in rows if r["panel"] == "b"} == {"perceptron"}
    assert all(bool(r["cor"]) != bool(r["cor_censored"]) for r in rows if r["panel"] == "b")
    areas = [
        {k: r[k] for k in ("detector", "head", "forgery", "seed", "rho", "auc")} for r in rows if r["panel"] == "a"
    ]
    second = lines(everything / "figure02.csv")
    assert areas == [{k: r[k] for k in areas[0]} for r in second if r["scaling"] == "raw"]
    others = {(r["scaling"], r["head"], r["forgery"]) for r in second if r["scaling"] != "raw"}
    assert others == {(s, "linear head", "NT") for s in ("centre", "standard")}
    third, sixth = lines(everything / "figure03.csv"), lines(everything / "figure06.csv")
    key = ("detector", "layer", "forgery", "seed", "step", "gsnr", "bottleneck")
    assert {tuple(r[k] for k in key) for r in sixth} < {tuple(r[k] for k in key) for r in third}
    assert {r["bottleneck"] for r in sixth} - {"yes, no later phase found"} <= {"", "yes"}
    assert sum(bool(r["bottleneck"]) for r in sixth) == 2 * 4 * 2  # detectors, forgeries, seeds


def test_table_7_has_a_half_way_radius_below_each_cor(everything):
    ours = [r["row"] for r in lines(everything / "table07.csv") if r["whose"] == "ours"]
    names = [f"{s}, {h}" for h in ("perceptron", "linear head") for s in ("UniFD", "CoRIT")]
    names += [f"{s}, linear head, {scaled}" for scaled in ("centred", "standardised") for s in ("UniFD", "CoRIT")]
    assert list(dict.fromkeys(ours)) == [n + part for n in names for part in ("", ", half-way")]


def test_what_is_about_radii_says_their_units_and_is_of_raw_features(everything):
    found = index(everything)
    for name in ("figure01", "figure02", "figure03", "figure06", "figure07", "table07"):
        assert "raw scaling" in found[name]["head"]
        units = [n for n in found[name]["notes"] if n.startswith("Units. ")]
        assert [u.partition(", layer")[0] for u in units] == ["Units. UniFD", "Units. CoRIT"]
        assert all("||E x||" in u and "in the units of the raw features" in u for u in units)
    for name in ("figure02", "table07"):
        assert any(n.startswith("Units, standardised. UniFD") and "by volume" in n for n in found[name]["notes"])


def test_each_table_file_has_the_legend_and_the_page_one(everything):
    for name in TABLES:
        text = (everything / f"{name}.txt").read_text()
        assert ("95 % intervals by bootstrap over videos" in text) == (name != "table07")
        assert ("95 % intervals by bootstrap" in (everything / f"{name}.md").read_text()) == (name != "table07")
    assert (everything / "index.html").read_text().count("bootstrap intervals over videos") == 1


def test_every_measured_artefact_notes_its_counts(everything):
    found = index(everything)
    for name in [*TABLES, *FIGURES]:
        if name not in ("figure04", "figure09", "figure10", "figure11"):  # the masks' figures count by kind
            assert re.search(r"\d+ real and \d+ fake|\d+ pictures of all splits", " ".join(found[name]["notes"])), name


def test_tables_note_the_rows_of_their_csv_alone(everything):
    for name in ("table04", "table05"):
        assert any(
            n == "In the CSV alone: the paper's rows of CNN-Spot, PatchForensics, Co-occurrence, Freq-spec, F3Net, "
            "LGrad, FreqNet, NPR."
            for n in index(everything)[name]["notes"]
        )
        assert not any("CNN-Spot" in line for line in (everything / f"{name}.md").read_text().splitlines()[2:24])


def test_universal_tables_have_the_nineteen_subsets(everything):
    for name in ("table04", "table05"):
        ours = {r["column"] for r in lines(everything / f"{name}.csv") if (r["row"], r["whose"]) == ("CoRIT", "ours")}
        assert ours == {*printed(4).columns, printed(int(name[-2:])).average}


def test_illegible_tables_have_the_numbers_of_the_text(everything):
    for name in ("table06", "table10"):
        said = {(s.row, s.column): s.value for s in printed(int(name[-2:])).quoted}
        found = {
            (r["row"], r["column"]): r["value"] for r in lines(everything / f"{name}.csv") if r["whose"] == "paper"
        }
        assert {k: float(v) for k, v in found.items()} == pytest.approx(said)


def test_the_shapes_in_figure_4_are_those_of_the_backbone(everything):
    shapes = {r["what"]: r["shape"] for r in lines(everything / "figure04.csv")}
    assert shapes["x, x~"] == "64 x 64 x 3"
    assert shapes["F_l"] == "4 x 96"
    assert shapes["z"] == "768"


def test_figure_5_trains_ten_times_longer_than_the_run(everything):
    rows = lines(everything / "figure05.csv")
    assert len(rows) == 150
    for r in rows:
        assert float(r["CoRIT low"]) <= float(r["CoRIT median"]) <= float(r["CoRIT high"])


def test_figure_8_has_four_perturbations_in_five_levels(everything):
    rows = lines(everything / "figure08.csv")
    assert len({(r["detector"], r["damage"], r["level"]) for r in rows}) == len(rows) == 2 * 4 * 5


def test_kept_shares_lie_between_zero_and_one(everything):
    for name in FIGURES[8:]:
        rows = lines(everything / f"{name}.csv")
        assert list(dict.fromkeys(r["kind"] for r in rows)) == ["real", "DF", "F2F", "FS", "NT"]
        assert [r["over pictures"] for r in rows] == ["mean", "lowest", "highest"] * 5
        for mean, low, high in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            layers = [k for k in mean if k.startswith("layer")]
            assert len(layers) == 8
            assert all(0 <= float(low[k]) <= float(mean[k]) <= float(high[k]) <= 1 for k in layers)


def test_the_page_holds_every_artefact_and_is_self_contained(everything):
    page = (everything / "index.html").read_text()
    assert all(f'id="{name}"' in page for name in TABLES + FIGURES)
    assert page.count("data:image/png;base64,") == len(FIGURES)
    assert "could not be made" not in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert "intervals and bands are over head seeds" in " ".join(page.split())
    table = page[page.index('id="table04"') : page.index('id="table05"')]
    assert 'class="wide side"' in table
    row = re.search(r"<tr>(<td.*?)</tr>", table).group(1)
    assert re.findall(r'<td class="([^"]*)"', row)[:3] == ["", "ours", "paper"]


def test_no_partial_file_is_left(everything):
    assert not list(everything.rglob("*.part"))


def test_a_second_run_of_the_same_settings_repeats_nothing(everything):
    before = {p.name: p.read_bytes() for p in (everything / "records").iterdir()}
    assert command("all", *WORLD, "--out", everything) == 0
    assert {p.name: p.read_bytes() for p in (everything / "records").iterdir()} == before


def test_a_named_artefact_is_made_again_with_equal_numbers(everything, capsys):
    before = (everything / "table12.csv").read_bytes()
    (everything / "table12.csv").unlink()
    assert command("table12", *WORLD, "--out", everything) == 0
    assert (everything / "table12.csv").read_bytes() == before
    out = capsys.readouterr().out
    assert "table12: Fusion layer" in out
    assert "World: miniature" in out
    assert "1 made" in out
