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
from corit.failures import machine_failure
from corit.images.scenes import colour_histogram, face_histogram
from corit.views.prepare import Views

if TYPE_CHECKING:
    from corit.images.picture import Picture

SELF_BLENDED = "self-blended"
# A forked worker inherits the threads' locks of OpenMP and OpenCV without their threads, and may wait forever.
START = "spawn"


class Preparation(Protocol):
    """Prepares pictures, as `corit.views.prepare.Preparer` does. It is sent to worker processes, so it must pickle."""

    def crops(self, picture: Picture, /) -> Sequence[Any]:
        """Cut out the faces, or the one scene, of a picture. Raises InputError when there is none."""

    def views(self, crop: Any, /) -> Views:
        """Make image, twins and regions of a crop. Raises InputError when the crop is unusable."""

    def forge(self, crop: Any, draw: int, /) -> Any:
        """Make a self-blended fake of a crop; its random draw is independent of the crop's twins."""


@dataclass(frozen=True)
class PrepareTask:
    """What to prepare of one sample.

    Attributes:
        sample: the sample.
        draws: None stands for the picture itself, n for its n-th self-blended fake.
    """

    sample: Sample
    draws: tuple[int | None, ...]


@dataclass(frozen=True)
class PreparedRow:
    """A row before the model measures it: the views of a face, or why there are none.

    Attributes:
        sample: the sample, with the id of the row.
        face: the face's number in the picture, from 0.
        views: what the encoder reads; None for a picture or face that cannot be prepared.
        box: (x0, y0, x1, y1) of the face in pixels of the picture, or None.
        status: "ok", or the status of the InputError.
        reason: why there are no views; for a face with views, their note.
        version: of the picture that was read.
        colours: of the whole frame, to tell scenes apart; see `PrepareWorker.coloured`.
        look: colours of the face, to follow faces.
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
    """Make the sample of a real sample's self-blended fake: another id and label, the same group and split."""
    return replace(sample, id=f"{sample.id}~sbi{draw}", label=1, manipulation=SELF_BLENDED)


@dataclass(frozen=True)
class PrepareWorker:
    """Prepares the rows of a task, in this process or in another: the part of extraction that needs no model.

    Attributes:
        source: reads the pictures.
        preparer: prepares them.
        versioned: note in each row which version of the picture it is of; this reads all bytes of its files.
        coloured: give the colours of frames of a video, unless they are face crops; see `corit.images.scenes`.
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
                rows = self._rows(task, picture)
            except InputError as err:
                draws = (None,) if None in task.draws else task.draws
                rows = [_failed(_named(task.sample, n), 0, None, err) for n in draws]
            version = UNKNOWN_VERSION if now is None else now.version(getattr(picture, "digest", ""))
            rows = [replace(row, version=version) for row in rows]
            if picture is None or not (self.coloured and task.sample.video) or picture.aligned:
                return rows
            return _coloured(rows, picture.pixels)

    def _rows(self, task: PrepareTask, picture: Picture) -> list[PreparedRow]:
        crops = self.preparer.crops(picture)
        if not crops:
            raise NoFaceError("the picture shows nothing to measure: no face was found")
        return [self._row(task.sample, n, face, c) for n in task.draws for face, c in enumerate(crops)]

    def _row(self, sample: Sample, draw: int | None, face: int, crop: Any) -> PreparedRow:
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


def _coloured(rows: Sequence[PreparedRow], pixels: np.ndarray) -> list[PreparedRow]:
    colours = colour_histogram(pixels)
    return [replace(r, colours=colours, look=face_histogram(pixels, r.box) if r.box else None) for r in rows]


@contextmanager
def _naming(sample: Sample) -> Generator[None]:
    """Add the sample to every error that passes."""
    try:
        yield
    except BaseException as err:
        err.add_note(f"while preparing sample {sample.id!r} ({sample.path})")
        raise


def prepare(tasks: Iterable[PrepareTask], worker: PrepareWorker, workers: int) -> Generator[list[PreparedRow]]:
    """Prepare tasks; worker processes run a few tasks ahead of the model.

    Args:
        tasks: what to prepare.
        worker: prepares one task.
        workers: processes, 0 for this one.

    Yields:
        The rows of each task, in the order of the tasks.

    Raises:
        MachineError: when a worker was killed. The loader may also raise its own error while the consumer runs; see
            `corit.failures`.
    """
    loader: DataLoader[list[PreparedRow]] = DataLoader(
        worker,  # type: ignore[arg-type]
        sampler=tasks,  # type: ignore[arg-type]  # what a sampler yields is what __getitem__ gets, so that no worker needs the list
        batch_size=None,
        num_workers=workers,
        collate_fn=_unchanged,
        worker_init_fn=_single_threaded,
        multiprocessing_context=START if workers else None,
        generator=torch.Generator(),  # else the loader changes the global one
    )
    with _ignoring_interrupts():
        prepared = iter(loader)
    try:
        yield from prepared
    except RuntimeError as err:
        if failure := machine_failure(err):
            raise MachineError(failure) from err
        raise


def _unchanged(rows: list[PreparedRow]) -> list[PreparedRow]:
    return rows


def _single_threaded(_: int) -> None:
    """One thread for OpenCV in each worker; torch's loader limits torch itself."""
    import cv2

    cv2.setNumThreads(1)


@contextmanager
def _ignoring_interrupts() -> Generator[None]:
    """Processes that start inside ignore Ctrl-C: the main process stops them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # ignored signals stay ignored in a new process
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
