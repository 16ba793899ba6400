"""Rows that were drawn together: a real picture and its fakes, the frames of a video, the pictures of a person."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from corit.errors import FitError


@dataclass(frozen=True)
class Clusters:
    """A partition of n rows.

    Attributes:
        sizes: (n) number of rows in each row's own cluster.
        members: for each size m that occurs, the rows of its clusters, (C_m, m).
        count: number of clusters.
    """

    sizes: Tensor
    members: tuple[Tensor, ...]
    count: int


def numbered(names: Sequence[Hashable] | np.ndarray) -> list[int]:
    """Number clusters by their first row, so that the numbers (n) do not depend on the names."""
    numbers: dict[Hashable, int] = {}
    return [
        numbers.setdefault(name, len(numbers)) for name in (names.tolist() if isinstance(names, np.ndarray) else names)
    ]


def clusters_of(names: Sequence[Hashable] | np.ndarray) -> Clusters:
    """Gather the rows of each cluster.

    Args:
        names: (n) name of each row's cluster.

    Raises:
        FitError: for fewer than two clusters, between which nothing varies.
    """
    members: dict[int, list[int]] = {}
    for row, number in enumerate(numbered(names)):
        members.setdefault(number, []).append(row)
    if len(members) < 2:
        raise FitError(
            f"expected at least two clusters, got {len(members)} among {len(names)} rows; give rows of more "
            "groups, or no groups"
        )
    by_size: dict[int, list[list[int]]] = {}
    sizes = torch.zeros(len(names), dtype=torch.int64)
    for rows in members.values():
        by_size.setdefault(len(rows), []).append(rows)
        sizes[rows] = len(rows)
    return Clusters(sizes, tuple(torch.tensor(by_size[m]) for m in sorted(by_size)), len(members))
