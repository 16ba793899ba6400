"""Table XIII: concatenation (24) or cross-attention (25) of two layers, both from the stored concatenation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from corit.bench.benchmark import Learner, Scorer
from corit.bench.detectors import DetectorSpec
from corit.bench.rows import ProtocolRows
from corit.bench.runner import Runner
from corit.bench.variant import CORIT
from corit.heads.attention import AttentionHead, fit_module
from corit.heads.defaults import limit_batch
from corit.heads.fit import fit
from corit.heads.problem import standardised_problem
from corit.heads.rows import Rows
from corit.model.corit import cross_attention
from corit.paper.tables import detector_table
from corit.recipe import REGIONS

TOKENS = 1 + len(REGIONS)
RATE, EPOCHS = 1e-3, 10  # [choice] of the trained attention, by AdamW


@dataclass(frozen=True)
class Attended:
    """The parameter-free (25) of rows that hold (24)'s concatenation.

    Attributes:
        rows: the concatenations (n, 2 T D).
    """

    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Half the stored width."""
        return self.rows.width // 2

    def gather(self, index: np.ndarray) -> Tensor:
        """Return the rows of `index` (b), each (b, T D)."""
        return attend(self.rows.gather(index))


def attend(z: Tensor) -> Tensor:
    """Apply (25) without parameters to (24)'s concatenation, (n, 2 T D) -> (n, T D)."""
    middle, last = z.view(len(z), 2, TOKENS, z.shape[1] // (2 * TOKENS)).unbind(1)
    return cross_attention(middle, last)


def parameter_free(runner: Runner) -> Learner:
    """Return the learner of the run's head on rows after `attend`."""

    def learn(train: ProtocolRows, select: ProtocolRows, seeds: Sequence[int]) -> list[Scorer]:
        head = limit_batch(runner.settings.head, len(train))
        task = standardised_problem(Attended(train.rows), train.y, Attended(select.rows), select.y, head)
        heads = fit([task], head, seeds=seeds)
        return [partial(_after, heads.head(seed=s).logits) for s in range(len(seeds))]

    return learn


def _after(score: Scorer, z: Tensor) -> Tensor:
    return score(attend(z))


def trained_attention(runner: Runner) -> Learner:
    """Return the learner of an `AttentionHead` with the run's SAM radius, one seed after the other."""

    def learn(train: ProtocolRows, select: ProtocolRows, seeds: Sequence[int]) -> list[Scorer]:
        return [_train_attention(runner, train, select, s) for s in seeds]

    return learn


def _train_attention(runner: Runner, train: ProtocolRows, select: ProtocolRows, seed: int) -> Scorer:
    head = limit_batch(runner.settings.head, len(train))
    module = AttentionHead(TOKENS, train.rows.width // (2 * TOKENS), seed)
    fit_module(
        module,
        train.rows,
        train.y,
        select.rows,
        select.y,
        optimiser=lambda w: torch.optim.AdamW(w, lr=RATE, weight_decay=0.0),
        rho=head.rho,
        batch=head.batch,
        epochs=EPOCHS,
        seed=seed,
    )
    return module.requires_grad_(False)


NOTE = f"The trained attention: one head of queries, keys and values, AdamW {RATE:g}, {EPOCHS} epochs, raw features."
FUSION_TYPE = detector_table(
    13,
    lambda runner: (
        DetectorSpec("cross-attention, no parameters", "CrossAttn", CORIT, learn=parameter_free, name="attended"),
        DetectorSpec("cross-attention, trained", "CrossAttn", CORIT, learn=trained_attention, name="attention"),
        DetectorSpec("concatenation (CoRIT)", "Concat", CORIT),
    ),
    note=NOTE,
)
