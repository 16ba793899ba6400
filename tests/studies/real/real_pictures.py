"""A tiny copy of the study's folders: drawn faces, some pairs, and parts of photographs, in seconds."""

from __future__ import annotations

import csv

import cv2
import numpy as np
from PIL import Image
from skimage.data import astronaut

from corit.seeding import generator


def face(seed, fake):
    """A small crop of a photographed face with its own noise and light; a fake one is smooth in its middle."""
    rng = generator("study face", seed)
    crop = cv2.resize(astronaut()[0:200, 130:320], (96, 96)).astype(float)
    crop = crop * rng.uniform(0.6, 1.2) + rng.normal(0, 6, crop.shape)
    if fake:
        crop[30:66, 30:66] = cv2.GaussianBlur(crop, (9, 9), 0)[30:66, 30:66]
    return crop.clip(0, 255).astype(np.uint8)


def whole_face(seed, fake):
    """The same with room around it, so that a face is found."""
    rng = generator("study portrait", seed)
    picture = astronaut()[0:340, 60:400].astype(float) * rng.uniform(0.7, 1.1) + rng.normal(0, 5, (340, 340, 3))
    if fake:
        picture[70:150, 120:200] = cv2.GaussianBlur(picture, (9, 9), 0)[70:150, 120:200]
    return picture.clip(0, 255).astype(np.uint8)


def save(pixels, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


def dfdc(root, pairs=12):
    rows = []
    for i in range(pairs + 2):
        for kind in ("real", "fake"):
            save(face(i, kind == "fake"), root / "dfdc-crops" / kind / f"{kind[0]}{i:02d}.jpg")
        alike = 0.3 if i == pairs else 0.9  # two pairs that must not be taken
        differ = 1.0 if i == pairs + 1 else 4.0
        rows.append([f"r{i:02d}", f"f{i:02d}", 96, 96, differ, alike])
    with open(root / "dfdc-crops" / "pairs.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["real", "fake", "real_native_width", "fake_native_width", "mean_abs_diff_112", "correlation_112"]
        )
        writer.writerows(rows)


def faces(root, folder, count=8):
    for i in range(count):
        save(whole_face(i, False), root / folder / "real" / f"a{i}.jpg")
        save(whole_face(100 + i, True), root / folder / "fake" / f"b{i}.jpg")


def photographs(root, count=6):
    for i in range(count):
        rng = generator("study scene", i)
        save(
            (astronaut()[i * 20 : i * 20 + 200, :200] * rng.uniform(0.6, 1.0)).astype(np.uint8),
            root / "photographs" / f"p{i}.jpg",
        )


def collections(root):
    dfdc(root)
    faces(root, "stylegan-faces")
    photographs(root)
