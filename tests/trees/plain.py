"""A tiny folder of one's own: real/ and fake/ in train/ and test/, and a CSV file that lists them."""

from __future__ import annotations

from pathlib import Path

from trees.paint import Subject
from trees.write import Hand, text


def plain(root: Path, hand: Hand | None = None) -> None:
    """One picture of each class in each split; rows.csv has the columns path, label and split."""
    hand = hand or Hand()
    lines = ["path,label,split"]
    for split in ("train", "test"):
        for kind in ("real", "fake"):
            inside = f"{split}/{kind}/a.png"
            hand.one(root / inside, Subject(split, "a", kind))
            lines.append(f"{inside},{kind},{split}")
    text(root / "rows.csv", lines)
