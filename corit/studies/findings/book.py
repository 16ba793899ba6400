"""What was measured, as arrays that the rules read: cells in the order of layers and types, head seeds, radii."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corit.errors import DataError
from corit.studies.findings.plan import MAIN, Plan

FLOOR = 1e-5  # of a corrected GSNR before its logarithm: below it, noise decides


@dataclass(frozen=True)
class Key:
    """A setting without its encoder seed."""

    variant: str = "unifd"
    head: str = "mlp"
    scaling: str = "standard"
    target: str = MAIN

    def name(self, seed: int) -> str:
        """The setting's name."""
        return f"{self.target}-{seed}.{self.variant}.{self.head}.{self.scaling}"


@dataclass(frozen=True)
class Book:
    """Records by setting's name (sweeps, courses) and by encoder seed (proxy, regional, opposition)."""

    plan: Plan
    sweeps: Mapping[str, Any]
    courses: Mapping[str, Any]
    proxy: Mapping[int, Any]
    regional: Mapping[int, Any]
    opposition: Mapping[int, Any]

    def cells(self, key: Key, seed: int, what: str = "sweeps") -> list[dict[str, Any]]:
        """A setting's cells. Raises DataError when it was not measured."""
        found = getattr(self, what).get(key.name(seed))
        if found is None:
            raise DataError(f"expected {what} of {key.name(seed)}, but it was not measured; run corit findings again")
        return found["cells"]

    def places(self, key: Key, seed: int, what: str = "sweeps") -> list[tuple[int, str]]:
        """(layer, type) of each cell."""
        return [(c["layer"], c["group"]) for c in self.cells(key, seed, what)]

    def column(self, key: Key, seed: int, name: str, what: str = "sweeps") -> np.ndarray:
        """One field of every cell, (C) or (C, S, ...); NaN where it is not finite."""
        return np.array([c[name] for c in self.cells(key, seed, what)], dtype=float)

    def cor(self, key: Key, seed: int) -> np.ndarray:
        """Empirical COR (C, S): a censored one is the end of the grid it lies beyond; NaN where nothing was learned."""
        return np.array([[_radius(r) for r in c["cor"]] for c in self.cells(key, seed)])

    def censoring(self, key: Key, seed: int) -> np.ndarray:
        """(C, S) of "", ">", "<" and "never learned"."""
        return np.array([[r["censoring"] for r in c["cor"]] for c in self.cells(key, seed)])

    def auc(self, key: Key, seed: int, radius: int = 0) -> np.ndarray:
        """Test AUC (C, S) at one radius of the grid."""
        return self.column(key, seed, "auc")[:, :, radius]

    def gsnr(self, key: Key, seed: int, field: str = "gsnr") -> np.ndarray:
        """log10 of the features' GSNR (C, 1), corrected by identity unless another field is named; floored."""
        return np.log10(np.maximum(self.column(key, seed, field), FLOOR))[:, None]

    def start(self, key: Key, seed: int) -> np.ndarray:
        """The last step of phase (i) (C, S); the course's length where it never ends."""
        record = self.courses[key.name(seed)]
        length = record["steps"][-1] + record["steps"][1] - record["steps"][0]
        found = self.column(key, seed, "start", "courses")
        return np.where(np.isnan(found), length, found)

    def matched(self, one: Key, other: Key, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows of the cells that two settings share."""
        a, b = self.places(one, seed), self.places(other, seed)
        shared = [p for p in a if p in b]
        return np.array([a.index(p) for p in shared]), np.array([b.index(p) for p in shared])


def _radius(record: Mapping[str, Any]) -> float:
    if record["censoring"] == "never learned" or record["value"] is None:
        return float("nan")
    return float(record["value"])


def of_groups(places: Sequence[tuple[int, str]], groups: Sequence[str], layers: Sequence[int]) -> np.ndarray:
    """Which cells (C) are of some types and layers."""
    return np.array([g in groups and l in layers for l, g in places])


def mean(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """The mean without NaN, NaN where there is nothing."""
    known = ~np.isnan(values)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, values, 0).sum(axis) / np.maximum(count, 1), np.nan)
