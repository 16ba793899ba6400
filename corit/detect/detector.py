"""A trained detector: a picture -> a Report, and many pictures -> a stream of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from corit.data.sample import Sample, Source
from corit.detect.row import Row
from corit.errors import DetectorError, InputError
from corit.features.preparation import PreparedRow, PrepareTask, PrepareWorker, prepare
from corit.files import replace_folder
from corit.heads.head import Head, HeadRecipe
from corit.images.picture import DRAWN, Picture, join_notes, read_picture
from corit.metrics.calibration import Calibration
from corit.model.corit import Readout
from corit.model.encode import Encoder
from corit.recipe import Recipe
from corit.views.prepare import Preparer, Views

if TYPE_CHECKING:
    from corit.backbones.stepped import Backbone

FORMAT = 1


@dataclass(frozen=True)
class Evidence:
    """What a page shows of one face.

    Attributes:
        image: the crop (S, S, 3) uint8.
        regions: patches of each region (K, N) bool.
        heat: evidence of each patch (h, w) in logits.
    """

    image: np.ndarray
    regions: np.ndarray
    heat: np.ndarray


@dataclass(frozen=True)
class Report:
    """The rows of one picture.

    Attributes:
        path: of the file.
        rows: one for each face, or one for the picture.
        evidence: of each row with a score, if asked for.
        colours: colours (512,) of a frame of a video, by which cuts are found; None for pictures and for face crops.
        looks: colours (512,) of the face of each row, by which faces are followed; None as above.
    """

    path: str
    rows: tuple[Row, ...]
    evidence: tuple[Evidence, ...] = ()
    colours: np.ndarray | None = field(default=None, compare=False, repr=False)
    looks: tuple[np.ndarray | None, ...] = field(default=(), compare=False, repr=False)

    @property
    def score(self) -> float | None:
        """The highest score of the picture's faces; None when nothing could be scored."""
        return max((r.score for r in self.rows if r.score is not None), default=None)


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


class Detector:
    """A head with its calibration and the recipe of its features, on a frozen backbone that is loaded on first use.

    Attributes:
        head: the head.
        card: what is known about the detector.
        device: cpu or cuda.
    """

    def __init__(self, head: Head, card: Card, backbone: Backbone | None = None, device: str = "cpu") -> None:
        self.head, self.card, self.device = head, card, device
        self._backbone = backbone

    @classmethod
    def load(cls, path: str | Path, *, weights: str | None = None, device: str = "cpu") -> Detector:
        """Read the folder of a detector.

        Args:
            path: the folder.
            weights: new place of the backbone's weights, if they moved.
            device: cpu or cuda.

        Returns:
            The detector; the backbone is loaded when it is first used.

        Raises:
            DetectorError: the folder is not a detector, or is damaged.
        """
        folder = Path(path)
        card = _read_card(folder)
        try:
            state = load_file(folder / "head.safetensors")
        except (OSError, SafetensorError) as err:
            raise DetectorError(f"expected head.safetensors in {folder}, but it cannot be read: {err}") from err
        if weights is not None:
            card = replace(card, weights=weights)
        return cls(Head.from_state(state, card.head), card, device=device)

    def save(self, path: str | Path) -> Path:
        """Write a folder with head.safetensors and detector.json, completely or not at all.

        Args:
            path: the folder; a detector that is there is replaced.

        Returns:
            The folder.

        Raises:
            DetectorError: something else is there.
        """
        target = Path(path)
        if target.exists() and not (target / "detector.json").exists():
            raise DetectorError(f"{target} exists and is not a detector; choose another folder")
        with replace_folder(target) as staged:
            (staged / "head.safetensors").write_bytes(save(self.head.state()))
            (staged / "detector.json").write_text(json.dumps(_card_json(self.card), indent=2) + "\n")
        return target

    @property
    def identity(self) -> str:
        """A digest (SHA-256) of the recipe, the head and the calibration: of everything that decides a score."""
        digest = hashlib.sha256(self.card.recipe.digest.encode())
        for name, tensor in sorted(self.head.state().items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
        digest.update(repr(sorted(asdict(self.card.calibration).items())).encode())
        return digest.hexdigest()

    @cached_property
    def backbone(self) -> Backbone:
        """The frozen backbone. Raises WeightsError, or DetectorError for other weights than those of the training."""
        if self._backbone is not None:
            return self._backbone
        from corit.backbones.load import load_backbone
        from corit.backbones.wheels import label_of

        recipe = self.card.recipe.backbone
        backbone = load_backbone(recipe.name, self.card.weights)
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

    def preparer(self, twins: int = 1) -> Preparer:
        """Return the preparation of the recipe, with `twins` self-blended twins where the features need one."""
        return self.encoder.preparer(twins)

    def __call__(
        self, image: str | Path | np.ndarray | Picture, *, twins: int = 1, evidence: bool = False, name: str = ""
    ) -> Report:
        """Score the faces of one picture, or the whole picture.

        For videos use `corit.score_video`, for folders `corit.detect_files`.

        Args:
            image: a path, an RGB array (H, W, 3) uint8, or a Picture.
            twins: self-blended twins to score it with; more than one gives a spread.
            evidence: also give the evidence of each patch.
            name: of the picture, for its rows; by default its path.

        Returns:
            A Report with a row for each face, or for the picture. A picture that cannot be scored has one row, with a
            status and a reason instead of a score.
        """
        label = name or (str(image) if isinstance(image, (str, Path)) else "")
        try:
            views = self.preparer(twins)(_picture(image))
        except InputError as err:
            return failed_report(label, err)
        return self.report(label, views, evidence=evidence)

    def report(self, path: str, views: Sequence[Views], *, evidence: bool = False) -> Report:
        """Score the prepared faces of one picture.

        Args:
            path: for the rows.
            views: of each face.
            evidence: also give the evidence of each patch.

        Returns:
            A row for each face.
        """
        logits = self.logits(views)
        rows = tuple(self._row(path, v, t) for v, t in zip(views, logits, strict=True))
        shown = tuple(self.evidence(v) for v in views) if evidence else ()
        return Report(path, rows, shown)

    def logits(self, views: Sequence[Views]) -> list[np.ndarray]:
        """Return for each view the logits (W,) of its twins, or of the view itself where features need no twin."""
        alone = [_with_twin(v, i) for v in views for i in range(max(1, len(v.twins)))]
        logits = self.head.logits(self.encoder(alone).z.float().cpu()).numpy() if alone else np.zeros(0)
        ends = np.cumsum([max(1, len(v.twins)) for v in views])
        return np.split(logits, ends[:-1])

    def _row(self, path: str, view: Views, logits: np.ndarray) -> Row:
        scores = self.card.calibration.score(logits)
        score = float(scores[0])  # the first twin's, so that asking for a spread does not change the score
        spread = float(scores.std()) if len(scores) > 1 else None
        reason = join_notes(self.outside(view.domain), view.note)
        verdict = self.verdict(score, view.domain)
        return Row(path, view.box, score, spread, verdict, reason=reason)

    def outside(self, domain: str = "") -> str:
        """Say why pictures of this domain are outside what the detector was trained on; empty if they are not.

        Args:
            domain: of the pictures, see `Picture.domain`; by default that of files.

        Returns:
            The reason in words, or "".
        """
        if not self.card.domain.startswith(DRAWN) or domain == DRAWN:
            return ""
        return f"outside what this detector was trained on: it knows {DRAWN} only"

    def verdict(self, score: float, domain: str = "") -> str:
        """Return the verdict on a score.

        Args:
            score: in [0, 1].
            domain: of the picture; see `outside`.

        Returns:
            "fake", "real" or "unsure"; "unsure" also for pictures outside its training.
        """
        return "unsure" if self.outside(domain) else self.card.calibration.verdict(score)

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
    ) -> Iterator[Report]:
        """Score many pictures, several in one forward pass. The scores depend on neither batch nor workers.

        Args:
            source: of the pictures.
            samples: what to score.
            twins: self-blended twins to score each picture with; more than one gives a spread.
            batch: pictures or faces in one forward pass.
            workers: processes that decode and prepare; 0 uses this process.
            evidence: also give the evidence of each patch.

        Yields:
            A Report for each sample, in order; what cannot be scored has a row with a status.
        """
        workers = 0 if self.encoder.in_process else workers
        tasks = (PrepareTask(s, (None,)) for s in samples)
        pending: list[list[PreparedRow]] = []
        with closing(prepare(tasks, PrepareWorker(source, self.preparer(twins), coloured=True), workers)) as stream:
            for items in stream:
                pending.append(items)
                if sum(map(len, pending)) >= batch:
                    yield from self._flush(pending, evidence)
                    pending = []
        yield from self._flush(pending, evidence)

    def _flush(self, pending: Sequence[Sequence[PreparedRow]], evidence: bool) -> Iterator[Report]:
        views = [i.views for items in pending for i in items if i.views is not None]
        logits = iter(self.logits(views))
        for items in pending:
            path = items[0].sample.path
            rows = tuple(self._item(i, logits) for i in items)
            shown = tuple(self.evidence(i.views) for i in items if i.views) if evidence else ()
            yield Report(path, rows, shown, items[0].colours, tuple(i.look for i in items))

    def _item(self, item: PreparedRow, logits: Iterator[np.ndarray]) -> Row:
        if item.views is None:
            return Row(item.sample.path, item.box, status=item.status, reason=item.reason)
        return self._row(item.sample.path, item.views, next(logits))


def failed_report(path: str, error: InputError) -> Report:
    """Return the report of a picture that cannot be scored: one row with a status and a reason."""
    return Report(path, (Row(path, status=error.status, reason=str(error)),))


def _with_twin(view: Views, index: int) -> Views:
    """The view with one of its twins, or unchanged where it has at most one."""
    return replace(view, twins=view.twins[index : index + 1]) if len(view.twins) > 1 else view


def _picture(image: str | Path | np.ndarray | Picture) -> Picture:
    if isinstance(image, Picture):
        return image
    return Picture(image) if isinstance(image, np.ndarray) else read_picture(image)


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
        masks = readout.masks[0, -1].cpu()  # type: ignore[index]
        for k, row in enumerate(regions):
            chosen = masks[k].float()
            count = chosen.sum().clamp_min(1)
            mean = (chosen @ level) / count
            heat += chosen * ((level - mean) @ row) / count
    return heat.numpy()


def _card_json(card: Card) -> dict[str, Any]:
    return {"format": FORMAT, **asdict(card), "recipe": card.recipe.to_toml(), "recipe_digest": card.recipe.digest}


def _inferred(recipe: Recipe, note: str) -> str:
    """The domain of a detector of an earlier version, which had none: inferred from the note of the demo."""
    drawn = recipe.backbone.name == "miniature" and note.startswith("trained in the miniature world")
    return f"{DRAWN} (inferred from its note)" if drawn else ""


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
        rest: dict[str, Any] = {k: tuple(v) if k == "classes" else v for k, v in saved.items()}
        card = Card(recipe, head, calibration, **{"domain": _inferred(recipe, saved.get("note", "")), **rest})
    except (json.JSONDecodeError, KeyError, TypeError) as err:
        raise DetectorError(f"{path} is damaged: {err!r}; train the detector again or restore the file") from err
    if recipe.digest != digest:
        raise DetectorError(f"{path} was edited: its recipe no longer has the digest it was trained with")
    return card
