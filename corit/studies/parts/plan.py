"""Sizes of the study, the thresholds whose masks are counted, and the recipes whose features are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from corit.studies.real.plan import CORIT, TOKENS, RealPlan, Variant, settings

Part = Literal["pictures", "injection"]
PARTS: tuple[Part, ...] = get_args(Part)
POOL = Variant("pool", {"model.inject": False})
NO_MASK = Variant("no-mask", {"model.rrm": False})
COMPARED = (POOL, NO_MASK)  # besides CORIT and TOKENS, on some pairs only
STORES = (CORIT, TOKENS, *COMPARED)
PERTURBS = ("source", "either")
THRESHOLDS: dict[str, tuple[str, float]] = {
    f"{name} {tau:g}": (name, tau)
    for name, taus in {
        "relative": (0.1, 0.5, 0.9, 1.3),
        "absolute": (0.1, 0.5, 0.9, 1.3),
        "cosine": (0.1, 0.5, 0.9),
    }.items()
    for tau in taus
}
DEFAULT, CHECKED = "relative 0.1", "absolute 0.9"  # CoRIT's; and the one that is also measured on its own course
BLENDS, FAKES = "self-blends", "fakes"  # what the heads of the gradient are trained on
HEADS = (BLENDS, FAKES)
QUARTERS = 4  # tokens, and the rise of the score, are read after each quarter of the blocks
BLOCK = 2  # pairs in one forward pass: "another picture" is that of the other pair


@dataclass(frozen=True)
class PartsPlan:
    """The sizes, seeds and settings of a run.

    Attributes:
        backbone: the frozen ViT.
        weights: where its weights come from; see `corit.load_backbone`.
        pairs: of DFDC that are split; the heads of the gradient learn from its train and validation parts.
        blends: self-blended fakes of DFDC's reals.
        measured: DFDC's test pairs whose proxy, masks and tokens are measured.
        checked: of these, the pairs whose masks are also measured on another threshold's own course.
        scenes: photographs whose masks are counted; 0 for none.
        compared: pairs of DFDC's train and validation parts that the stores are compared on.
        folds: of the cross-validation.
        seeds: of the SAM head.
        rho: SAM's radius.
        penalties: values of C that the logistic regression chooses from.
        epochs: of the SAM head.
        rate: learning rate of the SAM head.
        draws: bootstrap draws of an interval.
    """

    backbone: str = "clip-vit-b16"
    weights: str = "auto"
    pairs: int = 250
    blends: int = 80
    measured: int = 24
    checked: int = 4
    scenes: int = 12
    compared: int = 140
    folds: int = 5
    seeds: tuple[int, ...] = (0, 1, 2)
    rho: float = 0.05
    penalties: tuple[float, ...] = (3e-4, 3e-3, 3e-2)
    epochs: int = 20
    rate: float = 1e-3
    draws: int = 1000

    @property
    def real(self) -> RealPlan:
        """The sizes and settings as `corit.studies.real` takes them."""
        return RealPlan(
            backbone=self.backbone,
            weights=self.weights,
            pairs=self.pairs,
            variant_pairs=self.compared,
            photographs=self.scenes,
            blends=self.blends,
            folds=self.folds,
            seeds=self.seeds,
            rhos=(0.0, self.rho),
            penalties=self.penalties,
            epochs=self.epochs,
            rate=self.rate,
            draws=self.draws,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the settings that a folder keeps."""
        return settings(self)


def quick_plan(plan: PartsPlan | None = None) -> PartsPlan:
    """Return a plan of a few pictures, which shows that the command runs and nothing about CoRIT."""
    return replace(
        plan or PartsPlan(),
        pairs=20,
        blends=16,
        measured=4,
        checked=2,
        scenes=4,
        compared=12,
        folds=3,
        seeds=(0,),
        penalties=(3e-3,),
        epochs=2,
        draws=100,
    )


def quarters(depth: int) -> tuple[int, ...]:
    """Return the layers that end the quarters of a backbone; for twelve blocks 3, 6, 9 and 12."""
    return tuple(round(depth * q / QUARTERS) for q in range(1, QUARTERS + 1))
