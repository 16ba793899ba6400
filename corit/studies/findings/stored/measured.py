"""Stored measurements as arrays for the rules: C cells (a layer and a forgery), S head seeds, R radii."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from corit.errors import DataError
from corit.studies.findings.claims import Effect
from corit.studies.findings.measurements import GSNR_FLOOR, cells_of, radius_value
from corit.studies.findings.stored.plan import Case, StoredPlan
from corit.studies.findings.stored.rows import Forgery

Radii = str  # "cor", to chance, or "relative", to half-way between logistic and nearest-mean AUC


@dataclass(frozen=True)
class Measured:
    """The records of all measurements.

    Attributes:
        plan: the plan.
        forgeries: what was trained on.
        sweeps: records of the radius sweeps, by the case's name on a split.
        courses: records of training courses, likewise.
        landscapes: records of landscapes at equal loss, by the name of UniFD's case on a split.
    """

    plan: StoredPlan
    forgeries: tuple[Forgery, ...]
    sweeps: Mapping[str, Any]
    courses: Mapping[str, Any]
    landscapes: Mapping[str, Any]

    @property
    def subtle(self) -> tuple[str, ...]:
        """The forgeries that change little of the picture."""
        return tuple(f.name for f in self.forgeries if f.subtle)

    @property
    def overt(self) -> tuple[str, ...]:
        """The other forgeries."""
        return tuple(f.name for f in self.forgeries if not f.subtle)

    def has(self, case: Case) -> bool:
        """Whether a case was swept."""
        return case.name(self.plan.splits[0]) in self.sweeps

    def cells(self, case: Case, split: int, what: str = "sweeps") -> list[dict[str, Any]]:
        """Return a case's cells; what: "sweeps", "courses" or "landscapes".

        Raises:
            DataError: when it was not measured.
        """
        record = getattr(self, what).get(case.name(split))
        if record is None:
            raise DataError(f"expected {what} of {case.name(split)}, but it was not measured; run corit findings again")
        cells: list[dict[str, Any]] = record["cells"]
        return cells

    def places(self, case: Case, split: int, what: str = "sweeps") -> list[tuple[int, str]]:
        """Return layer and forgery of each cell."""
        return [(c["layer"], c["group"]) for c in self.cells(case, split, what)]

    def column(self, case: Case, split: int, name: str, what: str = "sweeps") -> np.ndarray:
        """Return one field of every cell, (C) or (C, S, ...); NaN where it is not finite."""
        return np.array([c[name] for c in self.cells(case, split, what)], dtype=float)

    def auc(self, case: Case, split: int, radius: int = 0) -> np.ndarray:
        """Return the test AUC (C, S) at one radius of the grid; a head that diverged is at chance."""
        return np.nan_to_num(self.column(case, split, "auc")[:, :, radius], nan=0.5)

    def radii(self, case: Case, split: int, kind: Radii) -> np.ndarray:
        """Return radii of collapse (C, S), censored ones as the end of the grid; NaN where there is nothing to lose."""
        return np.array([[radius_value(r) for r in c[kind]] for c in self.cells(case, split)])

    def censoring(self, case: Case, split: int, kind: Radii) -> np.ndarray:
        """Return the censoring (C, S): "", ">", "<" or "never learned"."""
        return np.array([[r["censoring"] for r in c[kind]] for c in self.cells(case, split)])

    def gsnr(self, case: Case, split: int, name: str = "gsnr") -> np.ndarray:
        """Return log10 of the features' GSNR at w = 0 (C), at least of GSNR_FLOOR."""
        return np.log10(np.maximum(self.column(case, split, name), GSNR_FLOOR))

    def rows(self, case: Case, split: int, groups: Collection[str], layers: Collection[int]) -> np.ndarray:
        """Return a mask (C) of the cells of some forgeries and layers."""
        return cells_of(self.places(case, split), list(groups), list(layers))

    def effect(self, function: Callable[..., Any], *arguments: Any, sign: float = 1.0) -> Effect:
        """Return the effect of sign * function(data, split, *arguments), a number or one for each head seed (S)."""
        return Effect.of([sign * function(self, s, *arguments) for s in self.plan.splits])
