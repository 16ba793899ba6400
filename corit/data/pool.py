"""Work done in other processes, settled in this one as soon as it ends; they end with this one, however it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from corit.errors import DataError, MachineError
from corit.failures import KILLED

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_tasks(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int, settle: Callable[[Task, Result], None]
) -> Generator[None]:
    """Do each task in one of so many processes, 0 for none, and settle it here; yields after each, as they end.

    Left early, by an error or an interrupt, it ends the processes at once, whatever they are at, and settles what they
    had finished. Raises what the work raises, and MachineError when a process was killed.
    """
    if not workers:
        for task in tasks:
            settle(task, work(task))
            yield
        return
    context = get_context("spawn")
    alive, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with, initargs=(alive,))
    open_: dict[Future[Result], Task] = {}
    try:
        open_.update((pool.submit(work, task), task) for task in tasks)
        for future in as_completed(tuple(open_)):
            settle(open_.pop(future), future.result())
            yield
    except BrokenProcessPool as err:
        raise MachineError(KILLED) from err
    finally:
        if open_:
            ours.close()
        pool.shutdown(cancel_futures=True)
        ours.close()
        alive.close()
        for future, task in open_.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                settle(task, future.result())


def require_workers(workers: int) -> None:
    """Raise DataError for less than no workers."""
    if workers < 0:
        raise DataError(f"expected a number of workers, or 0 for none, got {workers}")


def _end_with(alive: Connection) -> None:
    """What a worker does first: leave interrupts to its parent, and watch the pipe that the parent holds open."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(alive,), daemon=True).start()


def _watch(alive: Connection) -> None:
    try:
        alive.recv_bytes()  # nothing is ever sent: it returns when the other end is closed, also by a kill
    except (EOFError, OSError):
        os._exit(1)
