"""The plan of the control, fixed before any measurement: worlds, cases, the knobs of each, heads and radii."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from corit.errors import DataError
from corit.heads.defaults import default_head
from corit.heads.head import HeadRecipe
from corit.heads.rows import Scaling
from corit.world.forgeries import KINDS
from corit.world.miniature import MiniatureSpec

SUBJECT = "NT"  # the type whose signal is moved
OVERT = ("DF", "FS")
PAIR = (SUBJECT, "FS")
STRANGE = 1000  # the seed of the world from which the change is made

# CLIP ViT-B/16's raw class token by layer, after the final norm, on 200 real and 200 fake DFDC crops: the share c of
# the common mean, and the root-mean-square norm. docs/control.json holds them with their digits ("facts", "dfdc").
CLIP = (
    (0.987, 15.5),
    (0.992, 15.5),
    (0.981, 15.4),
    (0.972, 16.7),
    (0.959, 18.3),
    (0.939, 19.8),
    (0.927, 21.4),
    (0.910, 22.4),
    (0.909, 20.9),
    (0.902, 20.2),
    (0.831, 22.4),
    (0.642, 27.5),
)


@dataclass(frozen=True)
class Knobs:
    """The geometry that features are given; None leaves that part of it as the backbone has it.

    Attributes:
        common: c = ||E x||^2 / E ||x||^2 of the reals, from 0 to below 1.
        spread: the root of the reals' variance, the norm of centred rows.
        decay: a; the k-th eigenvalue of the reals' covariance is proportional to k^-a. 0 makes all alike.
        low: s, the share of NT's squared signal-to-noise ratio that lies on the axis of least variance; the rest lies
            on the fourth axis, behind the three that the other types' signals take. Needs `decay`.

    Raises:
        DataError: for a value out of its range.
    """

    common: float | None = None
    spread: float | None = None
    decay: float | None = None
    low: float | None = None

    def __post_init__(self) -> None:
        checks = (
            (self.common is None or 0 <= self.common < 1, "0 <= common < 1", self.common),
            (self.spread is None or self.spread > 0, "spread > 0", self.spread),
            (self.decay is None or self.decay >= 0, "decay >= 0", self.decay),
            (self.low is None or 0 <= self.low <= 1, "0 <= low <= 1", self.low),
            (self.low is None or self.decay is not None, "a decay where low is set", self.decay),
        )
        for ok, expected, value in checks:
            if not ok:
                raise DataError(f"knobs of the control: expected {expected}, got {value}")


BASE_SPREAD = 6.0
BASE = Knobs(common=0.9, spread=BASE_SPREAD, decay=0.8, low=0.9)  # as CLIP's layers 9 and 10


@dataclass(frozen=True)
class Case:
    """One sweep: a feature set and a head.

    Attributes:
        name: its name, such as "common 0.5, raw".
        layer: the miniature's layer.
        knobs: the geometry that its features are given.
        scaling: of the head.
        head: "linear" or "mlp".
        kinds: the manipulation types.
        rate: what the chosen learning rate is multiplied by.
    """

    name: str
    layer: int
    knobs: Knobs
    scaling: Scaling
    head: str = "linear"
    kinds: tuple[str, ...] = KINDS
    rate: float = 1.0


@dataclass(frozen=True)
class ControlPlan:
    """Sizes and grids of the control. Field names are keys of control.json.

    Attributes:
        train: training identities.
        val: validation identities.
        test: test identities.
        pictures: pictures of each identity.
        worlds: seeds of worlds: other faces and forgeries, one packaged encoder.
        strangers: identities of a world of its own, in no split of the others, from which the change is made.
        heads: head seeds.
        layers: layers whose features are measured as they are.
        layer: the layer whose geometry is changed.
        rhos: SAM radii, 0 first.
        far: the radius at which losses are counted.
        commons: values of c that are tried, beside the base's.
        spreads: values of the spread.
        lows: values of the share of NT's signal on the axis of least variance.
        decays: values of the spectrum's decay.
        depths: CLIP's layers whose c and norm are given to the same features.
        rates: learning rates to choose from.
        epochs: numbers of epochs to choose from.
        hidden: hidden units of the perceptron.

    Raises:
        DataError: without worlds or heads, or with radii that do not begin with 0 or lack `far`.
    """

    train: int = 80
    val: int = 30
    test: int = 60
    pictures: int = 4
    worlds: tuple[int, ...] = (0, 1, 2)
    strangers: int = 400
    heads: tuple[int, ...] = (0, 1, 2, 3, 4)
    layers: tuple[int, ...] = (1, 4, 8)
    layer: int = 8
    rhos: tuple[float, ...] = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
    far: float = 0.5
    commons: tuple[float, ...] = (0.0, 0.5, 0.7, 0.95, 0.97)
    spreads: tuple[float, ...] = (3.0, 12.0)
    lows: tuple[float, ...] = (0.0, 0.5, 0.99)
    decays: tuple[float, ...] = (0.0,)
    depths: tuple[int, ...] = (3, 6, 9, 11, 12)
    rates: tuple[float, ...] = (0.001, 0.003, 0.01)
    epochs: tuple[int, ...] = (10, 20, 40)
    hidden: int = 32

    def __post_init__(self) -> None:
        if not self.worlds or not self.heads or self.rhos[:1] != (0.0,) or self.far not in self.rhos:
            raise DataError(
                f"expected worlds, head seeds, and radii that begin with 0 and hold {self.far}, got {self.worlds}, "
                f"{self.heads}, {self.rhos}"
            )

    def world(self, seed: int) -> MiniatureSpec:
        """Return the world of a seed."""
        return MiniatureSpec(seed, self.train, self.val, self.test, self.pictures)

    @property
    def frame(self) -> MiniatureSpec:
        """The world from which the change is made: its training identities."""
        return MiniatureSpec(STRANGE, self.strangers, 2, 2, self.pictures)

    @property
    def cases(self) -> list[Case]:
        """Every case, the base first; cases that vary one knob measure the moved type and one overt type."""
        linear: tuple[Scaling, ...] = ("raw", "centre", "standard")
        base = [Case(f"base, {s}", self.layer, BASE, s) for s in linear]
        base += [Case(f"base, perceptron, {s}", self.layer, BASE, s, "mlp", (SUBJECT,)) for s in linear[:2]]
        varied = [Case(f"{n}, raw", self.layer, knobs, "raw", kinds=PAIR) for n, knobs in self._varied()]
        centred = [
            Case(f"{n}, centre", self.layer, k, "centre", kinds=PAIR) for n, k in self._varied() if "spread" in n
        ]
        for v in self.spreads:
            knobs, rate = replace(BASE, spread=v), BASE_SPREAD / v
            varied.append(
                Case(f"spread {v:g}, rate / {v / BASE_SPREAD:g}, raw", self.layer, knobs, "raw", kinds=PAIR, rate=rate)
            )
        own = [Case(f"own layer {layer}, {s}", layer, Knobs(), s) for layer in self.layers for s in linear]
        return [*base, *varied, *centred, *own]

    def _varied(self) -> list[tuple[str, Knobs]]:
        varied = [(f"common {c:g}", replace(BASE, common=c)) for c in self.commons]
        varied += [(f"spread {v:g}", replace(BASE, spread=v)) for v in self.spreads]
        varied += [(f"low {v:g}", replace(BASE, low=v)) for v in self.lows]
        varied += [(f"decay {v:g}", replace(BASE, decay=v)) for v in self.decays]
        for depth in self.depths:
            common, size = CLIP[depth - 1]
            varied.append((f"CLIP layer {depth}", replace(BASE, common=common, spread=size * (1 - common) ** 0.5)))
        return varied

    def to_json(self) -> dict[str, Any]:
        """Return every field, the base's knobs and the manipulation types."""
        return {**asdict(self), "base": asdict(BASE), "subject": SUBJECT, "kinds": list(KINDS)}


def quick_plan() -> ControlPlan:
    """Return a plan that takes seconds: it runs everything, and its numbers mean nothing."""
    return replace(
        ControlPlan(),
        train=8,
        val=4,
        test=5,
        pictures=2,
        worlds=(0, 1),
        strangers=8,
        heads=(0, 1),
        layers=(8,),
        rhos=(0.0, 0.1, 0.5),
        commons=(0.0, 0.7),
        spreads=(3.0,),
        lows=(0.5,),
        decays=(0.0,),
        depths=(9, 12),
        rates=(0.003,),
        epochs=(1, 2),
        hidden=4,
    )


def recipe_of(scaling: Scaling, head: str, chosen: dict[str, Any], hidden: int, rate: float = 1.0) -> HeadRecipe:
    """Return a head's recipe: AdamW with the chosen knobs, or for standardised features the default linear head.

    Raw and centred features are read with their own norms, on which the default's learning rate would diverge.
    """
    base = replace(default_head("linear" if head == "linear" else "mlp"), scaling=scaling, select="last", rho=0.0)
    if scaling == "standard":
        return base
    adam = {"learning_rate": chosen["learning_rate"] * rate, "epochs": chosen["epochs"], "hidden": hidden}
    return replace(base, optimiser="adamw", momentum=0.9, weight_decay=0.0, **adam)
