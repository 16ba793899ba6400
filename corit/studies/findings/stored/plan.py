"""The plan of the study on stored features, fixed before any measurement: layers, heads, scalings, radii, splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from corit.errors import DataError
from corit.heads.defaults import default_head
from corit.heads.head import HeadKind, HeadRecipe
from corit.heads.rows import Scaling

UNIFD, CORIT = "unifd", "corit"
OTHERS = ("pool", "no-mask", "plain")  # CoRIT without one or two of its parts
MODELS = (UNIFD, CORIT)
TWELFTHS = (3, 6, 8, 9, 10, 11, 12)  # [choice] of the depth: the layers of the main settings
SOME_TWELFTHS = (9, 12)  # the layers of the other settings


@dataclass(frozen=True)
class Case:
    """What is trained on what.

    Attributes:
        variant: the model variant; see `corit.studies.findings.plan.VARIANTS`.
        head: "linear" or "mlp".
        scaling: of the features.
    """

    variant: str
    head: HeadKind
    scaling: Scaling

    def name(self, split: int) -> str:
        """Return the name of its measurement on a split."""
        return f"{self.variant}.{self.head}.{self.scaling}.{split}"


@dataclass(frozen=True)
class StoredPlan:
    """Sizes and grids of the study on stores. Field names are keys of the record.

    Every head has the same number of optimiser steps, so that forgeries with more rows are not trained for longer.
    Nothing is tuned: batch, optimiser and learning rate are the paper's and the exploration's that came before.

    Attributes:
        folds: parts that the groups (pairs) are cut into; one is tested, the next one validates, the others train.
        splits: the folds that are tested.
        heads: head seeds.
        perceptrons: the first so many of them are the seeds of perceptrons, which cost ten times as much.
        perceptron_models: the models, "unifd" and "corit" or one of them, whose perceptrons are measured.
        watched_heads: the first so many of them are those of courses and landscapes.
        layers: layers of the main settings.
        some_layers: layers of perceptrons, of CoRIT's parts, of standardised features and of training courses.
        rhos: SAM radii of linear heads, 0 first.
        perceptron_rhos: SAM radii of perceptrons, 0 first.
        refine: bisection steps of a radius of collapse.
        watched: SAM's radius in training courses and landscapes.
        watch_every: steps between two observations of a course.
        steps: optimiser steps of each head.
        batch: rows of a mini-batch.
        rate: Adam's learning rate.
        close: the least correlation of the two pictures of a closely aligned pair; other pairs are loose.

    Raises:
        DataError: without splits or seeds, for splits beyond the folds, or without two radii that begin with 0.
    """

    folds: int = 5
    splits: tuple[int, ...] = (0, 1, 2, 3, 4)
    heads: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    perceptrons: int = 5
    perceptron_models: tuple[str, ...] = MODELS
    watched_heads: int = 3
    layers: tuple[int, ...] = TWELFTHS
    some_layers: tuple[int, ...] = SOME_TWELFTHS
    rhos: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
    perceptron_rhos: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)
    refine: int = 2
    watched: float = 0.05
    watch_every: int = 20
    steps: int = 160
    batch: int = 20
    rate: float = 1e-3
    close: float = 0.95

    def __post_init__(self) -> None:
        if not self.splits or not self.heads or not set(self.splits) <= set(range(self.folds)) or self.folds < 3:
            raise DataError(
                f"expected head seeds and splits below the {self.folds} folds (3 or more), got seeds {self.heads} and "
                f"splits {self.splits}"
            )
        for radii in (self.rhos, self.perceptron_rhos):
            if len(radii) < 2 or radii[0] != 0:
                raise DataError(f"expected two radii or more that begin with 0, got {radii}")

    @property
    def cases(self) -> list[Case]:
        """The cases whose radii are swept; those of a variant without stores are not measured."""
        scalings: tuple[Scaling, ...] = ("raw", "centre")
        cases = [Case(v, "linear", s) for v in (*MODELS, *OTHERS) for s in scalings]
        cases += [Case(UNIFD, "linear", "standard")]
        return cases + [Case(v, "mlp", s) for v in self.perceptron_models for s in scalings]

    @property
    def course_cases(self) -> list[Case]:
        """The cases whose training courses are observed."""
        some = [c for c in self.cases if c.variant in MODELS and c.scaling != "standard"]
        return [c for c in some if c.head == "linear" or c.scaling == "raw"]

    @property
    def landscape_cases(self) -> list[Case]:
        """The cases of UniFD whose landscape is compared with CoRIT's."""
        some = [c for c in self.cases if c.variant == UNIFD and c.scaling != "standard"]
        both = set(MODELS) <= set(self.perceptron_models)
        return [c for c in some if c.head == "linear" or both]

    def layers_of(self, case: Case) -> tuple[int, ...]:
        """Return the layers at which a case is swept."""
        main = case.variant in MODELS and case.head == "linear" and case.scaling != "standard"
        return self.layers if main else self.some_layers

    def seeds_of(self, case: Case) -> tuple[int, ...]:
        """Return the head seeds of a case's sweep."""
        return self.heads if case.head == "linear" else self.heads[: self.perceptrons]

    @property
    def course_seeds(self) -> tuple[int, ...]:
        """The head seeds of courses and landscapes."""
        return self.heads[: self.watched_heads]

    def course_layers(self, case: Case) -> tuple[int, ...]:
        """Return the layers at which a case's courses are observed."""
        return self.some_layers if case.head == "linear" else self.some_layers[-1:]

    def rhos_of(self, case: Case) -> tuple[float, ...]:
        """Return the radii at which a case is swept."""
        return self.rhos if case.head == "linear" else self.perceptron_rhos

    def recipe(self, case: Case) -> HeadRecipe:
        """Return how a case's heads are trained."""
        return replace(
            default_head(case.head),
            scaling=case.scaling,
            optimiser="adamw",
            learning_rate=self.rate,
            weight_decay=0.0,
            rho=0.0,
            batch=self.batch,
            select="last",
        )

    def at_depth(self, depth: int) -> StoredPlan:
        """Return the plan for a ViT of another depth than 12, at the same shares of its depth."""
        some = tuple(dict.fromkeys(max(1, round(t * depth / 12)) for t in self.some_layers))
        return replace(
            self,
            layers=tuple(dict.fromkeys(max(1, round(t * depth / 12)) for t in self.layers)),
            some_layers=some,
        )

    def to_json(self) -> dict[str, Any]:
        """Return every field."""
        return asdict(self)


def plan_of(
    *,
    quick: bool = False,
    splits: int | None = None,
    layers: Sequence[int] | None = None,
    perceptrons: Sequence[str] | None = None,
) -> StoredPlan:
    """Return the plan of a size.

    Args:
        quick: a plan that takes a minute: it runs everything, and its numbers mean nothing.
        splits: how many folds are tested; None for the plan's.
        layers: the layers of the main settings; None for the plan's.
        perceptrons: the models whose perceptrons are measured; None for the plan's.

    Raises:
        DataError: for layers that are not increasing or beyond 12, for a number of splits that folds do not give, and
            for perceptrons of other models than UniFD and CoRIT.
    """
    plan = _QUICK if quick else StoredPlan()
    if layers is not None:
        if list(layers) != sorted(set(layers)) or not layers or layers[0] < 1 or layers[-1] > 12:
            raise DataError(f"expected increasing layers from 1 to 12, got {list(layers)}; sort them")
        plan = replace(plan, layers=tuple(layers))
    if perceptrons is not None:
        if not set(perceptrons) <= set(MODELS) or UNIFD not in perceptrons:
            raise DataError(f"expected perceptrons of unifd, or of unifd and corit, got {', '.join(perceptrons)}")
        plan = replace(plan, perceptron_models=tuple(perceptrons))
    if splits is not None:
        plan = replace(plan, splits=tuple(range(splits)))
    return plan


_QUICK = StoredPlan(
    folds=3,
    splits=(0, 1),
    heads=(0, 1),
    layers=(6, 12),
    some_layers=(6, 12),
    rhos=(0.0, 0.1, 1.0),
    perceptron_rhos=(0.0, 0.1, 1.0),
    refine=1,
    watch_every=2,
    steps=20,
    batch=5,
)
