"""A tiny DFDC and DFDC preview: videos with random names, and the tables that say what each of them is."""

from __future__ import annotations

from pathlib import Path

from corit.seeding import generator
from trees.paint import Subject
from trees.write import Hand, table, text

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def dfdc(root: Path, hand: Hand | None = None, *, parts: int = 2, originals: int = 2, tests: int = 6) -> None:
    """Train parts, each with originals and two fakes of each, and a test set of which every other video is fake."""
    hand = hand or Hand()
    for part in range(parts):
        folder = root / "train" / f"dfdc_train_part_{part:02d}"
        entries: dict[str, dict[str, str]] = {}
        for k in range(originals):
            real = _word(f"{part} {k}")
            hand.video(folder, real, Subject("train", real))
            entries[f"{real}.mp4"] = {"label": "REAL", "split": "train"}
            for j in range(2):
                fake = _word(f"{part} {k} fake {j}")
                hand.video(folder, fake, Subject("train", real, "DFDC"))
                entries[f"{fake}.mp4"] = {"label": "FAKE", "split": "train", "original": f"{real}.mp4"}
        table(folder / "metadata.json", entries)
    _tests(root / "test", hand, tests)


def _tests(folder: Path, hand: Hand, count: int) -> None:
    lines = ["filename,label"]
    for k in range(count):
        name = _word(f"test {k}")
        hand.video(folder, name, Subject("test", f"test {k // 2}", "DFDC" if k % 2 else ""))
        lines.append(f"{name}.mp4,{k % 2}")
    text(folder / "labels.csv", lines)


def _word(key: str) -> str:
    """Ten letters, as the challenge named its videos."""
    return "".join(LETTERS[int(i)] for i in generator("dfdc", key).integers(0, 26, 10))


def dfdcp(root: Path, hand: Hand | None = None, *, actors: int = 4) -> None:
    """Two originals of each actor and one swap by each of two methods; the last actors are the test set."""
    hand = hand or Hand()
    entries: dict[str, dict[str, object]] = {}
    for k in range(actors):
        actor, other = 1000000 + k, 1000000 + (k + 1) % actors
        side = "test" if k >= actors // 2 else "train"
        names = [("original_videos", f"{actor}_{letter}", "") for letter in "AB"]
        names += [(method, f"{actor}_{other}_A", method) for method in ("method_A", "method_B")]
        for folder, name, kind in names:
            _preview(root, hand, f"{folder}/{actor}/{name}.mp4", Subject(side, f"actor {actor}", kind))
            label = "fake" if kind else "real"
            swapped = other if kind else None
            key = f"{folder}/{actor}/{name}.mp4"
            entries[key] = {"label": label, "set": side, "target_id": actor, "swapped_id": swapped, "augmentations": []}
    table(root / "dataset.json", entries)


def _preview(root: Path, hand: Hand, key: str, subject: Subject) -> None:
    """The videos lie in a folder for each actor; preprocessed frames do not."""
    folder, actor, name = key.removesuffix(".mp4").split("/")
    if hand.media == "videos":
        hand.video_file(root / folder / actor / f"{name}.mp4", subject)
    else:
        hand.video(root / folder, name, subject)
