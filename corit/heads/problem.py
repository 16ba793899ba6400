"""What heads are trained on: standardised training and validation rows with labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from corit.errors import FitError
from corit.heads.head import HeadRecipe
from corit.heads.rows import Rows, Standardiser, fit_standardiser, standardised


@dataclass(frozen=True)
class Problem:
    """Standardised training and validation rows with labels.

    Attributes:
        train: (n, D) training rows, standardised.
        labels: (n), 0 for real and 1 for fake.
        valid: (n', D) validation rows, standardised likewise.
        valid_labels: (n').
        standardiser: fitted on the training rows.

    Raises:
        FitError: when a part has another number of labels than rows, or lacks reals or fakes.
    """

    train: Rows
    labels: np.ndarray
    valid: Rows
    valid_labels: np.ndarray
    standardiser: Standardiser

    def __post_init__(self) -> None:
        for name, rows, y in (("train", self.train, self.labels), ("valid", self.valid, self.valid_labels)):
            if len(rows) != len(y):
                raise FitError(f"expected one label for each {name} row, got {len(y)} labels and {len(rows)} rows")
            if set(np.unique(y).tolist()) != {0, 1}:
                raise FitError(
                    f"expected reals (0) and fakes (1) among the {name} rows, got labels {np.unique(y).tolist()}; "
                    "give both kinds"
                )


def standardised_problem(
    train: Rows, labels: np.ndarray, valid: Rows, valid_labels: np.ndarray, recipe: HeadRecipe, limit: int = 2**29
) -> Problem:
    """Fit the recipe's standardiser on the training rows and apply it to both parts.

    Args:
        train: (n, D) raw training rows.
        labels: (n), 0 for real and 1 for fake.
        valid: (n', D) raw validation rows.
        valid_labels: (n').
        recipe: names the scaling.
        limit: bytes of standardised rows to hold in memory; see `standardised`.

    Raises:
        FitError: for rows that cannot be standardised, and labels that do not fit.
    """
    scale = fit_standardiser(train, recipe.scaling)
    return Problem(standardised(train, scale, limit), labels, standardised(valid, scale, limit), valid_labels, scale)
