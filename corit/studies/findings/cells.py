"""A store's levels -> tasks: one cell is a layer and a forgery, reals against fakes of that type.

Features are F_l after the final norm, as they stand beside each other at every layer: the class token for UniFD, class
and region tokens for CoRIT. Two feature sets are read from CoRIT's store to control for its width: `corit-class`, its
class token alone (as wide as UniFD's), and `corit-narrow`, its principal components on training rows, as many as
UniFD has numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from corit.features.store import Features, FeatureStore
from corit.heads.head import HeadRecipe
from corit.heads.rows import TensorRows, fit_standardiser
from corit.studies.findings.plan import Setting
from corit.theory.likelihood import logistic
from corit.theory.moments import clustered_gsnr, moments
from corit.theory.sweep import Task, task
from corit.world.encoder import WIDTH

SPLITS = ("train", "val", "test")
Part = tuple[Tensor, np.ndarray, np.ndarray]


def read(store: FeatureStore, variant: str, layer: int, splits: Sequence[str] = SPLITS) -> dict[str, Part]:
    """Features (n, D), labels (n) and manipulations (n) of each split at a layer; "train" must be among them."""
    parts = {s: _plain(store.features(level=layer, split=s)) for s in splits}
    if variant == "corit-class":
        return {s: (z[:, :WIDTH].contiguous(), y, kind) for s, (z, y, kind) in parts.items()}
    if variant == "corit-narrow":
        axes = _principal(parts["train"][0])
        return {s: (axes(z), y, kind) for s, (z, y, kind) in parts.items()}
    return parts


def _plain(features: Features) -> Part:
    return features.z.to_tensor(), features.y, features.column("manipulation")


class _principal:
    """The first WIDTH principal components of standardised training rows."""

    def __init__(self, train: Tensor) -> None:
        self.standardiser = fit_standardiser(TensorRows(train), "standard")
        _, _, axes = torch.linalg.svd(self.standardiser(train).double(), full_matrices=False)
        self.axes = axes[:WIDTH].T.float()

    def __call__(self, z: Tensor) -> Tensor:
        return self.standardiser(z) @ self.axes


def against_reals(part: Part, kind: str) -> tuple[TensorRows, np.ndarray]:
    """The reals and the fakes of one type, or of all types for an empty name."""
    z, y, manipulation = part
    rows = np.flatnonzero(against(manipulation, kind)) if kind else np.arange(len(y))
    return TensorRows(z[torch.from_numpy(rows)]), y[rows]


def tasks_of(store: FeatureStore, setting: Setting, recipe: HeadRecipe, kinds: Sequence[str]) -> list[Task]:
    """A task for each layer and type, layers first."""
    found = []
    for layer in setting.layers:
        parts = read(store, setting.variant, layer)
        for k in kinds:
            train, valid, test = (against_reals(parts[s], k) for s in SPLITS)
            found.append(task(layer, k, train, valid, test, recipe))
    return found


def rows_of(one: Task) -> tuple[Tensor, Tensor]:
    """A task's standardised training rows (n, D) and labels (n)."""
    train = one.problem.train
    return train.gather(np.arange(len(train))), torch.from_numpy(one.problem.labels)


def people_of(store: FeatureStore, kind: str) -> list[str]:
    """The identity of each of `tasks_of`'s training rows of a type: what its reals and fakes share."""
    train = store.features(split="train")
    return [str(g) for g in train.column("group")[against(train.column("manipulation"), kind)]]


def against(manipulation: np.ndarray, kind: str) -> np.ndarray:
    """Which rows (n) are reals or fakes of one type."""
    return (manipulation == "") | (manipulation == kind)


@dataclass(frozen=True)
class Ratios:
    """(4) of a linear head at w = 0: what the features alone say, with no draw of a head in it.

    clustered: corrected with identities as clusters. independent: corrected as if every row had been drawn on its own,
    which reals and the fakes made of them are not. plain: of the rows as they are.
    """

    clustered: float
    independent: float
    plain: float


def gsnr_at_zero(x: Tensor, y: Tensor, people: Sequence[str]) -> Ratios:
    """All three of training rows (n, D) with labels and identities (n)."""
    x = x.double()
    likelihood = logistic(x, y, x.new_zeros(x.shape[1]), x.new_zeros(()))
    found = moments(likelihood)
    return Ratios(float(clustered_gsnr(likelihood, people)), float(found.corrected), float(found.gsnr))
