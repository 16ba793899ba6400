"""Trained heads as likelihoods on rows, in float64: what the instruments are pointed at."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from corit.heads.head import HeadRecipe
from corit.theory.likelihood import Likelihood, logistic
from corit.theory.perceptron import perceptron


def trained(x: Tensor, y: Tensor, parts: Sequence[Tensor], recipe: HeadRecipe) -> Likelihood:
    """Heads weight (*H, M, D), bias (*H, M) and a perceptron's top (*H, M), top_bias (*H) on rows (n, D), labels (n).

    Raises FitError on shapes that do not fit.
    """
    x, (weight, bias, *upper) = x.double(), [p.double() for p in parts]
    if recipe.kind == "linear":
        return logistic(x, y, weight[..., 0, :], bias[..., 0])
    top, top_bias = upper
    return perceptron(x, y, weight, bias, top, top_bias, recipe.activation)
