"""A tiny UniversalFakeDetect benchmark: eleven folders of ForenSynths, eight diffusion sets, ProGAN for training."""

from __future__ import annotations

from pathlib import Path

from trees.paint import Subject
from trees.write import Hand

PLAIN = ("biggan", "gaugan", "stargan", "deepfake", "seeingdark", "san", "crn", "imle")
BY_CLASS = {
    "progan": ("airplane", "cat", "sofa"),
    "cyclegan": ("apple2orange", "horse", "zebra2horse"),
    "stylegan": ("bedroom", "car"),
}
GUIDED = ("guided",)
LAION = ("ldm_200", "ldm_200_cfg", "ldm_100", "glide_100_27", "glide_50_27", "glide_100_10", "dalle")
SUFFIX = {"biggan": ".PNG", "san": ".v2.png", "gaugan": ".jpg", "deepfake": ".JPEG"}


def forensynths(root: Path, hand: Hand | None = None, *, each: int = 3, training: tuple[str, ...] = ()) -> None:
    """`each` pictures of either class in every folder; training: ProGAN classes for train/progan and val/progan."""
    hand = hand or Hand()
    for name in PLAIN:
        both(root / "test" / name, hand, each, "test", name, SUFFIX.get(name, ".png"))
    for name, classes in BY_CLASS.items():
        for thing in classes:
            both(root / "test" / name / thing, hand, each, "test", name)
    for reals, names in (("imagenet", GUIDED), ("laion", LAION)):
        half(root / "diffusion_datasets" / reals / "0_real", hand, each, Subject("test", reals))
        for name in names:
            half(root / "diffusion_datasets" / name / "1_fake", hand, each, Subject("test", name, name))
    for split in ("train", "val"):
        for thing in training:
            both(root / split / "progan" / thing, hand, each, split, "progan")


def both(folder: Path, hand: Hand, each: int, split: str, name: str, suffix: str = ".png") -> None:
    """0_real and 1_fake of a folder."""
    source = f"{split} {name} {folder.name}"
    half(folder / "0_real", hand, each, Subject(split, source), suffix)
    half(folder / "1_fake", hand, each, Subject(split, source, name), suffix)


def half(folder: Path, hand: Hand, each: int, subject: Subject, suffix: str = ".png") -> None:
    """`each` pictures of a subject; each shows a source of its own."""
    for k in range(each):
        one = Subject(subject.split, f"{subject.source} {k}", subject.manipulation)
        hand.one(folder / f"{k:05d}{suffix}", one)
