"""The video of masks that some data sets lay beside a manipulated video, played at the video's own frames."""

from __future__ import annotations

import os
from pathlib import PurePath

import numpy as np

from corit.errors import InputError
from corit.images.video import Frame, VideoFile


def find_mask_video(path: str) -> str | None:
    """Where FaceForensics++ and its like keep the video of masks of a video: masks/videos/ above the compression."""
    parts = PurePath(path)
    for up in parts.parents[1:3]:
        found = os.path.join(up, "masks", "videos", parts.name)
        if os.path.isfile(found):
            return found
    return None


class MaskVideo:
    """The masks of a video, whose video may be absent, of another length, or damaged: `problem` says what is wrong.

    Frames are asked for in ascending order, and the mask of a frame is the one of the same index, however many frames
    the video of masks has.
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

    def of(self, frame: Frame) -> np.ndarray | None:
        """The mask (H, W, 3) uint8 of a frame, None where there is none."""
        own = self._video.frame(frame.index) if self._video else None
        if own is None:
            self.problem = self.problem or (f"it has no frame {frame.index} that can be decoded" if self.path else "")
            return None
        if own.pixels.shape != frame.pixels.shape:
            sizes = (f"{p.shape[1]} x {p.shape[0]}" for p in (own.pixels, frame.pixels))
            self.problem = "its frames are {}, those of the video {}".format(*sizes)
            return None
        return own.pixels
