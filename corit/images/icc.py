"""Colour profiles (ICC) of pictures, applied by littlecms as browsers do."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

# Perceptual, as Chrome takes a profile's first table and as Firefox asks for by default, neither of them with black
# point compensation. Of profiles without tables, which nearly all RGB and grey ones are, all intents are the same.
INTENT = ImageCms.Intent.PERCEPTUAL
SAME = 1  # grey level by which a profile may differ from sRGB and still be sRGB: profiles round their numbers
MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}
DAMAGED = "its colour profile is damaged and was ignored"


def in_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """A picture brought from its profile to sRGB.

    Args:
        image: of mode L, RGB, CMYK or LAB.
        profile: the bytes of its ICC profile; None where they are damaged.

    Returns:
        The picture, the same one where its profile is that of sRGB; and what is to be said of it, or nothing.
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
    return ImageCms.applyTransform(image, transform) or image, ""


def lab_in_srgb(image: Image.Image) -> Image.Image:
    """A picture of mode LAB in sRGB."""
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB", INTENT)
    return ImageCms.applyTransform(image, transform) or image


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@lru_cache(maxsize=32)
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """The mode that a profile is for, and the way to sRGB; None where it is sRGB."""
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    mode = MODES.get(source.profile.xcolor_space.strip())
    if mode is None:
        raise ValueError("a profile of other colours")
    transform = ImageCms.buildTransform(source, _srgb(), mode, "RGB", INTENT)
    return mode, None if mode in ("L", "RGB") and _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    levels = np.arange(0, 256, 5 if mode == "RGB" else 1, dtype=np.uint8)
    colours = np.stack(np.meshgrid(*[levels] * 3, indexing="ij"), -1).reshape(len(levels), -1, 3)
    probe = Image.fromarray(colours if mode == "RGB" else levels[None])
    found = np.asarray(ImageCms.applyTransform(probe, transform), dtype=np.int16)
    return bool(np.abs(found - np.asarray(probe.convert("RGB"))).max() <= SAME)
