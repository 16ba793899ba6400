"""Cut the face out of a video frame, as DeepfakeBench's preprocessing does."""

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
    """How to cut faces out; the defaults are DeepfakeBench's.

    `find_faces` has other defaults of `least` and `longest`, for photographs: it drops more faces and is faster. One
    core of a laptop needs about 4 s for a 4K frame, and 0.3 s if the frame is shrunk to 1280 px.

    Attributes:
        frames: frames of each video at most; None for all.
        choice: which frames: "even" or "first", by index.
        side: of the crop in pixels.
        scale: how much the template is shrunk about the centre.
        again: look for the face once more in the crop, keep the landmarks found there, and drop the frame if there are
            none, as the benchmark does; otherwise the frame's landmarks are moved into the crop.
        least: dlib's score below which faces are dropped.
        longest: frames with a longer side in pixels are shrunk before dlib looks at them; None for never.
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
        """The face finder of these settings: dlib."""
        return partial(find_faces, least=self.least, longest=self.longest)


DEEPFAKEBENCH = Cropping()


@dataclass(frozen=True)
class FaceCrop:
    """One aligned face.

    Attributes:
        index: of the frame in its video.
        pixels: (side, side, 3) uint8.
        landmarks: (P, 2) float32, x and y in pixels of the crop.
        mask: (side, side) bool, or None.
    """

    index: int
    pixels: np.ndarray
    landmarks: np.ndarray
    mask: np.ndarray | None = None


def crop_face(
    frame: Frame, cropping: Cropping, finder: FaceFinder | None = None, mask: np.ndarray | None = None
) -> FaceCrop | None:
    """Cut out the largest face of a frame, in the template's pose.

    Args:
        frame: the frame.
        cropping: the settings.
        finder: finds faces; by default dlib, with the settings.
        mask: (H, W) or (H, W, 3) of the frame, set where any channel is above 1; it is moved with the face.

    Returns:
        The crop; None where no face is found.
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
    return FaceCrop(frame.index, pixels, points.astype(np.float32), mask)
