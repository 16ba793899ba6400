"""The heads whose gradient is measured: converged logistic regressions on standardised z, of self-blends and of fakes.

(17) starts from the objective of self-blending, so that the proxy should follow the gradient of the first head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corit.metrics.auc import auc
from corit.serialise import finite
from corit.studies.parts.plan import BLENDS, FAKES, PartsPlan
from corit.studies.real.bank import Rows
from corit.studies.real.components import corit
from corit.studies.real.intervals import DIGITS
from corit.studies.real.layers import depth, row_counts
from corit.studies.real.probes import converged, cross_validate, standardiser


@dataclass(frozen=True)
class Probe:
    """A linear head on z.

    Attributes:
        weight: (Dz), on raw z.
        bias: of the logit.
        record: rows, penalty and AUC on test rows.
    """

    weight: Tensor
    bias: float
    record: Mapping[str, Any]

    def __call__(self, z: Tensor) -> Tensor:
        """Return logits (B) of z (B, Dz)."""
        return z.float() @ self.weight + self.bias


def probes(rows: Rows, plan: PartsPlan) -> dict[str, Probe]:
    """Train both heads on the train and validation rows of DFDC.

    Args:
        rows: of CoRIT's store, self-blends among them.
        plan: penalties and folds.
    """
    return {BLENDS: _probe(rows.blends(), plan), FAKES: _probe(rows.without_blends(), plan)}


def _probe(rows: Rows, plan: PartsPlan) -> Probe:
    dev, test = rows.part("train", "val"), rows.part("test")
    reading = corit(depth(rows, "corit"))
    x = dev.read(reading)
    c = cross_validate(x, dev.y, dev.group, "standardised", plan.penalties, plan.folds).penalty
    scale = standardiser(x, "standardised")
    head = converged(scale(torch.from_numpy(x)).numpy(), dev.y, c)
    weight = torch.from_numpy(head.coef_[0].astype(np.float32)) * scale.scale
    bias = float(head.intercept_[0]) - float(scale.mean @ weight)
    logits = test.read(reading) @ weight.numpy() + bias
    record = {"rows": row_counts(dev), "penalty": c, "test rows": row_counts(test)}
    return Probe(weight, bias, {**record, "test auc": finite(auc(test.y, logits), DIGITS)})
