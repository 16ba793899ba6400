"""Run a benchmark in a fresh process, to measure its peak memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
STATUS = Path("/proc/self/status")


def run(module: str, *arguments: object) -> dict[str, float]:
    """Run `python -m module arguments` and return the JSON object of numbers on its last line of output.

    Raises:
        subprocess.CalledProcessError: when it fails; its standard error is shown.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return json.loads(process.stdout.splitlines()[-1])


def peak_gb() -> float:
    """Return the peak resident memory of this process in 10^9 bytes, with pages of mapped files.

    On Linux it is VmHWM, since getrusage counts there the memory of the parent at the fork.
    """
    if STATUS.exists():
        lines = (line.split() for line in STATUS.read_text().splitlines())
        return next(int(line[1]) for line in lines if line and line[0] == "VmHWM:") * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def print_numbers(numbers: dict[str, float]) -> None:
    """Print the numbers as the last line, for `run`."""
    print(json.dumps(numbers))
