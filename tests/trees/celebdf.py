"""A tiny Celeb-DF: interviews, YouTube videos, swaps, and the list in which 1 means real."""

from __future__ import annotations

from pathlib import Path

from trees.paint import Subject
from trees.write import Hand, text


def celebdf(root: Path, hand: Hand | None = None, *, people: int = 4, videos: int = 2, strangers: int = 3) -> None:
    """Each celebrity in some videos, swapped with the next one's face; the last video of each is for testing."""
    hand = hand or Hand()
    tests = []
    for person in range(people):
        for number in range(videos):
            split = "test" if number == videos - 1 else "train"
            name = f"id{person}_{number:04d}"
            swap = f"id{person}_id{(person + 1) % people}_{number:04d}"
            hand.video(root / "Celeb-real", name, Subject(split, name))
            hand.video(root / "Celeb-synthesis", swap, Subject(split, name, "Celeb-synthesis"))
            if split == "test":
                tests += [f"1 Celeb-real/{name}.mp4", f"0 Celeb-synthesis/{swap}.mp4"]
    for number in range(strangers):
        split = "test" if number == strangers - 1 else "train"
        hand.video(root / "YouTube-real", f"{number:05d}", Subject(split, f"stranger {number}"))
        if split == "test":
            tests.append(f"1 YouTube-real/{number:05d}.mp4")
    text(root / "List_of_testing_videos.txt", tests)
