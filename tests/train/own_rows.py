"""Feature stores of drawn numbers, and a detector on them that needs no backbone."""

from __future__ import annotations

import numpy as np
import torch
from features.stand_ins import WIDTH, recipe

from corit.data.sample import Sample
from corit.detect.detector import Card, Detector
from corit.features.shards import FeatureRow, StoreHeader, measured_row
from corit.features.store import FeatureStore
from corit.features.writer import StoreWriter
from corit.heads.defaults import default_head
from corit.heads.head import Head
from corit.heads.rows import Standardiser
from corit.metrics.calibration import Calibration

HEADER = StoreHeader.of(recipe(), WIDTH)


def direction(seed):
    """A direction that tells fakes of one kind."""
    return np.random.default_rng(seed).normal(size=WIDTH) / WIDTH**0.5


def rows(prefix, sources, *, towards, apart=3.0, dataset="set", fakes=True, each=1, split=True):
    """Pictures of sources, a real and a fake of each; fakes are moved along a direction."""
    out = []
    for i in range(sources):
        part = ("train", "train", "train", "val", "test")[i % 5] if split else ""
        for y, k in ((y, k) for y in range(1 + fakes) for k in range(each)):
            seed = [*map(ord, prefix), i, y, k]
            z = np.random.default_rng(seed).normal(size=WIDTH) + y * apart * towards + 2.0
            name = f"{prefix}{i:03d}-{y}-{k}"
            kind = "DF" if y else ""
            out.append(measured_row(Sample(name, name, y, part, kind, dataset, f"{prefix}{i}"), 0, None, z))
    return out


def store(path, *groups):
    with StoreWriter(path, HEADER) as writer:
        for row in (r for group in groups for r in group):
            writer.append(row if isinstance(row, list) else [row])
    return FeatureStore.open(path)


def lost(name, label=0):
    return FeatureRow(Sample(name, name, label, "", "", "set", name), status="no_face", reason="no face was found")


def detector(towards, data_digest="d", slope=1.0, intercept=0.0, threshold=0.5, **card):
    """A linear head along a direction."""
    weight = torch.tensor(towards, dtype=torch.float32)[None] * 3
    head = Head(weight, torch.zeros(1), Standardiser(torch.full((WIDTH,), 2.0), torch.ones(WIDTH)), default_head())
    calibration = Calibration(slope, intercept, threshold, min(0.3, threshold), 0.05, 50, 50)
    known = Card(recipe(), default_head(), calibration, "packaged", "Apache-2.0", ("real", "fake"), data_digest, **card)
    return Detector(head, known)
