"""A trained head with its recipe and standardiser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from corit.errors import FitError
from corit.heads.rows import Rows, Scaling, Standardiser, chunks, named_scaling

HeadKind = Literal["linear", "mlp"]


@dataclass(frozen=True)
class HeadRecipe:
    """How a head is trained. The learning rate and rho are not legible in the paper: [choice].

    Attributes:
        kind: "linear" (D -> 1) or "mlp" (a perceptron D -> hidden -> 1).
        hidden: M, the hidden units of a perceptron.
        activation: of the hidden units; "identity" gives a deep linear head.
        scaling: of the features; see `fit_standardiser`. The old name "none" becomes "raw".
        optimiser: the base optimiser, around which SAM is.
        learning_rate: of the base optimiser.
        momentum: of SGD.
        weight_decay: of the base optimiser.
        rho: SAM's radius, in the parameters of the scaled features; 0 for the base optimiser alone.
        batch: rows of a mini-batch.
        epochs: passes over the training rows.
        select: which epoch is kept: that of the best AUC or the least loss on the validation rows, or the last one.

    Raises:
        FitError: for a value out of its range.
    """

    kind: HeadKind = "linear"
    hidden: int = 32
    activation: Literal["relu", "identity"] = "relu"
    scaling: Scaling = "standard"
    optimiser: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 0.0
    rho: float = 0.05
    batch: int = 20
    epochs: int = 20
    select: Literal["auc", "loss", "last"] = "auc"

    def __post_init__(self) -> None:
        object.__setattr__(self, "scaling", named_scaling(self.scaling))
        checks = (
            (self.batch >= 1, "batch >= 1", self.batch),
            (self.epochs >= 1, "epochs >= 1", self.epochs),
            (self.hidden >= 1, "hidden >= 1", self.hidden),
            (self.learning_rate > 0, "learning_rate > 0", self.learning_rate),
            (0 <= self.momentum < 1, "0 <= momentum < 1", self.momentum),
            (self.weight_decay >= 0, "weight_decay >= 0", self.weight_decay),
            (self.rho >= 0, "rho >= 0", self.rho),
        )
        for ok, expected, came in checks:
            if not ok:
                raise FitError(f"head recipe: expected {expected}, got {came}")

    @property
    def units(self) -> int:
        """M, the outputs of the first layer."""
        return 1 if self.kind == "linear" else self.hidden

    @property
    def radius_text(self) -> str:
        """SAM's radius in words, in units of the features' norm too where the scaling makes this norm one."""
        one = self.scaling in ("unit", "standard", "whiten")
        known = f"{self.rho:g} in units of the features' norm" if one else "in the units of the backbone's features"
        return f"SAM rho {self.rho:g} ({known})"


def activate(z: Tensor, activation: str) -> Tensor:
    """Apply the hidden layer's non-linearity; "identity" gives a deep linear head."""
    return torch.relu(z) if activation == "relu" else z


@dataclass(frozen=True)
class Head:
    """One trained head.

    Attributes:
        weight: (M, D).
        bias: (M).
        standardiser: of the raw features.
        recipe: how the head was trained.
        top: (M) of a perceptron, else None.
        top_bias: () of a perceptron, else None.

    Raises:
        FitError: for a weight that does not fit recipe and standardiser.
    """

    weight: Tensor
    bias: Tensor
    standardiser: Standardiser
    recipe: HeadRecipe = field(default_factory=HeadRecipe)
    top: Tensor | None = None
    top_bias: Tensor | None = None

    def __post_init__(self) -> None:
        if self.weight.shape != (self.recipe.units, self.standardiser.width):
            raise FitError(
                f"expected a weight of {(self.recipe.units, self.standardiser.width)}, got {tuple(self.weight.shape)}"
            )

    def logits(self, z: Tensor) -> Tensor:
        """Compute logits (n) of raw features z (n, D); positive means fake.

        Raises:
            FitError: for features of another width.
        """
        if z.shape[-1] != self.standardiser.mean.shape[0]:
            raise FitError(f"expected features of width {self.standardiser.mean.shape[0]}, got {z.shape[-1]}")
        exact = torch.promote_types(z.dtype, self.weight.dtype)  # what float32 cannot hold is standardised first
        x = self.standardiser(z.to(self.weight.device, exact)).to(self.weight)
        hidden = x @ self.weight.T + self.bias
        if self.top is None or self.top_bias is None:
            return hidden[:, 0]
        return activate(hidden, self.recipe.activation) @ self.top + self.top_bias

    def score_rows(self, rows: Rows) -> Tensor:
        """Compute logits (n) of raw features (n, D), chunk by chunk."""
        return torch.cat([self.logits(c) for c in chunks(rows)]) if len(rows) else torch.zeros(0)

    def state(self) -> dict[str, Tensor]:
        """Return the tensors by name, for a safetensors file."""
        named = {
            "weight": self.weight,
            "bias": self.bias,
            "top": self.top,
            "top_bias": self.top_bias,
            "mean": self.standardiser.mean,
            "scale": self.standardiser.scale,
            "matrix": self.standardiser.matrix,
        }
        return {k: v.detach().cpu().contiguous() for k, v in named.items() if v is not None}

    @classmethod
    def from_state(cls, state: dict[str, Tensor], recipe: HeadRecipe) -> Head:
        """Rebuild a head from the tensors of `state`.

        Raises:
            FitError: when tensors are missing.
        """
        missing = {"weight", "bias", "mean", "scale"} - set(state)
        if missing:
            raise FitError(f"expected a head with weight, bias, mean and scale; missing: {', '.join(sorted(missing))}")
        standardiser = Standardiser(state["mean"], state["scale"], state.get("matrix"))
        return cls(state["weight"], state["bias"], standardiser, recipe, state.get("top"), state.get("top_bias"))
