"""Perturb pictures as cameras and platforms do: ten perturbations with five levels each, the same for the same picture.

Levels of blur, blocks, contrast, saturation, noise and pixelation are those of DeeperForensics-1.0's public code
(Jiang et al., CVPR 2020), in pixels of the picture that is perturbed: it perturbs whole frames, before faces are cut
out. Two names there are misleading. "JPEG compression" compresses nothing: it shrinks the picture by 2 to 6 and
enlarges it again, which is called pixelation here. "Color contrast" scales towards black. Its seventh kind, H.264 at
CRF 30, 32, 35, 38, 40, is for videos only. Levels of JPEG, resizing, WebP and screenshots are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from corit.errors import DataError, UnsupportedError
from corit.seeding import generator

Perturbation = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]

LEVELS = (1, 2, 3, 4, 5)
KERNELS = (7, 9, 13, 17, 21)  # of the blur, in pixels; sigma is a sixth of it
BLOCKS = (16, 32, 48, 64, 80)  # grey blocks for each 256 px of the shorter side
BLOCK = 8
CONTRAST = (0.85, 0.725, 0.6, 0.475, 0.35)
SATURATION = (0.4, 0.3, 0.2, 0.1, 0.0)
VARIANCE = (0.001, 0.002, 0.005, 0.01, 0.05)  # of noise in Y, Cb, Cr, of a unit that is 255 levels of studio range
SHRINK = (2, 3, 4, 5, 6)
JPEG = (90, 70, 50, 30, 10)
WEBP = (80, 60, 40, 20, 5)
RESIZE = (0.8, 0.65, 0.5, 0.35, 0.25)
SCREEN = ((0.93, 90), (0.83, 80), (0.71, 70), (0.59, 55), (0.47, 40))  # scale of the display, quality of the JPEG
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
ROUNDING = 1e-3  # of a grey level: whole numbers that float32 holds a little too low are not truncated by one


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{v:g}" for v in values)


def blur(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Blur (H, W, 3) uint8 with a Gaussian kernel of 7 to 21 px."""
    k = KERNELS[_step(level)]
    return cv2.GaussianBlur(pixels, (k, k), k / 6)


def blocks(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Put grey squares of 8 px at random places of (H, W, 3) uint8; each level adds to the squares of the last.

    There are 16 to 80 squares for every whole 256 px of the shorter side. A picture whose shorter side is below 256 px
    gets the number for 256 px times its area divided by 256 x 256, and at least one square.
    """
    height, width = pixels.shape[:2]
    many = min(height, width) // 256 * BLOCKS[_step(level)]
    count = many or max(1, round(BLOCKS[level - 1] * height * width / 256**2))
    out = pixels.copy()
    room = np.maximum(1, np.array([height, width]) - BLOCK)
    for y, x in (rng.random((count, 2)) * room).astype(int):
        out[y : y + BLOCK, x : x + BLOCK] = 128
    return out


def contrast(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Scale (H, W, 3) uint8 towards black by 0.85 to 0.35, and truncate fractions."""
    return (pixels.astype(np.float32) * np.float32(CONTRAST[_step(level)])).astype(np.uint8)


def saturation(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Scale the chroma of (H, W, 3) uint8 by 0.4 to 0, which is grey, and truncate fractions."""
    luma = (pixels @ LUMA)[..., None]
    exact = luma + SATURATION[_step(level)] * (pixels - luma)
    return np.clip(exact + ROUNDING, 0, 255).astype(np.uint8)


def noise(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Add white Gaussian noise of variance 0.001 to 0.05 to the studio-range Y, Cb and Cr of (H, W, 3) uint8.

    The way back from studio range stretches it: the standard deviation of Y is 9.4 levels at level 1.
    """
    draw = rng.standard_normal(pixels.shape).astype(np.float32) * (255 * VARIANCE[_step(level)] ** 0.5)
    y, cb, cr = draw[..., 0] * (255 / 219), draw[..., 1] * (255 / 224), draw[..., 2] * (255 / 224)
    added = np.stack([y + 1.403 * cr, y - 0.714 * cr - 0.344 * cb, y + 1.773 * cb], axis=-1)
    return np.clip(pixels + added, 0, 255).astype(np.uint8)


def pixelation(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Shrink (H, W, 3) uint8 by 2 to 6 and enlarge it again, bilinearly: DeeperForensics-1.0's "JPEG"."""
    height, width = pixels.shape[:2]
    factor = SHRINK[_step(level)]
    small = cv2.resize(pixels, (max(1, width // factor), max(1, height // factor)))
    return cv2.resize(small, (width, height))


def jpeg(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Compress (H, W, 3) uint8 as JPEG of quality 90 to 10, with colours of half the size."""
    return encoded(pixels, "JPEG", JPEG[_step(level)])


def webp(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Compress (H, W, 3) uint8 as WebP of quality 80 to 5."""
    return encoded(pixels, "WEBP", WEBP[_step(level)])


def resize(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Shrink (H, W, 3) uint8 to 0.8 to 0.25 of its sides by areas, and enlarge it again, bicubically."""
    return _enlarged(shrunk(pixels, RESIZE[_step(level)]), pixels.shape)


def screenshot(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Scale (H, W, 3) uint8 for a display, save it as JPEG, and scale it back, as a screenshot does."""
    scale, quality = SCREEN[_step(level)]
    return _enlarged(encoded(shrunk(pixels, scale), "JPEG", quality), pixels.shape)


# The first four are those of the paper's figure 8.
PERTURBATIONS: dict[str, Perturbation] = {
    "blur": blur,
    "blocks": blocks,
    "contrast": contrast,
    "jpeg": jpeg,
    "pixelation": pixelation,
    "saturation": saturation,
    "noise": noise,
    "resize": resize,
    "webp": webp,
    "screenshot": screenshot,
}
PAPER = ("blur", "blocks", "contrast", "jpeg")
# The five levels in words, for tables and pages.
LEVEL_TEXTS: dict[str, str] = {
    "blur": f"Gaussian blur, kernel of {_listed(KERNELS)} px",
    "blocks": f"{_listed(BLOCKS)} grey squares of {BLOCK} px for each 256 px of the shorter side",
    "contrast": f"brightness scaled towards black by {_listed(CONTRAST)}",
    "jpeg": f"JPEG of quality {_listed(JPEG)}",
    "pixelation": f"shrunk by {_listed(SHRINK)} and enlarged again, bilinear: what DeeperForensics-1.0 calls JPEG",
    "saturation": f"colour scaled by {_listed(SATURATION)}",
    "noise": f"white noise of variance {_listed(VARIANCE)} in Y, Cb and Cr",
    "resize": f"shrunk to {_listed(RESIZE)} of its sides and enlarged again, bicubic",
    "webp": f"WebP of quality {_listed(WEBP)}",
    "screenshot": f"scaled to {_listed(scale for scale, _ in SCREEN)}, JPEG of quality {_listed(q for _, q in SCREEN)}",
}


def perturb(pixels: np.ndarray, name: str, level: int) -> np.ndarray:
    """Perturb a picture; the same picture gives the same result.

    The random seed is made from the pixels and the name, not the level, so that a higher level is more of the same.

    Args:
        pixels: (H, W, 3) uint8.
        name: one of `PERTURBATIONS`.
        level: 1 to 5.

    Returns:
        The perturbed picture (H, W, 3) uint8.

    Raises:
        DataError: when there is no such perturbation or level.
        UnsupportedError: when the picture is too large for the perturbation's file format.
    """
    require(name, level)
    return PERTURBATIONS[name](pixels, level, generator("perturb", name, pixels))


def require(name: str, level: int) -> None:
    """Raise DataError unless there is such a perturbation and such a level."""
    if name not in PERTURBATIONS:
        raise DataError(f"no perturbation {name!r}; there are {', '.join(PERTURBATIONS)}")
    _step(level)


def _step(level: int) -> int:
    if level not in LEVELS:
        raise DataError(f"expected a level of {LEVELS[0]} to {LEVELS[-1]}, got {level!r}")
    return level - 1


def encoded(pixels: np.ndarray, kind: str, quality: int) -> np.ndarray:
    """Encode and decode a picture.

    Args:
        pixels: (H, W, 3) uint8.
        kind: "JPEG" or "WEBP".
        quality: 1 to 100.

    Returns:
        The decoded picture (H, W, 3) uint8.

    Raises:
        UnsupportedError: the format cannot hold the picture; WebP ends at 16383 px, JPEG at 65500.
    """
    data = BytesIO()
    try:
        Image.fromarray(pixels).save(data, kind, quality=quality)
    except (OSError, ValueError) as err:
        height, width = pixels.shape[:2]
        raise UnsupportedError(f"a picture of {width} x {height} px cannot be saved as {kind}: {err}") from err
    return np.array(Image.open(data).convert("RGB"))


def shrunk(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Shrink (H, W, 3) uint8 to a share of its sides, by areas."""
    height, width = pixels.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _enlarged(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return cv2.resize(pixels, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
