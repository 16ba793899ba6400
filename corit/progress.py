"""Progress of long work: one callback, and the bar on standard error that shows it.

Long functions take `progress: Progress = no_progress` and call it as progress(done, total). Functions with several
long parts take `bars: OpenBar = no_bar`, which opens a callback with a label for each part.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, int | None], None]  # steps done, steps in all or None where nobody knows
OpenBar = Callable[[str], AbstractContextManager[Progress]]  # a label -> a context that yields the callback


def no_progress(done: int, total: int | None) -> None:
    """Ignore progress."""


@contextmanager
def no_bar(label: str) -> Generator[Progress]:
    """Open no bar: the callback ignores progress."""
    yield no_progress


@contextmanager
def progress_bar(label: str) -> Generator[Progress]:
    """Open a progress bar on standard error.

    Args:
        label: the text in front of the bar.

    Yields:
        The callback that moves the bar.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def part_of(progress: Progress, before: int, total: int | None) -> Progress:
    """Make the callback of one part of longer work.

    Args:
        progress: the callback of the whole work.
        before: steps of the whole that come before the part.
        total: steps of the whole, of which each step of the part is one.

    Returns:
        A callback that counts the steps of the part.
    """
    return lambda done, _: progress(before + done, total)
