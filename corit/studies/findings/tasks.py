"""Features of a store -> tasks of the sweeps: each is a layer and a manipulation type, its fakes against the reals.

Features are F_l after the final norm, comparable at every layer: the class token for UniFD, class
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
SplitRows = tuple[Tensor, np.ndarray, np.ndarray]  # features (n, D), labels (n), manipulation types (n)


def read_features(
    store: FeatureStore, variant: str, layer: int, splits: Sequence[str] = SPLITS
) -> dict[str, SplitRows]:
    """Return features (n, D), labels (n) and manipulation types (n) of each split at a layer.

    Args:
        store: the features of a variant.
        variant: that variant, or one that is derived from it (see above).
        layer: the layer, from 1.
        splits: the splits, "train" among them.
    """
    parts = {s: _split(store.features(level=layer, split=s)) for s in splits}
    if variant == "corit-class":
        return {s: (z[:, :WIDTH].contiguous(), y, kind) for s, (z, y, kind) in parts.items()}
    if variant == "corit-narrow":
        axes = _PrincipalComponents(parts["train"][0])
        return {s: (axes(z), y, kind) for s, (z, y, kind) in parts.items()}
    return parts


def _split(features: Features) -> SplitRows:
    return features.z.to_tensor(), features.y, features.column("manipulation")


class _PrincipalComponents:
    """The first WIDTH principal components of standardised training rows."""

    def __init__(self, train: Tensor) -> None:
        self.standardiser = fit_standardiser(TensorRows(train), "standard")
        _, _, axes = torch.linalg.svd(self.standardiser(train).double(), full_matrices=False)
        self.axes = axes[:WIDTH].T.float()

    def __call__(self, z: Tensor) -> Tensor:
        return self.standardiser(z) @ self.axes


def reals_and_fakes(part: SplitRows, kind: str) -> tuple[TensorRows, np.ndarray]:
    """Return features and labels of the reals and the fakes of one type; of all types for an empty name."""
    z, y, manipulation = part
    rows = np.flatnonzero(is_real_or(manipulation, kind)) if kind else np.arange(len(y))
    return TensorRows(z[torch.from_numpy(rows)]), y[rows]


def tasks_of(store: FeatureStore, setting: Setting, recipe: HeadRecipe, kinds: Sequence[str]) -> list[Task]:
    """Return a task for each layer and manipulation type, layer by layer."""
    tasks = []
    for layer in setting.layers:
        parts = read_features(store, setting.variant, layer)
        for k in kinds:
            train, valid, test = (reals_and_fakes(parts[s], k) for s in SPLITS)
            tasks.append(task(layer, k, train, valid, test, recipe, groups=np.array(identities_of(store, k))))
    return tasks


def rows_of(one: Task) -> tuple[Tensor, Tensor]:
    """Return a task's standardised training rows (n, D) and labels (n)."""
    train = one.problem.train
    return train.gather(np.arange(len(train))), torch.from_numpy(one.problem.labels)


def identities_of(store: FeatureStore, kind: str) -> list[str]:
    """Return the identity of each training row of a type: reals and fakes of one person share it."""
    train = store.features(split="train")
    return [str(g) for g in train.column("group")[is_real_or(train.column("manipulation"), kind)]]


def is_real_or(manipulation: np.ndarray, kind: str) -> np.ndarray:
    """Return a mask (n) of the rows that are reals or fakes of one type."""
    return (manipulation == "") | (manipulation == kind)


@dataclass(frozen=True)
class GsnrEstimates:
    """GSNR (4) of a linear head at w = 0: a property of the features alone, without a random head.

    Attributes:
        clustered: bias-corrected with identities as clusters.
        independent: bias-corrected as if rows were independent, which reals and fakes of one person are not.
        plain: without correction.
    """

    clustered: float
    independent: float
    plain: float


def gsnr_at_zero(x: Tensor, y: Tensor, identities: Sequence[str]) -> GsnrEstimates:
    """Return all three estimates, given training rows (n, D), labels (n) and identities (n)."""
    x = x.double()
    likelihood = logistic(x, y, x.new_zeros(x.shape[1]), x.new_zeros(()))
    m = moments(likelihood)
    return GsnrEstimates(float(clustered_gsnr(likelihood, identities)), float(m.corrected), float(m.gsnr))
