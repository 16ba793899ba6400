"""The geometry of raw features and where a forgery's signal lies in it, by layer and manipulation type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from corit.features.store import FeatureStore
from corit.serialise import finite
from corit.studies.findings.tasks import SPLITS, SplitRows, read_features, reals_and_fakes
from corit.studies.real.bank import Reading, load_rows
from corit.theory.floors import floors
from corit.theory.geometry import geometry

MOST = 0.9  # [choice] of the variance: the axes beyond those that hold it are the low-variance ones


@dataclass(frozen=True)
class Signal:
    """How features of the reals vary, and where a forgery's mean difference d = E[x | fake] - E[x | real] lies.

    Attributes:
        participation: (sum of eigenvalues)^2 / sum of their squares, of the reals' covariance: axes that count.
        most: principal axes that hold `MOST` of the variance of the reals.
        largest: the first axis's share of that variance.
        distance: ||d|| over the root of the reals' variance (the trace).
        low: the share of ||d||^2 outside those `most` axes.
    """

    participation: float
    most: int
    largest: float
    distance: float
    low: float


def signal(x: np.ndarray, y: np.ndarray) -> Signal:
    """Measure spectrum and signal of rows.

    Args:
        x: raw features (n, D).
        y: labels (n), 0 real and 1 fake.
    """
    rows = x.astype(np.float64)
    reals = rows[y == 0]
    centre = reals.mean(0)
    values, vectors = np.linalg.eigh((reals - centre).T @ (reals - centre) / len(reals))
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    shares = values / values.sum()
    most = int(np.searchsorted(shares.cumsum(), MOST)) + 1
    difference = rows[y == 1].mean(0) - centre
    along = (vectors.T @ difference) ** 2
    size = float(np.sqrt(along.sum() / values.sum()))
    return Signal(float(1 / (shares**2).sum()), most, float(shares[0]), size, float(along[most:].sum() / along.sum()))


def facts(parts: Mapping[str, SplitRows], kind: str) -> dict[str, Any]:
    """Return geometry, signal and floors of one manipulation type at one layer, for JSON.

    Args:
        parts: features (n, D), labels (n) and manipulation types (n) of "train", "val" and "test".
        kind: the manipulation type; empty for all.
    """
    (train, y), valid, (test, truth) = (reals_and_fakes(parts[s], kind) for s in SPLITS)
    norms = geometry(train)
    ends = floors(train, y, test, truth, valid)
    numbers = {
        "mean_norm": norms.mean_norm,
        "rms_norm": norms.rms_norm,
        "common": norms.common,
        **asdict(signal(train.values.numpy(), y)),
        "nearest_mean": ends.nearest_mean,
        "logistic": ends.logistic,
    }
    counts = {"train": len(train), "test": len(test), "width": train.width}
    return {**{k: finite(v, 4) for k, v in numbers.items()}, **counts}


def facts_of_world(store: FeatureStore, layers: Sequence[int], kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Return the facts of a miniature world's class tokens, layer by layer and type by type."""
    rows = []
    for layer in layers:
        parts = read_features(store, "corit-class", layer)
        rows += [{"layer": layer, "kind": k, **facts(parts, k)} for k in kinds]
    return rows


def facts_of_real(store: FeatureStore, name: str) -> list[dict[str, Any]]:
    """Return the facts of a real store's class tokens, layer by layer, without its self-blends."""
    rows = load_rows(name, {"store": store}).without_blends()
    last = rows.levels["store"].shape[1] - 1
    return [{"layer": layer, "kind": name, **facts(_parts(rows, layer), "")} for layer in range(1, last + 1)]


def _parts(rows: Any, layer: int) -> dict[str, SplitRows]:
    """The splits of real rows at one layer, in the form of `read_features`."""
    reading = Reading("store", (layer,), (0,))
    parts = {s: rows.part(s) for s in SPLITS}
    return {s: (torch.from_numpy(p.read(reading)), p.y, p.kind) for s, p in parts.items()}
