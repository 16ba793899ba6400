"""What is drawn on the pictures of a tiny tree: coloured squares, or the miniature's faces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from corit.data.sample import Sample
from corit.images.face_shape import mean_face
from corit.images.picture import Picture
from corit.seeding import generator, seed
from corit.world.miniature import Miniature


@dataclass(frozen=True)
class Subject:
    """What a picture is to show: a source (person, video pair), real or manipulated, and which of its frames."""

    split: str
    source: str
    manipulation: str = ""
    frame: int = 0


Painter = Callable[[Subject], Picture]
ARC = np.linspace(np.pi, 2 * np.pi, 13)
FOREHEAD = 0.5 + np.stack([0.27 * np.cos(ARC), 0.3 * np.sin(ARC)], axis=1)  # what sets of 81 points add to the 68


def squares(subject: Subject, side: int = 32) -> Picture:
    """A noisy square with the 81 landmarks of the mean face, drawn in microseconds; no two subjects share one."""
    rng = generator("square", subject.split, subject.source, subject.manipulation, subject.frame)
    points = side * np.concatenate([mean_face(), FOREHEAD])
    return Picture(rng.integers(0, 256, (side, side, 3), dtype=np.uint8), points.astype(np.float32), aligned=True)


def miniature(world: Miniature) -> Painter:
    """A painter of the world's faces: a source is always the same person, its fakes are forgeries of the real pictures.

    A manipulation that the world has no forgery for is given one of the world's, always the same.
    """
    shelves: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in world.samples:
        shelves[sample.split, sample.manipulation].append(sample)
    kinds, pictures = world.spec.kinds, world.spec.pictures

    def paint(subject: Subject) -> Picture:
        kind = subject.manipulation
        if kind and kind not in kinds:
            kind = kinds[seed(kind) % len(kinds)]
        shelf = shelves[subject.split, kind]
        person = seed(subject.source) % (len(shelf) // pictures)
        return world.load(shelf[person * pictures + subject.frame % pictures])

    return paint
