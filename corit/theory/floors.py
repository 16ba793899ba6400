"""What a linear head has to lose: the AUC of the nearest-mean classifier and of a converged logistic regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from corit.errors import FitError
from corit.heads.rows import Rows
from corit.heads.select import auc, log_loss

# [choice] L2 penalties, strong to weak: lambda of (mean log-loss + lambda / 2 ||w||^2) for centred rows of mean squared
# norm 1, so that the unit of the features does not matter.
PENALTIES = tuple(10.0**-k for k in range(7))
WEAK = 1e-4  # [choice] without validation rows
TOLERANCE, ITERATIONS = 1e-8, 500  # of Newton's method


@dataclass(frozen=True)
class Floors:
    """Two linear classifiers that know no radius, measured on test rows; see `floors`.

    Attributes:
        nearest_mean: AUC of the nearest-mean classifier, the limit of a linear head at large radii.
        logistic: AUC of a converged logistic regression, what a linear head can learn.
        penalty: the L2 penalty lambda of the logistic regression; see `PENALTIES`.
    """

    nearest_mean: float
    logistic: float
    penalty: float = WEAK

    @property
    def gap(self) -> float:
        """What a linear head can lose on its way to the nearest-mean classifier."""
        return self.logistic - self.nearest_mean


def floors(
    train: Rows,
    labels: np.ndarray,
    test: Rows,
    test_labels: np.ndarray,
    valid: tuple[Rows, np.ndarray] | None = None,
) -> Floors:
    """Measure the nearest-mean classifier and a converged logistic regression on test rows.

    The nearest-mean classifier scores rows along w = mean of the fakes - mean of the reals of the training rows, in the
    geometry of the rows as they are given. It is the limit of a linear head at large radii: there the ascent step turns
    whole batches into one class, residuals no longer depend on the row but on its class, and the steps add up to
    multiples of the difference of the class means. That is the limit of SGD: Adam scales each coordinate, and on raw
    features its head can end elsewhere, also below. Raw and centred rows have the same AUC, since a shift adds the same
    number to every score; standardised rows have another one.

    The logistic regression has an L2 penalty and a free intercept; it too is the same on raw and on centred rows.
    Without a penalty it does not exist where a plane separates the classes, as one does when n <= D. [choice] The
    penalty is the one of `PENALTIES` that has the least log-loss on the validation rows, the strongest of equal ones;
    nothing is chosen on test rows. The stronger the penalty, the nearer is the logistic regression to the nearest-mean
    classifier: where nothing else can be learned, the two AUCs are alike. Without validation rows it is `WEAK`.

    Args:
        train: (n, D) training rows.
        labels: (n), 0 for real and 1 for fake.
        test: (n', D) rows, scaled as the training rows.
        test_labels: (n').
        valid: rows (n'', D) and labels (n'') that choose the penalty; None for `WEAK`.

    Returns:
        Both AUCs; 0.5 where all training rows are the same.

    Raises:
        FitError: for features that are not finite, and for labels or widths that do not fit.
    """
    x, y = _numbers("training", train, labels, train.width)
    rows, truth = _numbers("test", test, test_labels, train.width)
    held = _numbers("validation", *valid, train.width) if valid is not None else None
    centre = x.mean(0)
    size = float(np.sqrt(((x - centre) ** 2).sum(1).mean()))
    if size == 0:
        return Floors(0.5, 0.5)
    x, rows = (x - centre) / size, (rows - centre) / size
    weight, penalty = _logistic(x, y, None if held is None else ((held[0] - centre) / size, held[1]))
    direction = x[y == 1].mean(0) - x[y == 0].mean(0)
    return Floors(_area(rows @ direction, truth), _area(rows @ weight, truth), penalty)


def _numbers(name: str, rows: Rows, labels: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows in float64, and their labels. Raises FitError where they do not fit."""
    y = np.asarray(labels)
    if len(rows) != len(y) or rows.width != width:
        raise FitError(
            f"expected {name} rows of width {width} with a label each, got {len(rows)} rows of width {rows.width} and "
            f"{len(y)} labels"
        )
    if set(np.unique(y).tolist()) != {0, 1}:
        raise FitError(
            f"expected reals (0) and fakes (1) among the {name} rows, got labels {np.unique(y).tolist()}; give both"
        )
    x = rows.gather(np.arange(len(rows))).cpu().double().numpy()
    if not np.isfinite(x).all():
        raise FitError(f"expected finite {name} features, got NaN or infinity; extract them again or drop those rows")
    return x, y


def _logistic(x: np.ndarray, y: np.ndarray, valid: tuple[np.ndarray, np.ndarray] | None) -> tuple[np.ndarray, float]:
    """Weights (D) of the logistic regression on centred rows x, and its penalty."""
    axes = _span(x)
    place = x if axes is None else x @ axes
    model = LogisticRegression(solver="newton-cholesky", tol=TOLERANCE, max_iter=ITERATIONS, warm_start=True)
    path: list[tuple[float, np.ndarray, float]] = []
    for penalty in PENALTIES if valid is not None else (WEAK,):
        model.set_params(C=1 / (penalty * len(y))).fit(place, y)
        weight = model.coef_[0].copy() if axes is None else axes @ model.coef_[0]
        loss = 0.0 if valid is None else _loss(valid[0] @ weight + model.intercept_[0], valid[1])
        path.append((loss, weight, penalty))
    _, weight, penalty = min(path, key=lambda one: one[0])
    return weight, penalty


def _span(x: np.ndarray) -> np.ndarray | None:
    """Orthonormal axes (D, r) of the span of rows x (n, D), where a penalised fit lies; None where n >= D."""
    if len(x) >= x.shape[1]:
        return None
    values, vectors = np.linalg.eigh(x @ x.T)
    kept = values > 1e-12 * values[-1]
    axes: np.ndarray = x.T @ (vectors[:, kept] / np.sqrt(values[kept]))
    return axes


def _area(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(auc(torch.from_numpy(scores), torch.from_numpy(labels)))


def _loss(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(log_loss(torch.from_numpy(logits), torch.from_numpy(labels)))
