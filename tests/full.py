"""A disk that is full, for this process: no file may grow beyond so many bytes."""

from __future__ import annotations

import resource
from contextlib import contextmanager


@contextmanager
def narrow(size):
    """Files of this process, and of those that it starts, end at so many bytes with an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
