"""Two detectors as one: a face detector where a face is found, and a scene detector for all other pictures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from corit.data.sample import Sample, Source
from corit.detect.detector import Detector, ready_together
from corit.detect.pictures import scan_pictures, score_picture
from corit.detect.report import Evidence, Report
from corit.detect.row import Row
from corit.detect.stability import FindingPreparation
from corit.detect.video import VideoReport, score_video
from corit.errors import DetectorError, NoFaceError, TooSmallError
from corit.images.faces import FaceFinder, find_faces
from corit.images.picture import Picture, join_notes
from corit.metrics.calibration import Calibration
from corit.views.prepare import Box, Views

WHOLE = "the whole picture was scored"
WHOLE_FRAMES = "whole frames were scored: no face was found that is large enough"
WITHOUT_FACE = (NoFaceError.status, TooSmallError.status)


@dataclass(frozen=True)
class DomainCrop:
    """A crop, with the preparation that made it.

    Attributes:
        crop: the crop.
        preparer: what makes its views.
    """

    crop: Any
    preparer: FindingPreparation

    @property
    def box(self) -> Box | None:
        """That of the crop."""
        return self.crop.box


@dataclass(frozen=True)
class DomainPreparer:
    """Prepares the faces of a picture, and the whole picture where it has none that is large enough.

    Attributes:
        faces: prepares faces.
        scene: prepares whole pictures.
    """

    faces: FindingPreparation
    scene: FindingPreparation

    def locate(self, picture: Picture) -> Picture:
        """Return the picture with its faces; without any where none can be scored, and then with a note."""
        try:
            return self.faces.locate(picture)
        except NoFaceError:
            note = f"{WHOLE}: no face was found"
        except TooSmallError as err:
            note = f"{WHOLE}: {err}"
        return replace(picture, faces=(), note=join_notes(picture.note, note))

    def crops(self, picture: Picture) -> tuple[DomainCrop, ...]:
        """Return the prepared faces of a picture, or the prepared picture. Raises InputError where it has neither."""
        located = self.locate(picture)
        preparer = self.scene if located.faces == () else self.faces
        return tuple(DomainCrop(c, preparer) for c in preparer.crops(located))

    def views(self, crop: DomainCrop) -> Views:
        """Return the views of a crop."""
        return crop.preparer.views(crop.crop)

    def forge(self, crop: DomainCrop, draw: int) -> DomainCrop:
        """Return a self-blended fake of a crop."""
        return replace(crop, crop=crop.preparer.forge(crop.crop, draw))

    def without_limits(self) -> DomainPreparer:
        """Return the same preparation for pictures and faces of any size, with one twin at most."""
        return DomainPreparer(self.faces.without_limits(), self.scene.without_limits())


@dataclass(frozen=True)
class FaceOrScene:
    """A face detector for pictures that show a face, and a scene detector for the others.

    Attributes:
        faces: scores faces.
        scene: scores whole pictures in which no face is found.
        finder: finds the faces.

    Raises:
        DetectorError: a detector is of the other domain.
    """

    faces: Detector
    scene: Detector
    finder: FaceFinder = find_faces

    def __post_init__(self) -> None:
        domains = tuple(d.card.recipe.views.domain for d in (self.faces, self.scene))
        if domains != ("face", "scene"):
            raise DetectorError(f"expected a detector of faces and one of scenes, got {' and '.join(domains)}")

    @property
    def detectors(self) -> tuple[Detector, Detector]:
        """Both."""
        return self.faces, self.scene

    @property
    def identity(self) -> str:
        """A digest of everything that decides a score."""
        return hashlib.sha256(" ".join(d.identity for d in self.detectors).encode()).hexdigest()

    @property
    def calibrations(self) -> Mapping[str, Calibration]:
        """The calibration of each, by its name."""
        return {d.name: d.card.calibration for d in self.detectors}

    @property
    def in_process(self) -> bool:
        """Whether pictures must be prepared in the process that holds the backbone."""
        return any(d.in_process for d in self.detectors)

    def ready(self) -> None:
        """Load the backbone, once where both detectors use the same. Raises WeightsError, DetectorError."""
        ready_together(self.detectors)

    def outside(self) -> str:
        """Say why files are outside what both detectors were trained on; empty if they are not."""
        words = {d.outside() for d in self.detectors}
        return words.pop() if len(words) == 1 else ""

    def preparer(self, twins: int = 1) -> DomainPreparer:
        """Return the preparation of both detectors."""
        self.ready()
        return DomainPreparer(replace(self.faces.preparer(twins), finder=self.finder), self.scene.preparer(twins))

    def _of(self, view: Views) -> Detector:
        return self.faces if view.subject == "face" else self.scene

    def readings(self, views: Sequence[Views]) -> list[Any]:
        """Return for each view what its detector measures."""
        measured: list[Any] = [None] * len(views)
        for detector in self.detectors:
            own = [i for i, v in enumerate(views) if self._of(v) is detector]
            for i, value in zip(own, detector.readings([views[i] for i in own]) if own else (), strict=True):
                measured[i] = value
        return measured

    def row(self, path: str, view: Views, reading: Any) -> Row:
        """Return the row of a view, from its detector."""
        return self._of(view).row(path, view, reading)

    def evidence(self, view: Views) -> Evidence:
        """Measure what a page shows of a view."""
        return self._of(view).evidence(view)

    def __call__(
        self,
        image: str | Path | np.ndarray | Picture,
        *,
        twins: int = 1,
        evidence: bool = False,
        name: str = "",
        stable: bool = False,
    ) -> Report:
        """Score the faces of one picture, or the whole picture where it has none; see `corit.Detector`."""
        return score_picture(self, image, twins=twins, evidence=evidence, name=name, stable=stable)

    def scan(self, source: Source, samples: Iterable[Sample], **options: Any) -> Iterator[Report]:
        """Score many pictures; see `corit.detect.pictures.scan_pictures`."""
        return scan_pictures(self, source, samples, **options)


def score_video_by_domain(detector: Detector | FaceOrScene, path: str | Path, **options: Any) -> VideoReport:
    """Score a video with one detector, or with the scene detector of two where no frame shows a face.

    One detector scores all frames, so that scores of one video can be compared.

    Args:
        detector: one detector, or two.
        path: of the video.
        **options: of `corit.score_video`.

    Returns:
        The rows of the video.
    """
    if isinstance(detector, Detector):
        return score_video(detector, path, **options)
    detector.ready()
    report = score_video(detector.faces, os.fspath(path), finder=detector.finder, **options)
    faceless = any(r.status in WITHOUT_FACE for r in report.frames)
    if report.score is not None or not faceless:
        return report
    whole = score_video(detector.scene, os.fspath(path), **options)
    if whole.score is None:
        return whole
    rows = (replace(r, reason=join_notes(r.reason, WHOLE_FRAMES)) for r in (whole.row, *whole.tracks))
    return replace(whole, row=next(rows), tracks=tuple(rows))
