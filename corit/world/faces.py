"""Procedural faces: a person, a look, and their picture with 68 landmarks.

Geometry is in units of the image side. A neutral frontal face puts its five points where aligned crops of photographs
have them (the template of the field's face benchmark), so that both kinds of picture share a pose.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache

import cv2
import numpy as np

OVERSAMPLING = 2
EYE_Y, MOUTH_Y, NOSE_Y = 0.487, 0.757, 0.608


@dataclass(frozen=True)
class Face:
    """A person: proportions in units of the side, colours as RGB in [0, 1], styles in [0, 1]."""

    width: float
    chin: float
    jaw: float
    forehead: float
    eye_gap: float
    eye_size: float
    brow_weight: float
    brow_height: float
    nose_width: float
    nose_length: float
    mouth_width: float
    lips: float
    beard: float
    hair_height: float
    hair_sides: float
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    iris: tuple[float, float, float]
    lip: tuple[float, float, float]
    freckles: int


@dataclass(frozen=True)
class Look:
    """Expression, pose, light and background: smile and gaze in [-1, 1]; open, brow and lids in [0, 1]."""

    smile: float
    open: float
    brow: float
    lids: float
    gaze: float
    roll: float
    yaw: float
    scale: float
    shift: tuple[float, float]
    light: float
    ambient: float
    tint: tuple[float, float, float]
    backdrop: tuple[float, float, float]
    backdrop_slope: tuple[float, float]
    backdrop_texture: int


@dataclass(frozen=True)
class Rendered:
    """A drawn picture.

    Attributes:
        pixels: (S, S, 3) float32 RGB in [0, 1].
        landmarks: (68, 2) float32 in pixels, in iBUG order.
        mask: (S, S) bool, the convex hull of the landmarks.
    """

    pixels: np.ndarray
    landmarks: np.ndarray
    mask: np.ndarray


def draw_face(rng: np.random.Generator) -> Face:
    """Draw a person."""
    u = rng.uniform
    tone, red = u(0.42, 1.0), u(-0.03, 0.05)
    skin = np.clip(np.array([0.98, 0.80, 0.68]) * tone + [red, 0, -red], 0.08, 1)
    dark, warm = u(0.05, 0.75), u(0, 0.5)
    hair = np.clip(dark * np.array([1, 1 - 0.45 * warm, 1 - 0.9 * warm]), 0.02, 1)
    iris = np.array([[0.25, 0.15, 0.08], [0.25, 0.45, 0.65], [0.25, 0.5, 0.3], [0.5, 0.35, 0.15]])[rng.integers(4)]
    lip = np.clip(skin * [u(0.8, 1.0), u(0.45, 0.7), u(0.5, 0.75)], 0, 1)
    return Face(
        width=u(0.265, 0.345),
        chin=u(0.93, 0.99),
        jaw=u(1.7, 3.0),
        forehead=u(0.16, 0.24),
        eye_gap=u(-0.010, 0.010),
        eye_size=u(0.8, 1.25),
        brow_weight=u(0.010, 0.030),
        brow_height=u(0.075, 0.105),
        nose_width=u(0.035, 0.065),
        nose_length=u(-0.012, 0.012),
        mouth_width=u(0.095, 0.135),
        lips=u(0.6, 1.6),
        beard=float(max(0.0, u(-1.0, 0.8))),
        hair_height=u(0.02, 0.16),
        hair_sides=u(0.0, 1.0),
        skin=_rgb(skin),
        hair=_rgb(hair),
        iris=_rgb(iris),
        lip=_rgb(lip),
        freckles=int(rng.integers(2**31)),
    )


def draw_look(rng: np.random.Generator) -> Look:
    """Draw an expression, a small pose, a light and a background."""
    u = rng.uniform
    return Look(
        smile=u(-1, 1),
        open=float(max(0.0, u(-0.6, 1.0))),
        brow=u(0, 1),
        lids=u(0.55, 1.0),
        gaze=u(-1, 1),
        roll=u(-0.07, 0.07),
        yaw=u(-1, 1),
        scale=u(0.96, 1.04),
        shift=(u(-0.015, 0.015), u(-0.015, 0.015)),
        light=u(-1, 1),
        ambient=u(0.7, 1.08),
        tint=_rgb(1 + u(-0.07, 0.07, 3)),
        backdrop=_rgb(0.5 * u(0.05, 0.95) + 0.5 * u(0.05, 0.95, 3)),
        backdrop_slope=(u(-0.4, 0.4), u(-0.4, 0.4)),
        backdrop_texture=int(rng.integers(2**31)),
    )


def neutral_look(look: Look) -> Look:
    """Return the look with a frontal pose and a resting face; light and background stay."""
    return replace(
        look, smile=0.0, open=0.0, brow=0.5, lids=1.0, gaze=0.0, roll=0.0, yaw=0.0, scale=1.0, shift=(0.0, 0.0)
    )


def attributes(face: Face, look: Look) -> np.ndarray:
    """Return the numbers behind a picture, (A,) float32 without seeds: what a semantic encoder should know."""
    values: list[float] = []
    for part in (face, look):
        for f in fields(part):
            value = getattr(part, f.name)
            if f.name not in ("freckles", "backdrop_texture"):
                values.extend(value if isinstance(value, tuple) else (value,))
    return np.array(values, dtype=np.float32)


def render(face: Face, look: Look, side: int = 64) -> Rendered:
    """Draw a face with a look, `side` pixels on each side."""
    points = landmarks(face, look)
    big = side * OVERSAMPLING
    canvas = _backdrop(look, big)
    skin = _skin(face, look, big)
    _fill(canvas, _pose(_hair(face), look), face.hair)
    outline = _pose(_outline(face), look)
    area = np.zeros((big, big), np.float32)
    _fill(area, outline, 1.0)
    canvas += area[..., None] * (skin - canvas)
    _fill(canvas, _pose(_fringe(face), look), face.hair)
    _features(canvas, face, look, points)
    pixels = cv2.resize(np.clip(canvas, 0, 1), (side, side), interpolation=cv2.INTER_AREA)
    return Rendered(pixels, (points * side).astype(np.float32), hull(points * side, side))


def hull(points: np.ndarray, side: int) -> np.ndarray:
    """Return the filled convex hull (side, side) bool of points (P, 2) in pixels."""
    mask = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    return mask.astype(bool)


def landmarks(face: Face, look: Look) -> np.ndarray:
    """Return the landmarks (68, 2) of a face with a look, in units of the side."""
    t = np.linspace(np.pi, 0, 17)
    jaw = _lower(face, t)
    brows = [_brow(face, look, s) for s in (-1, 1)]
    x0, tip = 0.5, NOSE_Y + face.nose_length
    bridge = np.stack([np.full(4, x0), np.linspace(EYE_Y, tip, 4)], 1)
    base = np.stack(
        [x0 + np.linspace(-1, 1, 5) * face.nose_width, tip + np.array([0.02, 0.032, 0.038, 0.032, 0.02])], 1
    )
    eyes = [_eye(face, look, s) for s in (-1, 1)]
    outer, inner = _mouth(face, look)
    points = np.concatenate([jaw, brows[0], brows[1][::-1], bridge, base, eyes[0], _mirror_eye(eyes[1]), outer, inner])
    depth = np.zeros(68)
    depth[27:36], depth[30], depth[36:68] = 0.012, 0.02, 0.008
    points[:, 0] += look.yaw * depth
    return _pose(points, look)


def _lower(face: Face, t: np.ndarray) -> np.ndarray:
    """The lower half of the outline, a superellipse of exponent `jaw`, at angles t from pi (left) to 0 (right)."""
    c, s = np.cos(t), np.sin(t)
    x = np.sign(c) * np.abs(c) ** (2 / face.jaw)
    y = np.abs(s) ** (2 / max(1.8, face.jaw - 0.4))
    return np.stack([0.5 + face.width * x, EYE_Y + (face.chin - EYE_Y) * y], 1)


def _outline(face: Face) -> np.ndarray:
    t = np.linspace(0, -np.pi, 20)[1:-1]
    upper = np.stack([0.5 + face.width * np.cos(t), EYE_Y + (EYE_Y - face.forehead) * np.sin(t)], 1)
    return np.concatenate([_lower(face, np.linspace(np.pi, 0, 33)), upper])


def _hair(face: Face) -> np.ndarray:
    """The hair behind the head: a cap, and sides whose length is `hair_sides`."""
    top, reach = face.forehead - face.hair_height, EYE_Y + 0.45 * face.hair_sides
    w = face.width * (1.08 + 0.10 * face.hair_sides)
    t = np.linspace(np.pi, 2 * np.pi, 24)
    cap = np.stack([0.5 + w * np.cos(t), EYE_Y + (EYE_Y - top) * np.sin(t)], 1)
    return np.concatenate([cap, [[0.5 + w, reach], [0.5 - w, reach]]])


def _fringe(face: Face) -> np.ndarray:
    """The hair in front of the forehead."""
    t = np.linspace(np.pi, 2 * np.pi, 20)
    outer = np.stack([0.5 + face.width * 1.03 * np.cos(t), EYE_Y - 0.1 + (EYE_Y - 0.1 - face.forehead) * np.sin(t)], 1)
    drop = 0.03 + 0.5 * face.hair_height
    inner = outer[::-1] * [0.86, 1.0] + [0.07, drop]
    return np.concatenate([outer, inner])


def _brow(face: Face, look: Look, side: int) -> np.ndarray:
    """Five points from the outer end to the inner one."""
    t = np.linspace(0, 1, 5)
    x = 0.5 + side * (0.165 - 0.115 * t + face.eye_gap)
    lift = face.brow_height + 0.03 * (look.brow - 0.5)
    return np.stack([x, EYE_Y - lift - 0.018 * np.sin(np.pi * (0.25 + 0.6 * t)) + 0.012 * (1 - look.brow) * t], 1)


def _eye(face: Face, look: Look, side: int) -> np.ndarray:
    """Outer corner, two upper points, inner corner, two lower points; the upper lid is the template's eye point."""
    cx, half = 0.5 + side * (0.102 + face.eye_gap), 0.058 * face.eye_size**0.5
    up, down = 0.0175 * face.eye_size * look.lids, 0.015 * face.eye_size
    x = cx + side * np.array([half, half / 3, -half / 3, -half, -half / 3, half / 3])
    y = EYE_Y + np.array([0, -up, -up, 0, down, down])
    return np.stack([x, y], 1)


def _mirror_eye(eye: np.ndarray) -> np.ndarray:
    """The right eye's points start at its inner corner."""
    return eye[[3, 2, 1, 0, 5, 4]]


def _mouth(face: Face, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Outer (12) and inner (8) lip points, from the left corner, upper lip first."""
    w = face.mouth_width * (1 + 0.12 * look.smile)
    corner = MOUTH_Y - 0.016 * look.smile
    upper, lower = 0.012 * face.lips, 0.016 * face.lips
    gap = 0.045 * look.open
    t = np.linspace(-1, 1, 7)
    shape = np.array([0, 0.75, 1.05, 0.95, 1.05, 0.75, 0])
    bend = (1 - t**2) * 0.016 * look.smile * 0.6
    top = np.stack([0.5 + w * t, corner + bend - upper * shape - 0.15 * gap * (1 - t**2)], 1)
    s = t[5:0:-1]
    bottom = np.stack([0.5 + w * s, corner + 0.6 * bend[5:0:-1] + (lower + gap) * (1 - s**2) ** 0.7 + 0.002], 1)
    q = np.linspace(-0.85, 0.85, 5)
    arch = (1 - q**2) * 0.016 * look.smile * 0.6
    in_top = np.stack([0.5 + w * q, corner + arch - 0.1 * gap * (1 - q**2)], 1)
    r = q[3:0:-1]
    in_bottom = np.stack([0.5 + w * r, corner + arch[3:0:-1] + gap * (1 - r**2)], 1)
    return np.concatenate([top, bottom]), np.concatenate([in_top, in_bottom])


def _pose(points: np.ndarray, look: Look) -> np.ndarray:
    """Roll, scale and shift about the middle of the face."""
    c, s = np.cos(look.roll) * look.scale, np.sin(look.roll) * look.scale
    centre = np.array([0.5, 0.6])
    return (points - centre) @ np.array([[c, s], [-s, c]]) + centre + look.shift


def _features(canvas: np.ndarray, face: Face, look: Look, points: np.ndarray) -> None:
    """Eyes, brows, nose, beard and mouth, drawn over the skin."""
    big = canvas.shape[0]
    shade = np.array(face.skin) * look.ambient
    if face.beard > 0:
        chin = np.concatenate([points[3:14], points[[54, 57, 48]]])
        _blend(canvas, chin, np.array(face.hair) * look.ambient, 0.6 * face.beard, blur=big / 40)
    _blend(canvas, np.concatenate([points[27:28], points[31:36]]), shade * 0.86, 0.5, blur=big / 60)
    for k in (31, 35):
        cv2.circle(canvas, _px(points[k] * [1, 1], big), max(1, big // 90), tuple(shade * 0.55), -1, cv2.LINE_AA, 4)
    for eye in (points[36:42], points[42:48]):
        _fill(canvas, eye, (0.93, 0.92, 0.9))
        centre = eye.mean(0) + [0.012 * look.gaze, 0]
        cv2.circle(canvas, _px(centre, big), int(0.016 * big * 16 * face.eye_size**0.5), face.iris, -1, cv2.LINE_AA, 4)
        cv2.circle(canvas, _px(centre, big), int(0.007 * big * 16), (0.03, 0.03, 0.03), -1, cv2.LINE_AA, 4)
        _fill(canvas, np.concatenate([eye[:4], eye[3::-1] - [0, 0.022]]), tuple(shade * 0.9))
        _line(canvas, eye[:4], tuple(shade * 0.35), 0.006)
    for brow in (points[17:22], points[22:27]):
        _line(canvas, brow, tuple(np.array(face.hair) * 0.8 * look.ambient), face.brow_weight)
    _fill(canvas, points[48:60], tuple(np.array(face.lip) * look.ambient))
    inner = points[60:68]
    _fill(canvas, inner, (0.25, 0.08, 0.08))
    if look.open > 0.25:
        _fill(canvas, np.concatenate([inner[:5], (inner[4::-1] + [0, 0.010])]), (0.92, 0.9, 0.86))
    _line(canvas, np.concatenate([points[48:49], inner[:5], points[54:55]]), tuple(np.array(face.lip) * 0.5), 0.004)


def _skin(face: Face, look: Look, big: int) -> np.ndarray:
    """Skin with freckles, lit from one side: (big, big, 3)."""
    rng = np.random.Generator(np.random.PCG64(face.freckles))
    y, x = _grid(big)
    shade = 1 + 0.28 * look.light * (x - 0.5) - 0.25 * ((x - 0.5) ** 2 / 0.12 + (y - 0.6) ** 2 / 0.5)
    coarse = cv2.resize(rng.normal(size=(9, 9)).astype(np.float32), (big, big), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(rng.normal(size=(big // 2, big // 2)).astype(np.float32), (big, big))
    shade = look.ambient * shade * (1 + 0.025 * coarse + 0.02 * fine)
    return shade[..., None] * (np.array(face.skin, np.float32) * np.array(look.tint, np.float32))


@lru_cache(maxsize=4)
def _grid(big: int) -> np.ndarray:
    return np.mgrid[0:big, 0:big].astype(np.float32) / big


def _backdrop(look: Look, big: int) -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64(look.backdrop_texture))
    y, x = _grid(big) - 0.5
    blobs = cv2.resize(rng.normal(size=(5, 5, 3)).astype(np.float32), (big, big), interpolation=cv2.INTER_CUBIC)
    slope = look.backdrop_slope[0] * x + look.backdrop_slope[1] * y
    return np.array(look.backdrop, np.float32) * (1 + slope[..., None] * 1.2) + 0.07 * blobs


def _fill(canvas: np.ndarray, points: np.ndarray, colour: float | tuple[float, ...]) -> None:
    cv2.fillPoly(canvas, [_px(points, canvas.shape[0], array=True)], colour, cv2.LINE_8, 4)


def _line(canvas: np.ndarray, points: np.ndarray, colour: tuple[float, ...], weight: float) -> None:
    thickness = max(1, round(weight * canvas.shape[0]))
    cv2.polylines(canvas, [_px(points, canvas.shape[0], array=True)], False, colour, thickness, cv2.LINE_8, 4)


def _blend(canvas: np.ndarray, points: np.ndarray, colour: np.ndarray, alpha: float, blur: float) -> None:
    area = np.zeros(canvas.shape[:2], np.float32)
    _fill(area, points, alpha)
    soft = cv2.GaussianBlur(area, (0, 0), blur)[..., None]
    canvas += soft * (colour.astype(np.float32) - canvas)


def _px(points: np.ndarray, big: int, array: bool = False):  # type: ignore[no-untyped-def]
    """Fixed-point pixels with 4 fractional bits, as OpenCV's shift argument wants them."""
    fixed = np.round(np.asarray(points) * big * 16).astype(np.int32)
    return fixed if array else (int(fixed[0]), int(fixed[1]))


def _rgb(values: np.ndarray) -> tuple[float, float, float]:
    r, g, b = (float(v) for v in values)
    return r, g, b
