"""Celeb-DF, versions 1 and 2."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

from corit.data.dataset import DataSet, PublishedSize
from corit.data.frames import READ_ALL, Reading, VideoEntry, find_videos, frame_samples, read_frame, require_videos
from corit.data.origin import Origin
from corit.data.sample import Sample, Split
from corit.data.text_files import read_text
from corit.errors import DataError, examples
from corit.images.picture import Picture

ORIGIN = Origin(
    "Celeb-DF",
    "Celeb-real/, YouTube-real/, Celeb-synthesis/ and List_of_testing_videos.txt",
    "https://github.com/yuezunli/celeb-deepfakeforensics (a form to fill in)",
)
LIST = "List_of_testing_videos.txt"
FOLDERS = {"Celeb-real": 0, "YouTube-real": 0, "Celeb-synthesis": 1}
SWAP = re.compile(
    r"(id\d+)_id\d+_(\d+)"
)  # the person in the video, the person whose face is put on, the video's number


@dataclass(frozen=True)
class CelebDF:
    """Celeb-DF: interviews of celebrities, people from YouTube, and swaps between the celebrities.

    The official list names the test videos; all others are for training. There is no official validation split, and
    nothing of the test set is used as one. A sample's group is the video, which a swap shares with the real video
    behind it.

    Attributes:
        root: the data set's folder.
        version: 1 or 2.
        reading: what to read of the videos.

    Raises:
        DataError: an unknown version; when rows are listed, the list or videos are missing.
    """

    root: str
    version: Literal[1, 2] = 2
    reading: Reading = READ_ALL

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            raise DataError(f"expected version 1 or 2 of Celeb-DF, got {self.version!r}")

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The reals of both folders, then the swaps."""
        tests = read_test_list(self.root)
        return tuple(s for folder in FOLDERS for s in self._rows(folder, tests[folder]))

    def _rows(self, folder: str, tests: set[str]) -> Iterator[Sample]:
        name = f"Celeb-DF-v{self.version}"
        for video, entry in self._clips(folder, tests).items():
            split: Split = "test" if video in tests else "train"
            yield from frame_samples(
                entry,
                self.reading,
                video=f"{name}/{folder}/{video}",
                label=FOLDERS[folder],
                split=split,
                dataset=name,
                manipulation=folder if FOLDERS[folder] else "",
                group=source_video(video) if folder != "YouTube-real" else youtube_group(video),
            )

    def _clips(self, folder: str, tests: set[str]) -> dict[str, VideoEntry]:
        """The videos of the wanted splits; those that the list names must be there."""
        where = os.path.join(self.root, folder)
        others = [] if "train" not in self.reading.splits else list(find_videos(where, self.reading.media))
        names = {n for n in others if n not in tests} | (tests if "test" in self.reading.splits else set())
        if not names and os.path.isdir(where) and (tests or others):
            return {}
        return require_videos(ORIGIN, self.root, where, self.reading, sorted(names), LIST)

    def load(self, sample: Sample) -> Picture:
        """Read one frame. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


def source_video(video: str) -> str:
    """Return the real video behind a video: id0_0000 of the swap id0_id1_0000, which has the face of id1."""
    swap = SWAP.fullmatch(video)
    return f"{swap[1]}_{swap[2]}" if swap else video


def youtube_group(video: str) -> str:
    """Return the group of a video from YouTube, which has no swaps."""
    return f"YouTube {video}"


def read_test_list(root: str) -> dict[str, set[str]]:
    """Read the names of the official test videos by folder.

    In the list 1 means real and 0 fake, against the custom.

    Raises:
        DataError: the list is absent or contradicts the folders.
    """
    path = os.path.join(root, LIST)
    if not os.path.isfile(path):
        raise ORIGIN.missing(root, f"expected {LIST} beside the videos, but it is not there", [LIST])
    tests: dict[str, set[str]] = {folder: set() for folder in FOLDERS}
    wrong = []
    for line in filter(None, map(str.strip, read_text(path, "the official list").splitlines())):
        real, _, video = line.partition(" ")
        folder, _, name = video.strip().replace("\\", "/").rpartition("/")
        if real != str(1 - FOLDERS.get(folder, -1)):
            wrong.append(line)
            continue
        tests[folder].add(os.path.splitext(name)[0])
    if wrong or not any(tests.values()):
        problem = f"got {examples(wrong)}" if wrong else "it names no video"
        raise DataError(f'expected lines such as "1 YouTube-real/00170.mp4" (1 is real) in {path}, but {problem}')
    return tests


def _record(version: Literal[1, 2], videos: int) -> DataSet:
    name = f"Celeb-DF-v{version}"
    sizes: dict[tuple[str, Split], PublishedSize] = {(name, "test"): PublishedSize(totals=(videos,))}
    build = partial(CelebDF, version=version)
    return DataSet(name.lower(), build, ORIGIN, video=True, marks=(LIST,), sizes=sizes)


DATASETS = (_record(1, 100), _record(2, 518))
