"""A tiny DeeperForensics-1.0: actors filmed under lights and expressions, their swaps, and the lists of swaps."""

from __future__ import annotations

from pathlib import Path

from trees.paint import Subject
from trees.write import Hand, text

SWAPS = {"train": 3, "val": 1, "test": 2}


def deeperforensics(
    root: Path, hand: Hand | None = None, *, swaps: dict[str, int] | None = None, versions: tuple[str, ...] = ()
) -> None:
    """Two actors for each split, men M and women W, each in two videos and `swaps` swaps of each version."""
    hand = hand or Hand()
    person = number = 0
    for split, count in (swaps or SWAPS).items():
        names = []
        for letter in "MW":
            who = f"{letter}{100 + person}"
            person += 1
            for light in ("light_down", "light_uniform"):
                _video(root, hand, who, light, Subject(split, who))
            for _ in range(count):
                names.append(f"{number:03d}_{who}")
                number += 1
        for version in versions or ("end_to_end",):
            for name in names:
                subject = Subject(split, name.partition("_")[2], version)
                hand.video(root / "manipulated_videos" / version, name, subject)
        text(root / "lists" / "splits" / f"{split}.txt", [f"{n}.mp4" for n in names])


def _video(root: Path, hand: Hand, who: str, light: str, subject: Subject) -> None:
    """A video lies in folders of actor, light, expression and camera, and repeats them in its name; frames by actor."""
    parts = (who, light, "neutral", "camera_front")
    name = "_".join(parts)
    if hand.media == "videos":
        hand.video_file(root.joinpath("source_videos", *parts, f"{name}.mp4"), subject)
    else:
        hand.video(root / "source_videos" / who, name, subject)
