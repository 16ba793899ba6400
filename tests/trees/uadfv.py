"""A tiny UADFV: each video and its swap."""

from __future__ import annotations

from pathlib import Path

from trees.paint import Subject
from trees.write import Hand


def uadfv(root: Path, hand: Hand | None = None, *, videos: int = 5) -> None:
    """real/0000 with its swap fake/0000_fake, and so on."""
    hand = hand or Hand()
    for k in range(videos):
        hand.video(root / "real", f"{k:04d}", Subject("test", f"{k:04d}"))
        hand.video(root / "fake", f"{k:04d}_fake", Subject("test", f"{k:04d}", "UADFV"))
