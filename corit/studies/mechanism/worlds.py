"""What the mechanism is measured on: synthetic features, and class tokens of feature stores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.heads.rows import TensorRows
from corit.heads.select import auc
from corit.theory.common_mean import Synthetic, synthetic_features
from corit.theory.floors import Floors, floors

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class World:
    """Raw rows of three splits, float64.

    Attributes:
        name: of the rows.
        x: split -> (n, D).
        y: split -> (n) labels int64.
    """

    name: str
    x: dict[str, Tensor]
    y: dict[str, Tensor]

    @property
    def mean(self) -> Tensor:
        """The training mean (D)."""
        return self.x["train"].mean(0)

    @property
    def difference(self) -> Tensor:
        """The difference of the class means (D) of the training rows."""
        x, y = self.x["train"], self.y["train"]
        return x[y == 1].mean(0) - x[y == 0].mean(0)

    def scaled(self, scaling: str) -> World:
        """The rows centred, or standardised to the mean norm of the centred ones, so that radii mean the same."""
        if scaling == "raw":
            return self
        centred = {k: x - self.mean for k, x in self.x.items()}
        if scaling == "standard":
            spread = centred["train"].square().mean(0)
            scale = torch.where(spread > 0, (spread.mean() / spread).sqrt(), 0.0)
            centred = {k: x * scale for k, x in centred.items()}
        return World(self.name, centred, self.y)

    def floors(self) -> Floors:
        """Nearest-mean and logistic-regression AUC on the test rows."""
        rows = {k: TensorRows(x) for k, x in self.x.items()}
        train, val, test = ((rows[k], self.y[k].numpy()) for k in SPLITS)
        return floors(*train, *test, valid=val)

    def area(self, weight: Tensor) -> np.ndarray:
        """Test AUC (...) of weights (..., D)."""
        scores = (weight @ self.x["test"].T).reshape(-1, len(self.y["test"]))
        return auc(scores, self.y["test"]).reshape(weight.shape[:-1]).numpy()

    def described(self) -> dict[str, float | int | str]:
        """The geometry of the training rows, for the record."""
        x, floor = self.x["train"], self.floors()
        squared = float(x.square().sum(-1).mean())
        return {
            "name": self.name,
            "train": len(x),
            "test": len(self.y["test"]),
            "width": x.shape[1],
            "mean_norm": float(self.mean.norm()),
            "rms_norm": squared**0.5,
            "common": float(self.mean.square().sum()) / squared,
            "difference_norm": float(self.difference.norm()),
            "nearest_mean": floor.nearest_mean,
            "logistic": floor.logistic,
        }


def synthetic(name: str, knobs: Synthetic, *, seed: int = 0, train: int = 800, test: int = 4000) -> World:
    """Draw a synthetic world; its validation rows are as many as its training rows."""
    counts = zip(SPLITS, (train, train, test), strict=True)
    parts = {k: synthetic_features(n, knobs, seed=seed, part=k) for k, n in counts}
    return World(name, {k: x for k, (x, _) in parts.items()}, {k: y for k, (_, y) in parts.items()})


def stored(name: str, store: FeatureStore, layer: int) -> World:
    """Read the class tokens of one layer; self-blended fakes are left out.

    Args:
        name: of the rows.
        store: features that keep their levels.
        layer: of the backbone.

    Raises:
        DataError: a store without levels, or a split without one of the classes.
    """
    if store.header.levels is None:
        raise DataError(f"expected a store of {name} that keeps levels, got one without; extract it with levels")
    features = store.features(level=layer, face=0)
    width = store.header.levels[2]
    tokens = features.to_tensor().double().reshape(len(features.ids), -1, width)[:, 0]
    own = features.column("manipulation") != "self-blended"
    split, y = features.column("split"), torch.from_numpy(features.y.astype(np.int64))
    chosen = {k: torch.from_numpy(own & (split == k)) for k in SPLITS}
    world = World(name, {k: tokens[c] for k, c in chosen.items()}, {k: y[c] for k, c in chosen.items()})
    if bad := [k for k in SPLITS if len(world.y[k].unique()) < 2]:
        raise DataError(f"expected reals and fakes in every split of {name}, but {', '.join(bad)} lacks one")
    return world
