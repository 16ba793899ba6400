"""Linear heads on features: a converged logistic regression, the reference, and the paper's head with SAM.

The converged head with an intercept is the same on raw and on centred features: moving all rows moves the intercept.
Therefore it knows two scalings, and the SAM head three. Standardised features have unit variance in each column, here
without the division by the root of the width, so that one radius and one learning rate suit all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem
from corit.heads.rows import Standardiser, TensorRows
from corit.metrics.auc import auc
from corit.seeding import seed
from corit.studies.real.plan import RealPlan, Scaling

ITERATIONS = 2000
FLOOR = 1e-6  # relative to the largest standard deviation; columns below it become zero


def standardiser(x: np.ndarray, scaling: Scaling) -> Standardiser:
    """Fit a scaling to training rows x (n, D): raw, centred, or centred with unit variance."""
    rows = torch.from_numpy(x).double()
    mean, std = rows.mean(0), rows.std(0, correction=0)
    if scaling == "raw":
        return Standardiser(torch.zeros(x.shape[1]), torch.ones(x.shape[1]))
    if scaling == "centred":
        return Standardiser(mean.float(), torch.ones(x.shape[1]))
    return Standardiser(mean.float(), torch.where(std > FLOOR * std.max(), 1 / std, 0.0).float())


@dataclass(frozen=True)
class Coordinates:
    """Rows in the span of the training rows: a ridge-penalised head there is the one of all D columns.

    Attributes:
        train: (n, r), r <= n and r <= D.
        others: rows of other parts, each (n', r).
    """

    train: np.ndarray
    others: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, train: np.ndarray, others: Sequence[np.ndarray], scaling: Scaling) -> Coordinates:
        """Scale rows by the moments of `train` (n, D), and rotate them into its span.

        The centre moves to the training rows' mean in any scaling, which a free intercept takes back.
        """
        scale = standardiser(train, "centred" if scaling == "raw" else scaling)
        x = scale(torch.from_numpy(train)).double().numpy()
        rest = [scale(torch.from_numpy(o)).double().numpy() for o in others]
        if x.shape[1] <= x.shape[0]:
            return cls(x, tuple(rest))
        values, vectors = np.linalg.eigh(x @ x.T)
        kept = values > 1e-10 * values[-1]
        root = np.sqrt(values[kept])
        axes = x.T @ (vectors[:, kept] / root)  # (D, r), orthonormal
        return cls(vectors[:, kept] * root, tuple(o @ axes for o in rest))


def converged(x: np.ndarray, y: np.ndarray, penalty: float) -> LogisticRegression:
    """Fit a logistic regression with an L2 penalty; `penalty` is scikit-learn's C."""
    return LogisticRegression(C=penalty, max_iter=ITERATIONS, tol=1e-5).fit(x, y)


def fold_of(group: np.ndarray, folds: int) -> np.ndarray:
    """Return the fold (n) of each row; a group is in one fold, and a hash of its name decides which."""
    names = sorted(set(group.tolist()), key=lambda g: seed("fold", str(g)))
    number = {g: i % folds for i, g in enumerate(names)}
    return np.array([number[g] for g in group.tolist()])


@dataclass(frozen=True)
class CrossValidated:
    """Scores of train and validation rows by heads that were trained without their group.

    Attributes:
        scores: (n) logits at the best penalty.
        auc: of these scores.
        penalty: the value of C with the highest AUC.
    """

    scores: np.ndarray
    auc: float
    penalty: float


def cross_validate(
    x: np.ndarray, y: np.ndarray, group: np.ndarray, scaling: Scaling, penalties: Sequence[float], folds: int
) -> CrossValidated:
    """Score rows (n, D) fold by fold with converged heads, and keep the best penalty.

    The scaling is fitted to all rows given, without their labels.
    """
    rows = Coordinates.of(x, (), scaling).train
    fold = fold_of(group, folds)
    scores = {c: _out_of_fold(rows, y, fold, c) for c in penalties}
    best = max(penalties, key=lambda c: auc(y, scores[c]))
    return CrossValidated(scores[best], auc(y, scores[best]), best)


def _out_of_fold(x: np.ndarray, y: np.ndarray, fold: np.ndarray, penalty: float) -> np.ndarray:
    scores = np.empty(len(y))
    for k in np.unique(fold):
        held = fold == k
        scores[held] = converged(x[~held], y[~held], penalty).decision_function(x[held])
    return scores


def sam_recipe(plan: RealPlan, rows: int) -> HeadRecipe:
    """Return the SAM head: the paper's batch of 20, Adam, the epoch with the best validation AUC."""
    return HeadRecipe(
        kind="linear",
        scaling="raw",
        optimiser="adamw",
        learning_rate=plan.rate,
        weight_decay=0.0,
        rho=plan.rhos[1],
        batch=max(1, min(20, rows // 4)),
        epochs=plan.epochs,
        select="auc",
    )


def sam_scores(
    train: tuple[np.ndarray, np.ndarray],
    valid: tuple[np.ndarray, np.ndarray],
    others: Sequence[np.ndarray],
    scaling: Scaling,
    plan: RealPlan,
) -> list[np.ndarray]:
    """Train the SAM head for every seed and radius, and score other rows.

    Args:
        train: rows (n, D) and labels (n).
        valid: the same of the validation part.
        others: rows to score.
        scaling: fitted to the training rows.
        plan: seeds, radii, epochs and learning rate.

    Returns:
        Logits (S, R, n') of each of `others`.
    """
    scale = standardiser(train[0], scaling)
    rows = [TensorRows(scale(torch.from_numpy(x))) for x in (train[0], valid[0], *others)]
    recipe = sam_recipe(plan, len(train[1]))
    problem = Problem(rows[0], train[1], rows[1], valid[1], scale)
    heads = fit([problem], recipe, rhos=plan.rhos, seeds=plan.seeds)
    return [_numbers(heads.logits(0, r)) for r in rows[2:]]


def _numbers(logits: Tensor) -> np.ndarray:
    return logits.double().numpy()
