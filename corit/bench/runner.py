"""Features, heads and measurements of one run, each made once however many results need it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from corit.backbones.device import device_of
from corit.backbones.load import load_backbone
from corit.backbones.names import default_weights
from corit.backbones.stepped import Backbone
from corit.bench.benchmark import Benchmark, Learner, Predictions, Scorer, benchmark, head_learner, predict
from corit.bench.means import mean_over_test_sets
from corit.bench.parts import ADVICE, ProtocolPart, absent_share, available
from corit.bench.protocols import Protocol
from corit.bench.rows import ProtocolRows, require_disjoint, select_rows
from corit.bench.testbed import DEFAULT_READING, Testbed
from corit.bench.variant import RecipeVariant
from corit.data.care.shares import Share
from corit.data.frames import Reading
from corit.data.sample import Source
from corit.data.stamp import current_version
from corit.errors import CoritError, DataError, InputError, WeightsError
from corit.features.extract import extract
from corit.features.store import FeatureStore
from corit.features.targets import StoreTarget
from corit.heads.defaults import experiment_head, limit_batch
from corit.heads.head import HeadRecipe
from corit.metrics.bootstrap import Estimate
from corit.model.encode import Encoder
from corit.progress import OpenBar, no_bar
from corit.sources import PartOfSet

LEVELS_SUFFIX = "-levels"  # of the folder of a store that keeps every layer


@dataclass(frozen=True)
class FeatureRequest:
    """Features to extract.

    Attributes:
        data: the name of the data set.
        variant: the recipe.
        protocol: the protocol, whose transform and reading apply.
        levels: whether to keep the features of every layer.
    """

    data: str
    variant: RecipeVariant
    protocol: Protocol
    levels: bool = False


def feature_requests(
    protocol: Protocol, variants: Iterable[RecipeVariant], levels: bool = False
) -> list[FeatureRequest]:
    """List the features of a protocol's data sets by some variants."""
    return [FeatureRequest(d, v, protocol, levels) for v in variants for d in protocol.data]


@dataclass(frozen=True)
class MetricSummary:
    """One metric of a detector under a protocol.

    Attributes:
        values: the estimate of each test set, by title, in the metric's own unit.
        average: the estimate of their mean.
        counts: reals, fakes and rows without a score of each test set, in pictures or videos.
    """

    values: Mapping[str, Estimate]
    average: Estimate
    counts: Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True)
class RunSettings:
    """Settings of a run.

    Attributes:
        backbone: the backbone's name.
        weights: where its weights come from, "" for its default.
        other_weights: where the weights of further backbones come from, by name.
        seeds: head seeds.
        head: the recipe of the heads.
        draws: bootstrap draws.
        batch: pictures in a forward pass.
        workers: processes that decode and prepare pictures, 0 for none.
        device: "cpu" or "cuda".
        unifd_head: the file of UniFD's published head, None to download it.

    Raises:
        DataError: for less than one seed, two draws, a batch of one or zero workers.
        DeviceError: when the device is not available.
    """

    backbone: str = "miniature"
    weights: str = ""
    other_weights: Mapping[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    head: HeadRecipe = field(default_factory=experiment_head)
    draws: int = 200
    batch: int = 32
    workers: int = 0
    device: str = "cpu"
    unifd_head: Path | None = None

    def __post_init__(self) -> None:
        if not self.seeds or self.draws < 2 or self.batch < 1 or self.workers < 0:
            raise DataError(
                "expected at least one head seed, two draws, a batch of one and no less than zero workers, got "
                f"{len(self.seeds)}, {self.draws}, {self.batch} and {self.workers}"
            )
        device_of(self.device)  # a wrong one ends the run before it writes anything

    @property
    def named_backbone(self) -> tuple[str, str]:
        """Name and weights of the run's backbone."""
        return self.backbone, self.weights or default_weights(self.backbone)

    def backbone_of(self, variant: RecipeVariant | None) -> tuple[str, str]:
        """Return name and weights of a variant's backbone; None and a variant without one mean the run's own."""
        name, weights = self.named_backbone
        if variant is None or not variant.backbone:
            return name, weights
        own = weights if variant.backbone == name else self.other_weights.get(variant.backbone, "")
        return variant.backbone, variant.weights or own or default_weights(variant.backbone)


class Runner:
    """Extracts features, trains heads and measures them, in one folder.

    It reads what the folder holds and extracts what is missing.

    Attributes:
        testbed: the data sets and protocols.
        out: the folder.
        settings: the settings of the run.
        bars: opens progress bars.
    """

    def __init__(
        self, testbed: Testbed, out: str | Path, settings: RunSettings | None = None, *, bars: OpenBar = no_bar
    ) -> None:
        self.testbed, self.out, self.bars = testbed, Path(out), bars
        self.settings = settings or RunSettings()
        self._backbones: dict[tuple[str, str], Backbone] = {}
        self._unavailable: set[tuple[str, str]] = set()
        self._sources: dict[tuple[str, Reading], Source] = {}
        self._digests: dict[tuple[str, Reading], str] = {}
        self._scorers: dict[Any, Sequence[Scorer]] = {}
        self._benchmarks: dict[Any, Benchmark] = {}
        self._cache: dict[str, Any] = {}
        self._up_to_date: set[Path] = set()  # stores that this run has extracted

    @cached_property
    def caption(self) -> dict[str, Any]:
        """World, backbone, head and seeds: the caption of every result."""
        return {**self.caption_without_weights, "backbone": self.describe_backbone()}

    @property
    def caption_without_weights(self) -> dict[str, Any]:
        """The same, as far as it is known before the backbone's weights are loaded."""
        h = self.settings.head
        choice = "the last" if h.select == "last" else f"the best by validation {h.select}"
        head = (
            f"{h.kind}, {h.radius_text}, {h.optimiser}, learning rate {h.learning_rate:g}, batches of at most "
            f"{h.batch}, {h.scaling} scaling, {choice} of {h.epochs} epochs"
        )
        name, weights = self.settings.named_backbone
        seeds = list(self.settings.seeds)
        return {"world": self.testbed.caption, "backbone": f"{name}, {weights} weights", "head": head, "seeds": seeds}

    def describe_backbone(self, variant: RecipeVariant | None = None) -> str:
        """Describe a variant's backbone, or the run's, in words: name, where its weights are from, their digest."""
        backbone = self.backbone(variant)
        return f"{backbone.label}, {backbone.source} weights {backbone.digest[:12]}"

    def backbone(self, variant: RecipeVariant | None = None) -> Backbone:
        """Load a variant's backbone, or the run's.

        Raises:
            BackboneError: for an unknown name.
            WeightsError: when the weights cannot be read or downloaded.
        """
        named = self.settings.backbone_of(variant)
        if named not in self._backbones:
            try:
                self._backbones[named] = load_backbone(*named)
            except WeightsError as err:
                if named[0] == self.settings.backbone:
                    raise
                raise WeightsError(f"{err}; for this one: --other-weights {named[0]}=FILE") from err
        return self._backbones[named]

    def has_backbone(self, request: FeatureRequest) -> bool:
        """Tell whether a request's backbone can be loaded; a failed download is not tried again."""
        named = self.settings.backbone_of(request.variant)
        if named not in self._unavailable:
            try:
                self.backbone(request.variant)
            except CoritError:
                self._unavailable.add(named)
        return named not in self._unavailable

    def source(self, data: str, reading: Reading = DEFAULT_READING) -> Source:
        """Open a data set of the testbed.

        Args:
            data: its name.
            reading: which frames of its videos to list.

        Raises:
            DataError: when it is missing or incomplete.
        """
        key = data, reading
        if key not in self._sources:
            source = self.testbed.sources[data](reading)
            try:
                _ = source.samples
            except DataError as err:
                if self.testbed.kind == "miniature" or self.testbed.partial:
                    raise
                raise DataError(f"{err} {ADVICE}.") from err
            self._sources[key] = source
        return self._sources[key]

    def protocol(self, name: str) -> Protocol:
        """Return a protocol by name, in a run on parts of data sets without the test sets that are not there.

        Raises:
            DataError: for an unknown name, and as `part`.
        """
        return self.part(self.testbed.protocol(name)).protocol

    def part(self, protocol: Protocol) -> ProtocolPart:
        """Return a protocol without the test sets that are not there; the whole one where only whole data sets count.

        Raises:
            DataError: see `corit.bench.parts.available`.
        """
        if not self.testbed.partial:
            return ProtocolPart(protocol)
        return available(protocol, lambda data: self.source(data, protocol.reading).samples)

    def shares(self, protocols: Iterable[Protocol]) -> dict[str, Share]:
        """Return how much of each data set of some protocols is there; nothing where only whole data sets count."""
        shares: dict[str, Share] = {}
        for protocol in protocols if self.testbed.partial else ():
            for data in protocol.data:
                try:
                    source = self.source(data, protocol.reading)
                except DataError:
                    shares[data] = absent_share(data)
                    continue
                if isinstance(source, PartOfSet):
                    shares[data] = source.share
        return shares

    def source_digest(self, data: str, reading: Reading = DEFAULT_READING) -> str:
        """Return `files_digest` of a data set.

        Raises:
            DataError: as `source`.
        """
        key = data, reading
        if key not in self._digests:
            self._digests[key] = files_digest(self.source(data, reading))
        return self._digests[key]

    def encoder(self, variant: RecipeVariant, protocol: Protocol) -> Encoder:
        """Make a variant's encoder under a protocol."""
        backbone = self.backbone(variant)
        return Encoder(backbone, variant.recipe(backbone, protocol), device=self.settings.device)

    def cached(self, name: str, make: Callable[[], Any]) -> Any:
        """Return a value that the run makes once, by name."""
        if name not in self._cache:
            self._cache[name] = make()
        return self._cache[name]

    def prepare(self, requests: Iterable[FeatureRequest]) -> None:
        """Extract features that are missing, all variants of the same pictures in one pass.

        Raises:
            CoritError: see `corit.features.extract.extract`.
        """
        groups: dict[tuple[str, Reading], dict[Path, StoreTarget]] = {}
        for request in requests:
            encoder = self.encoder(request.variant, request.protocol)
            folder = self._folder(request, encoder)
            target = StoreTarget(encoder, folder, folder.name.endswith(LEVELS_SUFFIX))
            groups.setdefault((request.data, request.protocol.reading), {})[folder] = target
        for (data, reading), targets in groups.items():
            self._extract(data, reading, [t for f, t in targets.items() if _with_levels(f) not in targets])

    def folder(self, request: FeatureRequest) -> Path:
        """Return the folder of a request's features; a store with levels serves requests without."""
        return self._folder(request, self.encoder(request.variant, request.protocol))

    def store(self, request: FeatureRequest) -> FeatureStore:
        """Open the features of a request; extract them first when they are missing."""
        self.prepare([request])
        return FeatureStore.open(self.folder(request))

    def stores(self, protocol: Protocol, variant: RecipeVariant, levels: bool = False) -> dict[str, FeatureStore]:
        """Open the stores of a protocol's data sets, by the data set's name."""
        return {d: self.store(FeatureRequest(d, variant, protocol, levels)) for d in protocol.data}

    def summary(
        self,
        protocol: Protocol,
        variant: RecipeVariant,
        metric: str = "auc",
        *,
        layers: tuple[int, ...] = (),
        learn: Learner | None = None,
        name: str = "",
    ) -> MetricSummary:
        """Train heads on a variant's features and measure one metric on every test set of a protocol.

        Heads of one recipe on the same rows are trained once.

        Args:
            protocol: the protocol.
            variant: the recipe of the features.
            metric: a metric of the protocol.
            layers: layers in place of the integrated feature z, see `corit.bench.rows.select_rows`.
            learn: another learner than the run's head.
            name: the name of that learner.

        Returns:
            Medians over head seeds, with bootstrap intervals over videos.

        Raises:
            DataError: as `corit.bench.benchmark.benchmark`.
        """
        result = self.benchmark(protocol, variant, layers, learn, name)
        values = {r.data: r for r in result.results if r.metric == metric}
        return MetricSummary(
            {t: Estimate(r.value, r.low, r.high) for t, r in values.items()},
            mean_over_test_sets(result.predictions, metric, self.settings.draws).estimate,
            {t: (r.reals, r.fakes, r.unscored) for t, r in values.items()},
        )

    def predictions(self, protocol: Protocol, variant: RecipeVariant) -> Mapping[str, Predictions]:
        """Return the scores behind `summary`, by test set."""
        return self.benchmark(protocol, variant).predictions

    def predict(
        self, protocol: Protocol, variant: RecipeVariant, tests: Protocol, stores: Mapping[str, FeatureStore]
    ) -> dict[str, Predictions]:
        """Score the test rows of another protocol by the heads that a protocol trains.

        Args:
            protocol: the protocol that trains the heads; `summary` shares them.
            variant: the recipe of the features.
            tests: the protocol of the test rows.
            stores: its features, by the data set's name.

        Raises:
            DataError: when test rows are among the rows to train on or to select by.
        """
        own = self.stores(protocol, variant)
        train, select = (select_rows(protocol, s, own) for s in (protocol.train, protocol.select))
        rows = {s.title: select_rows(tests, [s], stores) for s in tests.test}
        for chosen, role in ((train, "train on"), (select, "select by")):
            for test in rows.values():
                require_disjoint(protocol, chosen, test, role)
        scorers = self._cached_learner(protocol, (variant, (), ""), None)(train, select, self.settings.seeds)
        return {title: predict(tests, of, scorers) for title, of in rows.items()}

    def benchmark(
        self,
        protocol: Protocol,
        variant: RecipeVariant,
        layers: tuple[int, ...] = (),
        learn: Learner | None = None,
        name: str = "",
        oracle: bool = False,
    ) -> Benchmark:
        """Measure a variant under a protocol, once for each set of arguments; see `summary` for them.

        Args:
            protocol: the protocol.
            variant: the recipe of the features.
            layers: as `summary`.
            learn: as `summary`.
            name: as `summary`.
            oracle: adds results that are best on the test rows, see `corit.bench.benchmark.benchmark`.
        """
        key = (protocol, variant, layers, name, oracle)
        if key not in self._benchmarks:
            self._benchmarks[key] = benchmark(
                protocol,
                self.stores(protocol, variant, levels=bool(layers)),
                self._cached_learner(protocol, (variant, layers, name), learn),
                detector=name or variant.name,
                seeds=self.settings.seeds,
                layers=layers,
                oracle=oracle,
                draws=self.settings.draws,
            )
        return self._benchmarks[key]

    def learner(self) -> Learner:
        """Return the learner of the run's head, with mini-batches that a small training set can fill."""

        def learn(train: ProtocolRows, select: ProtocolRows, seeds: Sequence[int]) -> Sequence[Scorer]:
            return head_learner(limit_batch(self.settings.head, len(train)))(train, select, seeds)

        return learn

    def _cached_learner(self, protocol: Protocol, what: tuple[Any, ...], learn: Learner | None) -> Learner:
        """A learner that trains once on the rows that a protocol trains on and selects by."""
        train_heads = learn or self.learner()
        rows = tuple(getattr(protocol, f) for f in ("train", "select", "frames", "choice", "transform", "sampling"))

        def cached(train: ProtocolRows, select: ProtocolRows, seeds: Sequence[int]) -> Sequence[Scorer]:
            key = (rows, *what, tuple(select.column("id").tolist()))  # other rows choose another epoch
            if key not in self._scorers:
                self._scorers[key] = train_heads(train, select, seeds)
            return self._scorers[key]

        return cached

    def _folder(self, request: FeatureRequest, encoder: Encoder) -> Path:
        reading = request.protocol.reading
        digest = self.cached(
            f"rows of {request.data}, {reading}", lambda: rows_digest(self.source(request.data, reading))
        )
        features = self.out / "features" / self.testbed.key / f"{request.data}-{digest[:8]}"
        folder = features / f"{request.variant.name}-{encoder.recipe.digest[:10]}"
        levels = _with_levels(folder)
        return levels if request.levels or levels.exists() else folder

    def _extract(self, data: str, reading: Reading, targets: Sequence[StoreTarget]) -> None:
        source = self.source(data, reading)
        todo = [t for t in targets if Path(t.out) not in self._up_to_date]
        if not todo:
            return
        with self.bars(f"{data}, {len(todo)} recipes") as progress:
            batch, workers = self.settings.batch, self.settings.workers
            extract(source, todo, batch=batch, workers=workers, progress=progress)
        self._up_to_date |= {Path(t.out) for t in todo}


def _with_levels(folder: Path) -> Path:
    return folder.with_name(folder.name + LEVELS_SUFFIX)


def rows_digest(source: Source) -> str:
    """Return a digest of the rows that a source lists; of drawn pictures, which have no files, also of the first."""
    h = hashlib.sha256(repr(tuple(source.samples)).encode())
    if source.samples and not os.path.exists(source.samples[0].path):
        h.update(_first_picture(source))
    return h.hexdigest()


def files_digest(source: Source) -> str:
    """Return a digest of the rows that a source lists, of sizes and times of their files, and of the first picture.

    The first picture's pixels tell a drawn world whose code has changed.
    """
    h = hashlib.sha256()
    for s in source.samples:
        h.update(repr((s, current_version(s).stamp)).encode())
    if source.samples:
        h.update(_first_picture(source))
    return h.hexdigest()


def _first_picture(source: Source) -> bytes:
    try:
        return source.load(source.samples[0]).pixels.tobytes()
    except InputError as err:
        return str(err).encode()
