"""What a diagnosis is to measure, checked before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from corit.diagnose.groups import By
from corit.diagnose.measured import FINAL
from corit.errors import DataError, FitError
from corit.heads.defaults import default_head
from corit.heads.head import HeadRecipe
from corit.heads.rows import Scaling
from corit.theory.collapse import check_radii
from corit.theory.phases import SHORTEST

Kind = Literal["linear", "mlp"]

# SAM's own default, which the paper recommends too; inferred from its figures, where it borders the collapse zone.
RECOMMENDED = 0.05
# The perceptron's learning rate [choice]: above the default, since a plan trains for a few hundred steps in all.
PERCEPTRON_RATE = 3e-3
# Resolves the range of gains, 0 to 0.1, and collapse up to 20.
RHOS = (
    *(0.0, 0.005, 0.01, 0.02, 0.035, 0.05, 0.07, 0.1, 0.15, 0.2, 0.35, 0.5, 0.7),
    *(1.0, 1.5, 2.0, 3.5, 5.0, 10.0, 20.0),
)


@dataclass(frozen=True)
class Plan:
    """Layers (empty: five of each store, and z), groups (empty: all), heads, radii, seeds, and how heads are trained.

    steps: optimiser steps of every head. hidden: units of the perceptron. reference: the radius along whose training
    GSNR, bound and factors are watched, 0 for plain SGD [choice]: there a head learns whatever can be learned. every,
    rows: it looks at every so many steps (0: 40 times in all), at so many training rows. refine: bisections of a
    collapse in log rho.
    shown: the radius whose heads' landscapes are drawn. Raises FitError or DataError for what cannot be measured.
    """

    layers: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()
    by: By = "manipulation"
    heads: tuple[Kind, ...] = ("linear", "mlp")
    rhos: tuple[float, ...] = RHOS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    scaling: Scaling = "standard"
    steps: int = 600
    batch: int = 20
    hidden: int = 32
    reference: float = 0.0
    every: int = 0
    rows: int = 1000
    refine: int = 4
    shown: float = RECOMMENDED

    def __post_init__(self) -> None:
        check_radii(self.rhos)
        check_radii((self.reference,), positive=False)
        check_radii((self.shown,), positive=False)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise FitError(f"expected distinct seeds, at least one, got {list(self.seeds)}")
        unknown = [h for h in self.heads if h not in get_args(Kind)]
        if not self.heads or unknown or len(set(self.heads)) < len(self.heads):
            raise FitError(f"expected heads among {', '.join(get_args(Kind))}, each once, got {list(self.heads)}")
        for name, least in (("steps", 1), ("batch", 1), ("hidden", 1), ("rows", 2), ("every", 0), ("refine", 0)):
            if getattr(self, name) < least:
                raise FitError(f"expected {name} >= {least}, got {getattr(self, name)}")
        if -(-self.steps // self.interval) < SHORTEST:
            raise FitError(
                f"expected at least {SHORTEST} looks at a course to find its phases, got {self.steps} steps and one "
                f"look every {self.interval}; train longer or look oftener"
            )

    @property
    def interval(self) -> int:
        """Steps from one look to the next."""
        return self.every or max(1, self.steps // 40)

    def recipe(self, kind: Kind) -> HeadRecipe:
        """How a head of a kind is trained. select "last": the best epoch on validation would hide a collapse."""
        recipe = replace(default_head(kind), scaling=self.scaling, batch=self.batch, select="last")
        if kind == "linear":
            return recipe
        return replace(recipe, hidden=self.hidden, learning_rate=PERCEPTRON_RATE)

    def describe(self, kind: Kind, rho: float | None = None) -> str:
        """The head in words, for captions. rho: its radius, where a caption is about heads of one radius."""
        r = self.recipe(kind)
        around = f"{r.optimiser} (learning rate {r.learning_rate:g})"
        how = f"SAM around {around}" if rho is None else f"SAM with rho {rho:g} around {around}"
        units = "linear" if kind == "linear" else f"perceptron D-{r.hidden}-1 ({r.activation})"
        how = f"{around} without SAM (rho 0)" if rho == 0 else how
        return f"{units}, {how}, batch {r.batch}, {self.steps} steps, last step kept, {r.scaling} scaling"


def numbers(text: str) -> tuple[float, ...]:
    """Radii from a list such as "0,0.05,1", in rising order. Raises FitError."""
    try:
        return tuple(sorted(float(part) for part in _parts(text)))
    except ValueError as err:
        raise FitError(f'expected radii such as "0,0.05,1", got {text!r}') from err


def layers(text: str) -> tuple[int, ...]:
    """Layers from a list such as "5,10-12,z"; FINAL for z. Raises DataError."""
    found: list[int] = []
    for part in _parts(text):
        low, dash, high = part.partition("-")
        if part == "z":
            found.append(FINAL)
        elif low.isdecimal() and (not dash or high.isdecimal()):
            found += range(int(low), int(high if dash else low) + 1)
        else:
            raise DataError(f'expected layers such as "5,10-12,z", got {text!r}')
    return tuple(dict.fromkeys(found))


def names(text: str) -> tuple[str, ...]:
    """A list of names such as "DF,NT"."""
    return tuple(_parts(text))


def _parts(text: str) -> Sequence[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
