"""Section III slowly, in NumPy float64: one sample, one mini-batch, one head at a time, dense matrices throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def linear(w, x):
    """Logit of x = features with the bias's 1 already there, its gradient and Hessian by w."""
    return w @ x, x, np.zeros((len(w), len(w)))


def perceptron(units, relu=True):
    """The logit of top' act(W x + b) + top_bias for parameters in the order W, b, top, top_bias."""

    def logit(w, x):
        width = len(x)
        weight, bias = w[: units * width].reshape(units, width), w[units * width : units * (width + 1)]
        top, top_bias = w[units * (width + 1) : -1], w[-1]
        value, first, second = top_bias, np.zeros(len(w)), np.zeros((len(w), len(w)))
        first[-1] = 1
        for k in range(units):
            z = weight[k] @ x + bias[k]
            on = 1.0 if z > 0 or not relu else 0.0
            value += top[k] * on * z
            at_top, at_bias = units * (width + 1) + k, units * width + k
            first[at_top], first[at_bias] = on * z, top[k] * on
            second[at_top, at_bias] = second[at_bias, at_top] = on
            for j in range(width):
                at = k * width + j
                first[at] = top[k] * on * x[j]
                second[at_top, at] = second[at, at_top] = on * x[j]
        return value, first, second

    return logit


def clustered(gradients, names):
    """(4) of the population of clusters: the squared mean less its variance between them, over n/(n-1) tr Cov."""
    n, mean, spread = len(gradients), gradients.mean(0), 0.0
    for name in set(names):
        total = np.zeros_like(mean)
        for g, own in zip(gradients, names, strict=True):
            if own == name:
                total += g - mean
        spread += total @ total / n**2
    c = len(set(names))
    noise = sum((g - mean) @ (g - mean) for g in gradients) / (n - 1)
    return (mean @ mean - spread * c / (c - 1)) / noise


def jackknifed(gradients, names):
    """The same for clusters of one size: the variance of the mean by leaving out one cluster after another."""
    mean, c = gradients.mean(0), len(set(names))
    left = [gradients[[n != name for n in names]].mean(0) for name in set(names)]
    variance = (c - 1) / c * sum((m - mean) @ (m - mean) for m in left)
    return (mean @ mean - variance) / (np.square(gradients - mean).sum() / (len(gradients) - 1))


@dataclass
class Population:
    """(5)'s matrices and (4)'s gradients of one head on n rows."""

    gradients: np.ndarray
    hessian: np.ndarray
    misfit: np.ndarray
    loss: float

    @property
    def mean(self):
        return self.gradients.mean(0)

    @property
    def covariance(self):
        total = np.zeros_like(self.hessian)
        for g in self.gradients:
            total += np.outer(g - self.mean, g - self.mean) / len(self.gradients)
        return total

    @property
    def gsnr(self):
        return self.mean @ self.mean / np.trace(self.covariance)

    @property
    def lambda_max(self):
        return np.abs(np.linalg.eigvalsh(self.hessian)).max()

    @property
    def radius(self):
        """(11) at this step."""
        return np.linalg.norm(self.mean) / self.lambda_max

    @property
    def factors(self):
        """(13)'s three, as they are written."""
        trace, r = np.trace(self.hessian), self.gsnr
        geometric = trace / self.lambda_max / np.sqrt(trace)
        return geometric, np.sqrt(1 - np.trace(self.misfit) / trace), np.sqrt(r / (1 + r))


def population(logit, w, x, y):
    """Every row's NLL -log p(y), its derivatives, and R = -E[(second derivative of p) / p]."""
    size = len(w)
    gradients, hessian, misfit, loss = [], np.zeros((size, size)), np.zeros((size, size)), 0.0
    for xi, yi in zip(x, y, strict=True):
        value, first, second = logit(w, xi)
        sign = 1 if yi == 1 else -1
        p = sigmoid(sign * value)  # of the label that the row has
        p_first = p * (1 - p) * sign * first
        p_second = p * (1 - p) * (1 - 2 * p) * np.outer(first, first) + p * (1 - p) * sign * second
        gradients.append(-p_first / p)
        hessian += (np.outer(p_first, p_first) / p**2 - p_second / p) / len(x)
        misfit -= p_second / p / len(x)
        loss -= np.log(p) / len(x)
    return Population(np.array(gradients), hessian, misfit, loss)


def gradient(logit, w, x, y):
    return population(logit, w, x, y).mean


def stability(logit, w, x, y, batches, rho):
    """(3) by its definition: the mean over mini-batches of <gradient at w + e_B, full gradient>, and every term."""
    full, terms, own = gradient(logit, w, x, y), [], []
    for batch in batches:
        g = gradient(logit, w, x[batch], y[batch])
        there = gradient(logit, w + rho * g / np.linalg.norm(g), x[batch], y[batch])
        terms.append(there @ full)
        own.append(there @ g / (g @ g))
    return np.mean(terms), terms, own


def beta(logit, w, x, y, batches):
    """(6), (7) at w itself: the largest spectral norm of a mini-batch's Hessian."""
    return max(population(logit, w, x[b], y[b]).lambda_max for b in batches)
