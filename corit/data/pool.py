"""Tasks in worker processes, whose results this process handles as they come; workers never outlive it."""

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
    """Run tasks in worker processes, and handle each result in this process.

    A generator that is closed early, by an error or an interrupt, ends the workers at once and handles the results of
    the tasks that are finished.

    Args:
        work: what a worker does with a task.
        tasks: the tasks.
        workers: the number of processes; 0 runs the tasks in this one.
        settle: called in this process with each task and its result.

    Yields:
        None after each task, in the order in which they end.

    Raises:
        MachineError: a worker was killed. Errors of `work` and `settle` are raised as they are.
    """
    if not workers:
        for task in tasks:
            settle(task, work(task))
            yield
        return
    context = get_context("spawn")
    worker_end, parent_end = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(worker_end,))
    pending: dict[Future[Result], Task] = {}
    try:
        pending.update((pool.submit(work, task), task) for task in tasks)
        for future in as_completed(tuple(pending)):
            settle(pending.pop(future), future.result())
            yield
    except BrokenProcessPool as err:
        raise MachineError(KILLED) from err
    finally:
        if pending:
            parent_end.close()
        pool.shutdown(cancel_futures=True)
        parent_end.close()
        worker_end.close()
        for future, task in pending.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                settle(task, future.result())


def require_workers(workers: int) -> None:
    """Raise DataError for a negative number of workers."""
    if workers < 0:
        raise DataError(f"expected a number of workers, or 0 for none, got {workers}")


def _start_worker(alive: Connection) -> None:
    """Start a worker: leave interrupts to its parent, and watch the pipe that the parent holds open."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(alive,), daemon=True).start()


def _watch(alive: Connection) -> None:
    try:
        alive.recv_bytes()  # nothing is ever sent: this returns when the other end is closed, also by a kill
    except (EOFError, OSError):
        os._exit(1)
