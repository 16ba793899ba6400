"""Apply ICC colour profiles with littlecms, as browsers do."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms

# Perceptual, as Chrome takes a profile's first table and as Firefox asks for by default. RGB and grey profiles without
# tables, which nearly all are, give the same by every intent. Of CMYK, littlecms brings the darkest print to black in
# this intent, as programs for pictures do, where Chrome leaves it as dark as ink is.
INTENT = ImageCms.Intent.PERCEPTUAL
SRGB_TOLERANCE = 1  # grey levels by which an sRGB profile may differ from sRGB: profiles round their numbers
MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}
DAMAGED = "its colour profile is damaged and was ignored"


def in_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """Convert a picture from its profile to sRGB.

    Args:
        image: of mode L, RGB, CMYK or LAB.
        profile: the bytes of its ICC profile; None where they are damaged.

    Returns:
        The picture, unchanged where its profile is sRGB; and a note on a profile that was ignored, "" for nothing.
    """
    if profile is None:
        return image, DAMAGED
    try:
        mode, transform = _transform(profile)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image, DAMAGED
    if image.mode == "L" and mode == "RGB":
        image = image.convert("RGB")
    if image.mode != mode:
        return image, f"its colour profile is not one for {image.mode} pictures and was ignored"
    if transform is None:
        return image, ""
    return Image.fromarray(transform[np.asarray(image)]) if mode == "L" else _applied(image, transform), ""


def lab_in_srgb(image: Image.Image) -> Image.Image:
    """Convert a picture of mode LAB to sRGB."""
    return _applied(image, ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB", INTENT))


def _applied(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # it is None only for work in place
    return converted


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@lru_cache(maxsize=32)
def _transform(profile: bytes) -> tuple[str, Any]:
    """The mode of a profile, and its transform to sRGB, for greys a table; None where the profile is sRGB."""
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    mode = MODES.get(source.profile.xcolor_space.strip())
    if mode is None:
        raise ValueError("a profile of other colours")
    # littlecms' fast form of grey curves is some levels off in the dark, and there are only 256 greys.
    flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
    transform = ImageCms.buildTransform(source, _srgb(), mode, "RGB", INTENT, flags)
    if mode not in ("L", "RGB"):
        return mode, transform
    probe = _probe(mode)
    table = np.asarray(_applied(probe, transform))
    if np.abs(table.astype(np.int16) - np.asarray(probe.convert("RGB"))).max() <= SRGB_TOLERANCE:
        return mode, None
    return mode, table[0] if mode == "L" else transform


def _probe(mode: str) -> Image.Image:
    """All greys in one row, or colours from the whole cube."""
    levels = np.arange(0, 256, 5 if mode == "RGB" else 1, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(levels[None])
    return Image.fromarray(np.stack(np.meshgrid(*[levels] * 3, indexing="ij"), -1).reshape(len(levels), -1, 3))
