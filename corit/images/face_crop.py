"""A face of a frame, cut out as DeepfakeBench's preprocessing does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from corit.errors import DataError
from corit.images.faces import FaceFinder, align, find_faces
from corit.images.frame_choice import Choice, choose
from corit.images.video import Frame


@dataclass(frozen=True)
class Cropping:
    """How faces are cut out: DeepfakeBench's numbers.

    frames: at most so many of each video, None for all, chosen `even` or `first` by index. side: of the crop in pixels.
    scale: how much the template is shrunk about the centre. again: look for the face once more in the crop, save the
    landmarks found there and drop the frame if there are none, as the benchmark does; else they are moved with it.
    least: score below which dlib's faces are dropped. longest: frames with a longer side are shrunk before dlib looks
    at them, None for never. Both are the benchmark's, not `find_faces`' own for photographs, which is stricter and
    faster: a frame of 4K takes some 4 s on a laptop's core, and 0.3 s at 1280.
    """

    frames: int | None = 32
    choice: Choice = "even"
    side: int = 256
    scale: float = 1.3
    again: bool = True
    least: float = 0.0
    longest: int | None = None

    def __post_init__(self) -> None:
        choose(1, self.frames, self.choice)
        if self.side < 16 or self.scale <= 0:
            raise DataError(f"expected crops of at least 16 px and a positive scale, got {self.side} and {self.scale}")
        if self.longest is not None and self.longest < 64:
            raise DataError(f"expected frames of at least 64 px to look for faces in, got longest {self.longest}")

    @property
    def finder(self) -> FaceFinder:
        """dlib, as these settings use it."""
        return partial(find_faces, least=self.least, longest=self.longest)


BENCHMARK = Cropping()


@dataclass(frozen=True)
class Cut:
    """One aligned face: the frame's index, crop (side, side, 3) uint8, landmarks (P, 2), mask (side, side) or None."""

    index: int
    pixels: np.ndarray
    landmarks: np.ndarray
    mask: np.ndarray | None = None


def crop(
    frame: Frame, cropping: Cropping, finder: FaceFinder | None = None, mask: np.ndarray | None = None
) -> Cut | None:
    """The largest face of a frame in the template's pose, with its mask moved along; None without a face.

    finder: by default dlib, as the settings use it. mask: (H, W) or (H, W, 3), set where any channel is above 1.
    """
    finder = finder or cropping.finder
    faces = finder(frame.pixels)
    if not faces:
        return None
    pixels, points, matrix = align(frame.pixels, faces[0].landmarks, cropping.side, cropping.scale)
    if cropping.again:
        again = finder(pixels)
        if not again:
            return None
        points = again[0].landmarks
    if mask is not None:
        moved = cv2.warpAffine(np.ascontiguousarray(mask), matrix, (cropping.side, cropping.side)) > 1
        mask = np.any(np.atleast_3d(moved), axis=2, keepdims=True)[..., 0]
    return Cut(frame.index, pixels, points.astype(np.float32), mask)
