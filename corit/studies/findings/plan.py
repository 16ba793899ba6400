"""The plan of the study, fixed before any measurement: worlds, encoders, model variants, head settings and radii.

An encoder seed is a data seed too: encoder s is pretrained on faces of world s and measured on identities of world s.
So intervals over encoder seeds cover new encoders, new people and new forgeries at once. The controls have one seed
each and are compared with the semantic encoder of the same world.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from corit.errors import DataError
from corit.recipe import Recipe
from corit.world.forgeries import KINDS
from corit.world.miniature import MiniatureSpec

SUBTLE, OVERT = ("F2F", "NT"), ("DF", "FS")
MAIN = "semantic"
CONTROLS = ("random", "attributes", "pixels")
TARGETS = (MAIN, *CONTROLS)

# Changes of the default recipe. `pool` pools regions without injecting them; `plain` does so without the mask as well.
VARIANTS: dict[str, dict[str, Any]] = {
    "unifd": {"model.kind": "unifd"},
    "corit": {},
    "no-mask": {"model.rrm": False},
    "pool": {"model.inject": False},
    "plain": {"model.inject": False, "model.rrm": False},
}

# Feature sets that are computed from another variant's store, see `corit.studies.findings.tasks`.
DERIVED = {"corit-class": "corit", "corit-narrow": "corit"}


@dataclass(frozen=True)
class Setting:
    """One sweep or training course.

    Attributes:
        target: the encoder's pretraining target.
        seed: the encoder seed.
        variant: the model variant, or a feature set of `DERIVED`.
        head: "mlp" or "linear".
        scaling: the scaling of features, "standard" or "whiten".
        layers: the layers.
    """

    target: str
    seed: int
    variant: str
    head: str
    scaling: str
    layers: tuple[int, ...]

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.target}-{self.seed}.{self.variant}.{self.head}.{self.scaling}"

    @property
    def store(self) -> str:
        """The variant whose store holds its features."""
        return DERIVED.get(self.variant, self.variant)


@dataclass(frozen=True)
class FindingsPlan:
    """Sizes and grids of the study. Field names are keys of plan.json and claims.json.

    Attributes:
        train: training identities.
        val: validation identities.
        test: test identities.
        pictures: pictures of each identity.
        encoders: encoder seeds.
        targets: pretraining targets of encoders, "semantic" and its controls.
        heads: head seeds.
        layers: layers of the main settings.
        some_layers: layers of the other settings.
        rhos: SAM radii of the sweeps, 0 first.
        refine: bisection steps of a radius of collapse.
        watched: SAM's radius in training courses.
        watch_every: steps between two observations of a course.
        epochs: numbers of epochs to choose from.
        linear_rates: learning rates to choose from, linear head.
        perceptron_rates: learning rates to choose from, perceptron.
        steps: pretraining steps of semantic encoders that are missing.
        extra_steps: pretraining steps of the controls.
        batch: batch size in pretraining.
        faces: drawn faces in pretraining.
        photographs: whether encoders need photographs.
        pictures_read: pictures on which the gradient proxy is measured.

    Raises:
        DataError: without seeds, without two radii that begin with 0, or for unknown targets.
    """

    train: int = 80
    val: int = 30
    test: int = 60
    pictures: int = 4
    encoders: tuple[int, ...] = (0, 1, 2)
    targets: tuple[str, ...] = TARGETS
    heads: tuple[int, ...] = (0, 1, 2, 3, 4)
    layers: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    some_layers: tuple[int, ...] = (4, 6, 8)
    rhos: tuple[float, ...] = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 20.0)
    refine: int = 3
    watched: float = 0.05
    watch_every: int = 10
    epochs: tuple[int, ...] = (5, 10, 20, 30)
    linear_rates: tuple[float, ...] = (0.1, 0.5, 2.0)
    perceptron_rates: tuple[float, ...] = (0.0003, 0.001, 0.003)
    steps: int = 3000
    extra_steps: int = 1000
    batch: int = 128
    faces: int = 30_000
    photographs: bool = True
    pictures_read: int = 240

    def __post_init__(self) -> None:
        if not self.encoders or not self.heads or len(self.rhos) < 2 or self.rhos[0] != 0:
            raise DataError(
                f"expected encoder seeds, head seeds and radii that begin with 0, got {self.encoders}, {self.heads}, "
                f"{self.rhos}"
            )
        unknown = sorted(set(self.targets) - set(TARGETS))
        if unknown or MAIN not in self.targets:
            raise DataError(f"expected targets among {', '.join(TARGETS)}, {MAIN} with them; got {self.targets}")

    def world(self, seed: int) -> MiniatureSpec:
        """Return the world of an encoder seed."""
        return MiniatureSpec(seed, self.train, self.val, self.test, self.pictures)

    def encoders_of(self, target: str) -> tuple[int, ...]:
        """Return the encoder seeds of a target: all for "semantic", the first for a control."""
        return self.encoders if target == MAIN else self.encoders[:1]

    @property
    def all_encoders(self) -> list[tuple[str, int]]:
        """Target and seed of every encoder."""
        return [(t, s) for t in self.targets for s in self.encoders_of(t)]

    def variants_of(self, target: str) -> tuple[str, ...]:
        """Return the variants whose features are extracted with an encoder."""
        return tuple(VARIANTS) if target == MAIN else ("unifd", "corit")

    @property
    def settings(self) -> list[Setting]:
        """The settings of the radius sweeps."""
        main = [(v, h) for v in ("unifd", "corit") for h in ("mlp", "linear")]
        settings = [Setting(MAIN, s, v, h, "standard", self.layers) for s in self.encoders for v, h in main]
        others = ("no-mask", "pool", "plain", *DERIVED)
        settings += [Setting(MAIN, s, v, "mlp", "standard", self.some_layers) for s in self.encoders for v in others]
        settings += [Setting(MAIN, s, v, h, "whiten", self.some_layers) for s in self.encoders for v, h in main]
        controls = [t for t in self.targets if t != MAIN]
        settings += [
            Setting(t, s, v, "mlp", "standard", self.layers if v == "unifd" else self.some_layers)
            for t in controls
            for s in self.encoders_of(t)
            for v in ("unifd", "corit")
        ]
        return settings

    @property
    def course_settings(self) -> list[Setting]:
        """The settings whose training courses are observed."""
        return [s for s in self.settings if s.target == MAIN and s.scaling == "standard" and s.layers == self.layers]

    def to_json(self) -> dict[str, Any]:
        """Return every field, and the manipulation types."""
        return {**asdict(self), "kinds": list(KINDS)}


def recipe(variant: str, backbone: str, digest: str) -> Recipe:
    """Return the recipe of a stored variant."""
    return Recipe().replace(**{"backbone.name": backbone, "backbone.weights": digest, **VARIANTS[variant]})


def quick_plan() -> FindingsPlan:
    """Return a plan that takes seconds: it runs everything, and its numbers mean nothing."""
    return replace(
        FindingsPlan(),
        train=6,
        val=3,
        test=4,
        pictures=2,
        encoders=(0, 1),
        targets=(MAIN, "random"),
        heads=(0, 1),
        layers=(1, 8),
        some_layers=(8,),
        rhos=(0.0, 0.1, 1.0, 10.0),
        refine=1,
        watch_every=1,
        epochs=(8, 10),
        linear_rates=(0.5,),
        perceptron_rates=(0.001,),
        steps=2,
        extra_steps=2,
        batch=8,
        faces=40,
        photographs=False,
        pictures_read=10,
    )
