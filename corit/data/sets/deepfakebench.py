"""DeepfakeBench's JSON files and preprocessed frames."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import takewhile
from typing import Any

from corit.data import text_files
from corit.data.dataset import DataSet
from corit.data.frames import (
    READ_ALL,
    SPLITS,
    VIDEO_SUFFIXES,
    WHOLE_VIDEO,
    Reading,
    choose,
    frame_number,
    natural_key,
    read_frame,
)
from corit.data.origin import Origin
from corit.data.sample import Sample, Split
from corit.data.sets import deeperforensics, dfdc, faceforensics, uadfv
from corit.data.sets.celebdf import SWAP, source_video, youtube_group
from corit.data.sets.df40 import PAIR
from corit.data.sets.faceforensics import COMPRESSIONS, pair_group, require_compression
from corit.data.walk import existing_names
from corit.errors import DataError
from corit.images.picture import Picture

ORIGIN = Origin(
    "DeepfakeBench's preprocessed data",
    "<data set>/.../frames/<video>/000.png with landmarks/ and masks/ beside frames/",
    "https://github.com/SCLBD/DeepfakeBench (frames, landmarks and masks by data set, and one JSON for each)",
)
# Labels of fakes whose names do not say so, in small letters -> the manipulation's name as its own reader calls it.
FAKES = {
    "ff-df": "DF",
    "ff-f2f": "F2F",
    "ff-fs": "FS",
    "ff-nt": "NT",
    "ff-fh": "FaceShifter",
    "ff-sh": "FaceShifter",
    "dfd_fake": "DFD",
    "celebdfv1_fake": "Celeb-synthesis",
    "celebdfv2_fake": "Celeb-synthesis",
    "dfdcp_fakea": "method_A",
    "dfdcp_fakeb": "method_B",
    "df_fake": "DeeperForensics",  # not FaceForensics++'s DF
}


@dataclass(frozen=True)
class JsonVideo:
    """One entry of a JSON file.

    Attributes:
        label: the label that it lies under.
        own_label: the label that the entry itself names.
        split: its split.
        name: the video's name.
        frames: names of its frames, with / between folders.
    """

    label: str
    own_label: str
    split: Split
    name: str
    frames: tuple[str, ...]


@dataclass(frozen=True)
class DeepfakeBench:
    """The data set of one JSON file, in either nesting and with either separator in its paths.

    Attributes:
        json: the file, whose name is the data set's.
        root: the folder below which the frames lie, or several; by default the file's. Leading folders that all of the
            file's paths share (a drive, a place on another machine) are dropped where they do not exist, equally many
            from every path.
        compression: of files that hold several; by default c40 for a file called ..._c40, else c23.
        reading: what to read of the videos.
        labels: label -> 0 or 1, for names that the benchmark does not have.

    Raises:
        DataError: an unknown compression; when rows are listed, the file has another form, or, unless the reading is
            partial, frames are missing.
    """

    json: str
    root: str | tuple[str, ...] = ""
    compression: str = ""
    reading: Reading = READ_ALL
    labels: Mapping[str, int] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.compression:
            require_compression(self.compression)

    @property
    def name(self) -> str:
        """The data set's name: that of the file."""
        return os.path.splitext(os.path.basename(self.json))[0]

    @property
    def samples(self) -> tuple[Sample, ...]:
        """By label and split as in the file, the chosen frames of each video in order."""
        return self._listing[0]

    @property
    def absent(self) -> tuple[str, ...]:
        """Frames that the file names and that do not exist, and videos of which it names no frame."""
        return self._listing[1]

    @cached_property
    def _listing(self) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
        videos = read_videos(self.json, self.compression, self.reading.splits)
        groups = _groups(videos, self.name.removesuffix("_c40"))
        holds = _holders(videos)
        disks = [FrameFinder(root, holds) for root in self._roots]
        find = lambda name: next((p for d in disks if (p := d.find(name))), None)
        samples: list[Sample] = []
        absent: list[str] = []
        for video in videos:
            there = [(f, p) for f in video.frames if (p := find(f))]
            if not video.frames:
                absent.append(f"{video.label}/{video.split}/{video.name} (no frames)")
            elif len(there) < len(video.frames):
                absent += [f for f in video.frames if not find(f)]
            samples += self._rows(video, there, groups[video], holds)
        for name in absent if self.reading.on_missing else ():
            self.reading.on_missing(name)  # type: ignore[misc]
        if not samples or (absent and not (self.reading.partial or self.reading.on_missing)):
            raise self._missing(len(absent), sum(len(v.frames) for v in videos), absent)
        return tuple(samples), tuple(absent)

    @property
    def _roots(self) -> tuple[str, ...]:
        roots = (self.root,) if isinstance(self.root, str) else self.root
        return tuple(filter(None, roots)) or (os.path.dirname(os.path.abspath(self.json)),)

    def _rows(
        self, video: JsonVideo, frames: list[tuple[str, str]], group: str, holds: Mapping[str, set[str]]
    ) -> Iterator[Sample]:
        label, kind = label_of(video.label, self.labels)
        if video.own_label != video.label and label_of(video.own_label, self.labels)[0] != label:
            raise DataError(
                f"expected one label of {video.name} in {self.json}, but it lies under {video.label} and says "
                f"{video.own_label}; correct the file"
            )
        files = Counter(name.rpartition("/")[2] for name, _ in frames)
        for i in choose(len(frames), self.reading.frames, self.reading.choice):
            name, path = frames[i]
            folder, _, file = name.rpartition("/")
            whole = os.path.splitext(file)[1].lower() in VIDEO_SUFFIXES
            number = WHOLE_VIDEO if whole else frame_number(file, i)
            inside = f"{folder}/{file}" if files[file] > 1 else file
            ident = f"{self.name}/{video.label}/{video.split}/{video.name}/{inside}"
            where = f"{folder}/{video.name}" if whole or len(holds[folder]) > 1 else folder
            yield Sample(ident, path, label, video.split, kind, self.name, group, where, number)

    def _missing(self, count: int, total: int, absent: list[str]) -> DataError:
        if not count:
            return DataError(f"expected videos of {', '.join(self.reading.splits)} in {self.json}, found none")
        problem = (
            f"{count} of {total} frames that {self.json} names are not there; give the folder that its paths start "
            "from, extract the rest, or ask for a partial reading"
        )
        return ORIGIN.missing(self._roots[0], problem, absent)

    def load(self, sample: Sample) -> Picture:
        """Decode one frame with the landmarks beside it. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


def _holders(videos: Iterable[JsonVideo]) -> dict[str, set[str]]:
    """Folder -> the names of the videos whose frames lie in it: one, or pictures that are videos of one frame."""
    names: dict[str, set[str]] = defaultdict(set)
    for video in videos:
        for frame in video.frames:
            names[frame.rpartition("/")[0]].add(video.name)
    return names


class FrameFinder:
    """Finds files below a root with one look into each folder, however many files are looked up.

    Leading folders that all files share and that do not exist below the root are dropped, equally many from each path.
    Dropped folder by folder, a root that lies too deep would give the frames of another method.

    Args:
        root: the folder.
        folders: the folders of all files that will be looked up.
    """

    def __init__(self, root: str, folders: Iterable[str]) -> None:
        self.root = root
        self._dropped = _dropped(root, [f.split("/") for f in folders])
        self._folders: dict[str, tuple[str, frozenset[str]]] = {}

    def find(self, name: str) -> str | None:
        """Return the path of a file whose name may begin with folders of another machine, or None."""
        folder, _, file = name.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = self._look(folder)
        where, files = self._folders[folder]
        return f"{where}/{file}" if file in files else None

    def _look(self, folder: str) -> tuple[str, frozenset[str]]:
        where = os.path.join(self.root, *folder.split("/")[self._dropped :])
        return where, existing_names(where)


def _dropped(root: str, folders: list[list[str]]) -> int:
    """How many leading folders, of those that all share, to drop: as few as possible."""
    if not folders:
        return 0
    ends = zip(min(folders), max(folders), strict=False)  # what the first and the last share, all share
    shared = [a for a, _ in takewhile(lambda parts: parts[0] == parts[1], ends)]
    shared = shared[: min(map(len, folders)) - 1]
    for count in range(len(shared) + 1):
        inside = os.path.join(root, *shared[count:])
        if os.path.isdir(inside) and any(os.path.isdir(os.path.join(root, *f[count:])) for f in folders):
            return count
    return 0


def read_videos(path: str, compression: str = "", splits: tuple[Split, ...] = SPLITS) -> list[JsonVideo]:
    """Read the videos of some splits in a DeepfakeBench JSON file.

    Args:
        path: the file.
        compression: see `DeepfakeBench`.
        splits: the splits; the others are not read.

    Raises:
        DataError: the file has another form, or lacks the compression.
    """
    name = os.path.splitext(os.path.basename(path))[0]
    table = _object(text_files.read_json(path, "a DeepfakeBench JSON file"), path, "the file")
    bare = name.removesuffix("_c40")
    compression = require_compression(compression or ("c40" if bare != name else "c23"))
    top = next((table[k] for k in (name, bare) if k in table), None)
    if not isinstance(top, dict):
        keys = ", ".join(map(repr, table)) or "nothing"
        raise DataError(f"expected {path} to hold {bare!r}, as its file name says, got {keys}; do not rename the file")
    out: list[JsonVideo] = []
    for label, split, entries in _sides(top, path, splits):
        if entries and all(k in COMPRESSIONS for k in entries):
            if compression not in entries:
                raise DataError(f"expected compression {compression} of {label} in {path}, got {', '.join(entries)}")
            entries = _object(entries[compression], path, f"{label}/{split}/{compression}")
        out += [_video(label, split, video, entry, path) for video, entry in entries.items()]
    return out


def _sides(top: dict[str, Any], path: str, splits: tuple[Split, ...]) -> Iterator[tuple[str, Split, dict[str, Any]]]:
    for label, sides in top.items():
        for split, entries in _object(sides, path, label).items():
            if split not in SPLITS:
                raise DataError(f"expected splits {', '.join(SPLITS)} of {label} in {path}, got {split!r}")
            if split in splits:
                yield label, split, _val(entries) if split == "val" else _object(entries, path, f"{label}/{split}")


def _val(entries: object) -> dict[str, Any]:
    """The videos of a validation split.

    DFDC's file as the benchmark writes it has the label and the frames of one video there, and its train videos beside
    them: no loader of the benchmark ever reads that split.
    """
    return {k: v for k, v in entries.items() if isinstance(v, dict)} if isinstance(entries, dict) else {}


def _object(value: object, path: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"expected a JSON object at {where} of {path}, got a {type(value).__name__}")
    return value


def _video(label: str, split: Split, name: str, entry: object, path: str) -> JsonVideo:
    known = entry if isinstance(entry, dict) else {}
    frames, own_label = known.get("frames"), known.get("label", label)
    if not isinstance(frames, list) or not all(isinstance(f, str) for f in frames):
        raise DataError(f'expected {{"label": ..., "frames": [...]}} at {label}/{split}/{name} of {path}')
    return JsonVideo(
        label, str(own_label), split, name, tuple(sorted({plain_path(f) for f in frames}, key=natural_key))
    )


def plain_path(path: str) -> str:
    """Return a path of the file with / between folders and without drive, leading separator and dots."""
    folder, _, file = path.replace("\\", "/").rpartition("/")
    folder = _plain_folder(folder)
    return f"{folder}/{file}" if folder else file


@lru_cache(maxsize=4096)  # a folder's frames follow each other
def _plain_folder(folder: str) -> str:
    parts = folder.split("/")
    return "/".join(p for i, p in enumerate(parts) if p not in ("", ".", "..") and not (i == 0 and p.endswith(":")))


def label_of(name: str, labels: Mapping[str, int] | None = None) -> tuple[int, str]:
    """Return 0 or 1 for a label's name, and its manipulation. Raises DataError for a name that tells neither."""
    small = name.lower()
    label = (labels or {}).get(name)
    if label == 0 or (label is None and (small.endswith("_real") or small == "ff-real")):
        return 0, ""
    if label == 1 or small in FAKES or small.endswith("_fake"):
        return 1, FAKES.get(small, name[:-5] if small.endswith("_fake") else name)
    raise DataError(f"expected a label that ends in _real or _fake or that the benchmark has, got {name!r}; say which")


# Data set -> the group of one of its videos, as the data set's own reader gives it.
GROUPS: dict[str, Callable[[JsonVideo], str]] = {
    "UADFV": lambda v: uadfv.source_video(v.name),
    "DFDCP": lambda v: dfdc.actor_group(v.name),
    "DeepFakeDetection": lambda v: faceforensics.actor_group(v.name),
    deeperforensics.TITLE: lambda v: deeperforensics.actor_group(v.name, fake=bool(label_of(v.label)[0])),
    **dict.fromkeys(("Celeb-DF-v1", "Celeb-DF-v2"), lambda v: _celebrity(v)),
}


def _groups(videos: list[JsonVideo], dataset: str) -> dict[JsonVideo, str]:
    """Video -> group: as the data set's own reader gives it, or as names tell the pairs and videos behind them."""
    if dataset in GROUPS:
        return {v: GROUPS[dataset](v) for v in videos}
    groups: dict[str, str] = {}
    for video in videos:
        pair = PAIR.fullmatch(video.name)
        if pair and pair[2]:
            groups.update(dict.fromkeys((video.name, pair[1], pair[2]), pair_group(pair[1], pair[2])))
        elif SWAP.fullmatch(video.name):
            groups[video.name] = source_video(video.name)
    return {v: groups.get(v.name, v.name) for v in videos}


def _celebrity(video: JsonVideo) -> str:
    outside = any("YouTube-real" in f.split("/") for f in video.frames[:1])
    return youtube_group(video.name) if outside else source_video(video.name)


DATASET = DataSet(
    "deepfakebench",
    DeepfakeBench,
    ORIGIN,
    {"json": "text", "root": "texts", "compression": "text"},
    required=("json",),
    video=True,
)
