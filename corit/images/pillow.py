"""Use Pillow by the rules of this package, whatever the program around it has set."""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import ExitStack

from PIL import Image, ImageFile


class _Rules:
    """Pillow's settings are those of the process: the first thread in changes them, the last one out restores them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._undo = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._undo = _apply()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._undo.close()


OWN_RULES = _Rules()
"""Within `with OWN_RULES` Pillow says nothing on standard error, has no limit of its own on the size of a picture, for
which the caller has one, and refuses files that are cut short."""


def _apply() -> ExitStack:
    """Set the rules; closing the result restores what was set before."""
    undo = ExitStack()
    undo.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    logger, silent = logging.getLogger("PIL"), logging.NullHandler()
    logger.addHandler(silent)  # a logger without a handler writes errors to standard error
    undo.callback(logger.removeHandler, silent)
    undo.callback(_set, Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    _set(None, False)
    return undo


def _set(most: int | None, truncated: bool) -> None:
    Image.MAX_IMAGE_PIXELS = most
    ImageFile.LOAD_TRUNCATED_IMAGES = truncated
