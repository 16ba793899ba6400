"""A tiny GenImage: a folder for each generator, its pictures called ai and ImageNet's photographs called nature."""

from __future__ import annotations

from pathlib import Path

from trees.paint import Subject
from trees.write import Hand

GENERATORS = {
    "ADM": "imagenet_ai_0508_adm",
    "BigGAN": "imagenet_ai_0419_biggan",
    "Midjourney": "imagenet_midjourney",
    "stable_diffusion_v_1_4": "imagenet_ai_0419_sdv4",
}


def genimage(root: Path, hand: Hand | None = None, *, train: int = 4, val: int = 2) -> None:
    """Photographs are JPEG with ImageNet's names, made pictures PNG, numbered within their class."""
    hand = hand or Hand()
    for number, (generator, folder) in enumerate(GENERATORS.items()):
        for split, count in (("train", train), ("val", val)):
            base = root / generator / folder / split
            for k in range(count):
                # Subjects of the test side: the data set has no test folder and tests on val.
                subject = Subject("train" if split == "train" else "test", f"{split} {generator} {k}")
                hand.one(base / "nature" / f"n0144{number}764_{split == 'val':d}{k:04d}.JPEG", subject)
                fake = Subject(subject.split, subject.source, generator)
                hand.one(base / "ai" / f"{k:03d}_{number}_{split}.png", fake)
