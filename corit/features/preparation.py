"""Decode and prepare pictures, in this process or in others: the part of extraction that needs no model."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader

from corit.data.sample import Sample, Source
from corit.data.stamp import UNKNOWN_VERSION, Version, current_version
from corit.errors import InputError, MachineError, NoFaceError
from corit.failures import words
from corit.images.scenes import colours, look
from corit.views.prepare import Views

if TYPE_CHECKING:
    from corit.images.picture import Picture

SELF_BLENDED = "self-blended"
# A forked worker inherits the threads' locks of OpenMP and OpenCV without their threads, and may wait forever.
START = "spawn"


class Preparation(Protocol):
    """What prepares pictures: `corit.views.prepare.Preparer`. It is sent to worker processes, so it must pickle."""

    def crops(self, picture: Picture, /) -> Sequence[Any]:
        """The faces, or the one scene, of a picture. Raises InputError where there is none."""

    def views(self, crop: Any, /) -> Views:
        """Image, twins and regions of a crop."""

    def forge(self, crop: Any, draw: int, /) -> Any:
        """A self-blended fake of a crop, drawn apart from its twins."""


@dataclass(frozen=True)
class PrepareTask:
    """A sample and what is to be measured of it: None is the picture itself, n its n-th self-blended fake."""

    sample: Sample
    draws: tuple[int | None, ...]


@dataclass(frozen=True)
class PreparedRow:
    """A row before the model saw it: a face's views, or why there are none.

    reason: why there are none; of a face with views, their note. version: of the picture that was read. colours and
    look: those of the whole frame and of the face, by which faces are followed; see `PrepareWorker.coloured`.
    """

    sample: Sample
    face: int
    views: Views | None
    box: tuple[float, float, float, float] | None = None
    status: str = "ok"
    reason: str = ""
    version: Version = UNKNOWN_VERSION
    colours: np.ndarray | None = field(default=None, compare=False, repr=False)
    look: np.ndarray | None = field(default=None, compare=False, repr=False)


def forged_sample(sample: Sample, draw: int) -> Sample:
    """The sample of a real one's self-blended fake: another id and label, the same group and split."""
    return replace(sample, id=f"{sample.id}~sbi{draw}", label=1, manipulation=SELF_BLENDED)


@dataclass(frozen=True)
class PrepareWorker:
    """PrepareTask -> items, in this process or in another: the part of extraction that needs no model.

    versioned: say of each item which version of the picture it is of, which takes a look at all bytes of its files.
    coloured: give the colours of frames of a video, unless they are face crops already; see `corit.images.scenes`.
    """

    source: Source
    preparer: Preparation
    versioned: bool = False
    coloured: bool = False

    def __getitem__(self, task: PrepareTask) -> list[PreparedRow]:
        with _naming(task.sample):
            now, picture = current_version(task.sample) if self.versioned else None, None
            try:
                picture = self.source.load(task.sample)
                items = self._items(task, picture)
            except InputError as err:
                draws = (None,) if None in task.draws else task.draws
                items = [_failed(_named(task.sample, n), 0, None, err) for n in draws]
            version = UNKNOWN_VERSION if now is None else now.version(getattr(picture, "digest", ""))
            items = [replace(item, version=version) for item in items]
            if picture is None or picture.aligned or not (self.coloured and task.sample.video):
                return items
            return [_coloured(item, picture.pixels) for item in items]

    def _items(self, task: PrepareTask, picture: Picture) -> list[PreparedRow]:
        crops = self.preparer.crops(picture)
        if not crops:
            raise NoFaceError("the picture shows nothing to measure: no face was found")
        return [self._item(task.sample, n, face, c) for n in task.draws for face, c in enumerate(crops)]

    def _item(self, sample: Sample, draw: int | None, face: int, crop: Any) -> PreparedRow:
        named = _named(sample, draw)
        try:
            views = self.preparer.views(crop if draw is None else self.preparer.forge(crop, draw))
        except InputError as err:
            return _failed(named, face, crop.box, err)
        return PreparedRow(named, face, views, views.box, reason=views.note)


def _named(sample: Sample, draw: int | None) -> Sample:
    return sample if draw is None else forged_sample(sample, draw)


def _failed(sample: Sample, face: int, box: tuple[float, float, float, float] | None, err: InputError) -> PreparedRow:
    return PreparedRow(sample, face, None, box, err.status, str(err))


def _coloured(item: PreparedRow, pixels: np.ndarray) -> PreparedRow:
    return replace(item, colours=colours(pixels), look=look(pixels, item.box) if item.box else None)


@contextmanager
def _naming(sample: Sample) -> Generator[None]:
    """Say with any error that passes which sample it came from."""
    try:
        yield
    except BaseException as err:
        err.add_note(f"while preparing sample {sample.id!r} ({sample.path})")
        raise


def prepare(tasks: Iterable[PrepareTask], worker: PrepareWorker, workers: int) -> Generator[list[PreparedRow]]:
    """The items of each task, in the order of the tasks, a few tasks ahead of the model when there are workers.

    Raises MachineError where a worker was killed. The loader's own error may also be raised in the middle of whatever
    its consumer does: see `corit.failures`.
    """
    loader: DataLoader[list[PreparedRow]] = DataLoader(
        worker,  # type: ignore[arg-type]
        sampler=tasks,  # type: ignore[arg-type]  # what a sampler yields is what __getitem__ gets, so that no worker needs the list
        batch_size=None,
        num_workers=workers,
        collate_fn=_unchanged,
        worker_init_fn=_single_threaded,
        multiprocessing_context=START if workers else None,
        generator=torch.Generator(),  # else the loader draws from the global one
    )
    with _deaf():
        prepared = iter(loader)
    try:
        yield from prepared
    except RuntimeError as err:
        if said := words(err):
            raise MachineError(said) from err
        raise


def _unchanged(items: list[PreparedRow]) -> list[PreparedRow]:
    return items


def _single_threaded(_: int) -> None:
    """One thread for OpenCV in each worker; torch's loader sees to its own."""
    import cv2

    cv2.setNumThreads(1)


@contextmanager
def _deaf() -> Generator[None]:
    """Processes started inside never hear Ctrl-C: the main process tells them when to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # ignored signals stay ignored in a new process
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
