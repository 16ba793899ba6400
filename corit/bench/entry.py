"""The rows of a table: variants under one protocol, each beside the paper's row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from corit.bench.benchmark import Learner
from corit.bench.lab import Lab, Measured, Need, needs
from corit.bench.protocols import Protocol
from corit.bench.variant import CORIT, PROBE, PROJECTED, REGIONS_ONLY, UNIFD, Variant
from corit.errors import WeightsError
from corit.heads.published import WIDTH, unifd_head

PUBLISHED = (
    "UniFD's published head was trained by its authors on ProGAN and chosen by them on ProGAN's test set, so that its "
    "ProGAN column and its averages are best on test. One head, no seeds."
)
METRICS = {"auc": "AUC, %", "ap": "average precision, %", "acc": "accuracy at 0.5, %"}


@dataclass(frozen=True)
class Entry:
    """One row: its label, the paper's row, its variant; levels in place of z, or a learner of its own with a name."""

    label: str
    paper: str
    variant: Variant
    layers: tuple[int, ...] = ()
    learn: Callable[[Lab], Learner] | None = None
    name: str = ""


def methods(lab: Lab) -> list[Entry]:
    """CoRIT and its baselines, from the same rows with the same head; UniFD-768 where the backbone has a projection."""
    projected = [Entry("UniFD-768", "", PROJECTED)] if lab.backbone().projection is not None else []
    return [
        Entry("UniFD", "UniFD", UNIFD),
        *projected,
        Entry("patch tokens averaged", "", PROBE),
        Entry("regions pooled, not injected", "", REGIONS_ONLY),
        Entry("CoRIT", "CoRIT", CORIT),
    ]


def published(lab: Lab) -> tuple[list[Entry], tuple[str, ...]]:
    """UniFD with the head that its authors published, where the backbone fits it; and what is to be said of it."""
    projection = lab.backbone().projection
    if projection is None:
        return [], ()
    if projection.out_features != WIDTH:
        said = f"UniFD's published head reads {WIDTH} numbers, and this backbone projects to {projection.out_features}."
        return [], (said,)
    try:
        head = lab.once("published", lambda: unifd_head(lab.unifd_head))
    except WeightsError as err:
        return [], (f"Without UniFD's published head. {err}",)
    row = Entry("UniFD, published head", "", PROJECTED, learn=lambda _: lambda *given: [head.logits], name="unifd-768")
    return [row], (PUBLISHED,)


def wanted(lab: Lab, protocol: str, entries: Sequence[Entry]) -> list[Need]:
    """The features that some rows under a protocol read."""
    of = lab.stage.protocol(protocol)
    return [n for e in entries for n in needs(of, [e.variant], levels=bool(e.layers))]


def measure(lab: Lab, protocol: Protocol, entry: Entry, metric: str = "auc") -> Measured:
    """One row."""
    learn = None if entry.learn is None else entry.learn(lab)
    return lab.measure(protocol, entry.variant, metric, layers=entry.layers, learn=learn, name=entry.name)


def counted(counts: Mapping[str, tuple[int, int, int]], protocol: Protocol) -> str:
    """How much was measured, in one sentence: of each test set reals, fakes, and rows without a score."""
    unit = "videos" if protocol.level == "video" else "pictures"
    sizes = sorted({f"{reals} real and {fakes} fake" for reals, fakes, _ in counts.values()})
    lost = sum(n for _, _, n in counts.values())
    less = f"; {lost} rows could not be measured" if lost else ""
    return f"Each column: {' or '.join(sizes)} {unit}{less}."
