"""Tables I, II, IV and V at full size (ViT-L/14's shape, random weights), from folders of data sets to the page."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import fresh_process

TABLES = ("table1", "table2", "table4", "table5")
PEOPLE = 6


def rehearsal(backbone: str = "clip-vit-l14", tables: Sequence[str] = TABLES) -> dict[str, float]:
    """Measure `rehearsal_seconds`, `rehearsal_peak_gb` and `rehearsal_pictures`, in a fresh process.

    One row of each data set, split, label and manipulation of a tiny tree in the layout of the real ones, one head
    seed. Drawing the tree is not counted.
    """
    with tempfile.TemporaryDirectory(prefix="corit-rehearsal-") as folder:
        tree(Path(folder) / "sets")
        return fresh_process.run("benchmarks.rehearsal", folder, backbone, *tables)


def tree(root: Path) -> None:
    """Write every data set of the paper as a tiny tree with the miniature's faces."""
    sys.path.append(str(fresh_process.ROOT / "tests"))  # holds the code of the tiny trees
    from trees.paint import miniature
    from trees.paper import paper
    from trees.write import Hand

    from corit.world.miniature import Miniature, MiniatureSpec

    paper(root, Hand(miniature(Miniature(MiniatureSpec(0, PEOPLE, 4, PEOPLE, 2))), frames=1), people=2, each=1)


def measure(folder: Path, backbone: str, tables: Sequence[str]) -> dict[str, float]:
    """Run `corit paper TABLES --root SETS --weights random:0 --max 1`.

    Raises:
        ValueError: when a table fails.
    """
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
    artefacts = json.loads((folder / "out" / "index.json").read_text())["artefacts"]
    if [m["status"] for m in artefacts] != ["ok"] * len(tables):
        raise ValueError(f"expected {len(tables)} tables, got {[(m['name'], m['reason']) for m in artefacts]}")
    stores = {p.parent for p in (folder / "out" / "features").rglob("part-*")}
    return {
        "rehearsal_seconds": seconds,
        "rehearsal_peak_gb": fresh_process.peak_gb(),
        "rehearsal_pictures": sum(map(rows, stores)),
    }


def rows(store: Path) -> int:
    """Return the number of rows of a feature store."""
    from corit.features.store import FeatureStore

    return len(FeatureStore.open(store))


if __name__ == "__main__":
    fresh_process.print_numbers(measure(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
