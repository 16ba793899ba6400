"""Score files and folders: pictures first, then videos, a report of each, in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import Any

from corit.data.folders import UnlabelledFiles, list_pictures
from corit.data.frames import VIDEO_SUFFIXES
from corit.data.landmarks import Landmarks
from corit.data.passed_over import PassedOver
from corit.detect.by_domain import FaceOrScene, score_video_by_domain
from corit.detect.detector import Detector
from corit.detect.report import Report
from corit.detect.row import Row
from corit.detect.video import Per, VideoReport, failed_video, require_per
from corit.detect.video_score import TRACK, VideoScore
from corit.errors import DataError, InputError, UnsupportedError
from corit.images.file_kind import is_gif
from corit.images.frame_choice import Choice, choose
from corit.images.header import frames_in
from corit.images.picture import SUFFIXES
from corit.images.video import VideoFile, is_video_file

MOMENTS = 6  # faces of each video with their evidence


@dataclass(frozen=True, kw_only=True)
class DetectOptions:
    """How files are scored, and which rows a video has.

    Attributes:
        frames: score at most this many frames of each video; None scores all.
        choice: "even" spreads the frames over the video, "first" takes the first ones.
        per: the rows of a video: "video" is one for all, "track" adds one for each face, "frame" one for each face of
            each frame.
        video_score: how the scores of the faces become the score of the video: VideoScore("track") or
            VideoScore("frames"); a plain text is not accepted.
        twins: self-blended twins to score each picture with; more than one gives a spread.
        aligned: the pictures are aligned face crops.
        landmarks: of the pictures.
        batch: pictures, or faces of a video, that are encoded together.
        workers: processes that decode and prepare pictures; 0 uses this process.
        stable: score each picture under three mild re-encodings too, and call it unsure where its verdict turns from
            real to fake or from fake to real; videos are scored as always.
    """

    frames: int | None = 32
    choice: Choice = "even"
    per: Per = "track"
    video_score: VideoScore = TRACK
    twins: int = 1
    aligned: bool = False
    landmarks: Landmarks | None = None
    batch: int = 8
    workers: int = 0
    stable: bool = False

    def __post_init__(self) -> None:
        if self.twins < 1:
            raise DataError(f"expected at least one twin, got {self.twins}")
        if self.batch < 1 or self.workers < 0:
            raise DataError(f"expected a batch >= 1 and workers >= 0, got {self.batch} and {self.workers}")
        require_per(self.per)
        choose(1, self.frames, self.choice)


def detect_files(
    detector: Detector | FaceOrScene, paths: str | Path | Iterable[str | Path], **options: Any
) -> Iterator[Row]:
    """Score pictures, videos, and folders of both, as `corit detect` does.

    Args:
        detector: the detector.
        paths: a file or folder, or several.
        **options: fields of `DetectOptions`, such as per="frame". `corit detect` sets stable where it is given a single
            file; here it is False unless it is set.

    Yields:
        The rows of each file, pictures first: one for each face or picture, and for each video as `per` says. What
        cannot be scored has a row with a status and a reason.

    Raises:
        DataError: a path does not exist, there is nothing to score, or an option has a wrong value.
        WeightsError: the backbone's weights are not available.
    """
    chosen = DetectOptions(**options)
    several = (paths,) if isinstance(paths, (str, Path)) else paths
    scan = FileScan(detector, tuple(os.fspath(path) for path in several), chosen)
    scan.first(1)
    return (row for report in scan.reports() for row in rows_of(report, chosen.per))


def rows_of(report: Report | VideoReport, per: Per = "track") -> Iterable[Row]:
    """The rows of a picture, or those of a video that `per` names."""
    return report.rows if isinstance(report, Report) else report.rows(per)


def require_paths(paths: Iterable[str]) -> None:
    """Raise DataError for a path that does not exist."""
    absent = [p for p in paths if not os.path.lexists(p)]
    if absent:
        raise DataError(f"expected files or folders, but there is no {absent[0]}; check the path")


@dataclass(frozen=True)
class FileScan:
    """A scan of files and folders: a report for each picture and each video.

    Attributes:
        detector: the detector.
        paths: files and folders.
        options: how files are scored.
        done: files that are scored already and left out.
        evidence: give reports the evidence that a page shows.
        passed_over: counts the files in folders that are neither pictures nor videos.
    """

    detector: Detector | FaceOrScene
    paths: tuple[str, ...]
    options: DetectOptions = DetectOptions()
    done: Set[str] = frozenset()
    evidence: bool = False
    passed_over: PassedOver = field(default_factory=PassedOver)

    def __post_init__(self) -> None:
        require_paths(self.paths)

    def first(self, limit: int) -> list[str]:
        """List at most `limit` files that are to be scored, and load the backbone if there are any.

        Raises:
            DataError: there are none, and none that are done.
            WeightsError: the backbone's weights are not available; without this call each picture would say so.
        """
        counted = PassedOver()
        files = list(islice(chain(self._list(videos=False, passed=counted), self._list(videos=True)), limit))
        if files:
            self.detector.ready()
        elif not self.done:
            others = f"; {counted.summary}" if counted.summary else ""
            raise DataError(f"expected pictures or videos in {', '.join(self.paths)}, but found none{others}")
        return files

    def reports(self, before: Callable[[str], object] = str) -> Iterator[Report | VideoReport]:
        """Score all pictures, then all videos.

        Pictures are one stream of batches, since workers that prepare them are slow to start.

        Args:
            before: called with the path of each file before the file is read.

        Yields:
            A report for each file, in the order of the list.
        """
        options, landmarks = self.options, self.options.landmarks
        known = None if landmarks is None else landmarks.among(list_inputs(self.paths, videos=False))
        source = UnlabelledFiles(options.aligned, known)
        pictures = _call_before(self._list(videos=False, passed=self.passed_over), before)
        yield from self.detector.scan(
            source,
            map(source.sample, pictures),
            twins=options.twins,
            batch=options.batch,
            workers=options.workers,
            evidence=self.evidence,
            stable=options.stable,
        )
        for path in _call_before(self._list(videos=True), before):
            yield self._video(path)

    def _list(self, *, videos: bool, passed: PassedOver | None = None) -> Iterator[str]:
        return (p for p in list_inputs(self.paths, videos=videos, passed=passed) if p not in self.done)

    def _video(self, path: str) -> VideoReport:
        options = self.options
        if options.aligned or options.landmarks is not None:
            reason = "expected pictures with --aligned or --landmarks; score videos without, so that faces are found"
            return failed_video(path, UnsupportedError(reason))
        return score_video_by_domain(
            self.detector,
            path,
            frames=options.frames,
            choice=options.choice,
            batch=options.batch,
            moments=MOMENTS if self.evidence else 0,
            video_score=options.video_score,
        )


def _call_before(paths: Iterable[str], before: Callable[[str], object]) -> Iterator[str]:
    for path in paths:
        before(path)
        yield path


def list_inputs(paths: Iterable[str], *, videos: bool, passed: PassedOver | None = None) -> Iterator[str]:
    """List the videos, or the pictures, among files and in folders, folder by folder.

    The suffix decides, but for GIF files, which are videos if they move. A file with another suffix, or none, is
    recognised by its first bytes. In a folder it is passed over where they begin neither a picture nor a video.

    Args:
        paths: files and folders.
        videos: list the videos and not the pictures.
        passed: counts what is passed over.

    Yields:
        Paths.
    """
    passed = PassedOver() if passed is None else passed
    for root in paths:
        for path in list_pictures(root, SUFFIXES | VIDEO_SUFFIXES, accepts=passed.accepts):
            if videos == _is_video(path):
                yield path


def _is_video(path: str) -> bool:
    suffix = PurePath(path).suffix.lower()
    if suffix == ".gif" or (suffix not in SUFFIXES | VIDEO_SUFFIXES and is_gif(path)):
        return frames_in(path) > 1 and _moves(path)
    return suffix in VIDEO_SUFFIXES or (suffix not in SUFFIXES and is_video_file(path))


def _moves(path: str) -> bool:
    """Whether a GIF file can be played: where its frames have no time, the decoder sees only the first."""
    try:
        return VideoFile(path).survey() > 1
    except InputError:
        return False
