"""Self-blending (SBI, Shiohara and Yamasaki, CVPR 2022): x~ = M * S(x) + (1 - M) * x.

A `Draw` holds every random number, and applying it is a pure function, so that a test can repeat it slowly. Lengths are
those of a 256-px crop and scale with the crop's side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from corit.recipe import BlendRecipe

REFERENCE = 256


@dataclass(frozen=True)
class Draw:
    """All random numbers of one self-blend: colour, resolution, geometry, mask, ratio. Lengths are of a 256-px crop."""

    perturbed: Literal["source", "target"]
    rgb_shift: tuple[float, float, float]
    hsv_shift: tuple[float, float, float]
    brightness: float
    contrast: float
    resolution: Literal["down2", "down4", "sharpen"]
    sharpen_alpha: float
    sharpen_lightness: float
    translate: tuple[float, float]
    scale: float
    elastic_seed: int
    mask_side: tuple[int, int]
    first_blur: int
    second_blur: int
    second_sigma: int
    ratio: float


def draw_blend(recipe: BlendRecipe, rng: np.random.Generator) -> Draw:
    """Draw the random numbers of one self-blend; the same generator state gives the same draw for every picture."""
    u, b = rng.uniform, recipe
    odd = lambda low, high: int(2 * rng.integers(low // 2, high // 2 + 1) + 1)
    return Draw(
        perturbed="source" if b.perturb == "source" or rng.random() < 0.5 else "target",
        rgb_shift=_three(u(-b.rgb_shift, b.rgb_shift, 3) * (rng.random() < b.rgb_shift_p)),
        hsv_shift=_three(u(-b.hue_saturation_value, b.hue_saturation_value, 3)),
        brightness=u(-b.brightness_contrast, b.brightness_contrast),
        contrast=u(-b.brightness_contrast, b.brightness_contrast),
        resolution=("down2", "down4", "sharpen", "sharpen")[rng.integers(4)],
        sharpen_alpha=u(0.2, 0.5),
        sharpen_lightness=u(0.5, 1.0),
        translate=(u(-b.translate_x, b.translate_x), u(-b.translate_y, b.translate_y)),
        scale=u(b.scale, 1 / b.scale),
        elastic_seed=int(rng.integers(2**31)),
        mask_side=(
            int(rng.integers(b.mask_side[0], b.mask_side[1] + 1)),
            int(rng.integers(b.mask_side[0], b.mask_side[1] + 1)),
        ),
        first_blur=odd(b.blur[0], b.blur[1] - 1),
        second_blur=odd(b.blur[0], b.blur[1] - 1),
        second_sigma=int(rng.integers(b.second_sigma[0], b.second_sigma[1] + 1)),
        ratio=float(b.ratios[rng.integers(len(b.ratios))]),
    )


def self_blend(pixels: np.ndarray, mask: np.ndarray, draw: Draw, recipe: BlendRecipe) -> tuple[np.ndarray, np.ndarray]:
    """Self-blend a crop: x~ = M * S(x) + (1 - M) * x.

    Where the source is perturbed, pixels with M = 0 equal the crop's to the bit.

    Args:
        pixels: the crop x, (S, S, 3) uint8.
        mask: its foreground, (S, S) bool.
        draw: the random numbers.
        recipe: the strength of the elastic deformation.

    Returns:
        The self-blended picture x~ (S, S, 3) uint8, and the blend mask M (S, S) float32 in [0, 1].
    """
    source = appearance(pixels, draw) if draw.perturbed == "source" else pixels
    target = appearance(pixels, draw) if draw.perturbed == "target" else pixels
    moved, area = geometry(source, mask.astype(np.float32), draw)
    area = elastic(area, draw, recipe)
    m = soften(area, draw)
    mixed = m[..., None] * moved.astype(np.float32) + (1 - m[..., None]) * target.astype(np.float32)
    blended = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return np.where(m[..., None] > 0, blended, target), m


def appearance(pixels: np.ndarray, draw: Draw) -> np.ndarray:
    """Apply the colour and frequency part of S to pixels (S, S, 3) uint8: colour shifts, then a resolution change."""
    x = np.clip(pixels.astype(np.float32) + np.array(draw.rgb_shift, np.float32), 0, 255)
    hsv = cv2.cvtColor((x / 255), cv2.COLOR_RGB2HSV)  # H in degrees, S and V in [0, 1]
    hsv[..., 0] = (hsv[..., 0] + draw.hsv_shift[0]) % 360
    hsv[..., 1:] = np.clip(hsv[..., 1:] + np.array(draw.hsv_shift[1:], np.float32) / 255, 0, 1)
    shifted = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255
    x = np.clip(shifted * (1 + draw.contrast) + 255 * draw.brightness, 0, 255)
    return np.clip(np.rint(_resolution(x, draw)), 0, 255).astype(np.uint8)


def _resolution(x: np.ndarray, draw: Draw) -> np.ndarray:
    if draw.resolution == "sharpen":
        kernel = np.full((3, 3), -draw.sharpen_alpha, np.float32)
        kernel[1, 1] = 1 - draw.sharpen_alpha + draw.sharpen_alpha * (8 + draw.sharpen_lightness)
        return cv2.filter2D(x, -1, kernel)
    factor = 2 if draw.resolution == "down2" else 4
    h, w = x.shape[:2]
    small = cv2.resize(x, (max(1, w // factor), max(1, h // factor)), interpolation=cv2.INTER_NEAREST)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)


def geometry(pixels: np.ndarray, mask: np.ndarray, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale source (S, S, 3) and mask (S, S) alike, about the centre."""
    side = pixels.shape[0]
    centre = (side - 1) / 2
    shift = np.array(draw.translate) * side + centre - draw.scale * centre
    matrix = np.array([[draw.scale, 0, shift[0]], [0, draw.scale, shift[1]]])
    moved = cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return moved, cv2.warpAffine(mask, matrix, (side, side), flags=cv2.INTER_LINEAR)


def elastic(mask: np.ndarray, draw: Draw, recipe: BlendRecipe) -> np.ndarray:
    """Deform the mask (S, S) elastically: a smooth random displacement of strength alpha, scaled to the side."""
    side = mask.shape[0]
    ratio = side / REFERENCE
    rng = np.random.Generator(np.random.PCG64(draw.elastic_seed))
    noise = rng.uniform(-1, 1, (2, side, side)).astype(np.float32)
    # Blurring averages about sigma^2 values, so noise shrinks by sigma: one ratio makes up for that, one is the scale.
    alpha, sigma = recipe.elastic_alpha * ratio**2, recipe.elastic_sigma * ratio
    dx, dy = (cv2.GaussianBlur(n, (0, 0), sigma) * alpha for n in noise)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    return cv2.remap(mask, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def soften(mask: np.ndarray, draw: Draw) -> np.ndarray:
    """Make SBI's blend mask M of a mask (S, S): blur, keep what stays full, blur again, scale by the ratio.

    What is below one between the blurs becomes zero, which erodes the mask: its soft edge lies inside it.

    Returns:
        M (S, S) float32 in [0, 1].
    """
    side = mask.shape[0]
    ratio = side / REFERENCE
    w, h = (max(4, round(s * ratio)) for s in draw.mask_side)
    m = cv2.resize(mask, (w, h), interpolation=cv2.INTER_LINEAR)
    m = _blur(m, _kernel(draw.first_blur, ratio), 0)
    top = m.max()
    m = np.where(m < top * (1 - 1e-4), 0, m).astype(np.float32)
    m = _blur(m, _kernel(draw.second_blur, ratio), draw.second_sigma * ratio)
    top = m.max()
    if top > 0:
        m = m / top
    return cv2.resize(m, (side, side), interpolation=cv2.INTER_LINEAR) * np.float32(draw.ratio)


def _kernel(size: int, ratio: float) -> int:
    """An odd kernel size scaled to the crop."""
    return 2 * round((size * ratio - 1) / 2) + 1


def _blur(m: np.ndarray, size: int, sigma: float) -> np.ndarray:
    return m if size < 3 else cv2.GaussianBlur(m, (size, size), sigma)


def _three(values: np.ndarray) -> tuple[float, float, float]:
    r, g, b = (float(v) for v in values)
    return r, g, b
