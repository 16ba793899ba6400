"""A generated index of a million rows: how long it takes to list, check and sample, and the memory of all three."""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import fresh

ROWS, FRAMES, LIMIT = 1_000_000, 32, 1_000


def index_cost(rows: int = ROWS) -> dict[str, float]:
    """`index_load_seconds`, `index_check_seconds`, `index_sample_seconds`, `index_peak_gb`, in a fresh process.

    The listed files do not exist, so that the check asks the disk for each and finds it missing; none is decoded.
    """
    with tempfile.TemporaryDirectory(prefix="corit-index-") as folder:
        return fresh.run("benchmarks.index", write(Path(folder) / "index.csv", rows))


def write(path: Path, rows: int) -> Path:
    """A CSV file of so many frames in videos of 32, every second one fake, eight pairs in ten in train."""
    with path.open("w") as file:
        file.write("path,label,split,video,frame\n")
        for i in range(rows):
            video, frame = divmod(i, FRAMES)
            label, split = ("real", "fake")[video % 2], (*["train"] * 8, "val", "test")[video // 2 % 10]
            file.write(f"{label}/{video:06d}/{frame:03d}.png,{label},{split},{label}/{video:06d},{frame}\n")
    return path


def measure(path: Path) -> dict[str, float]:
    """List the rows, check them without decoding, and draw a thousand of each split and label."""
    from corit.data.care.check import check_source
    from corit.data.index import open_index
    from corit.data.selected import SelectedRows

    source = open_index(str(path))
    times = [time.perf_counter()]
    for step in (
        lambda: source.samples,
        lambda: check_source(source, contents=False),
        lambda: SelectedRows(source, limit=LIMIT).samples,
    ):
        step()
        times.append(time.perf_counter())
    names = ("index_load_seconds", "index_check_seconds", "index_sample_seconds")
    spent = (b - a for a, b in itertools.pairwise(times))
    return {**dict(zip(names, spent, strict=True)), "index_peak_gb": fresh.peak_gb()}


if __name__ == "__main__":
    fresh.answer(measure(Path(sys.argv[1])))
