"""Follow faces through the frames of a video: scenes, then the same number for the same face inside each scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from corit.detect.detector import Report
from corit.detect.video_score import FaceScore
from corit.images.face_tracks import follow
from corit.images.scenes import histogram_overlap
from corit.views.prepare import Box


@dataclass(frozen=True)
class Following:
    """How faces are followed.

    Attributes:
        overlap: least intersection over union of a face's boxes in two frames; see `corit.images.face_tracks.follow`.
        gap: frames in a row in which a face may be unseen; see there.
        scene: two frames in a row that share less than this part of their colours lie in two scenes; no face is
            followed from one scene to another.
        look: two faces that share less than this part of their colours are of two people.
    """

    overlap: float = 0.1
    gap: int = 2
    scene: float = 0.5
    look: float = 0.55


DEFAULT = Following()


@dataclass(frozen=True)
class FrameFaces:
    """What is needed to follow the faces of one frame.

    Attributes:
        scene: number of the frame's scene.
        boxes: (x0, y0, x1, y1) of each scored face; None for a whole picture or a face crop.
        looks: colours (512,) of each face, see `corit.images.scenes.face_histogram`; None where they are not known.
    """

    scene: int
    boxes: tuple[Box | None, ...]
    looks: tuple[np.ndarray | None, ...]


class SceneCounter:
    """Numbers the scenes of a video from 0, frame by frame."""

    def __init__(self, following: Following = DEFAULT) -> None:
        self.scene, self._least = 0, following.scene
        self._last: np.ndarray | None = None

    def next(self, colours: np.ndarray) -> int:
        """Return the number of the next frame's scene.

        Args:
            colours: colours (512,) of the frame; see `corit.images.scenes.colour_histogram`.

        Returns:
            The number, from 0.
        """
        if self._last is not None and histogram_overlap(self._last, colours) < self._least:
            self.scene += 1
        self._last = colours
        return self.scene


def follow_faces(frames: Sequence[FrameFaces], following: Following = DEFAULT) -> list[tuple[int, ...]]:
    """Number the faces of a video, so that the same face has the same number.

    Args:
        frames: the frames that could be decoded, in the order of time, also those without a face.
        following: how faces are followed.

    Returns:
        For each frame the track of each of its faces, numbered through all scenes. Faces without a box are one track.
    """
    if any(box is None for frame in frames for box in frame.boxes):
        return [(0,) * len(frame.boxes) for frame in frames]
    tracks: list[tuple[int, ...]] = []
    started = 0
    for _, scene in groupby(frames, key=lambda frame: frame.scene):
        in_scene = _follow_scene(list(scene), following)
        tracks += [tuple(started + track for track in frame) for frame in in_scene]
        started = max([started, *(1 + track for frame in tracks for track in frame)])
    return tracks


def _follow_scene(frames: Sequence[FrameFaces], following: Following) -> Sequence[tuple[int, ...]]:
    boxes = [np.array(frame.boxes, dtype=np.float64).reshape(-1, 4) for frame in frames]

    def same(a: tuple[int, int], b: tuple[int, int]) -> bool:
        one, other = (frames[frame].looks[number] for frame, number in (a, b))
        if one is None or other is None or not one.size or not other.size:
            return True
        return histogram_overlap(one, other) >= following.look * one.sum()

    return follow(boxes, overlap=following.overlap, gap=following.gap, alike=same)


def follow_reports(
    reports: Sequence[Report], *, on_disk: bool, following: Following = DEFAULT
) -> list[list[FaceScore]]:
    """Follow the faces of a video whose frames were scored one by one.

    Args:
        reports: one for each frame, in the order of time.
        on_disk: the frames are files of their own; then a video that shows one face a frame is one track.
        following: how faces are followed.

    Returns:
        The scored faces of each frame, numbered by the positions of the frames. `VideoScore` says what one track is.
    """
    faces = [_scored_faces(report) for report in reports]
    tracks = {i: (0,) * len(frame) for i, frame in enumerate(faces)}
    known = all(report.colours is not None for report, frame in zip(reports, faces, strict=True) if frame)
    if known and not (on_disk and all(len(frame) < 2 for frame in faces)):
        scenes = SceneCounter(following)
        decoded = {i: report.colours for i, report in enumerate(reports) if report.colours is not None}
        frames = [
            FrameFaces(scenes.next(colours), tuple(f.box for f in faces[i]), tuple(f.look for f in faces[i]))
            for i, colours in decoded.items()
        ]
        tracks |= dict(zip(decoded, follow_faces(frames, following), strict=True))
    return [
        [FaceScore(i, track, face.score) for track, face in zip(tracks[i], frame, strict=True)]
        for i, frame in enumerate(faces)
    ]


class _Face(NamedTuple):
    score: float
    box: Box | None
    look: np.ndarray | None


def _scored_faces(report: Report) -> list[_Face]:
    looks = report.looks or (None,) * len(report.rows)
    rows = zip(report.rows, looks, strict=True)
    return [_Face(row.score, row.face, look) for row, look in rows if row.score is not None]
