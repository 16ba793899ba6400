"""An exact, invertible change of features: their common mean, spectrum, and the axes on which a signal lies.

With m and S mean and covariance of the training reals, S = V diag(lambda) V^T, a row x becomes

    x' = mean' + V diag(lambda')^(1/2) R diag(lambda)^(-1/2) V^T (x - m),    mean' = m / ||m|| * ||E x'||

where R is a rotation. The change is affine and invertible on the span of the reals. So the best linear classifier has
the same AUC before and after it, and rows, labels and noise are those of the backbone. What it changes is the geometry
alone: the common mean, the spectrum of the covariance, and which axes carry a forgery's signal.

In whitened features a forgery's signal is a vector q of a length delta, and the best linear classifier has a
signal-to-noise ratio of delta. R turns NT's q to sqrt(1 - s) e_4 + sqrt(s) e_last. Where the last eigenvalue is small,
the nearest-mean classifier sees e_4 alone, and has a ratio of sqrt(1 - s) delta: s is what it misses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from corit.errors import DataError
from corit.studies.control.plan import SUBJECT, Knobs
from corit.studies.findings.tasks import SplitRows

FLOOR = 1e-6  # relative to the largest eigenvalue; smaller ones are rounding, such as the final norm's null direction


@dataclass(frozen=True)
class Frame:
    """What the change is made from, all of training rows.

    Attributes:
        mean: of the reals (D).
        axes: principal axes of the reals (D, E), of falling variance.
        values: their eigenvalues (E).
        signals: by manipulation type, the whitened mean difference of its fakes and the reals (E).
    """

    mean: np.ndarray
    axes: np.ndarray
    values: np.ndarray
    signals: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, train: SplitRows) -> Frame:
        """Measure the frame of training rows.

        Raises:
            DataError: without fakes of the type whose signal is moved, or with fewer than five axes that vary.
        """
        rows, kinds = train[0].double().numpy(), train[2]
        reals = rows[kinds == ""]
        mean = reals.mean(0)
        values, axes = np.linalg.eigh((reals - mean).T @ (reals - mean) / len(reals))
        kept = values > FLOOR * values.max()
        values, axes = values[kept][::-1], axes[:, kept][:, ::-1]
        white = (rows - mean) @ axes / np.sqrt(values)
        signals = {str(k): white[kinds == k].mean(0) - white[kinds == ""].mean(0) for k in np.unique(kinds) if k}
        if SUBJECT not in signals or len(values) <= len(signals):
            raise DataError(
                f"expected fakes of {SUBJECT} among the training rows and more axes than types, got types "
                f"{sorted(signals)} and {len(values)} axes"
            )
        return cls(mean, axes, values, signals)

    @property
    def spread(self) -> float:
        """The root of the reals' variance."""
        return float(np.sqrt(self.values.sum()))


@dataclass(frozen=True)
class Change:
    """x -> shift + (x - mean) @ matrix.

    Attributes:
        mean: of the reals before (D).
        shift: of the reals after (D).
        matrix: (D, D), of the rank of the frame.
    """

    mean: np.ndarray
    shift: np.ndarray
    matrix: np.ndarray

    def __call__(self, x: Tensor) -> Tensor:
        """Change rows (n, D) in float64, and return their floating type."""
        changed = self.shift + (x.double().numpy() - self.mean) @ self.matrix
        return torch.from_numpy(changed).to(x.dtype)

    def inverse(self) -> Change:
        """Return the change that undoes it on the span of the frame."""
        return Change(self.shift, self.mean, np.linalg.pinv(self.matrix, rcond=FLOOR**0.5 / 10))

    def parts(self, parts: Mapping[str, SplitRows]) -> dict[str, SplitRows]:
        """Change the features of every split."""
        return {s: (self(z), y, kind) for s, (z, y, kind) in parts.items()}


def change(frame: Frame, knobs: Knobs) -> Change:
    """Return the change that gives features the geometry of the knobs; without any knob it is the identity.

    Args:
        frame: of the features.
        knobs: the geometry.
    """
    values = frame.values
    if knobs.decay is not None:
        law = np.arange(1, len(values) + 1.0) ** -knobs.decay
        values = law / law.sum() * frame.values.sum()
    if knobs.spread is not None:
        values = values * (knobs.spread**2 / values.sum())
    turn = np.eye(len(values)) if knobs.low is None else _rotation(frame, knobs.low)
    matrix = (frame.axes / np.sqrt(frame.values)) @ turn @ (frame.axes * np.sqrt(values)).T
    shift = frame.mean
    if knobs.common is not None:
        norm = np.sqrt(knobs.common / (1 - knobs.common) * values.sum())
        shift = frame.mean * (norm / np.linalg.norm(frame.mean))
    return Change(frame.mean, shift, matrix)


def _rotation(frame: Frame, low: float) -> np.ndarray:
    """R^T (E, E): the moved signal goes to the last axis and the one behind the others', these to the first axes.

    Signals overlap: of each type but the moved one, what is orthogonal to it and to the types before is placed.
    """
    others = [frame.signals[k] for k in sorted(frame.signals) if k != SUBJECT]
    count, eye = len(others), np.eye(len(frame.values))
    target = np.sqrt(1 - low) * eye[:, count] + np.sqrt(low) * eye[:, -1]
    before = _basis(np.stack([frame.signals[SUBJECT], *others], 1))
    after = _basis(np.stack([target, *eye[:count]], 1))
    turn: np.ndarray = before @ after.T
    return turn


def _basis(first: np.ndarray) -> np.ndarray:
    """An orthonormal basis (E, E) that begins with the span of vectors (E, k), in their order and their direction."""
    basis, upper = np.linalg.qr(np.concatenate([first, np.eye(len(first))], axis=1))
    basis = basis[:, : len(first)]
    count = first.shape[1]
    basis[:, :count] *= np.sign(np.diag(upper)[:count])
    return basis
