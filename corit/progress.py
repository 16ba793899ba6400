"""Progress of long work: a callback, and the bar on standard error that draws it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

Progress = Callable[[int, int], None]


class Bars(Protocol):
    """Opens a progress bar: `progress_bar`."""

    def __call__(self, label: str, /) -> AbstractContextManager[Progress]:
        """A context whose value is told of what is done and of all there is."""


def opened(bars: Bars | None, label: str) -> AbstractContextManager[Progress | None]:
    """A progress bar, or None for silence."""
    return nullcontext() if bars is None else bars(label)


@contextmanager
def progress_bar(label: str) -> Generator[Progress]:
    """A progress bar on standard error, as a callable for `extract`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
