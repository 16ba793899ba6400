"""Predict the landmarks of a face crop that has none, with their certainty, or take the mean face's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from corit.errors import MissingLibraryError, UnreadableError
from corit.images.face_shape import mean_face, require_face
from corit.images.faces import dlib_models

SIDE = 256  # pixels: crops are scaled to this longer side, so that predictions do not depend on a crop's size
# Squares about the crop's centre, as shares of its shorter side, from which the face's rectangle is looked for where
# the detector finds none: crops of scales 1.0 (tight) to 1.3.
SHARES = (0.65, 0.8, 1.0)
STEPS = 2  # predictions, each of which moves the rectangle to its landmarks
# Of dlib's boxes over 1,226 faces: side in root mean square distances of the landmarks from their mean, and how far the
# centre lies above that mean, in sides.
BOX, ABOVE = 2.76, 0.044
# Rectangles about a found face whose predictions have to agree: moved by a share of the side, and enlarged.
PERTURBED = ((-0.06, 0.0, 1.0), (0.06, 0.0, 1.0), (0.0, 0.0, 1.1))
# Spread above which landmarks are called unsure, as a share of the face's width. Of 780 crops of faces whose landmarks
# are known, 1.7 % have more, two among them of the three whose landmarks were wrong by more than a tenth of the face;
# of 100 photographs that are no face crops, 97.
UNSURE = 0.03

Rectangle = tuple[float, float, float, float]
_Predict = Callable[[Rectangle], np.ndarray]


@dataclass(frozen=True)
class Predicted:
    """Predicted landmarks.

    Attributes:
        landmarks: (68, 2) float32, x and y in pixels of the crop.
        note: where they come from and how certain they are.
    """

    landmarks: np.ndarray
    note: str


Predictor = Callable[[np.ndarray, float], Predicted]


def predict_landmarks(pixels: np.ndarray, scale: float = 1.3) -> Predicted:
    """Predict the landmarks of the face that fills a crop; the result is the same in every process.

    dlib's predictor needs a rectangle around the face, which dlib's detector finds. In tight crops the detector often
    finds none. Then the predictor starts from rectangles of several sizes, and the prediction that is nearest to the
    others counts. Without the extra `faces`, or where the prediction does not outline a face, the mean face stands in
    its usual place.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        scale: of the crop, for the place of the mean face; see `corit.images.faces.template`.

    Returns:
        The landmarks and a note on them.
    """
    try:
        detector, predictor, lock = dlib_models()
    except MissingLibraryError:
        words = "without landmarks, and pip install 'corit[faces]' is needed to predict them"
        return _usual(pixels, scale, words)
    height, width = pixels.shape[:2]
    shrunk = SIDE / max(height, width)
    small = np.ascontiguousarray(cv2.resize(pixels, (round(width * shrunk) or 1, round(height * shrunk) or 1)))
    with lock:
        candidates = list(_candidates(small, detector, predictor))
    points, spread = _agreed(candidates)
    points *= (width / small.shape[1], height / small.shape[0])
    try:
        require_face(points, (height, width), "the crop")
    except UnreadableError:
        return _usual(pixels, scale, "unsure landmarks: those predicted in the crop outline no face")
    origin = f"predicted in the crop, spread {100 * spread:.0f} % of the face's width"
    words = f"landmarks {origin}" if spread <= UNSURE else f"unsure landmarks: {origin}"
    return Predicted(points.astype(np.float32), words)


def _usual(pixels: np.ndarray, scale: float, why: str) -> Predicted:
    """The mean face where aligned crops have it."""
    points = mean_face(scale) * pixels.shape[1::-1]
    return Predicted(points.astype(np.float32), f"{why}; a mean face in its usual place gives the regions")


def _candidates(pixels: np.ndarray, detector: Any, predictor: Any) -> Iterator[np.ndarray]:
    """Predictions (68, 2), which agree where there is a face."""
    import dlib

    def predict(rectangle: Rectangle) -> np.ndarray:
        shape = predictor(pixels, dlib.rectangle(*(round(v) for v in rectangle)))
        return np.array([(p.x, p.y) for p in shape.parts()], dtype=np.float64)

    boxes = detector.run(pixels, 0, 0.0)[0]
    if boxes:
        box = max(boxes, key=lambda b: b.area())
        yield from _about(predict, predict((box.left(), box.top(), box.right(), box.bottom())))
        return
    height, width = pixels.shape[:2]
    for share in SHARES:
        points = predict(_square(width / 2, height / 2, share * min(width, height)))
        for _ in range(STEPS):
            points = predict(_box(points))
        yield points


def _about(predict: _Predict, points: np.ndarray) -> Iterator[np.ndarray]:
    """Landmarks, and the predictions of rectangles about them: recentred, moved and enlarged."""
    yield points
    x0, y0, x1, y1 = box = _box(points)
    yield predict(box)
    side = x1 - x0
    for right, down, larger in PERTURBED:
        yield predict(_square((x0 + x1) / 2 + right * side, (y0 + y1) / 2 + down * side, larger * side))


def _box(points: np.ndarray) -> Rectangle:
    """The rectangle that dlib's detector would give a face with these landmarks."""
    x, y = points.mean(0)
    side = BOX * float(np.sqrt(((points - (x, y)) ** 2).sum(1).mean()))
    return _square(x, y - ABOVE * side, side)


def _square(x: float, y: float, side: float) -> Rectangle:
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def _agreed(candidates: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """The prediction nearest to the others, and their median distance from it as a share of the face's width."""
    away = np.array([[np.linalg.norm(a - b, axis=1).mean() for b in candidates] for a in candidates])
    best = int(away.sum(1).argmin())
    width = max(float(np.ptp(candidates[best][:17, 0])), 1.0)
    return candidates[best].copy(), float(np.median(np.delete(away[best], best))) / width
