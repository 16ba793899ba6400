"""A benchmark in a process of its own, so that its peak memory is its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
STATUS = Path("/proc/self/status")


def run(module: str, *arguments: object) -> dict[str, float]:
    """Run `python -m module arguments` and read the JSON object of numbers on its last line of output.

    Raises subprocess.CalledProcessError when it fails; what it says on standard error is shown.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def peak_gb() -> float:
    """The largest resident memory that this process has had, in 10^9 bytes, pages of mapped files included.

    Linux's own high-water mark where there is one: getrusage counts there what the parent held when it forked.
    """
    if STATUS.exists():
        lines = (line.split() for line in STATUS.read_text().splitlines())
        return next(int(line[1]) for line in lines if line and line[0] == "VmHWM:") * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def answer(numbers: dict[str, float]) -> None:
    """Print the numbers as the last line, for `run`."""
    print(json.dumps(numbers))
