"""Videos of a bright disc that stands in for a face, and the finder that knows it: functions a worker can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
from images import video_files

from corit.images.face_shape import mean_face
from corit.images.faces import FIVE_POINTS, Face, template

SIZE = (160, 120)


def find_discs(pixels):
    """One face: the box of what is brighter than 150, its five points where the template has them."""
    ys, xs = np.nonzero(pixels[..., 1] > 150)
    if len(ys) < 30:
        return ()
    x0, y0, x1, y1 = (float(v) for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
    points = np.array([x0, y0]) + mean_face(1.0) * (x1 - x0)
    points[list(FIVE_POINTS[68])] = np.array([x0, y0]) + template(1, 1.0) * (x1 - x0)
    return (Face((x0, y0, x1, y1), points.astype(np.float32), 1.0),)


def hang_at_dim(pixels):
    """As above, but it never comes back from a disc darker than 190, and leaves its process's number in $PIDS."""
    if pixels[..., 1].max() < 190:
        Path(os.environ["PIDS"], str(os.getpid())).touch()
        time.sleep(600)
    return find_discs(pixels)


def die_at_dim(pixels):
    """As the first, but a disc darker than 190 kills the process."""
    if pixels[..., 1].max() < 190:
        os.kill(os.getpid(), signal.SIGKILL)
    return find_discs(pixels)


def disc(k, radius=24, level=220):
    """A disc that walks to the right, on a dark ground."""
    width, height = SIZE
    y, x = np.mgrid[:height, :width]
    inside = (x - 40 - 2 * k) ** 2 + (y - 60) ** 2 <= radius**2
    return np.where(inside[..., None], level, 20).astype(np.uint8).repeat(3, axis=2)


def video(path, frames=12, faces=None, level=220):
    """A video of so many frames, with a face in those named, or in all of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dark = np.full((SIZE[1], SIZE[0], 3), 20, np.uint8)
    shown = [disc(k, level=level) if faces is None or k in faces else dark for k in range(frames)]
    return video_files.write(path, shown=shown)
