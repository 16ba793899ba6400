"""AUC and loss of many heads at once, which select the epoch that is kept."""

from __future__ import annotations

import torch
from torch import Tensor


def auc(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the area under the ROC curve (...) of each row of logits (..., n); ties count one half.

    A head with constant outputs has 0.5; a row that is not finite has NaN.

    Args:
        logits: (..., n).
        labels: (n), 0 for real and 1 for fake.
    """
    ordered = logits.sort(dim=-1).values
    below = torch.searchsorted(ordered, logits.contiguous(), right=False)
    upto = torch.searchsorted(ordered, logits.contiguous(), right=True)
    rank = (below + upto + 1).double() / 2  # average rank of a tied block, counted from 1
    fake = labels.bool()
    n1, n0 = fake.sum(), (~fake).sum()
    area = (rank[..., fake].sum(-1) - n1 * (n1 + 1) / 2) / (n1 * n0)
    return torch.where(torch.isfinite(logits).all(-1), area, torch.nan)


def log_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the mean negative log-likelihood (...) in nats of each row of logits (..., n), labels (n) in {0, 1}."""
    y = labels.to(logits)
    return (torch.nn.functional.softplus(logits) - y * logits).mean(-1)
