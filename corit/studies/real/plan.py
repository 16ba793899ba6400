"""What the study measures: sets, sizes, seeds, and the recipes that need a forward pass of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, Literal, get_args

from corit.data.collections import COMPOSITES, DFDC, PHOTOGRAPHS, STYLEGAN, Collection

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = Literal["layers", "components", "transfer", "variants", "control"]
PARTS: tuple[Part, ...] = get_args(Part)
Family = Literal["components", "regions", "tau", "thresholds", "perturb"]
FAMILIES: tuple[Family, ...] = get_args(Family)
FACES: Mapping[str, Collection] = {c.name: c for c in (DFDC, STYLEGAN, COMPOSITES)}
SETS: Mapping[str, Collection] = {**FACES, PHOTOGRAPHS.name: PHOTOGRAPHS}
PAIRED = DFDC.name  # the set whose pairs are forged once more by self-blending, and that the variants are measured on
BLENDED = "self-blend"  # training on self-blends of PAIRED's reals
Scaling = Literal["raw", "centred", "standardised"]
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)


@dataclass(frozen=True)
class Variant:
    """A recipe by its changes to CoRIT's defaults; its name is that of its store.

    Attributes:
        name: of the variant.
        changes: recipe fields and their values.
        family: the ablation that it belongs to; empty for the two that every part reads.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    family: str = ""


# One region that holds every patch, pooled and not injected: the tokens of the plain ViT, and the mean of its patches.
TOKENS = Variant("tokens", {"views.random_regions": 1, "model.inject": False, "model.rrm": False})
CORIT = Variant("corit")
TAUS: Mapping[str, tuple[float, ...]] = {
    "relative": (0.0, 0.1, 0.5, 0.9, 1.3),
    "absolute": (0.1, 0.5, 0.9, 1.3),
    "cosine": (0.1, 0.5, 0.9),
}
REGION_SETS = {
    "F": ("foreground",),
    "Bd": ("boundary",),
    "Bg": ("background",),
    "F+Bd": ("foreground", "boundary"),
    "F+Bg": ("foreground", "background"),
    "Bd+Bg": ("boundary", "background"),
}


def variants(family: Family) -> tuple[Variant, ...]:
    """List the recipes of an ablation that needs forward passes of its own; CoRIT's defaults are not among them."""
    return tuple(v for v in (*_components(), *_regions(), *_taus()) if v.family == family)


def _components() -> Iterator[Variant]:
    changes = {
        "pooled": {"model.inject": False, "model.rrm": False},
        "pooled, masked": {"model.inject": False},
        "injected, no mask": {"model.rrm": False},
    }
    return (Variant(name, c, "components") for name, c in changes.items())


def _regions() -> Iterator[Variant]:
    for name, regions in REGION_SETS.items():
        yield Variant(f"regions {name}", {"model.regions": regions}, "regions")
    yield Variant("regions random 3", {"views.random_regions": 3}, "regions")
    yield Variant("max pooling", {"model.pooling": "max"}, "regions")


def _taus() -> Iterator[Variant]:
    for perturb, (threshold, taus) in product(("source", "either"), TAUS.items()):
        for tau in taus:
            changes = {"model.tau": tau, "model.threshold": threshold, "views.blend.perturb": perturb}
            family = "perturb" if perturb == "either" else "tau" if threshold == "relative" else "thresholds"
            if (threshold, tau, perturb) != ("relative", 0.1, "source"):  # the defaults
                yield Variant(f"{threshold} {tau:g} {perturb}", changes, family)


@dataclass(frozen=True)
class RealPlan:
    """The sizes, seeds and settings of a run. The defaults fit into three hours on two quiet cores.

    Attributes:
        backbone: the frozen ViT of the study.
        weights: where its weights come from; see `corit.load_backbone`.
        control: the frozen ViT that stands against it.
        pairs: of DFDC.
        generated: pictures of each class of the StyleGAN faces; here and below, 0 leaves a set out.
        composites: pictures of each class of the composited faces.
        photographs: pictures of the scenes.
        blends: self-blended fakes of DFDC's reals.
        variant_pairs: pairs of DFDC's train and validation parts that the variants are measured on.
        folds: of the cross-validation over train and validation rows.
        seeds: of the SAM head.
        rhos: SAM's radii; the second is that of the comparisons.
        penalties: values of C that the logistic regression chooses from.
        epochs: of the SAM head.
        rate: learning rate of the SAM head.
        draws: bootstrap draws of an interval.
    """

    backbone: str = "clip-vit-b16"
    weights: str = "auto"
    control: str = "miniature"
    pairs: int = 400
    generated: int = 200
    composites: int = 150
    photographs: int = 120
    blends: int = 150
    variant_pairs: int = 80
    folds: int = 5
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    rhos: tuple[float, ...] = (0.0, 0.05, 0.5)
    penalties: tuple[float, ...] = (3e-4, 3e-3, 3e-2)
    epochs: int = 20
    rate: float = 1e-3
    draws: int = 1000

    def limit(self, name: str) -> int:
        """Return how many pairs or pictures of each class of a set are taken; 0 leaves it out."""
        limits = (self.pairs, self.generated, self.composites, self.photographs)
        return dict(zip(SETS, limits, strict=True))[name]

    def to_json(self) -> dict[str, Any]:
        """Return the settings that a folder keeps."""
        return settings(self)


def settings(plan: DataclassInstance) -> dict[str, Any]:
    """Return a plan's fields as a folder keeps them, with lists for tuples."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(plan).items()}


def quick_plan(plan: RealPlan | None = None) -> RealPlan:
    """Return a plan of a few pictures, which shows that the command runs and nothing about CoRIT."""
    return replace(
        plan or RealPlan(),
        pairs=20,
        generated=20,
        composites=20,
        photographs=12,
        blends=20,
        variant_pairs=12,
        folds=3,
        seeds=(0, 1),
        penalties=(1e-3, 1e-1),
        epochs=5,
        draws=100,
    )


def trainings(sets: Sequence[str], *, blends: bool) -> dict[str, tuple[str, ...]]:
    """List what is trained on, by name: each set of faces, every union of several, self-blends, and scenes.

    Args:
        sets: the sets that are there.
        blends: whether there are self-blends of PAIRED's reals.
    """
    faces = [n for n in sets if n in FACES]
    named = {" + ".join(c): c for size in range(1, len(faces) + 1) for c in combinations(faces, size)}
    alone = [BLENDED] if blends and PAIRED in faces else []
    alone += [n for n in sets if n == PHOTOGRAPHS.name]
    return {**named, **{n: (n,) for n in alone}}
