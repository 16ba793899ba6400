"""All of the paper's tables and figures in the miniature: from nothing, and again from the features that are kept."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import fresh


def everything(what: Sequence[str] = ("all",), *options: str) -> dict[str, float]:
    """`paper_seconds`, `paper_peak_gb`, and `paper_again_seconds`: with only the features left; in fresh processes."""
    with tempfile.TemporaryDirectory(prefix="corit-paper-") as folder:
        first = fresh.run("benchmarks.everything", folder, *what, *options)
        for kept in Path(folder).iterdir():
            if kept.name != "features":
                shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
        again = fresh.run("benchmarks.everything", folder, *what, *options)
    return {
        "paper_seconds": first["seconds"],
        "paper_peak_gb": first["peak_gb"],
        "paper_again_seconds": again["seconds"],
    }


def measure(folder: Path, words: Sequence[str]) -> dict[str, float]:
    """`corit paper all --world miniature`, start to finish. Raises ValueError if an artefact fails."""
    from corit import cli

    started = time.perf_counter()
    try:
        cli.main(["paper", *words, "--world", "miniature", "--out", str(folder)])
    except SystemExit as stop:
        if stop.code:
            raise ValueError("expected every artefact made, see above") from stop
    return {"seconds": time.perf_counter() - started, "peak_gb": fresh.peak_gb()}


if __name__ == "__main__":
    fresh.answer(measure(Path(sys.argv[1]), sys.argv[2:]))
