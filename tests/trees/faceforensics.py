"""A tiny FaceForensics++ and DeepFakeDetection, as their download script and DeepfakeBench's README lay them out."""

from __future__ import annotations

from pathlib import Path

from trees.paint import Subject
from trees.write import Hand, table

METHODS = {"Deepfakes": "DF", "Face2Face": "F2F", "FaceSwap": "FS", "NeuralTextures": "NT"}
PAIRS = {"train": 3, "val": 2, "test": 2}


def faceforensics(
    root: Path,
    hand: Hand | None = None,
    *,
    pairs: dict[str, int] | None = None,
    methods: dict[str, str] | None = None,
    compression: str = "c23",
    lists: str = "splits",
) -> None:
    """Pairs of videos by split, both orders of each pair faked by each method, and the official lists of pairs.

    lists: the folder of train.json, val.json and test.json; "" for the root, where DeepfakeBench keeps them.
    """
    hand = hand or Hand()
    number = 0
    for split, count in (pairs or PAIRS).items():
        listed = [(f"{number + 2 * k:03d}", f"{number + 2 * k + 1:03d}") for k in range(count)]
        number += 2 * count
        # The published lists do not name the smaller number first.
        listed = [(b, a) if k % 2 else (a, b) for k, (a, b) in enumerate(listed)]
        table(root / lists / f"{split}.json", [list(pair) for pair in listed])
        for a, b in listed:
            _pair(root, hand, split, a, b, methods or METHODS, compression)


def _pair(root: Path, hand: Hand, split: str, a: str, b: str, methods: dict[str, str], compression: str) -> None:
    for name in (a, b):
        hand.video(root / "original_sequences" / "youtube" / compression, name, Subject(split, name))
    for folder, kind in methods.items():
        for target, source in ((a, b), (b, a)):
            where = root / "manipulated_sequences" / folder / compression
            subject = Subject(split, target, kind)
            # Masks were published for the four methods only.
            hand.video(where, f"{target}_{source}", subject, mask=folder in METHODS)


def deepfakedetection(root: Path, hand: Hand | None = None, *, actors: int = 3, compression: str = "c23") -> None:
    """Each actor in two scenes, and each swapped by the next actor's face: no lists, no splits."""
    hand = hand or Hand()
    for k in range(1, actors + 1):
        other = k % actors + 1
        for scene in ("exit_phone_room", "walking_outside"):
            subject = Subject("test", f"actor {k:02d} {scene}")
            hand.video(root / "original_sequences" / "actors" / compression, f"{k:02d}__{scene}", subject)
            fake = Subject("test", subject.source, "DFD")
            name = f"{k:02d}_{other:02d}__{scene}__YVGY8LOK"
            hand.video(root / "manipulated_sequences" / "DeepFakeDetection" / compression, name, fake, mask=True)
