"""A trained detector: a picture -> a Report, and many pictures -> a stream of them."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from corit.data.sample import Sample, Source
from corit.detect.familiarity import Familiarity
from corit.detect.pictures import report_views, scan_pictures, score_picture
from corit.detect.report import Evidence, Reading, Report
from corit.detect.row import OUTSIDE, Row
from corit.detect.stability import OTHER, settle
from corit.errors import DetectorError
from corit.files import replace_folder
from corit.heads.head import Head, HeadRecipe
from corit.heads.rows import Rows
from corit.images.picture import DRAWN, Picture, join_notes
from corit.metrics.calibration import Calibration
from corit.model.corit import Readout
from corit.model.encode import Encoder
from corit.recipe import Recipe
from corit.views.prepare import Preparer, Views

if TYPE_CHECKING:
    from corit.backbones.stepped import Backbone

FORMAT = 1
FAMILIARITY = "familiarity.safetensors"
VARIANTS = 8  # mild re-encodings that are encoded together at least


@dataclass(frozen=True)
class Card:
    """What is known about a detector; detector.json holds all of it.

    Attributes:
        recipe: of the features.
        head: how the head was trained.
        calibration: logits -> scores and verdicts.
        weights: place of the backbone's weights.
        licence: of these weights.
        classes: names of the labels 0 and 1.
        data_digest: digest of the training data.
        metrics: on the validation part.
        versions: of the packages that trained the detector.
        note: for pages.
        domain: what the training pictures show, in words, or "". Where it begins with `DRAWN`, the detector knows only
            the miniature world and calls no other picture real or fake.
        data: the data sets that it was trained on, each with its name, how much of it was there, how it was divided,
            and its rows; empty for detectors of earlier versions.
        units: what the head's radius is to be read with: norms and common share of the training features, see
            `corit.theory.geometry.Units`; empty where they are not known.
    """

    recipe: Recipe
    head: HeadRecipe
    calibration: Calibration
    weights: str
    licence: str
    classes: tuple[str, ...]
    data_digest: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    domain: str = ""
    data: tuple[Mapping[str, Any], ...] = ()
    units: Mapping[str, float] = field(default_factory=dict)

    @property
    def head_text(self) -> str:
        """The head in words: its kind, and its radius in units of the features' norm where that is known."""
        norm = self.units.get("scaled_rms_norm")
        known = f"SAM rho {self.head.rho:g}"
        if norm is not None:
            known += f" ({self.head.rho * norm:.3g} in units of the features' norm)"
        return f"{self.head.kind}, {known}, {self.head.scaling} scaling"


class Detector:
    """A head with its calibration and the recipe of its features, on a frozen backbone that is loaded on first use.

    Attributes:
        head: the head.
        card: what is known about the detector.
        device: cpu or cuda.
        name: of a detector that comes with the package, else "".
        familiarity: tells features that are far from the training features; None where the detector knows no distance.
    """

    def __init__(
        self,
        head: Head,
        card: Card,
        backbone: Backbone | None = None,
        device: str = "cpu",
        name: str = "",
        familiarity: Familiarity | None = None,
    ) -> None:
        self.head, self.card, self.device, self.name = head, card, device, name
        self.familiarity = familiarity
        self._backbone = backbone

    @classmethod
    def load(cls, path: str | Path, *, weights: str | None = None, device: str = "cpu", name: str = "") -> Detector:
        """Read the folder of a detector.

        Args:
            path: the folder.
            weights: new place of the backbone's weights, if they moved.
            device: cpu or cuda.
            name: of a detector that comes with the package; its rows carry it.

        Returns:
            The detector; the backbone is loaded when it is first used.

        Raises:
            DetectorError: the folder is not a detector, or is damaged.
        """
        folder = Path(path)
        card = _read_card(folder)
        head = Head.from_state(_read_tensors(folder, "head.safetensors"), card.head)
        known = (folder / FAMILIARITY).exists()
        familiarity = Familiarity.from_state(_read_tensors(folder, FAMILIARITY)) if known else None
        if weights is not None:
            card = replace(card, weights=weights)
        return cls(head, card, device=device, name=name, familiarity=familiarity)

    def changed(self, card: Card, head: Head | None = None, own: Rows | None = None) -> Detector:
        """Return a detector with another card, and another head if one is given, on the same backbone.

        Args:
            card: the new card.
            head: the new head.
            own: features (n, D) of pictures that are familiar from now on.

        Returns:
            The detector; it has no name.
        """
        other = copy.copy(self)
        other.card, other.head, other.name = card, head or self.head, ""
        other.familiarity = self.familiarity and (self.familiarity if own is None else self.familiarity.widened(own))
        return other

    def save(self, path: str | Path, *, files: Mapping[str, bytes] = MappingProxyType({})) -> Path:
        """Write a folder with the detector's files, completely or not at all.

        They are detector.json, head.safetensors and, where the detector knows a distance, familiarity.safetensors.

        Args:
            path: the folder; a detector that is there is replaced.
            files: further files of the folder, by name.

        Returns:
            The folder.

        Raises:
            DetectorError: something else is there.
        """
        target = Path(path)
        require_detector_place(target)
        with replace_folder(target) as staged:
            (staged / "head.safetensors").write_bytes(save(self.head.state()))
            if self.familiarity is not None:
                (staged / FAMILIARITY).write_bytes(save(self.familiarity.state()))
            (staged / "detector.json").write_text(json.dumps(_card_json(self.card), indent=2) + "\n")
            for name, data in files.items():
                (staged / name).write_bytes(data)
        return target

    @property
    def identity(self) -> str:
        """A digest (SHA-256) of everything that decides a row: recipe, head, calibration, and familiarity if known."""
        digest = hashlib.sha256(self.card.recipe.digest.encode())
        for name, tensor in sorted(self.head.state().items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
        digest.update(repr(sorted(asdict(self.card.calibration).items())).encode())
        for name, tensor in sorted(self.familiarity.state().items()) if self.familiarity else ():
            digest.update(f"familiarity {name}".encode() + tensor.numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def backbone(self) -> Backbone:
        """The frozen backbone. Raises WeightsError, or DetectorError for other weights than those of the training."""
        if self._backbone is not None:
            return self._backbone
        from corit.backbones.load import load_backbone
        from corit.backbones.wheels import label_of, source_for

        recipe = self.card.recipe.backbone
        backbone = load_backbone(recipe.name, source_for(self.card.weights, recipe.weights))
        if backbone.digest != recipe.weights:
            carried = label_of(recipe.weights)
            label, loaded = f" ({carried})" if carried else "", label_of(backbone.digest)
            raise DetectorError(
                f"this detector was trained on {recipe.name} weights {recipe.weights[:12]}{label}, but "
                f"{self.card.weights!r} holds {backbone.digest[:12]}{f' ({loaded})' if loaded else ''}; pass --weights "
                f"{'carrier' if carried else 'with the right file'}"
            )
        return backbone

    @cached_property
    def encoder(self) -> Encoder:
        """The frozen feature extractor of the recipe."""
        return Encoder(self.backbone, self.card.recipe, device=self.device)

    @property
    def calibrations(self) -> Mapping[str, Calibration]:
        """The calibration, by the name that rows carry."""
        return {self.name: self.card.calibration}

    @property
    def in_process(self) -> bool:
        """Whether pictures must be prepared in the process that holds the backbone."""
        return self.encoder.in_process

    def ready(self) -> None:
        """Load the backbone now. Raises WeightsError, DetectorError."""
        _ = self.encoder

    def share(self, other: Detector) -> None:
        """Use the backbone of another detector, which loads it, where both have the same weights."""
        if self._backbone is None and self.card.recipe.backbone.weights == other.card.recipe.backbone.weights:
            self._backbone = other.backbone

    def preparer(self, twins: int = 1) -> Preparer:
        """Return the preparation of the recipe, with `twins` self-blended twins where the features need one."""
        return self.encoder.preparer(twins)

    def __call__(
        self,
        image: str | Path | np.ndarray | Picture,
        *,
        twins: int = 1,
        evidence: bool = False,
        name: str = "",
        stable: bool = False,
    ) -> Report:
        """Score the faces of one picture, or the whole picture.

        For videos use `corit.score_video`, for folders `corit.detect_files`.

        Args:
            image: a path, an RGB array (H, W, 3) uint8, or a Picture.
            twins: self-blended twins to score it with; more than one gives a spread.
            evidence: also give the evidence of each patch.
            name: of the picture, for its rows; by default its path.
            stable: score it under three mild re-encodings too, and call it unsure where its verdict turns from real to
                fake or from fake to real; the score does not change.

        Returns:
            A Report with a row for each face, or for the picture. A picture that cannot be scored has one row, with a
            status and a reason instead of a score.
        """
        return score_picture(self, image, twins=twins, evidence=evidence, name=name, stable=stable)

    def report(self, path: str, views: Sequence[Views], *, evidence: bool = False) -> Report:
        """Score the prepared faces of one picture; see `corit.detect.pictures.report_views`."""
        return report_views(self, path, views, evidence=evidence)

    def logits(self, views: Sequence[Views]) -> list[np.ndarray]:
        """Return for each view the logits (W,) of its twins, or of the view itself where features need no twin."""
        return [reading.logits for reading in self.readings(views)]

    def readings(self, views: Sequence[Views]) -> list[Reading]:
        """Return for each view what `row` needs; features are computed once, those of all re-encodings together."""
        alone = [_with_twin(v, i) for v in views for i in range(max(1, len(v.twins)))]
        if not alone:
            return []
        z = self.encoder(alone).z.float().cpu()
        logits, counts = self.head.logits(z).numpy(), [max(1, len(v.twins)) for v in views]
        starts = np.cumsum([0, *counts[:-1]])
        distances = self.familiarity.distance(z[starts]).tolist() if self.familiarity else [None] * len(views)
        pairs = zip(np.split(logits, starts[1:]), distances, strict=True)
        return self._with_variants(views, [Reading(*pair) for pair in pairs])

    def _with_variants(self, views: Sequence[Views], readings: Sequence[Reading]) -> list[Reading]:
        """The readings with the verdicts on mild re-encodings, where the verdict on the view itself can turn."""
        turning = [i for i, (v, r) in enumerate(zip(views, readings, strict=True)) if v.variants and self._turns(v, r)]
        names = [(i, name) for i in turning for name in views[i].variants]
        variants = [views[i].variants[name] for i, name in names]
        size = max(len(views), VARIANTS)  # no more pictures at once than of the views themselves, or a few
        scores = [self._score(r) for k in range(0, len(variants), size) for r in self.readings(variants[k : k + size])]
        verdicts: dict[int, dict[str, str]] = {}
        for (i, name), score in zip(names, scores, strict=True):
            verdicts.setdefault(i, {})[name] = self.card.calibration.verdict(score)
        return [r._replace(variants=verdicts.get(i, {})) for i, r in enumerate(readings)]

    def _turns(self, view: Views, reading: Reading) -> bool:
        """Whether the verdict is one that a re-encoding can turn into the other."""
        return self.verdict(self._score(reading), view.domain, reading.distance) in OTHER

    def _score(self, reading: Reading) -> float:
        """The first twin's score, so that asking for a spread does not change it."""
        return float(self.card.calibration.score(reading.logits[:1])[0])

    def row(self, path: str, view: Views, reading: Reading) -> Row:
        """Return the row of one prepared face or picture.

        Args:
            path: for the row.
            view: the face or picture.
            reading: what `readings` gives for it.
        """
        scores = self.card.calibration.score(reading.logits)
        score = self._score(reading)
        spread = float(scores.std()) if len(scores) > 1 else None
        reason = join_notes(self.outside(view.domain, reading.distance), view.note)
        verdict = self.verdict(score, view.domain, reading.distance)
        row = Row(path, view.box, score, spread, verdict, reason=reason, detector=self.name or None)
        return settle(row, reading.variants)

    def outside(self, domain: str = "", distance: float | None = None) -> str:
        """Say why a picture is outside what the detector was trained on; empty if it is not.

        Args:
            domain: of the picture, see `Picture.domain`; by default that of files.
            distance: of its features from the training features, see `Reading`; None where it is not known.

        Returns:
            The reason in words, or "".
        """
        if self.card.domain.startswith(DRAWN) and domain != DRAWN:
            return f"{OUTSIDE}: it knows {DRAWN} only"
        return self.familiarity.words(distance) if self.familiarity and distance is not None else ""

    def verdict(self, score: float, domain: str = "", distance: float | None = None) -> str:
        """Return the verdict on a score.

        Args:
            score: in [0, 1].
            domain: of the picture; see `outside`.
            distance: of its features; see `outside`.

        Returns:
            "fake", "real" or "unsure"; "unsure" also for pictures outside its training.
        """
        return "unsure" if self.outside(domain, distance) else self.card.calibration.verdict(score)

    def evidence(self, view: Views) -> Evidence:
        """Measure, for each patch, how much it raises the logit of fake, compared with the mean patch of its region.

        Patch i of region k counts the sum over levels of m_ki (V_i - mean over the region) . d logit / d T_k. The map
        is zero on average over a region and shows where, inside it, the head finds what it calls fake. It is a reading
        of the head, not a proof.

        Args:
            view: a prepared face, or a prepared whole picture.

        Returns:
            The crop, its regions and the evidence of each patch in logits.
        """
        readout = self.encoder([_with_twin(view, 0)], keep_masks=True, keep_patches=True)
        z = readout.z.float().cpu().clone().requires_grad_()
        (slope,) = torch.autograd.grad(self.head.logits(z).sum(), z)
        heat = _patch_evidence(readout, slope[0])
        return Evidence(view.image, view.regions, heat.reshape(self.backbone.grid))

    def scan(
        self,
        source: Source,
        samples: Iterable[Sample],
        *,
        twins: int = 1,
        batch: int = 8,
        workers: int = 0,
        evidence: bool = False,
        stable: bool = False,
    ) -> Iterator[Report]:
        """Score many pictures, several in one forward pass. The scores depend on neither batch nor workers.

        Args:
            source: of the pictures.
            samples: what to score.
            twins: self-blended twins to score each picture with; more than one gives a spread.
            batch: pictures or faces in one forward pass.
            workers: processes that decode and prepare; 0 uses this process.
            evidence: also give the evidence of each patch.
            stable: as for one picture.

        Returns:
            A Report for each sample, in order; what cannot be scored has a row with a status.
        """
        options = {"twins": twins, "batch": batch, "workers": workers, "evidence": evidence, "stable": stable}
        return scan_pictures(self, source, samples, **options)  # type: ignore[arg-type]


def _with_twin(view: Views, index: int) -> Views:
    """The view with one of its twins, or unchanged where it has at most one."""
    return replace(view, twins=view.twins[index : index + 1]) if len(view.twins) > 1 else view


def _patch_evidence(readout: Readout, slope: torch.Tensor) -> np.ndarray:
    """(N) of a readout of one view, with masks where the model has regions, and the slope d logit / d z (Dz)."""
    assert readout.patches is not None
    v = readout.patches[0].float().cpu()  # (2, N, D)
    width = v.shape[-1]
    tokens = slope.view(-1, width)  # [C; T] of each level in turn, or the class token alone
    levels = v if readout.masks is not None and len(tokens) % 2 == 0 else v[1:]
    per_level = tokens.view(len(levels), -1, width)
    heat = torch.zeros(v.shape[1])
    for j, level in enumerate(levels):
        regions = per_level[j, 1:]
        if len(regions) == 0:  # no region tokens: the class token's slope reads every patch
            heat += (level - level.mean(0)) @ per_level[j, 0]
            continue
        if readout.masks is None:  # the class token and the mean of all patches
            heat += (level - level.mean(0)) @ regions[0] / len(level)
            continue
        masks = readout.masks[0, -1].cpu()  # type: ignore[index]
        for k, row in enumerate(regions):
            chosen = masks[k].float()
            count = chosen.sum().clamp_min(1)
            mean = (chosen @ level) / count
            heat += chosen * ((level - mean) @ row) / count
    return heat.numpy()


def ready_together(detectors: Sequence[Detector]) -> None:
    """Load the backbones of several detectors, once where some use the same. Raises WeightsError, DetectorError."""
    for i, detector in enumerate(detectors):
        for other in detectors[:i]:
            detector.share(other)
        detector.ready()


def require_detector_place(folder: Path) -> None:
    """Raise DetectorError where something else than a detector is at the place of a new one."""
    if folder.exists() and not (folder / "detector.json").exists():
        raise DetectorError(f"{folder} exists and is not a detector; choose another folder")


def _card_json(card: Card) -> dict[str, Any]:
    return {"format": FORMAT, **asdict(card), "recipe": card.recipe.to_toml(), "recipe_digest": card.recipe.digest}


def _inferred(recipe: Recipe, note: str) -> str:
    """The domain of a detector of an earlier version, which had none: inferred from the note of the demo."""
    drawn = recipe.backbone.name == "miniature" and note.startswith("trained in the miniature world")
    return f"{DRAWN} (inferred from its note)" if drawn else ""


def _read_tensors(folder: Path, name: str) -> dict[str, torch.Tensor]:
    try:
        return load_file(folder / name)
    except (OSError, SafetensorError) as err:
        raise DetectorError(f"expected {name} in {folder}, but it cannot be read: {err}") from err


def _read_card(folder: Path) -> Card:
    path = folder / "detector.json"
    if not path.is_file():
        raise DetectorError(f"expected a detector folder with detector.json at {folder}; make one with corit train")
    try:
        saved = json.loads(path.read_text())
        if saved.pop("format") != FORMAT:
            raise DetectorError(f"{path} is of another format than {FORMAT}; use the version of corit that wrote it")
        digest = saved.pop("recipe_digest")
        recipe = Recipe.from_toml(saved.pop("recipe"))
        head, calibration = HeadRecipe(**saved.pop("head")), Calibration(**saved.pop("calibration"))
        rest: dict[str, Any] = {k: tuple(v) if k in ("classes", "data") else v for k, v in saved.items()}
        card = Card(recipe, head, calibration, **{"domain": _inferred(recipe, saved.get("note", "")), **rest})
    except (json.JSONDecodeError, KeyError, TypeError) as err:
        raise DetectorError(f"{path} is damaged: {err!r}; train the detector again or restore the file") from err
    if recipe.digest != digest:
        raise DetectorError(f"{path} was edited: its recipe no longer has the digest it was trained with")
    return card
