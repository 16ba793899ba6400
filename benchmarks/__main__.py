"""`python -m benchmarks [--only NAME ...]`: run the benchmarks and write benchmarks/results.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
import torch

from benchmarks.atlas import atlas
from benchmarks.extraction import path_ratio, views_per_second
from benchmarks.fit import fit_cost
from benchmarks.forward import forward_ratio
from benchmarks.heads import heads_speedup
from benchmarks.index import index_cost
from benchmarks.memory import memory_growth
from benchmarks.observe import observe_ratio
from benchmarks.paper_run import paper_run
from benchmarks.rehearsal import rehearsal
from benchmarks.training import training_memory
from corit.files import write_text
from corit.serialise import json_text

Numbers = Mapping[str, float]
RESULTS = Path(__file__).parent / "results.json"
BENCHMARKS: dict[str, Callable[[], Numbers]] = {
    "forward": lambda: {"forward_ratio": forward_ratio()},
    "path": path_ratio,
    "views": views_per_second,
    "fit": fit_cost,
    "memory": memory_growth,
    "heads": heads_speedup,
    "observe": observe_ratio,
    "atlas": atlas,
    "index": index_cost,
    "rehearsal": rehearsal,
    "paper": paper_run,
    "training": training_memory,
}


def machine() -> dict[str, str | float]:
    """Return the machine and the versions that the numbers belong to."""
    return {
        "machine_cpu": _cpu(),
        "machine_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "machine_memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "machine_system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def run(
    names: Sequence[str], results: Path = RESULTS, benchmarks: Mapping[str, Callable[[], Numbers]] = BENCHMARKS
) -> None:
    """Run benchmarks, and write the file of results atomically after each.

    Numbers of other benchmarks stay if they are of the same machine.

    Args:
        names: names of benchmarks.
        results: the file.
        benchmarks: all benchmarks, by name.
    """
    here = machine()
    kept = _kept(results, here)
    for name in names:
        numbers = {k: round(float(v), 4) for k, v in benchmarks[name]().items()}
        kept |= numbers
        _write(results, {**dict(sorted(kept.items())), **here})
        print("\n".join(f"| `{k}` | {v:g} |" for k, v in numbers.items()), flush=True)


def _kept(results: Path, here: Mapping[str, str | float]) -> dict[str, float]:
    if not results.exists():
        return {}
    before = json.loads(results.read_text())
    same = all(before.get(k) == v for k, v in here.items())
    return {k: v for k, v in before.items() if k not in here} if same else {}


def _write(results: Path, values: Mapping[str, object]) -> None:
    write_text(results, json_text(values))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(BENCHMARKS), default=list(BENCHMARKS), metavar="NAME")
    run(parser.parse_args(arguments).only)


if __name__ == "__main__":
    main()
