"""Tables I, II, IV and V at full size (ViT-L/14's shape, random weights), from folders of data sets to the page."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import fresh

TABLES = ("table1", "table2", "table4", "table5")
PEOPLE = 6


def rehearsal(backbone: str = "clip-vit-l14", tables: Sequence[str] = TABLES) -> dict[str, float]:
    """`rehearsal_seconds`, `rehearsal_peak_gb` and `rehearsal_pictures`, in a fresh process.

    One row of each data set, split, label and manipulation of a tiny tree in the layout of the real ones, one head
    seed. Drawing the tree is not counted.
    """
    with tempfile.TemporaryDirectory(prefix="corit-rehearsal-") as folder:
        tree(Path(folder) / "sets")
        return fresh.run("benchmarks.rehearsal", folder, backbone, *tables)


def tree(root: Path) -> None:
    """Every data set of the paper, painted with the miniature's faces."""
    sys.path.append(str(fresh.ROOT / "tests"))  # where the tiny trees of the data sets are drawn
    from trees.paint import miniature
    from trees.paper import paper
    from trees.write import Hand

    from corit.world.miniature import Miniature, MiniatureSpec

    paper(root, Hand(miniature(Miniature(MiniatureSpec(0, PEOPLE, 4, PEOPLE, 2))), frames=1), people=2, each=1)


def measure(folder: Path, backbone: str, tables: Sequence[str]) -> dict[str, float]:
    """`corit paper TABLES --root SETS --weights random:0 --max 1`, start to finish. Raises ValueError if one fails."""
    from corit import cli

    words = ["paper", *tables, "--root", folder / "sets", "--out", folder / "out", "--backbone", backbone]
    options = ["--weights", "random:0", "--max", "1", "--seeds", "1", "--draws", "5", "--workers", "0"]
    started = time.perf_counter()
    try:
        cli.main([*map(str, words), *options])
    except SystemExit as stop:
        if stop.code:
            raise ValueError(f"expected all of {', '.join(tables)} made, see above") from stop
    seconds = time.perf_counter() - started
    made = json.loads((folder / "out" / "index.json").read_text())["artefacts"]
    if [m["status"] for m in made] != ["ok"] * len(tables):
        raise ValueError(f"expected {len(tables)} tables, got {[(m['name'], m['reason']) for m in made]}")
    stores = {p.parent for p in (folder / "out" / "features").rglob("part-*")}
    return {
        "rehearsal_seconds": seconds,
        "rehearsal_peak_gb": fresh.peak_gb(),
        "rehearsal_pictures": sum(map(rows, stores)),
    }


def rows(store: Path) -> int:
    """Rows of a feature store."""
    from corit.features.store import FeatureStore

    return len(FeatureStore.open(store))


if __name__ == "__main__":
    fresh.answer(measure(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
