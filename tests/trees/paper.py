"""Every data set that the paper's protocols read, as tiny trees in the places where `corit paper --root` looks."""

from __future__ import annotations

from pathlib import Path

from trees.celebdf import celebdf
from trees.df40 import SWAPS, df40
from trees.dfdc import dfdc, dfdcp
from trees.faceforensics import deepfakedetection, faceforensics
from trees.forensynths import forensynths
from trees.write import Hand


def paper(root: Path, hand: Hand | None = None, *, people: int = 4, each: int = 3) -> None:
    """FaceForensics++ with DeepFakeDetection, Celeb-DF v1 and v2, DFDC, its preview, DF40 and the 19 subsets.

    people: pairs for training, and sources of the test sets. each: pictures of each label in every subset.
    """
    hand = hand or Hand()
    few = max(2, people // 2)
    faceforensics(root / "FaceForensics++", hand, pairs={"train": people, "val": few, "test": few})
    deepfakedetection(root / "FaceForensics++", hand, actors=people)
    for version in (1, 2):
        celebdf(root / f"Celeb-DF-v{version}", hand, people=people)
    dfdc(root / "DFDC", hand, parts=1, tests=2 * people)
    dfdcp(root / "DFDCP", hand, actors=people)
    swaps = tuple(f"id{k}_id{(k + 1) % people}_0001" for k in range(people))
    df40(root / "DF40", hand, methods=SWAPS, ff={}, cdf=swaps, own=(), pictures=())
    forensynths(root / "UniversalFakeDetect", hand, each=each, training=("cat", "sofa"))
