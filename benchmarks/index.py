"""A generated index of a million rows: seconds to list, check and sample it, and the peak memory."""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import fresh_process

ROWS, FRAMES, LIMIT = 1_000_000, 32, 1_000


def index_cost(rows: int = ROWS) -> dict[str, float]:
    """Measure `index_load_seconds`, `index_check_seconds`, `index_sample_seconds`, `index_peak_gb`, in a fresh process.

    The listed files do not exist, so the check finds each missing on the disk; none is decoded.
    """
    with tempfile.TemporaryDirectory(prefix="corit-index-") as folder:
        return fresh_process.run("benchmarks.index", write(Path(folder) / "index.csv", rows))


def write(path: Path, rows: int) -> Path:
    """Write a CSV file of frames in videos of 32; every second video is fake, eight pairs in ten are in train."""
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
    seconds = (b - a for a, b in itertools.pairwise(times))
    return {**dict(zip(names, seconds, strict=True)), "index_peak_gb": fresh_process.peak_gb()}


if __name__ == "__main__":
    fresh_process.print_numbers(measure(Path(sys.argv[1])))
