"""Which frames of a video are taken: by index, by a named rule."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from corit.errors import DataError

Choice = Literal["even", "first"]


def choose(count: int, wanted: int | None, rule: Choice) -> list[int]:
    """Which of `count` frames are taken: ascending indices, all of them where no more are there than wanted.

    "even" is linspace from the first to the last frame, truncated to integers; "first" are the first ones. Raises
    DataError for another rule and for less than one wanted frame.
    """
    if rule not in get_args(Choice):
        raise DataError(f"expected frames chosen {' or '.join(get_args(Choice))}, got {rule!r}")
    if wanted is not None and wanted < 1:
        raise DataError(f"expected at least one frame of each video, or None for all, got {wanted}")
    if wanted is None or wanted >= count:
        return list(range(count))
    if rule == "first":
        return list(range(wanted))
    return [int(i) for i in np.linspace(0, count - 1, wanted)]
