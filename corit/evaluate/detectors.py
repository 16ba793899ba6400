"""What evaluation needs from a detector, whoever made it: scores of pictures, a threshold, and an identity."""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np

from corit.data.sample import Sample, Source
from corit.detect.detector import Detector
from corit.detect.named import load_detector
from corit.detect.report import Report, failed_report
from corit.detect.row import Row
from corit.errors import CoritError, DetectorError, InputError
from corit.images.picture import Picture
from corit.images.scenes import colour_histogram, face_histogram
from corit.recipe import ViewsRecipe
from corit.views.prepare import Box, Preparer

NAME = "DETECTOR"  # what a file of an outside detector has to define
Pictures = Sequence[np.ndarray]


class ScoringDetector(Protocol):
    """A detector that can be measured: `TrainedDetector` or `ExternalDetector`."""

    @property
    def threshold(self) -> float:
        """Scores from here up are called fake; it does not depend on the rows that are measured."""

    @property
    def identity(self) -> str:
        """A digest of what decides the scores, so that scores of two detectors are never mixed."""

    @property
    def about(self) -> Mapping[str, str]:
        """What a page says about the detector, by word."""

    def ready(self) -> None:
        """Load what is needed. Raises CoritError now instead of at the first picture."""

    def scan(self, source: Source, samples: Iterable[Sample], *, batch: int = 8, workers: int = 0) -> Iterator[Report]:
        """Yield a Report for each sample, in order; what cannot be scored has a row with a status."""


@dataclass(frozen=True)
class TrainedDetector:
    """A detector of this package, or UniFD's published one.

    Attributes:
        detector: the detector.
    """

    detector: Detector

    @property
    def threshold(self) -> float:
        """The threshold of the detector's calibration."""
        return self.detector.card.calibration.fake

    @property
    def identity(self) -> str:
        """That of the detector; see `Detector.identity`."""
        return self.detector.identity

    @property
    def about(self) -> Mapping[str, str]:
        """Model, backbone, head, validation and seeds."""
        card, c = self.detector.card, self.detector.card.calibration
        backbone = card.recipe.backbone
        known = {
            "model": card.recipe.model.kind,
            "backbone": f"{backbone.name} {backbone.weights[:12]}",
            "head": card.head_text,
            "validation": f"{c.reals} reals, {c.fakes} fakes, threshold {c.fake:.3f}",
        }
        seeds = len(card.metrics.get("auc_per_seed", ()))
        best = {"seeds": f"the best of {seeds} on validation" if seeds > 1 else "one"} if seeds else {}
        said = {"trained on": card.domain, "note": card.note}
        return {**known, **best, **{k: v for k, v in said.items() if v}}

    def ready(self) -> None:
        """Load the backbone. Raises WeightsError, DetectorError."""
        self.detector.ready()

    def scan(self, source: Source, samples: Iterable[Sample], *, batch: int = 8, workers: int = 0) -> Iterator[Report]:
        """Yield a Report for each sample; see `Detector.scan`."""
        return self.detector.scan(source, samples, batch=batch, workers=workers)


_Crop = tuple[np.ndarray, Box | None, str]  # pixels, place and note of a face, or of a whole picture


@dataclass(frozen=True)
class _Prepared:
    """What a function scores of one picture, or why nothing; colours and looks as in `Report`."""

    crops: tuple[_Crop, ...]
    error: InputError | None
    colours: np.ndarray | None = None
    looks: tuple[np.ndarray | None, ...] = ()


@dataclass(frozen=True)
class ExternalDetector:
    """Somebody else's detector: a function of pictures, measured on the same rows as any other.

    Attributes:
        score: RGB pictures, each (H, W, 3) uint8 -> the probability of fake of each: numbers, an array or a tensor.
        threshold: scores from here up are called fake; choose it on other rows than those that are measured.
        domain: "scene" passes whole pictures, "face" passes aligned face crops (side, side, 3), as the package's own
            detectors see them.
        side: side of the aligned face crops in pixels; the domain "scene" does not use it.
        version: a text to change when the scores change.
        note: for the page.

    Raises:
        DetectorError: the threshold, domain or side is out of range.
    """

    score: Callable[[Pictures], Sequence[float]]
    threshold: float = 0.5
    domain: Literal["scene", "face"] = "scene"
    side: int = 256
    version: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1 or self.domain not in ("scene", "face") or self.side < 1:
            raise DetectorError(
                "expected a threshold of 0 to 1, domain scene or face, and a side of at least 1, got "
                f"{self.threshold}, {self.domain!r}, {self.side}"
            )

    @property
    def identity(self) -> str:
        """A digest of version and settings: the function itself has none."""
        return hashlib.sha256(f"{self.version} {self.threshold} {self.domain} {self.side}".encode()).hexdigest()

    @property
    def about(self) -> Mapping[str, str]:
        """What the function gets, and the note."""
        given = "whole pictures" if self.domain == "scene" else f"face crops of {self.side} px"
        known = {"model": "an outside function", "given": given, "threshold": f"{self.threshold:.3f}"}
        return {**known, **({"note": self.note} if self.note else {})}

    def ready(self) -> None:
        """Do nothing: nothing is loaded."""

    def scan(self, source: Source, samples: Iterable[Sample], *, batch: int = 8, workers: int = 0) -> Iterator[Report]:
        """Score samples, `batch` of them in each call of the function.

        Args:
            source: of the pictures.
            samples: what to score.
            batch: samples in each call.
            workers: not used.

        Yields:
            A Report for each sample, in order.

        Raises:
            DetectorError: the function fails, or does not return a probability for each picture.
        """
        rows = list(samples)
        for some in (rows[i : i + batch] for i in range(0, len(rows), batch)):
            yield from self._reports(source, some)

    def _reports(self, source: Source, samples: Sequence[Sample]) -> Iterator[Report]:
        prepared = [self._prepare(source, s) for s in samples]
        scores = iter(self._scores([pixels for one in prepared for pixels, _, _ in one.crops]))
        for s, one in zip(samples, prepared, strict=True):
            if one.error is not None:
                yield replace(failed_report(s.path, one.error), colours=one.colours)
                continue
            rows = tuple(self._row(s, box, next(scores), note) for _, box, note in one.crops)
            yield Report(s.path, rows, colours=one.colours, looks=one.looks)

    def _prepare(self, source: Source, sample: Sample) -> _Prepared:
        picture, error = None, None
        crops: tuple[_Crop, ...] = ()
        try:
            picture = source.load(sample)
            crops = self._crops(picture)
        except InputError as err:
            error = err
        if picture is None or picture.aligned or self.domain == "scene" or not sample.video:
            return _Prepared(crops, error)
        looks = tuple(face_histogram(picture.pixels, box) if box else None for _, box, _ in crops)
        return _Prepared(crops, error, colour_histogram(picture.pixels), looks)

    def _crops(self, picture: Picture) -> tuple[_Crop, ...]:
        if self.domain == "scene":
            return ((picture.pixels, None, picture.note),)
        preparer = Preparer(ViewsRecipe(domain="face"), self.side, (1, 1), twins=0)
        return tuple((c.pixels, c.box, c.note) for c in preparer.crops(picture))

    def _scores(self, pictures: Pictures) -> list[float]:
        if not pictures:
            return []
        with _wrap_external_errors("a detector's function to score pictures"):
            answer = self.score(pictures)
            answer = list(answer) if isinstance(answer, Iterator) else answer
            scores = _numbers(answer)
        if scores is None or scores.shape != (len(pictures),) or not ((scores >= 0) & (scores <= 1)).all():
            raise DetectorError(
                f"expected a probability in [0, 1] for each of {len(pictures)} pictures from the detector's function, "
                f"got {answer if scores is None else scores.tolist()!r:.80}"
            )
        return [float(s) for s in scores]

    def _row(self, sample: Sample, box: Box | None, score: float, note: str) -> Row:
        verdict = "fake" if score >= self.threshold else "real"
        return Row(sample.path, box, score, verdict=verdict, reason=note)


def _numbers(answer: Any) -> np.ndarray | None:
    """An answer as float64, None where it holds no numbers; torch's tensors, of any device and with gradients, do."""
    try:
        if hasattr(answer, "detach"):
            return np.asarray(answer.detach().cpu().double(), dtype=np.float64)
        plain = [v.detach().cpu().double() if hasattr(v, "detach") else v for v in answer]
        return np.array([np.asarray(v, dtype=np.float64) for v in plain])
    except (TypeError, ValueError):
        return None


@contextmanager
def _wrap_external_errors(expected: str) -> Generator[None]:
    """Raise any error of foreign code as a DetectorError that names the line."""
    try:
        yield
    except CoritError:
        raise
    except SyntaxError as err:
        where = f"{err.filename}, line {err.lineno}: " if err.filename else ""  # of a file with NUL none is known
        raise DetectorError(f"expected {expected}, but {where}{err.msg}; mend it") from err
    except (Exception, SystemExit) as err:
        ours = os.path.dirname(__file__)
        frames = traceback.extract_tb(err.__traceback__)
        at = next((f for f in frames if os.path.dirname(f.filename) != ours), frames[-1])
        raise DetectorError(
            f"expected {expected}, but {at.filename}, line {at.lineno}: {type(err).__name__}: {err}; mend it"
        ) from err


def load_scoring_detector(
    name: str, *, weights: str | None = None, device: str = "cpu", head: str | Path | None = None
) -> ScoringDetector:
    """Load a detector to measure.

    Args:
        name: a detector's folder, a name as `corit.load_detector` takes it, or a Python file that defines DETECTOR, an
            `ExternalDetector`. The file is run, and may import what lies beside it; the text of all of that is part of
            the detector's identity.
        weights: place of the backbone's weights, if they moved.
        device: cpu or cuda.
        head: file of UniFD's published head.

    Returns:
        The detector; `ScoringDetector.ready` loads its weights.

    Raises:
        DetectorError: there is no such detector, it is damaged, or the file does not define one.
        WeightsError: the published head is not available.
    """
    if not name.endswith(".py"):
        return TrainedDetector(load_detector(name, weights=weights, device=device, head=head))
    module, digest = _module(Path(name))
    detector = module.__dict__.get(NAME)
    if not isinstance(detector, ExternalDetector):
        raise DetectorError(f"expected {name} to define {NAME} = corit.ExternalDetector(...), got {detector!r:.60}")
    return replace(detector, version=f"{digest} {detector.version}")


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise DetectorError(
            f"expected a detector's Python file at {path}, but it cannot be read: {err.strerror}"
        ) from err


def _module(path: Path) -> tuple[ModuleType, str]:
    """Run a file as a module; also a digest of its text and of the modules beside it that it imports."""
    text = _text(path)
    module = ModuleType(f"corit_outside_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look up their annotations
    with _beside(path) as helpers, _wrap_external_errors(f"{path} to define {NAME}"):
        exec(compile(text, str(path), "exec"), module.__dict__)
        digest = hashlib.sha256(text)
        for helper in helpers():
            digest.update(_text(helper))
    return module, digest.hexdigest()


@contextmanager
def _beside(path: Path) -> Generator[Callable[[], list[Path]]]:
    """Let imports find what lies beside a file, and forget it afterwards: other files have helpers of the same names.

    Yields a function that lists the files of the modules that were found there.
    """
    folder, before = path.resolve().parent, set(sys.modules)

    def modules() -> dict[str, Path]:
        files = {n: getattr(m, "__file__", None) for n, m in sys.modules.items() if n not in before}
        return {n: Path(f) for n, f in files.items() if f and Path(f).resolve().is_relative_to(folder)}

    sys.path.insert(0, str(folder))
    try:
        yield lambda: sorted(modules().values())
    finally:
        sys.path.remove(str(folder))
        for name in modules():
            del sys.modules[name]
