"""What a linear head has to lose, by pairs and a general minimiser; written from the definitions."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize


def pairs(labels, scores):
    """The share of (real, fake) pairs in their order, a tie counting one half."""
    real = [s for s, y in zip(scores, labels, strict=True) if y == 0]
    fake = [s for s, y in zip(scores, labels, strict=True) if y == 1]
    return sum((f > r) + (f == r) / 2 for f in fake for r in real) / (len(fake) * len(real))


def nearest_mean(x, y, test, truth):
    """The difference of a row's squared distances to the two class means, on the rows as they are."""
    real, fake = x[y == 0].mean(0), x[y == 1].mean(0)
    scores = [((t - real) ** 2).sum() - ((t - fake) ** 2).sum() for t in test]
    return pairs(truth, np.round(scores, 9))


def logistic(x, y, test, truth, penalty):
    """Minimise the penalised loss in all D weights and the intercept, on uncentred rows, and score the test rows."""
    return pairs(truth, test @ fitted(x, y, penalty)[:-1])


def fitted(x, y, penalty):
    """Weights and intercept; the penalty is on the weights of rows of mean squared norm 1 about their mean."""
    square = sum(((row - x.mean(0)) ** 2).sum() for row in x) / len(x)
    sign = 2 * y - 1

    def loss(w):
        margin = sign * (x @ w[:-1] + w[-1])
        gradient = -sign / (1 + np.exp(margin)) / len(x)
        value = np.logaddexp(0, -margin).mean() + penalty / 2 * square * (w[:-1] ** 2).sum()
        return value, np.append(x.T @ gradient + penalty * square * w[:-1], gradient.sum())

    start = np.zeros(x.shape[1] + 1)
    return minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 20000}).x


def relative(rhos, area, low, high):
    """Walk outwards: wait for the middle, then for the loss of it."""
    middle, reached = low + (high - low) / 2, False
    if high - low < 0.05:
        return "never learned"
    for k, a in enumerate(area):
        if not reached:
            reached = not math.isnan(a) and a >= middle
        elif math.isnan(a) or a < middle:
            if rhos[k - 1] == 0:
                return "<"
            lost = low if math.isnan(a) else a
            u, v = math.log(rhos[k - 1]), math.log(rhos[k])
            return math.exp(u + (v - u) * (area[k - 1] - middle) / (area[k - 1] - lost))
    return ">" if reached else "never learned"
