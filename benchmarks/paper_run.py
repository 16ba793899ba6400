"""All tables and figures of the paper in the miniature: without stored features, and again with them."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import fresh_process


def paper_run(what: Sequence[str] = ("all",), *options: str) -> dict[str, float]:
    """Measure `paper_seconds`, `paper_peak_gb`, and `paper_again_seconds` with stored features, in fresh processes."""
    with tempfile.TemporaryDirectory(prefix="corit-paper-") as folder:
        first = fresh_process.run("benchmarks.paper_run", folder, *what, *options)
        for kept in Path(folder).iterdir():
            if kept.name != "features":
                shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
        again = fresh_process.run("benchmarks.paper_run", folder, *what, *options)
    return {
        "paper_seconds": first["seconds"],
        "paper_peak_gb": first["peak_gb"],
        "paper_again_seconds": again["seconds"],
    }


def measure(folder: Path, words: Sequence[str]) -> dict[str, float]:
    """Run `corit paper all --world miniature`.

    Raises:
        ValueError: when an artefact fails.
    """
    from corit import cli

    started = time.perf_counter()
    try:
        cli.main(["paper", *words, "--world", "miniature", "--out", str(folder)])
    except SystemExit as stop:
        if stop.code:
            raise ValueError("expected every artefact made, see above") from stop
    return {"seconds": time.perf_counter() - started, "peak_gb": fresh_process.peak_gb()}


if __name__ == "__main__":
    fresh_process.print_numbers(measure(Path(sys.argv[1]), sys.argv[2:]))
