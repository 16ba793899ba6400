"""DeepfakeBench's JSON files and preprocessed frames -> Sample rows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from corit.data.celebdf import SWAP, film
from corit.data.df40 import PAIR
from corit.data.faceforensics import COMPRESSIONS, pair_group, require_compression
from corit.data.frames import ALL, FILMS, SPLITS, WHOLE, Reading, choose, frame_number, natural, read_frame
from corit.data.missing import missing
from corit.data.sample import Sample, Split
from corit.errors import DataError
from corit.images.media import Picture

# Labels of fakes whose names do not say so, in small letters -> the manipulation's name in the other adapters.
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
class Video:
    """One entry of a JSON file: the label it lies under and the one it says, names of frames with / between folders."""

    label: str
    said: str
    split: Split
    name: str
    frames: tuple[str, ...]


@dataclass(frozen=True)
class DeepfakeBench:
    """The data set of one JSON file, in either nesting and with either separator in its paths.

    root: the folder below which the frames lie, by default that of the file; leading folders of the file's paths that
    are not there (a drive, the place on another machine) are dropped. compression: of files that hold several; a file
    called ..._c40 means c40, else it is c23. labels: label -> 0 or 1 for names that the benchmark does not have. Raises
    DataError for a file of another form and, unless the reading is partial, when frames are missing; `absent` then
    names what was left out.
    """

    json: str
    root: str = ""
    compression: str = ""
    reading: Reading = ALL
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
        """Frames that the file names and that are not there, and videos of which it names no frame."""
        return self._listing[1]

    @cached_property
    def _listing(self) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
        videos = [v for v in read_json(self.json, self.compression) if v.split in self.reading.splits]
        groups = _groups(videos)
        disk = Disk(self.root or os.path.dirname(os.path.abspath(self.json)))
        samples: list[Sample] = []
        absent: list[str] = []
        for video in videos:
            there = [(f, p) for f in video.frames if (p := disk.find(f))]
            if not video.frames:
                absent.append(f"{video.label}/{video.split}/{video.name} (no frames)")
            elif len(there) < len(video.frames):
                absent += [f for f in video.frames if not disk.find(f)]
            samples += self._rows(video, there, groups.get(video.name, video.name))
        for name in absent if self.reading.missed else ():
            self.reading.missed(name)  # type: ignore[misc]
        if not samples or (absent and not (self.reading.partial or self.reading.missed)):
            raise self._missing(len(absent), sum(len(v.frames) for v in videos), absent)
        return tuple(samples), tuple(absent)

    def _rows(self, video: Video, frames: list[tuple[str, str]], group: str) -> Iterator[Sample]:
        label, kind = label_of(video.label, self.labels)
        if video.said != video.label and label_of(video.said, self.labels)[0] != label:
            raise DataError(
                f"expected one label of {video.name} in {self.json}, but it lies under {video.label} and says "
                f"{video.said}; correct the file"
            )
        for i in choose(len(frames), self.reading.frames, self.reading.choice):
            name, path = frames[i]
            folder, _, file = name.rpartition("/")
            whole = os.path.splitext(file)[1].lower() in FILMS
            number = WHOLE if whole else frame_number(file, i)
            ident = f"{self.name}/{video.label}/{video.split}/{video.name}/{file}"
            where = f"{folder}/{video.name}" if whole else folder
            yield Sample(ident, path, label, video.split, kind, self.name, group, where, number)

    def _missing(self, count: int, total: int, absent: list[str]) -> DataError:
        if not count:
            return DataError(f"expected videos of {', '.join(self.reading.splits)} in {self.json}, found none")
        problem = (
            f"{count} of {total} frames that {self.json} names are not there; give the folder that its paths start "
            "from, extract the rest, or ask for a partial reading"
        )
        return missing("deepfakebench", self.root, problem, absent)

    def load(self, sample: Sample) -> Picture:
        """Decode one frame with the landmarks beside it. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


class Disk:
    """Which files there are below a root: one look into each folder, however many files are asked for."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._dropped = 0
        self._folders: dict[str, tuple[str, frozenset[str]]] = {}

    def find(self, name: str) -> str | None:
        """The path of a file whose name may start with folders from another machine, or None."""
        folder, _, file = name.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = self._look(folder)
        where, files = self._folders[folder]
        return f"{where}/{file}" if file in files else None

    def _look(self, folder: str) -> tuple[str, frozenset[str]]:
        """The folder on this disk and its files' names; how many leading folders were dropped last is tried first."""
        parts = folder.split("/")
        for dropped in sorted(range(len(parts) + 1), key=lambda d: (d != self._dropped, d)):
            where = os.path.join(self.root, *parts[dropped:])
            if dropped < len(parts) and os.path.isdir(where):
                self._dropped = dropped
                return where, frozenset(os.listdir(where))
        return "", frozenset()


def read_json(path: str, compression: str = "") -> list[Video]:
    """The videos of a DeepfakeBench JSON file. Raises DataError for a file of another form or without a compression."""
    name = os.path.splitext(os.path.basename(path))[0]
    table = _load(path)
    bare = name.removesuffix("_c40")
    compression = compression or ("c40" if bare != name else "c23")
    top = next((table[k] for k in (name, bare) if k in table), None)
    if not isinstance(top, dict):
        found = ", ".join(map(repr, table)) or "nothing"
        raise DataError(f"expected {path} to hold {bare!r}, as its file name says, got {found}; do not rename the file")
    out: list[Video] = []
    for label, split, entries in _sides(top, path):
        if entries and all(k in COMPRESSIONS for k in entries):
            if compression not in entries:
                raise DataError(f"expected compression {compression} of {label} in {path}, got {', '.join(entries)}")
            entries = _object(entries[compression], path, f"{label}/{split}/{compression}")
        out += [_video(label, split, video, entry, path) for video, entry in entries.items()]
    return out


def _load(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            table = json.load(file)
    except (OSError, ValueError) as err:
        raise DataError(f"expected a DeepfakeBench JSON file at {path}: {err}; download it again") from err
    return _object(table, path, "the file")


def _sides(top: dict[str, Any], path: str) -> Iterator[tuple[str, Split, dict[str, Any]]]:
    for label, sides in top.items():
        for split, entries in _object(sides, path, label).items():
            if split not in SPLITS:
                raise DataError(f"expected splits {', '.join(SPLITS)} of {label} in {path}, got {split!r}")
            # DFDC's file has something else than videos for val: no loader of the benchmark ever reads that split.
            if split != "val" or isinstance(entries, dict):
                yield label, split, _object(entries, path, f"{label}/{split}")


def _object(value: object, path: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"expected a JSON object at {where} of {path}, got a {type(value).__name__}")
    return value


def _video(label: str, split: Split, name: str, entry: object, path: str) -> Video:
    known = entry if isinstance(entry, dict) else {}
    frames, said = known.get("frames"), known.get("label", label)
    if not isinstance(frames, list) or not all(isinstance(f, str) for f in frames):
        raise DataError(f'expected {{"label": ..., "frames": [...]}} at {label}/{split}/{name} of {path}')
    return Video(label, str(said), split, name, tuple(sorted((plain(f) for f in frames), key=natural)))


def plain(path: str) -> str:
    """A path of the file with / between folders and without drive, leading separator and dots."""
    folder, _, file = path.replace("\\", "/").rpartition("/")
    folder = _plain_folder(folder)
    return f"{folder}/{file}" if folder else file


@lru_cache(maxsize=4096)  # a folder's frames follow each other
def _plain_folder(folder: str) -> str:
    parts = folder.split("/")
    return "/".join(p for i, p in enumerate(parts) if p not in ("", ".", "..") and not (i == 0 and p.endswith(":")))


def label_of(name: str, labels: Mapping[str, int] | None = None) -> tuple[int, str]:
    """0 or 1 of a label's name, and its manipulation. Raises DataError for a name that says neither."""
    small = name.lower()
    given = (labels or {}).get(name)
    if given == 0 or (given is None and (small.endswith("_real") or small == "ff-real")):
        return 0, ""
    if given == 1 or small in FAKES or small.endswith("_fake"):
        return 1, FAKES.get(small, name[:-5] if small.endswith("_fake") else name)
    raise DataError(f"expected a label that ends in _real or _fake or that the benchmark has, got {name!r}; say which")


def _groups(videos: list[Video]) -> dict[str, str]:
    """Video -> group, where names tell: the pairs of FaceForensics++, the films of Celeb-DF."""
    groups: dict[str, str] = {}
    for video in videos:
        pair = PAIR.fullmatch(video.name)
        if pair and pair[2]:
            groups.update(dict.fromkeys((video.name, pair[1], pair[2]), pair_group(pair[1], pair[2])))
        elif SWAP.fullmatch(video.name):
            groups[video.name] = film(video.name)
    return groups
