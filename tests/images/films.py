"""Tiny video files for tests: frame k is a flat grey of its own, with some noise so that bytes stand behind it."""

from __future__ import annotations

import cv2
import numpy as np

from corit.seeding import generator

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}


def grey(k):
    """The level of frame k: no two of the first 20 are near each other."""
    return 20 + 10 * k


def pictures(frames, size=(64, 48)):
    width, height = size
    rng = generator("film", frames)
    for k in range(frames):
        grain = rng.integers(-4, 5, (height, width, 3))
        yield np.clip(grey(k) + grain, 0, 255).astype(np.uint8)


def write(path, frames=20, fps=10.0, shown=None):
    """Write RGB pictures, or `frames` grey ones, as a video of the kind that the suffix says."""
    shown = list(pictures(frames) if shown is None else shown)
    height, width = shown[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[path.suffix]), fps, (width, height))
    for pixels in shown:
        writer.write(np.ascontiguousarray(pixels[..., ::-1]))
    writer.release()
    return path


def cut(path, target, share=0.6):
    """The first part of a file's bytes."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def damage(path, target, share=0.5):
    """An MP4 file whose last pictures are zeros, index and all else intact."""
    data = bytearray(path.read_bytes())
    start, end = data.find(b"mdat") + 4, data.find(b"moov") - 4
    middle = int(start + share * (end - start))
    data[middle:end] = bytes(end - middle)
    target.write_bytes(bytes(data))
    return target
