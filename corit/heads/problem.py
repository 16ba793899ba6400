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
        groups: (n) the group of each training row, such as the source that a fake shares with its real, or None where
            it is not known. Heads are fitted alike with and without; only the theory's estimators read it.

    Raises:
        FitError: when a part has another number of labels than rows, lacks reals or fakes, or has another number of
            groups than rows.
    """

    train: Rows
    labels: np.ndarray
    valid: Rows
    valid_labels: np.ndarray
    standardiser: Standardiser
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name, rows, y in (("train", self.train, self.labels), ("valid", self.valid, self.valid_labels)):
            if len(rows) != len(y):
                raise FitError(f"expected one label for each {name} row, got {len(y)} labels and {len(rows)} rows")
            if set(np.unique(y).tolist()) != {0, 1}:
                raise FitError(
                    f"expected reals (0) and fakes (1) among the {name} rows, got labels {np.unique(y).tolist()}; "
                    "give both kinds"
                )
        if self.groups is not None and len(self.groups) != len(self.train):
            raise FitError(
                f"expected a group for each of {len(self.train)} training rows, got {len(self.groups)}; give "
                "None where groups are not known"
            )


def standardised_problem(
    train: Rows,
    labels: np.ndarray,
    valid: Rows,
    valid_labels: np.ndarray,
    recipe: HeadRecipe,
    limit: int = 2**29,
    groups: np.ndarray | None = None,
) -> Problem:
    """Fit the recipe's standardiser on the training rows and apply it to both parts.

    Args:
        train: (n, D) raw training rows.
        labels: (n), 0 for real and 1 for fake.
        valid: (n', D) raw validation rows.
        valid_labels: (n').
        recipe: names the scaling.
        limit: bytes of standardised rows to hold in memory; see `standardised`.
        groups: (n) the group of each training row; None where it is not known.

    Raises:
        FitError: for rows that cannot be standardised, and labels or groups that do not fit.
    """
    scale = fit_standardiser(train, recipe.scaling)
    parts = (standardised(train, scale, limit), labels, standardised(valid, scale, limit), valid_labels)
    return Problem(*parts, scale, groups)
