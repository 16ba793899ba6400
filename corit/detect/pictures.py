"""Score one picture or a stream of them, with one detector or with two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from corit.data.sample import Sample, Source
from corit.detect.report import Evidence, Report, failed_report
from corit.detect.row import Row
from corit.detect.stability import FindingPreparation, StablePreparer
from corit.errors import InputError
from corit.features.preparation import PreparedRow, PrepareTask, PrepareWorker, prepare
from corit.images.picture import Picture, read_picture
from corit.views.prepare import Views


class Scorer(Protocol):
    """What scores pictures: a `Detector`, or a `corit.detect.by_domain.FaceOrScene`."""

    @property
    def in_process(self) -> bool:
        """Whether pictures must be prepared in the process that holds the backbone."""

    def preparer(self, twins: int = 1) -> FindingPreparation:
        """Return the preparation of pictures, with so many self-blended twins where the features need one."""

    def readings(self, views: Sequence[Views]) -> list[Any]:
        """Return what `row` needs of each view."""

    def row(self, path: str, view: Views, reading: Any) -> Row:
        """Return the row of a view."""

    def evidence(self, view: Views) -> Evidence:
        """Measure what a page shows of a view."""


def score_picture(
    scorer: Scorer,
    image: str | Path | np.ndarray | Picture,
    *,
    twins: int = 1,
    evidence: bool = False,
    name: str = "",
    stable: bool = False,
) -> Report:
    """Score the faces of one picture, or the whole picture; see `corit.Detector`."""
    label = name or (str(image) if isinstance(image, (str, Path)) else "")
    try:
        picture = _picture(image)
        preparer = _preparer(scorer, twins, stable)
        views = [preparer.views(crop) for crop in preparer.crops(picture)]
    except InputError as err:
        return failed_report(label, err)
    return report_views(scorer, label, views, evidence=evidence)


def report_views(scorer: Scorer, path: str, views: Sequence[Views], *, evidence: bool = False) -> Report:
    """Score the prepared faces of one picture.

    Args:
        scorer: the detector.
        path: for the rows.
        views: of each face.
        evidence: also give the evidence of each patch.

    Returns:
        A row for each face.
    """
    rows = tuple(scorer.row(path, v, r) for v, r in zip(views, scorer.readings(views), strict=True))
    shown = tuple(scorer.evidence(v) for v in views) if evidence else ()
    return Report(path, rows, shown)


def scan_pictures(
    scorer: Scorer,
    source: Source,
    samples: Iterable[Sample],
    *,
    twins: int = 1,
    batch: int = 8,
    workers: int = 0,
    evidence: bool = False,
    stable: bool = False,
) -> Iterator[Report]:
    """Score many pictures, several in one forward pass; see `Detector.scan`."""
    workers = 0 if scorer.in_process else workers
    tasks = (PrepareTask(s, (None,)) for s in samples)
    pending: list[list[PreparedRow]] = []
    worker = PrepareWorker(source, _preparer(scorer, twins, stable), coloured=True)
    with closing(prepare(tasks, worker, workers)) as stream:
        for items in stream:
            pending.append(items)
            if sum(map(len, pending)) >= batch:
                yield from _flush(scorer, pending, evidence)
                pending = []
    yield from _flush(scorer, pending, evidence)


def _preparer(scorer: Scorer, twins: int, stable: bool) -> Any:
    preparer = scorer.preparer(twins)
    return StablePreparer(preparer) if stable else preparer


def _flush(scorer: Scorer, pending: Sequence[Sequence[PreparedRow]], evidence: bool) -> Iterator[Report]:
    views = [i.views for items in pending for i in items if i.views is not None]
    readings = iter(scorer.readings(views))
    for items in pending:
        rows = tuple(_row(scorer, i, readings) for i in items)
        shown = tuple(scorer.evidence(i.views) for i in items if i.views) if evidence else ()
        yield Report(items[0].sample.path, rows, shown, items[0].colours, tuple(i.look for i in items))


def _row(scorer: Scorer, item: PreparedRow, readings: Iterator[Any]) -> Row:
    if item.views is None:
        return Row(item.sample.path, item.box, status=item.status, reason=item.reason)
    return scorer.row(item.sample.path, item.views, next(readings))


def _picture(image: str | Path | np.ndarray | Picture) -> Picture:
    if isinstance(image, Picture):
        return image
    return Picture(image) if isinstance(image, np.ndarray) else read_picture(image)
