"""What tells one version of a file from another without reading it."""

from __future__ import annotations

import os

from corit.data.frames import beside
from corit.data.sample import Sample


def stamp(path: str) -> str:
    """A file's full path, size and time of change; of what is no file, such as drawn pictures, the path alone."""
    try:
        found = os.stat(path)
    except OSError:
        return path
    return f"{os.path.abspath(path)} {found.st_size} {found.st_mtime_ns}"


def stamps(sample: Sample) -> str:
    """What tells whether a row is still the picture that it was: its file, what belongs beside a frame, which frame."""
    near = (beside(sample.path, "landmarks", ".npy"), beside(sample.path, "masks", ".png"))
    return " ".join([*(stamp(path) for path in (sample.path, *near) if path), f"frame {sample.frame}"])
