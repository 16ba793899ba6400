"""Files of a tiny tree: folders of frames with landmarks and masks, short videos, single pictures, texts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from corit.errors import DataError
from trees.paint import Painter, Subject, squares

Kind = str  # "frames" of a preprocessed set, "images" extracted whole, or "videos"


@dataclass(frozen=True)
class Hand:
    """Who writes a tree: what it paints, how many frames a video gets, and as what: frames, images or videos."""

    paint: Painter = squares
    frames: int = 4
    media: Kind = "frames"

    def video(self, folder: Path, name: str, subject: Subject, *, mask: bool = False) -> None:
        """One video in frames/<name>/ with landmarks/ (and masks/) beside it, in images/<name>/, or videos/<name>.mp4.

        frames: 000.png and so on, as DeepfakeBench writes them; images: 0000.png, as FaceForensics++'s script does.
        """
        subjects = [replace(subject, frame=k) for k in range(self.frames)]
        if self.media == "videos":
            self.video_file(folder / "videos" / f"{name}.mp4", subject)
            return
        digits = 3 if self.media == "frames" else 4
        for k, one in enumerate(subjects):
            self._frame(folder, f"{name}/{k:0{digits}d}", one, mask)

    def _frame(self, folder: Path, name: str, subject: Subject, mask: bool) -> None:
        shown = self.paint(subject)
        picture(folder / self.media / f"{name}.png", shown.pixels)
        if self.media != "frames":
            return
        points = shown.landmarks
        if points is not None:
            path = _ready(folder / "landmarks" / f"{name}.npy")
            np.save(path, np.round(points).astype(np.int64))
        if mask:
            height, width = shown.pixels.shape[:2]
            inside = np.zeros((height, width), np.uint8)
            inside[height // 4 : -height // 4, width // 4 : -width // 4] = 255
            picture(folder / "masks" / f"{name}.png", inside)

    def video_file(self, path: Path, subject: Subject) -> None:
        """A short MP4 video of the subject's frames."""
        pictures = [self.paint(replace(subject, frame=k)).pixels for k in range(self.frames)]
        height, width = pictures[0].shape[:2]
        writer = cv2.VideoWriter(str(_ready(path)), cv2.VideoWriter.fourcc(*"mp4v"), 25, (width, height))
        for pixels in pictures:
            writer.write(np.ascontiguousarray(pixels[..., ::-1]))
        writer.release()
        if not path.is_file():
            raise DataError(f"expected OpenCV to write {path}, but it has no MPEG-4 encoder; ask for frames")

    def one(self, path: Path, subject: Subject) -> None:
        """A single picture; the name's suffix says of which kind."""
        picture(path, self.paint(subject).pixels)


def picture(path: Path, pixels: np.ndarray) -> None:
    """Write (H, W, 3) or (H, W) uint8."""
    Image.fromarray(pixels).save(_ready(path), quality=92)


def text(path: Path, lines: Iterable[str]) -> None:
    """Write lines."""
    _ready(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def table(path: Path, value: object) -> None:
    """Write JSON."""
    _ready(path).write_text(json.dumps(value), encoding="utf-8")


def _ready(path: Path) -> Path:
    os.makedirs(path.parent, exist_ok=True)
    return path
