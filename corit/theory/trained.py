"""Trained heads as likelihoods on rows, in float64."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from corit.heads.head import HeadRecipe
from corit.theory.likelihood import Likelihood, logistic
from corit.theory.perceptron import perceptron


def trained(x: Tensor, y: Tensor, parts: Sequence[Tensor], recipe: HeadRecipe) -> Likelihood:
    """Build the likelihood of trained heads, in closed form and in float64.

    Args:
        x: (n, D) standardised rows.
        y: (n), 0 for real and 1 for fake.
        parts: weight (*H, M, D), bias (*H, M), and for perceptrons top (*H, M), top_bias (*H), for any shape H.
        recipe: of the heads.

    Raises:
        FitError: for shapes that do not fit.
    """
    x, (weight, bias, *upper) = x.double(), [p.double() for p in parts]
    if recipe.kind == "linear":
        return logistic(x, y, weight[..., 0, :], bias[..., 0])
    top, top_bias = upper
    return perceptron(x, y, weight, bias, top, top_bias, recipe.activation)
