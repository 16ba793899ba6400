"""The plan of a diagnosis: what is measured and how, checked before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from corit.diagnose.features import FINAL
from corit.diagnose.groups import By
from corit.errors import DataError, FitError
from corit.heads.defaults import RAW_UNITS, default_head
from corit.heads.head import HeadKind, HeadRecipe
from corit.heads.rows import Scaling, named_scaling
from corit.theory.collapse import check_radii
from corit.theory.geometry import Geometry
from corit.theory.moments import Estimator
from corit.theory.phases import SHORTEST

# SAM's own default, which the paper recommends too; inferred from its figures, where it borders the collapse zone.
RECOMMENDED = 0.05
# The perceptron's learning rate [choice]: above the default, since a plan trains for a few hundred steps in all.
PERCEPTRON_RATE = 3e-3
# [choice] SGD's learning rate on features in their own unit is that of the default head in the unit of centred rows, so
# that raw and centred features compare, and at most this over E norm([x, 1])^2: half of what is stable with momentum
# 0.9, since the loss has a curvature of at most a quarter of that mean square.
STABLE_RATE = 8.0
TINY = 1e-30
# Resolves the range of gains, 0 to 0.1, and collapse up to 20.
RHOS = (
    *(0.0, 0.005, 0.01, 0.02, 0.035, 0.05, 0.07, 0.1, 0.15, 0.2, 0.35, 0.5, 0.7),
    *(1.0, 1.5, 2.0, 3.5, 5.0, 10.0, 20.0),
)


@dataclass(frozen=True)
class DiagnosisPlan:
    """What a diagnosis measures, and how its heads are trained.

    Attributes:
        layers: layer numbers, `FINAL` for z; empty for five of each store, and z (see `default_layers`).
        groups: groups of fakes, each against the reals; empty for all.
        by: what the fakes are grouped by.
        heads: kinds of heads.
        rhos: SAM's radii, increasing.
        seeds: of the heads; one head for each seed and radius.
        scaling: of the features; "raw" [choice], as detectors are trained, shows what a common mean does, and the cells
            that fall are trained again on centred features. The old name "none" becomes "raw".
        steps: optimiser steps of every head.
        batch: rows of a mini-batch.
        hidden: hidden units of the perceptron.
        reference: the radius along whose training GSNR, bound and factors are measured; 0 for the base optimiser alone
            [choice]: there a head learns whatever can be learned.
        every: steps between two of these measurements; 0 for 40 measurements in all.
        rows: training rows that they are taken on.
        refine: bisections of a collapse in log rho.
        shown: the radius whose heads' landscapes are drawn.
        estimator: of GSNR, for phases and rankings; None for clustered, by the source that a fake shares with its
            real, where sources are known, else corrected. See `Course.estimate`.

    Raises:
        FitError: for radii, seeds, heads or numbers that cannot be measured.
    """

    layers: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()
    by: By = "manipulation"
    heads: tuple[HeadKind, ...] = ("linear", "mlp")
    rhos: tuple[float, ...] = RHOS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    scaling: Scaling = "raw"
    steps: int = 600
    batch: int = 20
    hidden: int = 32
    reference: float = 0.0
    every: int = 0
    rows: int = 1000
    refine: int = 4
    shown: float = RECOMMENDED
    estimator: Estimator | None = None

    def __post_init__(self) -> None:
        if self.estimator is not None and self.estimator not in get_args(Estimator):
            raise FitError(f"expected the estimator {', '.join(get_args(Estimator))} or None, got {self.estimator!r}")
        object.__setattr__(self, "scaling", named_scaling(self.scaling))
        check_radii(self.rhos)
        check_radii((self.reference,), positive=False)
        check_radii((self.shown,), positive=False)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise FitError(f"expected distinct seeds, at least one, got {list(self.seeds)}")
        unknown = [h for h in self.heads if h not in get_args(HeadKind)]
        if not self.heads or unknown or len(set(self.heads)) < len(self.heads):
            raise FitError(f"expected heads among {', '.join(get_args(HeadKind))}, each once, got {list(self.heads)}")
        for name, least in (("steps", 1), ("batch", 1), ("hidden", 1), ("rows", 2), ("every", 0), ("refine", 0)):
            if getattr(self, name) < least:
                raise FitError(f"expected {name} >= {least}, got {getattr(self, name)}")
        if -(-self.steps // self.interval) < SHORTEST:
            raise FitError(
                f"expected at least {SHORTEST} observations of a course to find its phases, got {self.steps} steps and "
                f"one every {self.interval}; train longer or observe more often"
            )

    @property
    def interval(self) -> int:
        """Steps between two measurements along training."""
        return self.every or max(1, self.steps // 40)

    @property
    def in_raw_units(self) -> bool:
        """Whether radii are in the units of the backbone's features, as the paper's presumably are."""
        return self.scaling in RAW_UNITS

    def recipe(self, kind: HeadKind, geometry: Geometry | None = None) -> HeadRecipe:
        """Return the recipe of a head; select is "last", since the best epoch on validation would hide a collapse.

        Args:
            kind: of the head.
            geometry: of the raw training rows, by which a linear head's learning rate is divided where the scaling
                leaves their unit: `STABLE_RATE` says how. None for the rate of rows of norm 1.
        """
        recipe = replace(default_head(kind), scaling=self.scaling, batch=self.batch, select="last")
        if kind == "mlp":
            return replace(recipe, hidden=self.hidden, learning_rate=PERCEPTRON_RATE)
        if geometry is None or not self.unscaled(kind):
            return recipe
        square = geometry.rms_norm**2
        rates = (recipe.learning_rate / max((1 - geometry.common) * square, TINY), STABLE_RATE / (square + 1))
        return replace(recipe, learning_rate=min(rates))

    def unscaled(self, kind: HeadKind) -> bool:
        """Tell whether the learning rate of a head follows the norm of the features."""
        return kind == "linear" and self.scaling in RAW_UNITS

    def describe(self, kind: HeadKind, rho: float | None = None) -> str:
        """Describe a head and its training for a caption.

        Args:
            kind: of the head.
            rho: its radius, where a caption is about heads of one radius.
        """
        r = self.recipe(kind)
        rate = f"{r.learning_rate:g}{' / E norm(x - E x)^2' if self.unscaled(kind) else ''}"
        base = f"{r.optimiser} (learning rate {rate})"
        optimiser = f"SAM around {base}" if rho is None else f"SAM with rho {rho:g} around {base}"
        if rho == 0:
            optimiser = f"{base} without SAM (rho 0)"
        units = "linear" if kind == "linear" else f"perceptron D-{r.hidden}-1 ({r.activation})"
        return f"{units}, {optimiser}, batch {r.batch}, {self.steps} steps, last step kept, {r.scaling} scaling"


def parse_radii(text: str) -> tuple[float, ...]:
    """Parse radii from a list such as "0,0.05,1", and sort them.

    Raises:
        FitError: for a part that is no number.
    """
    try:
        return tuple(sorted(float(part) for part in _parts(text)))
    except ValueError as err:
        raise FitError(f'expected radii such as "0,0.05,1", got {text!r}') from err


def parse_layers(text: str) -> tuple[int, ...]:
    """Parse layers from a list such as "5,10-12,z"; `FINAL` stands for z.

    Raises:
        DataError: for a part that is no layer.
    """
    layers: list[int] = []
    for part in _parts(text):
        low, dash, high = part.partition("-")
        if part == "z":
            layers.append(FINAL)
        elif low.isdecimal() and (not dash or high.isdecimal()):
            layers += range(int(low), int(high if dash else low) + 1)
        else:
            raise DataError(f'expected layers such as "5,10-12,z", got {text!r}')
    return tuple(dict.fromkeys(layers))


def parse_names(text: str) -> tuple[str, ...]:
    """Parse a list of names such as "DF,NT"."""
    return tuple(_parts(text))


def _parts(text: str) -> Sequence[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
