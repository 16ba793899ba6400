"""Colour spaces: transfer functions, gamuts and the tone curve that bring HDR and wide-gamut pictures to sRGB.

Choices, where the standards leave some: SDR white is 203 nits (BT.2408), so that an HDR picture is mapped to a display
of that peak; HLG is shown as a display of 1000 nits does (gamma 1.2); a PQ picture that does not say how bright it is
was graded at 1000 nits, as most are. The tone curve of BT.2390 (its EETF, black at zero) is applied to the largest of
R, G and B in the picture's own primaries, and the other two are scaled with it, so that hues stay, as browsers do.
Colours outside sRGB are clipped channel by channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

Chromaticities = tuple[float, float, float, float, float, float, float, float]  # x, y of red, green, blue and white

BT709: Chromaticities = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
BT2020: Chromaticities = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
DCI_P3: Chromaticities = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)
DISPLAY_P3: Chromaticities = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)

WHITE = 203.0  # nits of SDR white
PEAK = 1000.0  # nits of an HLG display, and of PQ pictures that do not say
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# Of PQ (SMPTE ST 2084) and of HLG (ARIB STD-B67, BT.2100).
M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
A, B, C = 0.17883277, 0.28466892, 0.55991073
HLG_GAMMA = 1.2
HLG_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
STEPS = 1 << 14  # of the tables that are looked up by the square root of the light, which is nearly even to the eye
BAND = 1 << 19  # pixels at a time, which bounds the memory

Float = np.ndarray[Any, np.dtype[np.floating[Any]]]


@dataclass(frozen=True)
class ColourSpace:
    """What the code values of a picture stand for.

    Attributes:
        primaries: the gamut.
        transfer: "srgb" for all SDR curves, which are shown as they are; "pq", "hlg", or "gamma" for a power.
        gamma: the exponent of the power, 1 for linear light.
        peak: nits of the brightest light in a PQ picture.
        full: the 16-bit code of a full signal.
    """

    primaries: Chromaticities = BT709
    transfer: str = "srgb"
    gamma: float = 1.0
    peak: float = PEAK
    full: int = 65535

    @property
    def hdr(self) -> bool:
        """Whether it has to be tone-mapped."""
        return self.transfer in ("pq", "hlg")


SRGB = ColourSpace()


def to_srgb(pixels: np.ndarray, space: ColourSpace) -> np.ndarray:
    """Convert code values to sRGB; 8-bit pictures that are sRGB already come back as they are.

    Args:
        pixels: (H, W, 3) uint8 or uint16 R'G'B' of full range.
        space: what they stand for.

    Returns:
        (H, W, 3) uint8 sRGB.
    """
    if space == SRGB:
        return pixels if pixels.dtype == np.uint8 else ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    out = np.empty(pixels.shape, np.uint8)
    rows = max(1, BAND // max(1, pixels.shape[1]))
    for start in range(0, len(pixels), rows):
        part = slice(start, start + rows)
        out[part] = _encoded(relative(pixels[part], space) @ to_bt709(space.primaries).T.astype(np.float32))
    return out


def relative(pixels: np.ndarray, space: ColourSpace) -> Float:
    """Convert code values to tone-mapped light (H, W, 3) float32 in their own primaries; 1 is SDR white."""
    values = _table(space, pixels.dtype.name)[pixels]
    if space.transfer == "hlg":
        values *= PEAK * (values @ HLG_LUMA)[..., None] ** (HLG_GAMMA - 1)
    if not space.hdr:
        return values
    peak = PEAK if space.transfer == "hlg" else space.peak
    share = values.max(axis=-1, keepdims=True) / np.float32(peak)
    # What is brighter than the picture says it can be is as bright as the display, and keeps its hue too.
    return values * (_gains(peak)[_index(share)] / np.maximum(share, 1))


def pq_nits(signal: Float) -> Float:
    """Convert a PQ signal of 0 to 1 to nits: the EOTF of SMPTE ST 2084."""
    power = np.maximum(signal, 0) ** (1 / M2)
    return 10000 * (np.maximum(power - C1, 0) / (C2 - C3 * power)) ** (1 / M1)


def pq_signal(nits: Float) -> Float:
    """Convert nits to a PQ signal of 0 to 1: the inverse of `pq_nits`."""
    power = (np.maximum(nits, 0) / 10000) ** M1
    return ((C1 + C2 * power) / (1 + C3 * power)) ** M2


def hlg_scene(signal: Float) -> Float:
    """Convert an HLG signal to the scene's light of 0 to 1: the inverse OETF of BT.2100."""
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - C) / A) + B) / 12)


def eetf(nits: Float, peak: float, target: float = WHITE) -> Float:
    """Map nits of a picture to nits on a darker display, black at zero: the EETF of BT.2390-10, section 5.4.1."""
    if peak <= target:
        return np.minimum(nits, target)
    top = pq_signal(np.array(peak))
    signal, ceiling = np.minimum(pq_signal(nits) / top, 1), pq_signal(np.array(target)) / top
    knee = 1.5 * ceiling - 0.5
    t = (signal - knee) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * ceiling
    return pq_nits(np.where(signal < knee, signal, spline) * top)


@lru_cache(maxsize=16)
def to_bt709(primaries: Chromaticities) -> Float:
    """Make the (3, 3) matrix from linear RGB of some primaries to that of sRGB; white stays white (Bradford)."""
    adapted = _adaptation(primaries[6:], BT709[6:]) @ _to_xyz(primaries)
    return np.linalg.solve(_to_xyz(BT709), adapted)


def _to_xyz(primaries: Chromaticities) -> Float:
    columns = np.stack([_xyz(*primaries[k : k + 2]) for k in (0, 2, 4)], axis=1)
    return columns * np.linalg.solve(columns, _xyz(*primaries[6:]))


def _xyz(x: float, y: float) -> Float:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(source: tuple[float, ...], target: tuple[float, ...]) -> Float:
    ratio = (BRADFORD @ _xyz(*target)) / (BRADFORD @ _xyz(*source))
    return np.linalg.solve(BRADFORD, ratio[:, None] * BRADFORD)


@lru_cache(maxsize=16)
def _table(space: ColourSpace, kind: str) -> Float:
    """What each code value stands for: nits (PQ), the scene's light (HLG), or light of 0 to 1."""
    signal = np.linspace(0, 1, 256) if kind == "uint8" else np.minimum(np.arange(65536) / space.full, 1)
    if space.transfer == "pq":
        values = pq_nits(signal)
    elif space.transfer == "hlg":
        values = hlg_scene(signal)
    elif space.transfer == "gamma":
        values = signal**space.gamma
    else:
        values = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return values.astype(np.float32)


def _index(share: Float) -> np.ndarray:
    return (np.sqrt(np.clip(share, 0, 1)) * (STEPS - 1) + 0.5).astype(np.int32)


@lru_cache(maxsize=16)
def _gains(peak: float) -> Float:
    """By which nits are scaled to a share of SDR white, looked up by the square root of their share of the peak."""
    nits = np.maximum((np.arange(STEPS) / (STEPS - 1)) ** 2 * peak, 1e-6)
    return (eetf(nits, peak) / nits / WHITE).astype(np.float32)


@lru_cache(maxsize=1)
def _codes() -> np.ndarray:
    """The sRGB code of linear light, looked up by its square root."""
    light = (np.arange(STEPS) / (STEPS - 1)) ** 2
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255 * curve).round().astype(np.uint8)


def _encoded(light: Float) -> np.ndarray:
    return _codes()[_index(light)]
