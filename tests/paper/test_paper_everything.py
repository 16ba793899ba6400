"""One run of everything in a small miniature: its files, captions, numbers, and what a second run does."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
from paper_runs import WORLD, command
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
def test_every_artefact_is_made_and_says_how(everything, name):
    entry = index(everything)[name]
    assert entry["status"] == "ok", entry["reason"]
    assert entry["world"].startswith("miniature, seed 0, 6/2/6 identities")
    assert entry["backbone"].startswith("miniature, packaged weights ")
    assert entry["head"]
    assert isinstance(entry["seeds"], list)
    assert entry["seconds"] >= 0
    assert all((everything / f).exists() for f in entry["files"])


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_picture_with_something_on_it(everything, name):
    pixels = np.asarray(Image.open(everything / f"{name}.png").convert("L"))
    assert min(pixels.shape) > 300
    assert (pixels < 128).mean() > 0.001


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_our_numbers_beside_the_papers(everything, name):
    rows, known = lines(everything / f"{name}.csv"), printed(int(name[-2:]))
    ours = [r for r in rows if r["whose"] == "ours"]
    assert ours
    for r in ours:
        if r["low"]:
            assert float(r["low"]) <= float(r["value"]) <= float(r["high"])
    theirs = [r for r in rows if r["whose"] == "paper"]
    assert theirs
    for r in theirs:  # rows that stand alone carry the paper's own names
        if r["row"] in known.values and r["column"] in known.values[r["row"]]:
            assert float(r["value"]) == pytest.approx(known.values[r["row"]][r["column"]], abs=0.051)


@pytest.mark.parametrize("name", ["table01", "table02", "table03", "table04", "table08", "table09", "table13"])
def test_stand_ins_are_said_under_tables_and_in_every_column(everything, name):
    assert index(everything)[name]["notes"][0].startswith(("Stand-ins. ", "The trained attention"))
    known = printed(int(name[-2:]))
    on = {r["column"]: r["measured_on"] for r in lines(everything / f"{name}.csv") if r["whose"] == "ours"}
    assert all(on[c] for c in known.columns)
    assert on[known.average] == ""


def test_the_papers_slip_in_table_3_is_noted_and_its_average_recomputed(everything):
    assert any("80.0" in n and "82.8" in n for n in index(everything)["table03"]["notes"])
    rows = lines(everything / "table03.csv")
    (average,) = [r["value"] for r in rows if (r["row"], r["whose"], r["column"]) == ("UniFD", "paper", "Avg")]
    assert average == "82.8"


def test_tables_of_the_universal_protocol_have_the_nineteen_subsets(everything):
    for name in ("table04", "table05"):
        ours = {r["column"] for r in lines(everything / f"{name}.csv") if (r["row"], r["whose"]) == ("CoRIT", "ours")}
        assert ours == {*printed(4).columns, printed(int(name[-2:])).average}


def test_tables_without_printed_numbers_show_what_the_text_claims(everything):
    for name in ("table06", "table10"):
        said = {(s.row, s.column): s.value for s in printed(int(name[-2:])).said}
        found = {
            (r["row"], r["column"]): r["value"] for r in lines(everything / f"{name}.csv") if r["whose"] == "paper"
        }
        assert {k: float(v) for k, v in found.items()} == pytest.approx(said)


def test_the_shapes_in_figure_4_are_those_of_the_backbone(everything):
    shapes = {r["what"]: r["shape"] for r in lines(everything / "figure04.csv")}
    assert shapes["x, x~"] == "64 x 64 x 3"
    assert shapes["F_l"] == "4 x 96"
    assert shapes["z"] == "768"


def test_figure_5_goes_on_for_ten_times_the_runs_training(everything):
    rows = lines(everything / "figure05.csv")
    assert len(rows) == 150
    for r in rows:
        assert float(r["CoRIT low"]) <= float(r["CoRIT median"]) <= float(r["CoRIT high"])


def test_figure_8_has_four_damages_in_five_levels_for_both_detectors(everything):
    rows = lines(everything / "figure08.csv")
    assert len({(r["detector"], r["damage"], r["level"]) for r in rows}) == len(rows) == 2 * 4 * 5


def test_masks_keep_shares_between_nothing_and_all(everything):
    for name in FIGURES[8:]:
        rows = lines(everything / f"{name}.csv")
        assert [r["kind"] for r in rows] == ["real", "DF", "F2F", "FS", "NT"]
        assert all(0 <= float(v) <= 1 for r in rows for k, v in r.items() if k != "kind")


def test_the_page_holds_every_artefact_and_needs_nothing_from_elsewhere(everything):
    page = (everything / "index.html").read_text()
    assert all(f'id="{name}"' in page for name in TABLES + FIGURES)
    assert page.count("data:image/png;base64,") == len(FIGURES)
    assert "could not be made" not in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)


def test_nothing_half_written_is_left(everything):
    assert not list(everything.rglob("*.part"))


def test_a_second_run_of_the_same_settings_makes_nothing_again(everything):
    before = {p.name: p.read_bytes() for p in (everything / "records").iterdir()}
    assert command("all", *WORLD, "--out", everything) == 0
    assert {p.name: p.read_bytes() for p in (everything / "records").iterdir()} == before


def test_an_artefact_that_is_named_is_made_again_with_the_same_numbers(everything, capsys):
    before = (everything / "table12.csv").read_bytes()
    (everything / "table12.csv").unlink()
    assert command("table12", *WORLD, "--out", everything) == 0
    assert (everything / "table12.csv").read_bytes() == before
    out = capsys.readouterr().out
    assert "table12: Fusion layer" in out
    assert "World: miniature" in out
    assert "1 made" in out
