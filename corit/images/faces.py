"""Find faces and their 68 landmarks, and align them to the template's pose, as DeepfakeBench crops them."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from corit.errors import DataError, MissingLibraryError

# Upper lid of each eye, tip of the nose, outer points of the lips. ArcFace's template has the eyes' centres, but these
# are the points that DeepfakeBench uses with it. By size of a landmark set, indices into it.
FIVE_POINTS = {
    5: (0, 1, 2, 3, 4),
    68: (37, 44, 30, 49, 55),
    81: (37, 44, 30, 49, 55),
    468: (160, 387, 1, 40, 321),
    478: (160, 387, 1, 40, 321),
}
# ArcFace's five points in a crop of 112 px.
ARCFACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
DETECTION_SIDE = 1280  # pixels


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Attributes:
        box: (x0, y0, x1, y1) in pixels.
        landmarks: (68, 2) float32, x and y in pixels.
        score: the detector's.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    score: float


FaceFinder = Callable[[np.ndarray], tuple[Face, ...]]


def find_faces(
    pixels: np.ndarray, *, upsample: int = 1, longest: int | None = DETECTION_SIDE, least: float = 0.2
) -> tuple[Face, ...]:
    """Find faces with dlib's HOG detector and 68-point predictor.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        upsample: how often the picture is doubled in size for detection.
        longest: pictures with a longer side in pixels are shrunk for detection; None for never.
        least: score below which detections are dropped; enlarged pictures make dlib see faces in folds of cloth.

    Returns:
        The faces, largest first; none where no face is found.

    Raises:
        MissingLibraryError: without the extra `faces`, whose landmark model is for non-commercial use only.
    """
    detector, predictor, lock = dlib_models()
    scale = min(1.0, longest / max(pixels.shape[:2])) if longest else 1.0
    small = pixels if scale == 1 else cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = np.ascontiguousarray(small)
    with lock:
        boxes, scores, _ = detector.run(small, upsample, least)
        shapes = [predictor(small, box) for box in boxes]
    faces = [_face(b, s, v, scale) for b, s, v in zip(boxes, shapes, scores, strict=True)]
    return without_duplicates(sorted(faces, key=lambda f: -_area(f.box)))


def _face(box: Any, shape: Any, score: float, scale: float) -> Face:
    points = np.array([(p.x, p.y) for p in shape.parts()], dtype=np.float32) / scale
    x0, y0, x1, y1 = (float(v) / scale for v in (box.left(), box.top(), box.right() + 1, box.bottom() + 1))
    return Face((x0, y0, x1, y1), points, float(score))


def without_duplicates(faces: list[Face], overlap: float = 0.4) -> tuple[Face, ...]:
    """Drop each face that shares more than `overlap` of its own box with a larger one; dlib finds some faces twice."""
    distinct: list[Face] = []
    for face in faces:
        if all(_shared(face.box, other.box) <= overlap * _area(face.box) for other in distinct):
            distinct.append(face)
    return tuple(distinct)


def _area(box: tuple[float, ...]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _shared(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    return _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


@lru_cache(maxsize=1)
def dlib_models() -> tuple[Any, Any, threading.Lock]:
    """Load dlib's detector and predictor once, with a lock, since two threads must not call them at once."""
    try:
        import dlib
    except ImportError as err:
        raise MissingLibraryError(_advice("dlib")) from err
    # The model package cannot be imported (it asks for pkg_resources), so find its file without an import.
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise MissingLibraryError(_advice("face-recognition-models"))
    model = Path(spec.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model)), threading.Lock()


def _advice(library: str) -> str:
    return (
        f"finding faces needs {library}: pip install 'corit[faces]' (its landmark model is for non-commercial use), "
        "or give aligned crops with landmarks, or use the scene domain"
    )


def mediapipe_finder(task_file: Path) -> FaceFinder:
    """Make a face finder with 478 landmarks from MediaPipe.

    MediaPipe 1.x looks up a telemetry host when a detector is created; block it if that matters.

    Args:
        task_file: your own face_landmarker.task file.

    Returns:
        The finder.

    Raises:
        MissingLibraryError: when mediapipe is not installed.
        DataError: when the file is missing.
    """
    if not task_file.is_file():
        raise DataError(f"expected MediaPipe's face_landmarker.task at {task_file}; download it from Google")
    try:
        import mediapipe
    except ImportError as err:
        raise MissingLibraryError("this finder needs mediapipe: pip install mediapipe, in its own environment") from err
    vision = mediapipe.tasks.vision
    options = vision.FaceLandmarkerOptions(
        base_options=mediapipe.tasks.BaseOptions(model_asset_path=str(task_file)), num_faces=16
    )
    landmarker = vision.FaceLandmarker.create_from_options(options)

    def find(pixels: np.ndarray) -> tuple[Face, ...]:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        size = np.array(pixels.shape[1::-1], np.float32)
        detected = landmarker.detect(image).face_landmarks
        landmarks = [np.array([(p.x, p.y) for p in f], np.float32) * size for f in detected]
        faces = [Face((*p.min(0).tolist(), *p.max(0).tolist()), p, 1.0) for p in landmarks]  # type: ignore[arg-type]
        return without_duplicates(sorted(faces, key=lambda f: -_area(f.box)))

    return find


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Select the five template points (5, 2) of 5, 68, 81, 468 or 478 landmarks. Raises DataError for other sets."""
    if len(landmarks) not in FIVE_POINTS:
        raise DataError(f"expected {', '.join(map(str, FIVE_POINTS))} landmarks, got {len(landmarks)}")
    return landmarks[list(FIVE_POINTS[len(landmarks)])]


def template(side: int = 256, scale: float = 1.3) -> np.ndarray:
    """Place the five points (5, 2) in a crop: ArcFace's template for `side` pixels, shrunk to the centre by `scale`."""
    points = ARCFACE / 112 * side
    return (points - side / 2) / scale + side / 2


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Fit the rotation, scale and shift (2, 3) that maps source (P, 2) to target in least squares (Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, d, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = u @ np.diag(sign) @ vt
    scale = (d * sign).sum() / max(float((a**2).sum()), 1e-12)
    return np.hstack([scale * rotation, (target.mean(0) - scale * rotation @ source.mean(0))[:, None]])


def align(
    pixels: np.ndarray, landmarks: np.ndarray, side: int = 256, scale: float = 1.3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut an aligned face out of a picture.

    Args:
        pixels: (H, W, 3) uint8.
        landmarks: (P, 2) x and y in pixels.
        side: of the crop in pixels.
        scale: how much the template is shrunk about the centre.

    Returns:
        The crop (side, side, 3) uint8, black outside the picture; the landmarks (P, 2) float32 in it; and the (2, 3)
        matrix from picture to crop.
    """
    matrix = similarity(five_points(landmarks).astype(np.float64), template(side, scale))
    crop = cv2.warpAffine(np.ascontiguousarray(pixels), matrix, (side, side))
    moved = landmarks.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return crop, moved.astype(np.float32), matrix
