"""The video of masks that some data sets put beside a manipulated video."""

from __future__ import annotations

import os
from pathlib import PurePath

import numpy as np

from corit.errors import InputError
from corit.images.video import Frame, VideoFile


def find_mask_video(path: str) -> str | None:
    """Return the video of masks of a manipulated video, or None.

    FaceForensics++ and DeepFakeDetection keep it in masks/videos/ above the folder of the compression.
    """
    parts = PurePath(path)
    candidates = (os.path.join(up, "masks", "videos", parts.name) for up in parts.parents[1:3])
    return next(filter(os.path.isfile, candidates), None)


class MaskVideo:
    """The masks of one video, read in the order of its frames.

    Attributes:
        path: the video of masks; None where there is none.
        problem: why masks are lacking, in words; empty where none is. The video of masks may be damaged, shorter than
            the video, or of another size.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.problem = ""
        self._video: VideoFile | None = None
        if path:
            try:
                self._video = VideoFile(path)
            except InputError as err:
                self.problem = str(err)

    def mask_of(self, frame: Frame) -> np.ndarray | None:
        """Return the mask (H, W, 3) uint8 of a frame, that of the same index, or None.

        Args:
            frame: a frame of the manipulated video; frames come in ascending order.
        """
        mask = self._video.frame(frame.index) if self._video else None
        if mask is None:
            self.problem = self.problem or (f"it has no frame {frame.index} that can be decoded" if self.path else "")
            return None
        if mask.pixels.shape != frame.pixels.shape:
            sizes = (f"{p.shape[1]} x {p.shape[0]}" for p in (mask.pixels, frame.pixels))
            self.problem = "its frames are {}, those of the video {}".format(*sizes)
            return None
        return mask.pixels
