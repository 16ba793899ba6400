"""DeeperForensics-1.0."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from corit.data.dataset import ROOT, DataSet
from corit.data.frames import READ_ALL, SPLITS, Reading, VideoEntry, frame_samples, read_frame, require_videos
from corit.data.origin import Origin
from corit.data.sample import Sample, Split
from corit.data.sets.faceforensics import require_compression
from corit.data.text_files import read_text
from corit.errors import DataError, examples
from corit.images.picture import Picture

TITLE = "DeeperForensics-1.0"
ORIGIN = Origin(
    TITLE,
    "manipulated_videos/<version>/, source_videos/<actor>/ and lists/splits/{train,val,test}.txt",
    "https://github.com/EndlessSora/DeeperForensics-1.0 (a form to fill in)",
)
VERSIONS = (
    "end_to_end",
    *(f"end_to_end_level_{level}" for level in range(1, 6)),
    "end_to_end_random_level",
    *(f"end_to_end_mix_{count}_distortions" for count in (2, 3, 4)),
    "reenact_postprocess",
)


@dataclass(frozen=True)
class DeeperForensics:
    """DeeperForensics-1.0: videos of 100 paid actors, and 1000 swaps of their faces in up to eleven versions.

    The official lists split the swaps (703, 96, 201) and say nothing of the actors' videos. A video goes where its
    actor's swaps go: to test rather than val, to val rather than train, and nowhere when no list names the actor. A
    sample's group is the actor. DeepfakeBench takes these videos for the reals. The data set's authors give them as
    the source of the faces, and take for the reals the videos of FaceForensics++ that the faces are put on.

    Attributes:
        root: the data set's folder.
        versions: of the swaps.
        faceforensics: the root of FaceForensics++, whose videos are then the reals in place of the actors'. Each goes
            where its swap goes, which is not where FaceForensics++'s own lists put it.
        compression: of the videos of FaceForensics++.
        reading: what to read of the videos.

    Raises:
        DataError: an unknown version; when rows are listed, lists or videos are missing.
    """

    root: str
    versions: tuple[str, ...] = ("end_to_end",)
    faceforensics: str = ""
    compression: str = "c23"
    reading: Reading = READ_ALL

    def __post_init__(self) -> None:
        unknown = sorted(set(self.versions) - set(VERSIONS))
        if unknown:
            raise DataError(f"no such version: {', '.join(unknown)}; DeeperForensics-1.0 has {', '.join(VERSIONS)}")

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The actors' videos, then the swaps of each version."""
        lists = read_lists(self.root)
        reals = self._targets(lists) if self.faceforensics else self._reals(lists)
        fakes = (s for version in dict.fromkeys(self.versions) for s in self._fakes(version, lists))
        return (*reals, *fakes)

    def _reals(self, lists: dict[str, Split]) -> Iterator[Sample]:
        sides: dict[str, Split] = {}
        for split in SPLITS:  # in this order, so that test has the last word
            sides.update({swapped_actor(name): split for name, s in lists.items() if s == split})
        where = os.path.join(self.root, "source_videos")
        for key, entry in require_videos(ORIGIN, self.root, where, self.reading).items():
            yield from self._rows(entry, f"real/{key}", sides.get(key.partition("/")[0].partition("_")[0]), "")

    def _targets(self, lists: dict[str, Split]) -> Iterator[Sample]:
        """The videos of FaceForensics++ behind the listed swaps, 000 of 000_M134."""
        level = require_compression(self.compression)
        sides = {name.partition("_")[0]: split for name, split in lists.items()}
        where = os.path.join(self.faceforensics, "original_sequences", "youtube", level)
        names = [name for name, split in sides.items() if split in self.reading.splits]
        videos = require_videos(ORIGIN, self.faceforensics, where, self.reading, names, "the swaps' names")
        for name, entry in videos.items():
            yield from self._rows(entry, f"target/{name}", sides[name], "", group=f"video {name}")

    def _fakes(self, version: str, lists: dict[str, Split]) -> Iterator[Sample]:
        where = os.path.join(self.root, "manipulated_videos", version)
        names = [name for name, split in lists.items() if split in self.reading.splits]
        videos = require_videos(ORIGIN, self.root, where, self.reading, names, "lists/splits")
        for name, entry in videos.items():
            yield from self._rows(entry, f"{version}/{name}", lists[name], version)

    def _rows(
        self, entry: VideoEntry, name: str, split: Split | None, version: str, group: str = ""
    ) -> Iterator[Sample]:
        if split not in self.reading.splits:
            return
        bare = name.rpartition("/")[2]
        yield from frame_samples(
            entry,
            self.reading,
            video=f"{TITLE}/{name}",
            label=int(bool(version)),
            split=split,
            dataset=TITLE,
            manipulation=version,
            group=group or actor_group(bare, fake=bool(version)),
        )

    def load(self, sample: Sample) -> Picture:
        """Read one frame. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


def swapped_actor(swap: str) -> str:
    """Return the actor whose face a swap shows: M134 of 000_M134, which is put on video 000 of FaceForensics++."""
    return swap.partition("_")[2]


def actor_group(video: str, *, fake: bool) -> str:
    """Return the group of a video by its name: the actor whose face a swap shows, or whom a real video shows."""
    return f"actor {swapped_actor(video) if fake else video.partition('_')[0]}"


def read_lists(root: str) -> dict[str, Split]:
    """Read swap -> split of lists/splits/{train,val,test}.txt. Raises DataError for an absent or damaged list."""
    folder = os.path.join(root, "lists", "splits")
    absent = [f"lists/splits/{s}.txt" for s in SPLITS if not os.path.isfile(os.path.join(folder, f"{s}.txt"))]
    if absent:
        raise ORIGIN.missing(root, "expected the official split lists, but some are missing", absent)
    sides: dict[str, Split] = {}
    for split in SPLITS:
        lines = read_text(os.path.join(folder, f"{split}.txt"), "the official list").splitlines()
        names = [os.path.splitext(line.strip())[0] for line in lines if line.strip()]
        wrong = [n for n in names if not swapped_actor(n) or sides.setdefault(n, split) != split]
        if wrong:
            raise DataError(
                f"expected names such as 000_M134.mp4, each in one list of {folder}, got {examples(wrong)} in {split}"
            )
    return sides


DATASET = DataSet(
    "deeperforensics",
    DeeperForensics,
    ORIGIN,
    {**ROOT, "versions": "words", "faceforensics": "text", "compression": "text"},
    video=True,
    marks=("lists/splits/test.txt",),
)
