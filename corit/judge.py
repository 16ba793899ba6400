"""Where version 0.1.0 had `ExternalDetector`, as `Outside`: users' detector files may import it from here."""

from __future__ import annotations

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    if name != "Outside":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from corit.evaluate.detectors import ExternalDetector

    message = "corit.judge.Outside is now called corit.ExternalDetector; import that"
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    return ExternalDetector
