"""Photographs for benchmarks: crops of scikit-image's, written as JPEG files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from corit.images.faces import align, find_faces
from corit.seeding import generator

SCENES = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina", "immunohistochemistry")
SIZE = (768, 1024)
QUALITY = 92
LANDMARKS = "landmarks.json"


def scenes(folder: Path, count: int) -> None:
    """Write `count` pictures of 1,024 x 768 pixels: enlarged random crops of photographs."""
    from skimage import data

    for i in range(count):
        picture, rng = getattr(data, SCENES[i % len(SCENES)])(), generator("scene", i)
        height = int(picture.shape[0] * rng.uniform(0.6, 1.0))
        width = min(picture.shape[1], height * SIZE[1] // SIZE[0])
        y = int(rng.integers(0, picture.shape[0] - height + 1))
        x = int(rng.integers(0, picture.shape[1] - width + 1))
        _write(folder / f"{i:05d}.jpg", picture[y : y + height, x : x + width], SIZE)


def faces(folder: Path, count: int, side: int = 256) -> None:
    """Write `count` aligned crops of one face, with different margins and brightness, and 68 landmarks in LANDMARKS.

    Raises:
        MissingLibraryError: without the extra `faces`.
    """
    from skimage import data

    picture = data.astronaut()
    points = find_faces(picture)[0].landmarks
    table = {}
    for i in range(count):
        rng = generator("face", i)
        crop, moved, _ = align(picture, points, side, 1.3 + rng.uniform(0, 0.2))
        _write(folder / f"{i:05d}.jpg", np.clip(crop * rng.uniform(0.8, 1.2), 0, 255), (side, side))
        table[f"{i:05d}.jpg"] = moved.tolist()
    (folder / LANDMARKS).write_text(json.dumps(table))


def _write(path: Path, pixels: np.ndarray, size: tuple[int, int]) -> None:
    scaled = cv2.resize(pixels.astype(np.uint8), size[::-1], interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), scaled[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
