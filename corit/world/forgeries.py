"""Four forgeries after FaceForensics++: DF and FS swap the identity, F2F and NT change only the expression.

Swaps change what a picture shows. Reenactments keep the person, and leave a weak periodic trace inside the changed
region, as generators' upsampling does: crossed waves at the periods of the layers that upsample, with strengths and
phases drawn for each picture. The two reenactments have different periods and share one of them, since nearly all
generators upsample by two; "disjoint" traces share none, which is the control for gains across manipulation types.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import cv2
import numpy as np

from corit.world.faces import Face, Look, Rendered, hull, render

Kind = Literal["DF", "F2F", "FS", "NT"]
KINDS: tuple[Kind, ...] = ("DF", "F2F", "FS", "NT")


Sharing = Literal["overlapping", "disjoint"]


@dataclass(frozen=True)
class Trace:
    """A luminance pattern.

    Attributes:
        periods: of the waves in pixels.
        amplitude: range (low, high) in grey levels.
        phase: the largest phase in radians.
    """

    periods: tuple[float, ...]
    amplitude: tuple[float, float] = (9.0, 11.0)
    phase: float = 0.8


TRACES: dict[Sharing, dict[Kind, Trace]] = {
    "overlapping": {"F2F": Trace((8.0, 4.0)), "NT": Trace((4.0, 8 / 3))},
    "disjoint": {"F2F": Trace((8.0, 16 / 3)), "NT": Trace((4.0, 8 / 3))},
}


@dataclass(frozen=True)
class Target:
    """The real picture that a forgery changes.

    Attributes:
        pixels: the sensor's picture (S, S, 3) uint8 before JPEG.
        face: the person that it shows.
        look: how it shows the person.
        rendered: the scene in front of the camera.
    """

    pixels: np.ndarray
    face: Face
    look: Look
    rendered: Rendered


def forge(
    kind: Kind, target: Target, donor: Face, rng: np.random.Generator, sharing: Sharing = "overlapping"
) -> tuple[np.ndarray, np.ndarray]:
    """Forge a real picture.

    Args:
        kind: the manipulation type.
        target: the real picture.
        donor: the other person of a swap; reenactments do not use it.
        rng: draws everything random.
        sharing: whether the traces of the reenactments share a period.

    Returns:
        The forged picture (S, S, 3) uint8 before JPEG, and the forged region (S, S) float32 in [0, 1].
    """
    content, region = {"DF": _deepfakes, "FS": _faceswap, "F2F": _face2face, "NT": _textures}[kind](target, donor, rng)
    if kind in TRACES[sharing]:
        content = content + pattern(TRACES[sharing][kind], content.shape[0], rng)[..., None]
    mixed = target.pixels + region[..., None] * (content - target.pixels)
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8), region


def _deepfakes(target: Target, donor: Face, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A learned swap: the donor with the target's look, a little smooth, matched in colour, softly blended."""
    side = target.pixels.shape[0]
    swapped = render(donor, target.look, side)
    region = _soft(_inner(target.rendered.landmarks, side, 0.96), side, rng.uniform(0.03, 0.05))
    content = cv2.GaussianBlur(swapped.pixels * 255, (0, 0), rng.uniform(0.5, 0.8))
    return match_colour(content, target.pixels, region, strength=0.6, spread=True), region


def _faceswap(target: Target, donor: Face, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A graphics swap: the donor's face with the donor's own expression, sharper edge, colour matched in the mean."""
    side = target.pixels.shape[0]
    own = replace(target.look, smile=rng.uniform(-1, 1), open=float(max(0.0, rng.uniform(-0.6, 1.0))))
    swapped = render(donor, own, side)
    region = _soft(_inner(target.rendered.landmarks, side, 1.0), side, rng.uniform(0.008, 0.016))
    return match_colour(swapped.pixels * 255, target.pixels, region, strength=0.6, spread=False), region


def _face2face(target: Target, donor: Face, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Reenactment of the lower face: another mouth on the same person."""
    points, side = target.rendered.landmarks, target.pixels.shape[0]
    area = hull(np.concatenate([points[3:14], points[[31, 35]]]), side)
    return _reenact(target, rng, area, strength=0.45)


def _textures(target: Target, donor: Face, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Neural textures: the mouth alone, with a smaller change."""
    points, side = target.rendered.landmarks, target.pixels.shape[0]
    mouth = points[48:60]
    centre = mouth.mean(0)
    area = hull(centre + (mouth - centre) * [1.75, 3.1], side)
    return _reenact(target, rng, area, strength=0.3)


def _reenact(
    target: Target, rng: np.random.Generator, area: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """The difference that another expression makes, added to the sensor's pixels inside the area."""
    side, look = target.pixels.shape[0], target.look
    other = replace(
        look,
        smile=float(np.clip(look.smile + strength * rng.choice([-1, 1]) * rng.uniform(0.5, 1), -1, 1)),
        open=float(np.clip(look.open + strength * rng.uniform(-0.5, 0.7), 0, 1)),
    )
    change = render(target.face, other, side).pixels - target.rendered.pixels
    return target.pixels + 255 * change, _soft(area, side, 0.02)


def _inner(points: np.ndarray, side: int, scale: float) -> np.ndarray:
    """The landmarks' hull, shrunk about its centre."""
    centre = points.mean(0)
    return hull(centre + (points - centre) * scale, side)


def _soft(area: np.ndarray, side: int, blur: float) -> np.ndarray:
    """The area with a feathered edge, (S, S) in [0, 1]."""
    return cv2.GaussianBlur(area.astype(np.float32), (0, 0), blur * side)


def match_colour(
    content: np.ndarray, target: np.ndarray, region: np.ndarray, strength: float, spread: bool
) -> np.ndarray:
    """Bring the content's mean (and spread) inside the region part of the way to the target's, channel by channel."""
    inside = region > 0.5
    a, b = content[inside], target[inside].astype(np.float32)
    gain = (b.std(0) + 1e-3) / (a.std(0) + 1e-3) if spread else np.ones(3, np.float32)
    matched = (content - a.mean(0)) * np.clip(gain, 0.6, 1.6) + b.mean(0)
    return content + strength * (matched - content)


def pattern(trace: Trace, side: int, rng: np.random.Generator) -> np.ndarray:
    """Draw crossed waves at each period, (side, side) in grey levels; their root mean square is half the amplitude."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    waves, power = np.zeros((side, side), np.float32), 0.0
    for period, along in product(trace.periods, (x, y)):
        strength, phase = rng.uniform(0, 1), rng.uniform(-trace.phase, trace.phase)
        waves += strength * np.cos(2 * np.pi * along / period + phase)
        power += strength**2 / 2
    return (rng.uniform(*trace.amplitude) / 2 * waves / power**0.5).astype(np.float32)
