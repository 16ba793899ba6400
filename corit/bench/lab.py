"""Features, heads and measurements of one run, each made once however many artefacts ask for it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from corit.backbones.device import device_of
from corit.backbones.load import load_backbone
from corit.backbones.names import default_weights
from corit.backbones.stepped import Backbone
from corit.bench.benchmark import Benchmark, Learner, Scored, Scorer, benchmark, learner, score
from corit.bench.draws import mean
from corit.bench.parts import Part, part, require_disjoint
from corit.bench.protocols import Protocol
from corit.bench.stage import USUAL, Stage
from corit.bench.variant import Variant
from corit.data.frames import Reading
from corit.data.sample import Source
from corit.data.stamp import current_version
from corit.errors import CoritError, DataError, InputError, WeightsError
from corit.features.extract import Target
from corit.features.shared import extract_shared
from corit.features.store import FeatureStore
from corit.heads.defaults import experiment_head, limit_batch
from corit.heads.head import HeadRecipe
from corit.metrics.bootstrap import Estimate
from corit.model.encode import Encoder
from corit.progress import OpenBar, no_bar

HEAD = experiment_head()


@dataclass(frozen=True)
class Need:
    """Features that an artefact reads: of one data set, by one variant, under a protocol's transform, with levels?"""

    data: str
    variant: Variant
    protocol: Protocol
    levels: bool = False


def needs(protocol: Protocol, variants: Iterable[Variant], levels: bool = False) -> list[Need]:
    """The features of a protocol's data sets by some variants."""
    return [Need(d, v, protocol, levels) for v in variants for d in protocol.data]


@dataclass(frozen=True)
class Measured:
    """A variant under a protocol: each test set's estimate of a metric and that of their mean, in their own unit.

    reals, fakes, unscored: by test set, pictures or videos.
    """

    values: Mapping[str, Estimate]
    average: Estimate
    counts: Mapping[str, tuple[int, int, int]]


class Lab:
    """Makes what artefacts ask for, in one folder; what is on the disk is read, what is missing is extracted.

    draws: of the bootstrap. bars: opens progress bars. unifd_head: the file of UniFD's published
    head, None to fetch it. others: where the weights of further backbones are, by name. Raises DataError for less than
    one seed, two draws or a batch of one, DeviceError for a device that is not here.
    """

    def __init__(
        self,
        stage: Stage,
        out: str | Path,
        *,
        backbone: str = "miniature",
        weights: str = "",
        seeds: Sequence[int] = (0, 1, 2, 3, 4),
        head: HeadRecipe = HEAD,
        draws: int = 200,
        batch: int = 32,
        workers: int = 0,
        device: str = "cpu",
        bars: OpenBar = no_bar,
        unifd_head: Path | None = None,
        others: Mapping[str, str] | None = None,
    ) -> None:
        if not seeds or draws < 2 or batch < 1 or workers < 0:
            raise DataError(
                "expected at least one head seed, two draws, a batch of one and no less than zero workers, got "
                f"{len(seeds)}, {draws}, {batch} and {workers}"
            )
        device_of(device)  # a wrong one ends the run before anything is recorded
        self.stage, self.out, self.seeds, self.head, self.draws = stage, Path(out), tuple(seeds), head, draws
        self.named = (backbone, weights or default_weights(backbone))
        self.others = dict(others or {})
        self.batch, self.workers, self.device, self.bars = batch, workers, device, bars
        self.unifd_head = unifd_head
        self._backbones: dict[tuple[str, str], Backbone] = {}
        self._lost: set[tuple[str, str]] = set()
        self._sources: dict[tuple[str, Reading], Source] = {}
        self._listings: dict[tuple[str, Reading], str] = {}
        self._scorers: dict[Any, Sequence[Scorer]] = {}
        self._measured: dict[Any, Benchmark] = {}
        self._once: dict[str, Any] = {}
        self._ready: set[str | Path] = set()  # stores that this run has brought up to date

    @cached_property
    def caption(self) -> dict[str, Any]:
        """World, backbone, head and seeds: what is said under every artefact."""
        return {**self.asked, "backbone": self.described(None)}

    @property
    def asked(self) -> dict[str, Any]:
        """The same as far as it is known without the backbone's weights."""
        h = self.head
        kept = "the last" if h.select == "last" else f"the best by validation {h.select}"
        head = (
            f"{h.kind}, SAM rho {h.rho:g}, {h.optimiser}, learning rate {h.learning_rate:g}, batches of at most "
            f"{h.batch}, {h.scaling} scaling, {kept} of {h.epochs} epochs"
        )
        backbone = f"{self.named[0]}, {self.named[1]} weights"
        return {"world": self.stage.caption, "backbone": backbone, "head": head, "seeds": list(self.seeds)}

    def described(self, variant: Variant | None) -> str:
        """The run's backbone, or a variant's, in words: name, where its weights are from, and their digest."""
        name, weights = self._named(variant)
        return f"{name}, {weights} weights {self.backbone(variant).digest[:12]}"

    def backbone(self, variant: Variant | None = None) -> Backbone:
        """The run's backbone, or the one that a variant names. Raises BackboneError, WeightsError."""
        named = self._named(variant)
        if named not in self._backbones:
            try:
                self._backbones[named] = load_backbone(*named)
            except WeightsError as err:
                if named[0] == self.named[0]:
                    raise
                raise WeightsError(f"{err}; for this one: --other-weights {named[0]}=FILE") from err
        return self._backbones[named]

    def _named(self, variant: Variant | None) -> tuple[str, str]:
        """Name and weights of a variant's backbone: its own, else what the run says of that backbone."""
        name, weights = self.named
        if variant is None or not variant.backbone:
            return name, weights
        said = weights if variant.backbone == name else self.others.get(variant.backbone, "")
        return variant.backbone, variant.weights or said or default_weights(variant.backbone)

    def source(self, data: str, reading: Reading = USUAL) -> Source:
        """A data set of the stage under a reading. Raises DataError where it is missing or incomplete."""
        key = data, reading
        if key not in self._sources:
            self._sources[key] = self.stage.sources[data](reading)
        return self._sources[key]

    def listing(self, data: str, reading: Reading = USUAL) -> str:
        """A digest of what a data set lists, of its files' and landmarks' sizes and times, and of one picture's pixels.

        Features of other rows, splits or files have another folder; the one picture tells a drawn world whose code
        has changed. Raises DataError as `source`.
        """
        key = data, reading
        if key not in self._listings:
            self._listings[key] = digest(self.source(data, reading))
        return self._listings[key]

    def rows(self, data: str, reading: Reading) -> str:
        """What tells one list of rows from another, whatever is in their files; of drawn ones, also what is drawn."""
        return self.once(f"rows of {data}, {reading}", lambda: listed(self.source(data, reading)))

    def encoder(self, variant: Variant, protocol: Protocol) -> Encoder:
        """A variant's encoder under a protocol."""
        backbone = self.backbone(variant)
        return Encoder(backbone, variant.recipe(backbone, protocol), device=self.device)

    def can(self, need: Need) -> bool:
        """Whether the backbone of a need is to be had; a hub that did not answer is not asked again for this."""
        named = self._named(need.variant)
        if named not in self._lost:
            try:
                self.backbone(need.variant)
            except CoritError:
                self._lost.add(named)
        return named not in self._lost

    def prepare(self, wanted: Iterable[Need]) -> None:
        """Extract what is missing, all variants of the same pictures in one pass. Raises as `extract`."""
        groups: dict[tuple[str, Reading], dict[Path, Target]] = {}
        for need in wanted:
            encoder = self.encoder(need.variant, need.protocol)
            folder = self._folder(need, encoder)
            target = Target(encoder, folder, folder.name.endswith(LEVELS))
            groups.setdefault((need.data, need.protocol.reading), {})[folder] = target
        for (data, reading), targets in groups.items():
            self._extract(data, reading, [t for f, t in targets.items() if f.with_name(f.name + LEVELS) not in targets])

    def folder(self, need: Need) -> Path:
        """Where a need's features lie; a store with levels serves those who ask for none."""
        return self._folder(need, self.encoder(need.variant, need.protocol))

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What is made once a run, by name."""
        if name not in self._once:
            self._once[name] = make()
        return self._once[name]

    def store(self, need: Need) -> FeatureStore:
        """The features that a need names, extracted now where they are missing."""
        self.prepare([need])
        return FeatureStore.open(self.folder(need))

    def stores(self, protocol: Protocol, variant: Variant, levels: bool = False) -> dict[str, FeatureStore]:
        """The stores of a protocol's data sets."""
        return {d: self.store(Need(d, variant, protocol, levels)) for d in protocol.data}

    def measure(
        self,
        protocol: Protocol,
        variant: Variant,
        metric: str = "auc",
        *,
        layers: tuple[int, ...] = (),
        learn: Learner | None = None,
        name: str = "",
    ) -> Measured:
        """Train heads on a variant's features and measure every test set of a protocol once.

        layers: these levels in place of z. learn: another learner than the run's head, with a name for it. Values are
        medians over head seeds, with bootstrap intervals over videos; heads of one recipe on the same rows are trained
        once. Raises as `benchmark`.
        """
        found = self.benchmark(protocol, variant, layers, learn, name)
        values = {r.data: r for r in found.results if r.metric == metric}
        return Measured(
            {t: Estimate(r.value, r.low, r.high) for t, r in values.items()},
            mean(found.scored, metric, self.draws).estimate,
            {t: (r.reals, r.fakes, r.unscored) for t, r in values.items()},
        )

    def scored(self, protocol: Protocol, variant: Variant) -> Mapping[str, Scored]:
        """The scores behind `measure`, by test set."""
        return self.benchmark(protocol, variant).scored

    def score(
        self, protocol: Protocol, variant: Variant, tests: Protocol, stores: Mapping[str, FeatureStore]
    ) -> dict[str, Scored]:
        """Scores of another protocol's test rows by the heads that a protocol trains, which `measure` shares."""
        known = self.stores(protocol, variant)
        train, select = (part(protocol, s, known) for s in (protocol.train, protocol.select))
        rows = {s.title: part(tests, [s], stores) for s in tests.test}
        for chosen, role in ((train, "train on"), (select, "select by")):
            for test in rows.values():
                require_disjoint(protocol, chosen, test, role)
        scorers = self._remembered(protocol, (variant, (), ""), None)(train, select, self.seeds)
        return {title: score(tests, of, scorers) for title, of in rows.items()}

    def benchmark(
        self,
        protocol: Protocol,
        variant: Variant,
        layers: tuple[int, ...] = (),
        learn: Learner | None = None,
        name: str = "",
        oracle: bool = False,
    ) -> Benchmark:
        """Everything behind `measure`; oracle: see `corit.bench.benchmark.benchmark`."""
        key = (protocol, variant, layers, name, oracle)
        if key not in self._measured:
            stores = self.stores(protocol, variant, levels=bool(layers))
            made = self._remembered(protocol, (variant, layers, name), learn)
            called = name or variant.name
            options = {"detector": called, "seeds": self.seeds, "layers": layers, "draws": self.draws, "oracle": oracle}
            self._measured[key] = benchmark(protocol, stores, made, **options)  # type: ignore[arg-type]
        return self._measured[key]

    def learner(self) -> Learner:
        """The run's head, with mini-batches that a small training set can fill."""

        def learn(train: Part, select: Part, seeds: Sequence[int]) -> Sequence[Scorer]:
            return learner(limit_batch(self.head, len(train)))(train, select, seeds)

        return learn

    def _remembered(self, protocol: Protocol, what: tuple[Any, ...], learn: Learner | None) -> Learner:
        """A learner that trains once on the rows that a protocol trains on and selects by."""
        made = learn or self.learner()
        rows = tuple(getattr(protocol, f) for f in ("train", "select", "frames", "choice", "transform", "sampling"))

        def remembered(train: Part, select: Part, seeds: Sequence[int]) -> Sequence[Scorer]:
            key = (rows, *what, tuple(select.column("id").tolist()))  # other rows choose another epoch
            if key not in self._scorers:
                self._scorers[key] = made(train, select, seeds)
            return self._scorers[key]

        return remembered

    def _folder(self, need: Need, encoder: Encoder) -> Path:
        data = f"{need.data}-{self.rows(need.data, need.protocol.reading)[:8]}"
        folder = self.out / "features" / self.stage.key / data / f"{need.variant.name}-{encoder.recipe.digest[:10]}"
        levels = folder.with_name(folder.name + LEVELS)
        return levels if need.levels or levels.exists() else folder

    def _extract(self, data: str, reading: Reading, targets: Sequence[Target]) -> None:
        source = self.source(data, reading)
        todo = [t for t in targets if t.out not in self._ready]
        if not todo:
            return
        with self.bars(f"{data}, {len(todo)} recipes") as progress:
            extract_shared(source, todo, batch=self.batch, workers=self.workers, progress=progress)
        self._ready |= {t.out for t in todo}


LEVELS = "-levels"


def listed(source: Source) -> str:
    """What tells one list of rows from another; with the first picture where it is drawn, as no file tells of it."""
    h = hashlib.sha256(repr(tuple(source.samples)).encode())
    if source.samples and not os.path.exists(source.samples[0].path):
        h.update(_first(source))
    return h.hexdigest()


def _first(source: Source) -> bytes:
    try:
        return source.load(source.samples[0]).pixels.tobytes()
    except InputError as err:
        return str(err).encode()


def digest(source: Source) -> str:
    """What tells one list of rows, and the files behind it, from another."""
    h = hashlib.sha256()
    for s in source.samples:
        h.update(repr((s, current_version(s).stamp)).encode())
    if source.samples:
        h.update(_first(source))
    return h.hexdigest()
