"""A trained head for (25), F_L queries and F_{l_m} keys and values, and SAM for any torch module."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

from corit.errors import FitError
from corit.heads.rows import Rows
from corit.heads.sam import sam_gradient
from corit.heads.select import auc
from corit.seeding import generator, torch_generator


class AttentionHead(nn.Module):
    """(25) trained [choice]: softmax(F_L Q (F_lm K)' / sqrt(D)) F_lm V, flattened, then linear.

    Reads z = concat(F_lm, F_L) as stored, (n, 2 T D) with T = 1 + regions tokens of width D. Q, K, V start as the
    identity, so that the first step sees the parameter-free attention.
    """

    def __init__(self, tokens: int, width: int, seed: int = 0) -> None:
        super().__init__()
        self.tokens, self.width = tokens, width
        self.query, self.key, self.value = (nn.Parameter(torch.eye(width)) for _ in range(3))
        bound = (tokens * width) ** -0.5
        drawn = torch.rand(tokens * width, generator=torch_generator("attention", seed))
        self.weight = nn.Parameter((drawn * 2 - 1) * bound)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor) -> Tensor:
        """Compute logits (n) of features z (n, 2 T D).

        Raises:
            FitError: when the width is not that of two levels.
        """
        if z.shape[-1] != 2 * self.tokens * self.width:
            raise FitError(
                f"expected two levels of {self.tokens} tokens of width {self.width} "
                f"({2 * self.tokens * self.width} numbers), got {z.shape[-1]}; extract with fusion = concat"
            )
        middle, last = z.view(-1, 2, self.tokens, self.width).unbind(1)
        weights: Tensor = (last @ self.query) @ (middle @ self.key).mT / self.width**0.5
        joined = weights.softmax(-1) @ (middle @ self.value)
        return joined.flatten(1) @ self.weight + self.bias


def fit_module(
    module: nn.Module,
    train: Rows,
    labels: np.ndarray,
    valid: Rows,
    valid_labels: np.ndarray,
    *,
    optimiser: Callable[[Sequence[Tensor]], torch.optim.Optimizer],
    rho: float,
    batch: int = 20,
    epochs: int = 20,
    seed: int = 0,
) -> list[float]:
    """Train any module z -> logits with SAM (1), (2), and leave in it the epoch with the best validation AUC.

    One head at a time and by automatic differentiation: slow, general, and with the mini-batches of `fit`.

    Args:
        module: maps features (n, D) to logits (n); it is changed.
        train: (n, D) standardised training rows.
        labels: (n), 0 for real and 1 for fake.
        valid: (n', D) standardised validation rows.
        valid_labels: (n').
        optimiser: builds the base optimiser of parameters.
        rho: SAM's radius.
        batch: rows of a mini-batch.
        epochs: passes over the training rows.
        seed: of the mini-batches.

    Returns:
        The validation AUC of each epoch.

    Raises:
        FitError: for less than a mini-batch of rows, and when no epoch's validation logits are finite.
    """
    if len(train) < batch:
        raise FitError(f"expected at least one mini-batch of {batch} rows, got {len(train)} training rows")
    names, weights = zip(*module.named_parameters(), strict=True)
    step, y = optimiser(weights), torch.from_numpy(labels)
    areas: list[float] = []
    best: dict[str, Tensor] = {}
    for epoch in range(epochs):
        order = generator("batches", seed, epoch).permutation(len(train))
        for k in range(len(train) // batch):
            index = order[k * batch : (k + 1) * batch]
            _step(module, names, weights, train.gather(index), y[index], rho)
            step.step()
        with torch.no_grad():
            areas.append(float(auc(module(valid.gather(np.arange(len(valid)))), torch.from_numpy(valid_labels))))
        if areas[-1] == max(areas) and areas.count(areas[-1]) == 1:
            best = {k: v.detach().clone() for k, v in module.state_dict().items()}
    if not best:
        raise FitError(
            f"expected validation logits that are finite in at least one of {epochs} epochs, but the head diverged; "
            "lower the learning rate or rho"
        )
    module.load_state_dict(best)
    return areas


def _step(module: nn.Module, names: Sequence[str], weights: Sequence[Tensor], x: Tensor, y: Tensor, rho: float) -> None:
    def loss(parameters: Sequence[Tensor]) -> Tensor:
        logits = functional_call(module, dict(zip(names, parameters, strict=True)), (x,))
        return nn.functional.binary_cross_entropy_with_logits(logits, y.to(logits))

    gradient = grad(lambda parameters: loss(parameters))
    gradients = sam_gradient(lambda p: gradient(tuple(p)), tuple(w.detach() for w in weights), rho)
    for w, g in zip(weights, gradients, strict=True):
        w.grad = g
