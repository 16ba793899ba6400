"""A drawn camera: blur, sensor noise, a Bayer mosaic and its interpolation; and the JPEG of every picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

GAMMA = 2.2
JPEG_QUALITY = (88, 96)


@dataclass(frozen=True)
class Exposure:
    """One exposure of the camera.

    Attributes:
        blur: standard deviation in pixels.
        photons: at full brightness; sets the photon noise.
        read: read noise in linear units.
        noise: seed of the noise.
        quality: of the JPEG, 1 to 100.
    """

    blur: float
    photons: float
    read: float
    noise: int
    quality: int


def draw_exposure(rng: np.random.Generator) -> Exposure:
    """Draw an exposure."""
    return Exposure(
        blur=rng.uniform(0.25, 0.6),
        photons=rng.uniform(1500, 8000),
        read=rng.uniform(0.001, 0.005),
        noise=int(rng.integers(2**31)),
        quality=int(rng.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1)),
    )


def expose(pixels: np.ndarray, exposure: Exposure) -> np.ndarray:
    """Take a picture of a scene.

    Args:
        pixels: the scene (S, S, 3) float in [0, 1].
        exposure: blur and noise.

    Returns:
        The sensor's picture (S, S, 3) uint8, before any JPEG.
    """
    linear = np.clip(cv2.GaussianBlur(pixels, (0, 0), exposure.blur), 0, 1) ** GAMMA
    rng = np.random.Generator(np.random.PCG64(exposure.noise))
    sigma = np.sqrt(linear / exposure.photons + exposure.read**2)
    noisy = linear + sigma * rng.standard_normal(linear.shape, dtype=np.float32)
    coded = np.round(np.clip(noisy, 0, 1) ** (1 / GAMMA) * 255).astype(np.uint8)
    return cv2.cvtColor(_mosaic(coded), cv2.COLOR_BayerBG2RGB)


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Compress a picture (H, W, 3) uint8 as a JPEG of a quality, and decode it."""
    decoded = cv2.imdecode(np.frombuffer(jpeg_bytes(pixels, quality), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded in the line above
    return decoded[..., ::-1].copy()


def jpeg_bytes(pixels: np.ndarray, quality: int) -> bytes:
    """Compress a picture (H, W, 3) uint8 as a JPEG of a quality, 1 to 100."""
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _mosaic(pixels: np.ndarray) -> np.ndarray:
    """One colour of each pixel: R at even rows and columns, B at odd ones, G elsewhere."""
    raw = pixels[..., 1].copy()
    raw[0::2, 0::2] = pixels[0::2, 0::2, 0]
    raw[1::2, 1::2] = pixels[1::2, 1::2, 2]
    return raw
