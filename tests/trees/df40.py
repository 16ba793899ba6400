"""A tiny DF40: fakes of FaceForensics++'s and Celeb-DF's videos by method, and methods with reals of their own."""

from __future__ import annotations

from pathlib import Path

from trees.paint import Subject
from trees.write import Hand

SWAPS = ("uniface", "e4s", "facedancer", "fsgan", "inswap")
OTHERS = ("lia", "DiT")


def df40(
    root: Path,
    hand: Hand | None = None,
    *,
    methods: tuple[str, ...] = (*SWAPS, *OTHERS),
    ff: dict[str, str] | None = None,
    cdf: tuple[str, ...] = ("id0_id1_0001", "id1_id2_0001"),
    own: tuple[str, ...] = ("heygen",),
    pictures: tuple[str, ...] = ("MidJourney",),
) -> None:
    """Each method's fakes of the named videos; ff: video -> the split of its pair in FaceForensics++'s lists.

    own: methods with videos of their own, real and fake; pictures: the same with pictures instead of videos.
    """
    hand = hand or Hand()
    for method in methods:
        for name, split in (ff or {"000_001": "train", "010_011": "test"}).items():
            hand.video(root / method / "ff", name, Subject(split, name[:3], method))
        for name in cdf:
            person, _, number = name.split("_")
            hand.video(root / method / "cdf", name, Subject("test", f"{person}_{number}", method))
    for method in own:
        for k in range(2):
            hand.video(root / method / "real", f"r{k}", Subject("test", f"{method} {k}"))
            hand.video(root / method / "fake", f"f{k}", Subject("test", f"{method} {k}", method))
    for method in pictures:
        for k in range(3):
            hand.one(root / method / "real" / f"{k}.png", Subject("test", f"{method} {k}"))
            hand.one(root / method / "fake" / f"{k}.png", Subject("test", f"{method} {k}", method))
