"""What is said of a file's further pictures: those that move, and those that stand beside the first."""

from __future__ import annotations

from typing import Any

from PIL import Image

MOVING = frozenset(("GIF", "WEBP", "PNG", "AVIF"))  # kinds whose pictures follow one another, and are no pages
SEVERAL = frozenset(("HEIF",))  # what pillow-heif calls all of its kinds
# Of an MPO file's pictures, those that are pictures by themselves; others are smaller copies and gain maps.
BY_ITSELF = "Multi-Frame Image"


def note_of(image: Image.Image) -> str:
    """What is to be said of the pictures of an opened file that are not looked at, or nothing."""
    frames = moving_frames(image)
    if frames > 1:
        return f"animated: only the first of {frames} frames was looked at"
    pictures = _pictures(image)
    if pictures > 1:
        return f"picture {image.tell() + 1} of {pictures}: the other pictures are not scored"
    return ""


def moving_frames(image: Image.Image) -> int:
    """How many frames an opened picture shows one after the other; 1 for one that stands still."""
    return int(getattr(image, "n_frames", 1)) if image.format in MOVING else 1


def _pictures(image: Image.Image) -> int:
    """How many pictures stand beside each other, without those that only help to show another one."""
    if image.format in SEVERAL:
        return int(getattr(image, "n_frames", 1))
    listed: Any = getattr(image, "mpinfo", None) or {}
    kinds = [str(entry["Attribute"]["MPType"]) for entry in listed.get(0xB002, ())]
    return sum(k.startswith(("Baseline MP Primary", BY_ITSELF)) for k in kinds) if kinds else 1
