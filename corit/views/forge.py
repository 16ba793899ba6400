"""Forge a photograph in three ways on the spot: a self-blend, a splice from another photograph, an upsampled patch.

Each way changes a square window around the face, or the middle of a scene; what lies outside stays to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from corit.images.faces import Face, FaceFinder, find_faces, five_points, similarity
from corit.images.perturb import LEVELS, resize
from corit.recipe import BlendRecipe
from corit.seeding import generator
from corit.views.blend import draw_blend, self_blend
from corit.views.foreground import face_hull, saliency
from corit.world.forgeries import match_colour

SELF_BLEND, SPLICE, UPSAMPLED = "self-blend", "splice", "upsampled patch"
KINDS = (SELF_BLEND, SPLICE, UPSAMPLED)
FACE_WINDOW = 1.8  # side of the window, in those of the face's landmarks
EDGE = 0.02  # standard deviation of a soft edge, in sides of the window


@dataclass(frozen=True)
class Scene:
    """A photograph, and the window in which it is forged.

    Attributes:
        name: of the photograph.
        pixels: (H, W, 3) uint8.
        corner: (y, x) of the window.
        side: of the window in pixels.
        mask: the face or the object in the window, (side, side) bool.
        landmarks: (68, 2) of the face in pixels of the window; None for a scene without.
    """

    name: str
    pixels: np.ndarray
    corner: tuple[int, int]
    side: int
    mask: np.ndarray
    landmarks: np.ndarray | None = None

    @property
    def window(self) -> np.ndarray:
        """The pixels in the window, (side, side, 3) uint8."""
        y, x = self.corner
        return np.ascontiguousarray(self.pixels[y : y + self.side, x : x + self.side])

    def with_window(self, window: np.ndarray) -> np.ndarray:
        """Return the photograph (H, W, 3) uint8 with other pixels (side, side, 3) in its window."""
        y, x = self.corner
        changed = self.pixels.copy()
        changed[y : y + self.side, x : x + self.side] = window
        return changed


def scene_of(name: str, pixels: np.ndarray) -> Scene:
    """Find the object of a photograph without faces, in its largest centred square."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    return Scene(name, pixels, (y, x), side, saliency(np.ascontiguousarray(pixels[y : y + side, x : x + side])))


def portrait_of(name: str, pixels: np.ndarray, finder: FaceFinder = find_faces) -> Scene | None:
    """Find the largest face of a photograph; None where there is none.

    Raises:
        MissingLibraryError: when the library that finds faces is not installed.
    """
    faces = finder(pixels)
    return _around(name, pixels, faces[0]) if faces else None


def _around(name: str, pixels: np.ndarray, face: Face) -> Scene:
    low, high = face.landmarks.min(0), face.landmarks.max(0)
    side = int(min(FACE_WINDOW * (high - low).max(), *pixels.shape[:2]))
    x, y = (
        int(np.clip((a + b - side) / 2, 0, n - side)) for a, b, n in zip(low, high, pixels.shape[1::-1], strict=True)
    )
    points = face.landmarks - np.array([x, y], np.float32)
    return Scene(name, pixels, (y, x), side, face_hull(points, side), points)


def forge(kind: str, scene: Scene, donor: Scene) -> np.ndarray:
    """Forge a photograph.

    Args:
        kind: one of `KINDS`.
        scene: the photograph.
        donor: another photograph, for the splice; with a face if this one has a face.

    Returns:
        The forged photograph (H, W, 3) uint8.
    """
    ways: dict[str, Callable[[Scene, Scene], np.ndarray]] = {
        SELF_BLEND: _self_blended,
        SPLICE: _spliced,
        UPSAMPLED: _upsampled,
    }
    return scene.with_window(ways[kind](scene, donor))


def _self_blended(scene: Scene, donor: Scene) -> np.ndarray:
    recipe = BlendRecipe()
    rng = generator("demo", SELF_BLEND, scene.name)
    return self_blend(scene.window, scene.mask, draw_blend(recipe, rng), recipe)[0]


def _spliced(scene: Scene, donor: Scene) -> np.ndarray:
    """A face is put over the face, in its pose and colours; an object is put where it stood in its own photograph."""
    own = scene.window
    if scene.landmarks is not None and donor.landmarks is not None:
        matrix = similarity(five_points(donor.landmarks), five_points(scene.landmarks))
        content = cv2.warpAffine(donor.window, matrix, (scene.side, scene.side), borderMode=cv2.BORDER_REFLECT_101)
        soft = _soft(scene.mask)
        return _mixed(own, match_colour(content.astype(np.float32), own, soft, strength=1.0, spread=True), soft)
    content = cv2.resize(donor.window, (scene.side, scene.side), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(donor.mask.astype(np.uint8), (scene.side, scene.side), interpolation=cv2.INTER_NEAREST)
    return _mixed(own, content, _soft(mask.astype(bool)))


def _upsampled(scene: Scene, donor: Scene) -> np.ndarray:
    """The face, or a square in the middle, has a quarter of its resolution: shrunk by areas, enlarged bicubically."""
    mask = scene.mask
    if scene.landmarks is None:
        mask = np.zeros_like(scene.mask)
        mask[scene.side // 4 : -(scene.side // 4), scene.side // 4 : -(scene.side // 4)] = True
    return _mixed(scene.window, resize(scene.window, LEVELS[-1], generator("demo", UPSAMPLED)), _soft(mask))


def _soft(mask: np.ndarray) -> np.ndarray:
    """The mask with a soft edge, (S, S) float32 in [0, 1]."""
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), EDGE * len(mask))


def _mixed(own: np.ndarray, content: np.ndarray, share: np.ndarray) -> np.ndarray:
    mixed = own + share[..., None] * (content.astype(np.float32) - own)
    return np.where(share[..., None] > 0, np.clip(np.round(mixed), 0, 255), own).astype(np.uint8)


def donors(scenes: Sequence[Scene]) -> dict[str, Scene]:
    """Choose the donor of each photograph, by name: the next one that has a face too, or that has none either."""
    chosen: dict[str, Scene] = {}
    for sort in ([s for s in scenes if s.landmarks is not None], [s for s in scenes if s.landmarks is None]):
        chosen |= {s.name: sort[(i + 1) % len(sort)] for i, s in enumerate(sort)}
    return chosen
