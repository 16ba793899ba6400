"""Files of several pictures: animations, and pictures beside the primary one."""

from __future__ import annotations

from typing import Any

from PIL import Image

ANIMATED = frozenset(("GIF", "WEBP", "PNG", "AVIF"))  # formats whose pictures are frames, not pages
COLLECTIONS = frozenset(("HEIF",))  # pillow-heif's name of all its formats
# Pictures of an MPO file that stand by themselves; others are smaller copies and gain maps.
INDEPENDENT = "Multi-Frame Image"


def note_of(image: Image.Image) -> str:
    """Make the note on the pictures of an opened file that are not scored, "" for none."""
    frames = moving_frames(image)
    if frames > 1:
        return f"animated: only the first of {frames} frames was looked at"
    pictures = _pictures(image)
    if pictures > 1:
        return f"picture {image.tell() + 1} of {pictures}: the other pictures are not scored"
    return ""


def moving_frames(image: Image.Image) -> int:
    """Count the frames of an opened picture; 1 for a still."""
    return int(getattr(image, "n_frames", 1)) if image.format in ANIMATED else 1


def _pictures(image: Image.Image) -> int:
    """The number of pictures beside each other, without those that only help to show another one."""
    if image.format in COLLECTIONS:
        return int(getattr(image, "n_frames", 1))
    listed: Any = getattr(image, "mpinfo", None) or {}
    kinds = [str(entry["Attribute"]["MPType"]) for entry in listed.get(0xB002, ())]
    return sum(k.startswith(("Baseline MP Primary", INDEPENDENT)) for k in kinds) if kinds else 1
