"""Table XIII: concatenation (24) or cross-attention (25) of the two levels, both from the stored concatenation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from corit.bench.benchmark import Learner, Scorer
from corit.bench.entry import Entry
from corit.bench.lab import Lab
from corit.bench.parts import Part
from corit.bench.variant import CORIT
from corit.heads.attention import AttentionHead, fit_module
from corit.heads.defaults import limit_batch
from corit.heads.fit import fit, problem
from corit.heads.rows import Rows
from corit.model.corit import cross_attention
from corit.paper.tables import detector_table
from corit.recipe import REGIONS

TOKENS = 1 + len(REGIONS)
RATE, EPOCHS = 1e-3, 10  # [choice] of the trained attention, by AdamW


@dataclass(frozen=True)
class Attended:
    """The parameter-free (25) of rows that hold (24)'s concatenation."""

    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Half the stored width."""
        return self.rows.width // 2

    def gather(self, index: np.ndarray) -> Tensor:
        """The rows of `index` (b) as a (b, D) tensor."""
        return attend(self.rows.gather(index))


def attend(z: Tensor) -> Tensor:
    """(24)'s concatenation (n, 2 T D) -> (25) without parameters (n, T D)."""
    middle, last = z.view(len(z), 2, TOKENS, z.shape[1] // (2 * TOKENS)).unbind(1)
    return cross_attention(middle, last)


def parameter_free(lab: Lab) -> Learner:
    """The run's head on `attend`ed rows."""

    def learn(train: Part, select: Part, seeds: Sequence[int]) -> list[Scorer]:
        head = limit_batch(lab.head, len(train))
        task = problem(Attended(train.rows), train.y, Attended(select.rows), select.y, head)
        done = fit([task], head, seeds=seeds)
        return [partial(_after, done.head(seed=s).logits) for s in range(len(seeds))]

    return learn


def _after(score: Scorer, z: Tensor) -> Tensor:
    return score(attend(z))


def trained(lab: Lab) -> Learner:
    """`AttentionHead` with the run's radius, one seed after the other."""

    def learn(train: Part, select: Part, seeds: Sequence[int]) -> list[Scorer]:
        return [_module(lab, train, select, s) for s in seeds]

    return learn


def _module(lab: Lab, train: Part, select: Part, seed: int) -> Scorer:
    head = limit_batch(lab.head, len(train))
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
    lambda lab: (
        Entry("cross-attention, no parameters", "CrossAttn", CORIT, learn=parameter_free, name="attended"),
        Entry("cross-attention, trained", "CrossAttn", CORIT, learn=trained, name="attention"),
        Entry("concatenation (CoRIT)", "Concat", CORIT),
    ),
    note=NOTE,
)
