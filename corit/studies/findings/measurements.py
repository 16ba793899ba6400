"""Stored measurements as arrays for the rules: C cells (a layer and a manipulation type), S head seeds, R radii."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corit.errors import DataError
from corit.studies.findings.plan import MAIN, FindingsPlan

GSNR_FLOOR = 1e-5  # smallest GSNR before a logarithm: smaller corrected ones are noise


@dataclass(frozen=True)
class Case:
    """A `Setting` without its encoder seed.

    Attributes:
        variant: the model variant, see `corit.studies.findings.plan.VARIANTS`.
        head: "mlp" or "linear".
        scaling: the scaling of features, "standard" or "whiten".
        target: the encoder's pretraining target.
    """

    variant: str = "unifd"
    head: str = "mlp"
    scaling: str = "standard"
    target: str = MAIN

    def name(self, seed: int) -> str:
        """Return the setting's name, given an encoder seed."""
        return f"{self.target}-{seed}.{self.variant}.{self.head}.{self.scaling}"


@dataclass(frozen=True)
class Measurements:
    """The records of all measurements.

    Attributes:
        plan: the plan.
        sweeps: records of the radius sweeps, by the setting's name.
        courses: records of training courses, by the setting's name.
        proxy: records of the gradient proxy, by encoder seed.
        regional: records of the regional GSNR, by encoder seed.
        opposition: records of gradient opposition, by encoder seed.
    """

    plan: FindingsPlan
    sweeps: Mapping[str, Any]
    courses: Mapping[str, Any]
    proxy: Mapping[int, Any]
    regional: Mapping[int, Any]
    opposition: Mapping[int, Any]

    def cells(self, case: Case, seed: int, what: str = "sweeps") -> list[dict[str, Any]]:
        """Return a setting's cells; what: "sweeps" or "courses".

        Raises:
            DataError: when the setting was not measured.
        """
        record = getattr(self, what).get(case.name(seed))
        if record is None:
            raise DataError(f"expected {what} of {case.name(seed)}, but it was not measured; run corit findings again")
        return record["cells"]

    def places(self, case: Case, seed: int, what: str = "sweeps") -> list[tuple[int, str]]:
        """Return layer and manipulation type of each cell."""
        return [(c["layer"], c["group"]) for c in self.cells(case, seed, what)]

    def column(self, case: Case, seed: int, name: str, what: str = "sweeps") -> np.ndarray:
        """Return one field of every cell, (C) or (C, S, ...); NaN where it is not finite."""
        return np.array([c[name] for c in self.cells(case, seed, what)], dtype=float)

    def cor(self, case: Case, seed: int) -> np.ndarray:
        """Return the empirical COR (C, S).

        A censored one is the end of the grid that it lies beyond; NaN where the head never learned.
        """
        return np.array([[radius_value(r) for r in c["cor"]] for c in self.cells(case, seed)])

    def censoring(self, case: Case, seed: int) -> np.ndarray:
        """Return the censoring of COR (C, S): "", ">", "<" or "never learned"."""
        return np.array([[r["censoring"] for r in c["cor"]] for c in self.cells(case, seed)])

    def auc(self, case: Case, seed: int, radius: int = 0) -> np.ndarray:
        """Return the test AUC (C, S) at one radius of the grid."""
        return self.column(case, seed, "auc")[:, :, radius]

    def gsnr(self, case: Case, seed: int, field: str = "gsnr") -> np.ndarray:
        """Return log10 of the features' GSNR (C, 1), at least of GSNR_FLOOR.

        field: "gsnr" is corrected with identities as clusters; others are "gsnr_independent" and "gsnr_plain".
        """
        return np.log10(np.maximum(self.column(case, seed, field), GSNR_FLOOR))[:, None]

    def start(self, case: Case, seed: int) -> np.ndarray:
        """Return the last step of phase (i) (C, S); the course's length where it never ends."""
        record = self.courses[case.name(seed)]
        length = record["steps"][-1] + record["steps"][1] - record["steps"][0]
        steps = self.column(case, seed, "start", "courses")
        return np.where(np.isnan(steps), length, steps)

    def matched(self, one: Case, other: Case, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of the cells that two settings share, in each of them."""
        a, b = self.places(one, seed), self.places(other, seed)
        shared = [p for p in a if p in b]
        return np.array([a.index(p) for p in shared]), np.array([b.index(p) for p in shared])


def radius_value(record: Mapping[str, Any]) -> float:
    """Return a recorded radius, the end of the grid for a censored one; NaN where nothing was learned."""
    if record["censoring"] == "never learned" or record["value"] is None:
        return float("nan")
    return float(record["value"])


def cells_of(places: Sequence[tuple[int, str]], groups: Sequence[str], layers: Sequence[int]) -> np.ndarray:
    """Return a mask (C) of the cells of some manipulation types and layers."""
    return np.array([g in groups and l in layers for l, g in places])


def mean(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Return the mean over an axis without NaN; NaN where no number is left."""
    known = ~np.isnan(values)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, values, 0).sum(axis) / np.maximum(count, 1), np.nan)
