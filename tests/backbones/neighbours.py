"""Tell classes of pictures apart by their nearest neighbours in a backbone's class tokens, layer by layer."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw

REFERENCES, NEIGHBOURS, BATCH = 9, 5, 10


def class_tokens(backbone, pictures, layers):
    """{layer: (n, D)}: class tokens after the final norm of (n, S, S, 3) uint8 pictures."""
    rows = {layer: [] for layer in layers}
    with torch.inference_mode():
        for start in range(0, len(pictures), BATCH):
            tokens = backbone.embed(backbone.normalise(pictures[start : start + BATCH]))
            for l in range(1, backbone.depth + 1):
                tokens = backbone.block(l, tokens)
                if l in rows:
                    rows[l].append(backbone.norm(tokens[:, 0]).numpy())
    return {layer: np.concatenate(parts) for layer, parts in rows.items()}


def accuracy(features):
    """Share of the pictures after the references whose nearest neighbours vote for their class; features (C, n, D)."""
    references, queries = features[:, :REFERENCES], features[:, REFERENCES:]
    known = references.reshape(-1, references.shape[-1])
    votes = []
    for label, rows in enumerate(queries):
        distances = np.linalg.norm(rows[:, None] - known[None], axis=-1)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS] // REFERENCES
        votes += [np.bincount(row, minlength=len(features)).argmax() == label for row in nearest]
    return float(np.mean(votes))


def accuracies(backbone, pictures, layers):
    """{layer: accuracy} of pictures (C, n, S, S, 3)."""
    classes, each = pictures.shape[:2]
    tokens = class_tokens(backbone, pictures.reshape(-1, *pictures.shape[2:]), layers)
    return {layer: accuracy(rows.reshape(classes, each, -1)) for layer, rows in tokens.items()}


DRAWN = {
    "face": lambda d: (d.ellipse((8, 4, 56, 60), 1), d.ellipse((20, 20, 26, 26), 0), d.ellipse((38, 20, 44, 26), 0)),
    "house": lambda d: (d.rectangle((14, 30, 50, 58), 1), d.polygon(((8, 30), (32, 6), (56, 30)), 1)),
    "star": lambda d: d.regular_polygon((32, 32, 26), 3, 0, 1) or d.regular_polygon((32, 32, 26), 3, 180, 1),
    "stripes": lambda d: [d.rectangle((0, y, 64, y + 4), 1) for y in range(0, 64, 10)],
    "grid": lambda d: [(d.line((0, y, 64, y), 1, 2), d.line((y, 0, y, 64), 1, 2)) for y in range(0, 64, 9)],
    "dots": lambda d: [d.ellipse((x, y, x + 5, y + 5), 1) for x in range(2, 64, 12) for y in range(2, 64, 12)],
    "ring": lambda d: d.ellipse((8, 8, 56, 56), 0, 1, 6),
    "cross": lambda d: (d.rectangle((27, 6, 37, 58), 1), d.rectangle((6, 27, 58, 37), 1)),
    "arrow": lambda d: (d.rectangle((6, 28, 40, 36), 1), d.polygon(((38, 14), (60, 32), (38, 50)), 1)),
    "tree": lambda d: (d.rectangle((28, 40, 36, 62), 1), d.polygon(((10, 42), (32, 2), (54, 42)), 1)),
}


def drawn(each, side, seed=0):
    """Twenty classes of drawn pictures, ten shapes, light on dark and dark on light: (20, each, side, side, 3)."""
    rng = np.random.default_rng(seed)
    classes = []
    for draw in DRAWN.values():
        for light in (True, False):
            pictures = []
            for _ in range(each):
                mask = Image.new("1", (64, 64))
                draw(ImageDraw.Draw(mask))
                mask = mask.convert("L").rotate(rng.uniform(-15, 15), translate=tuple(rng.integers(-5, 6, 2).tolist()))
                share = np.asarray(mask.resize((side, side), Image.Resampling.BICUBIC))[..., None] / 255
                dark, bright = rng.uniform(0, 90, 3), rng.uniform(165, 255, 3)
                front, back = (bright, dark) if light else (dark, bright)
                noisy = share * front + (1 - share) * back + rng.normal(0, 8, (side, side, 3))
                pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
            classes.append(pictures)
    return np.array(classes)
