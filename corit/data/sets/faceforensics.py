"""FaceForensics++ with FaceShifter, and DeepFakeDetection, which is distributed with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

from corit.data.dataset import ROOT, DataSet, Options, PublishedSize
from corit.data.frames import READ_ALL, SPLITS, Reading, frame_samples, read_frame, require_videos
from corit.data.origin import Origin
from corit.data.sample import Sample, Split
from corit.data.text_files import read_json
from corit.errors import DataError, examples
from corit.images.picture import Picture

ORIGIN = Origin(
    "FaceForensics++",
    "original_sequences/youtube/c23/, manipulated_sequences/{Deepfakes,Face2Face,FaceSwap,NeuralTextures}/c23/ "
    "(FaceShifter/ too, where it is asked for), and train.json, val.json, test.json in splits/ or beside them",
    "https://github.com/ondyari/FaceForensics (a form to fill in; the download script fetches one compression)",
)
DFD_ORIGIN = Origin(
    "DeepFakeDetection",
    "original_sequences/actors/c23/ and manipulated_sequences/DeepFakeDetection/c23/",
    "https://github.com/ondyari/FaceForensics (-d DeepFakeDetection and DeepFakeDetection_original)",
)
# Manipulation as the papers abbreviate it -> its folder.
FOLDERS = {
    "DF": "Deepfakes",
    "F2F": "Face2Face",
    "FS": "FaceSwap",
    "NT": "NeuralTextures",
    "FaceShifter": "FaceShifter",
}
FOUR = ("DF", "F2F", "FS", "NT")
COMPRESSIONS = ("raw", "c23", "c40")
ALIASES = {"c0": "raw"}
Pairs = dict[Split, list[tuple[str, str]]]


@dataclass(frozen=True)
class FaceForensics:
    """FaceForensics++: 1000 videos of one compression, and each manipulation of both orders of 500 pairs of them.

    The official lists of pairs decide the split (360, 70 and 70 pairs). A sample's group is its pair, which the two
    real videos share with their fakes.

    Attributes:
        root: the data set's folder.
        manipulations: of `FOLDERS`; none for the reals alone.
        compression: "raw" (also "c0"), "c23" or "c40".
        reading: what to read of the videos.

    Raises:
        DataError: an unknown manipulation or compression; when rows are listed, lists or videos are missing.
    """

    root: str
    manipulations: tuple[str, ...] = FOUR
    compression: str = "c23"
    reading: Reading = READ_ALL

    def __post_init__(self) -> None:
        unknown = sorted(set(self.manipulations) - set(FOLDERS))
        if unknown:
            raise DataError(f"no such manipulation: {', '.join(unknown)}; FaceForensics++ has {', '.join(FOLDERS)}")
        require_compression(self.compression)

    @property
    def types(self) -> tuple[str, ...]:
        """The manipulation types that are asked for."""
        return tuple(dict.fromkeys(self.manipulations))

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Reals, then each manipulation, split by split."""
        pairs = read_pairs(self.root)
        return tuple(s for kind in dict.fromkeys(("", *self.manipulations)) for s in self._rows(kind, pairs))

    def _rows(self, kind: str, pairs: Pairs) -> Iterator[Sample]:
        level = require_compression(self.compression)
        where = os.path.join(self.root, *_folder(kind), level)
        sides = {name: (split, group) for split, group, name in videos_of(pairs, bool(kind))}
        names = [n for n, (split, _) in sides.items() if split in self.reading.splits]
        videos = require_videos(ORIGIN, self.root, where, self.reading, names, "the official splits")
        for name, entry in videos.items():
            split, group = sides[name]
            video = f"FaceForensics++/{level}/{kind or 'real'}/{name}"
            yield from frame_samples(
                entry,
                self.reading,
                video=video,
                label=int(bool(kind)),
                split=split,
                dataset="FaceForensics++",
                manipulation=kind,
                group=group,
            )

    def load(self, sample: Sample) -> Picture:
        """Read one frame. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


@dataclass(frozen=True)
class DeepFakeDetection:
    """DeepFakeDetection (DFD): videos of 28 actors and swaps between them, all of them for testing.

    There is no official split: the data set tests detectors that are trained on other data. A sample's group is the
    actor in the video, also under another actor's face.

    Attributes:
        root: the data set's folder.
        compression: "raw" (also "c0"), "c23" or "c40".
        reading: what to read of the videos.

    Raises:
        DataError: an unknown compression; when rows are listed, videos are missing.
    """

    root: str
    compression: str = "c23"
    reading: Reading = READ_ALL

    def __post_init__(self) -> None:
        require_compression(self.compression)

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Reals, then fakes; none when the reading leaves out the test split."""
        if "test" not in self.reading.splits:
            return ()
        real, fake = ("original_sequences", "actors"), ("manipulated_sequences", "DeepFakeDetection")
        return (*self._rows(real, ""), *self._rows(fake, "DFD"))

    def _rows(self, folder: tuple[str, str], kind: str) -> Iterator[Sample]:
        level = require_compression(self.compression)
        where = os.path.join(self.root, *folder, level)
        for name, entry in require_videos(DFD_ORIGIN, self.root, where, self.reading).items():
            video = f"DeepFakeDetection/{level}/{kind or 'real'}/{name}"
            yield from frame_samples(
                entry,
                self.reading,
                video=video,
                label=int(bool(kind)),
                split="test",
                dataset="DeepFakeDetection",
                manipulation=kind,
                group=actor_group(name),
            )

    def load(self, sample: Sample) -> Picture:
        """Read one frame. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


def actor_group(video: str) -> str:
    """Return the group of a video of DeepFakeDetection, its actor: 02 of 02_06__talking_outside."""
    return f"actor {video.partition('_')[0]}"


def _folder(kind: str) -> tuple[str, str]:
    return ("manipulated_sequences", FOLDERS[kind]) if kind else ("original_sequences", "youtube")


def require_compression(name: str) -> str:
    """Return the folder of a compression: raw (also called c0), c23 or c40. Raises DataError for another one."""
    level = ALIASES.get(name, name)
    if level not in COMPRESSIONS:
        raise DataError(f"expected a compression of {', '.join(COMPRESSIONS)}, got {name!r}")
    return level


def read_pairs(root: str) -> Pairs:
    """Read the official lists train.json, val.json and test.json, in splits/ or in the root.

    Returns:
        The pairs of videos of each split.

    Raises:
        DataError: a list is absent or damaged, or two lists name one video.
    """
    folder = next((f for f in (os.path.join(root, "splits"), root) if os.path.isfile(f"{f}/train.json")), root)
    absent = [s for s in SPLITS if not os.path.isfile(os.path.join(folder, f"{s}.json"))]
    if absent:
        looked = [f"{where}{s}.json" for s in absent for where in ("splits/", "")]
        raise ORIGIN.missing(root, "expected the official split lists, but some are missing", looked)
    pairs = {split: _read_list(os.path.join(folder, f"{split}.json")) for split in SPLITS}
    split_of: dict[str, Split] = {}
    for split, listed in pairs.items():
        twice = [v for pair in listed for v in pair if split_of.setdefault(v, split) != split]
        if twice:
            raise DataError(f"expected each video in one split list of {folder}, but {examples(twice)} is in two")
    return pairs


def _read_list(path: str) -> list[tuple[str, str]]:
    expected = 'a list of pairs [["071", "054"], ...]'
    listed = read_json(path, expected)
    wrong = [pair for pair in listed if not _is_pair(pair)] if isinstance(listed, list) else [listed]
    if wrong or not listed:
        problem = f"got {wrong[0]!r:.60}" if wrong else "it is empty"
        raise DataError(f"expected {expected} in {path}, where each name is a text, but {problem}; download it again")
    return [(a, b) for a, b in listed]


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) and v for v in value)


def videos_of(pairs: Pairs, fake: bool) -> Iterator[tuple[Split, str, str]]:
    """Yield (split, group, name) of the real videos or of the fakes: a pair has two of either."""
    for split, listed in pairs.items():
        for a, b in listed:
            names = (f"{a}_{b}", f"{b}_{a}") if fake else (a, b)
            yield from ((split, pair_group(a, b), name) for name in names)


def pair_group(a: str, b: str) -> str:
    """Return the group of a pair of videos, which are in either order."""
    return "pair " + "_".join(sorted((a, b)))


COMPRESSION: Options = {"compression": "text"}
DATASETS = (
    DataSet(
        "faceforensics",
        FaceForensics,
        ORIGIN,
        {**ROOT, "manipulations": "words", **COMPRESSION},
        video=True,
        marks=("original_sequences/youtube",),
        sizes={
            ("FaceForensics++", "train"): PublishedSize(each=720),
            ("FaceForensics++", "val"): PublishedSize(each=140),
            ("FaceForensics++", "test"): PublishedSize(each=140),
        },
    ),
    DataSet(
        "faceshifter",
        partial(FaceForensics, manipulations=("FaceShifter",)),
        ORIGIN,
        {**ROOT, **COMPRESSION},
        video=True,
        marks=("manipulated_sequences/FaceShifter",),
    ),
    DataSet(
        "deepfakedetection",
        DeepFakeDetection,
        DFD_ORIGIN,
        {**ROOT, **COMPRESSION},
        video=True,
        marks=("manipulated_sequences/DeepFakeDetection",),
        sizes={("DeepFakeDetection", "test"): PublishedSize(totals=(3431,))},  # 363 reals and 3,068 swaps
    ),
)
