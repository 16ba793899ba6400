"""Which detector scores: the one that is named, or the packaged ones by what a picture shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from corit.detect.packaged import FOR_DOMAIN, packaged_folder, packaged_names
from corit.errors import DetectorError, MissingLibraryError

if TYPE_CHECKING:
    from corit.detect.by_domain import FaceOrScene
    from corit.detect.detector import Detector

DomainChoice = Literal["auto", "face", "scene"]


@dataclass(frozen=True)
class ChosenDetector:
    """What scores, and what the user must know of the choice.

    Attributes:
        detector: one detector, or two by domain.
        note: one line, or "".
    """

    detector: Detector | FaceOrScene
    note: str = ""


def choose_detector(
    name: str | None = None,
    domain: DomainChoice = "auto",
    *,
    weights: str | None = None,
    device: str = "cpu",
    crops: bool = False,
    landmarks: bool = False,
    packaged: Path | None = None,
) -> ChosenDetector:
    """Load the detector that is named, or the packaged ones of a domain.

    Args:
        name: a folder or a name, see `corit.load_detector`; by default the domain decides.
        domain: "face" for faces, "scene" for whole pictures, "auto" for faces and, where none is found, whole pictures.
        weights: new place of the backbone's weights, if they moved.
        device: cpu or cuda.
        crops: the pictures are aligned face crops, in which no face is looked for.
        landmarks: landmarks of the pictures are given.
        packaged: folder of the packaged detectors; by default the package's.

    Returns:
        The detector. "auto" gives one detector where no face can be looked for, and then a note.

    Raises:
        DetectorError: there is no such detector, it is damaged, or it is of another domain than the one asked for.
        WeightsError: weights are not available.
    """
    if name is not None:
        return ChosenDetector(_named(name, domain, weights, device, packaged))
    if not packaged_names(packaged):
        raise DetectorError(
            "expected --detector, since no detector comes with this installation; give the folder of one, as "
            "`corit train` or `corit demo` writes it"
        )
    if domain == "auto" and crops:
        domain = "face"
    if domain != "auto":
        return ChosenDetector(_packaged(domain, weights, device, packaged))
    if not landmarks and (missing := _missing_finder()):
        scene = _packaged("scene", weights, device, packaged)
        return ChosenDetector(scene, f"no face is looked for, {scene.name} scores whole pictures: {missing}")
    from corit.detect.by_domain import FaceOrScene

    faces, scene = (_packaged(d, weights, device, packaged) for d in ("face", "scene"))
    return ChosenDetector(FaceOrScene(faces, scene))


def _named(name: str, domain: DomainChoice, weights: str | None, device: str, packaged: Path | None) -> Detector:
    from corit.detect.named import load_detector

    asked = "scene" if domain == "auto" else domain
    detector = load_detector(name, weights=weights, device=device, domain=asked, packaged=packaged)
    own = detector.card.recipe.views.domain
    if domain not in ("auto", own):
        raise DetectorError(
            f"expected a detector of the domain {domain}, but {name} is of the domain {own}; leave out --domain or "
            "--detector"
        )
    return detector


def _packaged(domain: str, weights: str | None, device: str, packaged: Path | None) -> Detector:
    from corit.detect.detector import Detector

    name = FOR_DOMAIN[domain]
    return Detector.load(packaged_folder(name, packaged), weights=weights, device=device, name=name)


def _missing_finder() -> str:
    """Why no face can be looked for, "" where one can."""
    from corit.images.faces import dlib_models

    try:
        dlib_models()
    except MissingLibraryError as err:
        return str(err)
    return ""
