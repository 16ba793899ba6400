"""Use Pillow with this package's settings, whatever the program around it has set."""

from __future__ import annotations

import logging
import threading
import warnings

from PIL import Image, ImageFile

LOGGER = logging.getLogger("PIL")
SILENT = logging.NullHandler()  # a logger without a handler writes errors to standard error


class _Settings:
    """Pillow has one set of settings per process: the first thread in changes them, the last one out restores them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._apply()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._restore()

    def _apply(self) -> None:
        self._before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        LOGGER.addHandler(SILENT)
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, False

    def _restore(self) -> None:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = self._before
        LOGGER.removeHandler(SILENT)
        self._warnings.__exit__(None, None, None)


PILLOW_SETTINGS = _Settings()
"""Within `with PILLOW_SETTINGS` Pillow writes nothing to standard error, has no limit on the size of a picture, since
the caller has one, and refuses files that are cut short."""
