"""Detectors that a protocol run trains and measures: CoRIT, its baselines and UniFD's published head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from corit.bench.benchmark import Learner
from corit.bench.protocols import Protocol
from corit.bench.runner import FeatureRequest, MetricSummary, Runner, feature_requests
from corit.bench.variant import CORIT, PATCH_MEAN, PROJECTED, REGIONS_ONLY, UNIFD, RecipeVariant
from corit.errors import WeightsError
from corit.heads.published import WIDTH, unifd_head

PUBLISHED_HEAD = (
    "UniFD's published head was trained by its authors on ProGAN and chosen by them on ProGAN's test set, so that its "
    "ProGAN column and its averages are best on test. One head, no seeds."
)


@dataclass(frozen=True)
class DetectorSpec:
    """A detector to measure.

    Attributes:
        label: its name in a table.
        published: the name of the row of published numbers beside it, "" for none.
        variant: the recipe of its features.
        layers: layers in place of the integrated feature z.
        learn: makes another learner than the run's head.
        name: the name of that learner.
    """

    label: str
    published: str
    variant: RecipeVariant
    layers: tuple[int, ...] = ()
    learn: Callable[[Runner], Learner] | None = None
    name: str = ""


def corit_and_baselines(runner: Runner) -> list[DetectorSpec]:
    """List CoRIT and its baselines, on the same rows with the same head.

    UniFD on CLIP's projected feature is among them where the backbone has a projection.
    """
    projected = [DetectorSpec("UniFD-768", "", PROJECTED)] if runner.backbone().projection is not None else []
    return [
        DetectorSpec("UniFD", "UniFD", UNIFD),
        *projected,
        DetectorSpec("patch tokens averaged", "", PATCH_MEAN),
        DetectorSpec("regions pooled, not injected", "", REGIONS_ONLY),
        DetectorSpec("CoRIT", "CoRIT", CORIT),
    ]


def unifd_with_published_head(runner: Runner) -> tuple[list[DetectorSpec], tuple[str, ...]]:
    """Return UniFD with the head that its authors published, where the backbone fits it.

    Returns:
        The detector in a list, empty where it does not fit; and notes on it.
    """
    projection = runner.backbone().projection
    if projection is None:
        return [], ()
    if projection.out_features != WIDTH:
        note = f"UniFD's published head reads {WIDTH} numbers, and this backbone projects to {projection.out_features}."
        return [], (note,)
    try:
        head = runner.cached("published", lambda: unifd_head(runner.settings.unifd_head))
    except WeightsError as err:
        return [], (f"Without UniFD's published head. {err}",)
    learn = lambda _: lambda train, select, seeds: [head.logits]
    return [DetectorSpec("UniFD, published head", "", PROJECTED, learn=learn, name="unifd-768")], (PUBLISHED_HEAD,)


def requests_of(runner: Runner, protocol: str, detectors: Sequence[DetectorSpec]) -> list[FeatureRequest]:
    """List the features that some detectors read under a protocol."""
    of = runner.protocol(protocol)
    return [r for d in detectors for r in feature_requests(of, [d.variant], levels=bool(d.layers))]


def measure(runner: Runner, protocol: Protocol, detector: DetectorSpec, metric: str = "auc") -> MetricSummary:
    """Measure one metric of a detector under a protocol."""
    learn = None if detector.learn is None else detector.learn(runner)
    return runner.summary(protocol, detector.variant, metric, layers=detector.layers, learn=learn, name=detector.name)


def describe_counts(counts: Mapping[str, tuple[int, int, int]], protocol: Protocol) -> str:
    """Describe in one sentence how much was measured.

    Args:
        counts: reals, fakes and rows without a score of each test set.
        protocol: the protocol, whose level names the unit.
    """
    unit = "videos" if protocol.level == "video" else "pictures"
    sizes = sorted({f"{reals} real and {fakes} fake" for reals, fakes, _ in counts.values()})
    lost = sum(n for _, _, n in counts.values())
    missing = f"; {lost} rows could not be measured" if lost else ""
    return f"Each column: {' or '.join(sizes)} {unit}{missing}."
