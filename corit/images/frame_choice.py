"""Select frames of a video by index, by a named rule."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from corit.errors import DataError

Choice = Literal["even", "first"]


def choose(count: int, wanted: int | None, rule: Choice) -> list[int]:
    """Select frames.

    Args:
        count: frames of the video.
        wanted: frames to select at most; None for all.
        rule: "even" is linspace from the first to the last frame, truncated to integers; "first" takes the first ones.

    Returns:
        Ascending indices; all where the video has no more than wanted.

    Raises:
        DataError: for another rule, or less than one wanted frame.
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
