"""Where a detector that the user has changed lies, and what it takes along from the old one's folder."""

from __future__ import annotations

import os
from pathlib import Path

from corit.detect.detector import require_detector_place
from corit.errors import DetectorError
from corit.train.stand_in import FILE


def require_place(out: Path, folder: Path) -> None:
    """Check before long work that a changed detector can be written.

    Args:
        out: folder of the new detector.
        folder: folder of the old one.

    Raises:
        DetectorError: both are one folder, or something else than a detector is at `out`.
    """
    if os.path.realpath(out) == os.path.realpath(folder):
        raise DetectorError(f"expected a new folder for the changed detector, got that of the old one, {out}")
    require_detector_place(out)


def own_store(out: Path) -> Path:
    """Return the folder that keeps the features of the user's pictures, so that a second run measures nothing again."""
    return out.with_name(out.name + ".own")


def carried_files(folder: Path) -> dict[str, bytes]:
    """Return the files of the old folder that stay true when the calibration changes: the training features."""
    file = folder / FILE
    return {FILE: file.read_bytes()} if file.is_file() else {}
