"""Table IX: which regions, how many, average or maximum, and random regions."""

from __future__ import annotations

from corit.bench.entry import Entry, wanted
from corit.bench.lab import Lab, Need
from corit.bench.variant import CORIT, Variant
from corit.paper.grid import Made
from corit.paper.tables import table
from corit.recipe import RegionName

PROTOCOL = "cross-dataset"
LETTERS: dict[str, RegionName] = {"F": "foreground", "Bd": "boundary", "Bg": "background"}


def _regions(letters: str) -> Entry:
    chosen = letters.split("+")
    changes = {"model.regions": tuple(LETTERS[x] for x in chosen)}
    return Entry(letters, f"{letters} {len(chosen)} Avg.", Variant(f"regions-{letters}", changes))


ENTRIES = (
    Entry("random, K = 3", "Random 3 Avg.", Variant("random", {"views.random_regions": 3})),
    *(_regions(x) for x in ("F", "Bd", "Bg", "F+Bd", "F+Bg", "Bd+Bg")),
    Entry("F+Bd+Bg, maximum", "F+Bd+Bg 3 Max", Variant("max", {"model.pooling": "max"})),
    Entry("F+Bd+Bg (CoRIT)", "F+Bd+Bg 3 Avg.", CORIT),
)


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return wanted(lab, PROTOCOL, ENTRIES)


def make(lab: Lab) -> Made:
    """Every subset of foreground (F), boundary (Bd) and background (Bg), random regions, and pooling by maximum."""
    return table(lab, 9, "Regions and pooling", PROTOCOL, ENTRIES)
