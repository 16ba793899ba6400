"""Plain folders of pictures and videos -> Sample rows."""

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
# What folders that divide pictures are called, in small letters.
SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
REALS, FAKES = ("real", "0_real", "nature"), ("fake", "1_fake", "ai")


def list_pictures(
    path: str | Path,
    suffixes: Set[str] = SUFFIXES,
    without: Set[str] = frozenset(),
    takes: Callable[[str], bool] | None = None,
) -> Iterator[str]:
    """The picture files of a folder and its sub-folders in a stable order; a path that is no folder is itself listed.

    Hidden files and files without one of the suffixes are left out, unless takes, which is asked for each of them, says
    otherwise: see `corit.data.passed_over`. A sub-folder that cannot be opened is listed, so
    that whoever reads it learns of it. Links to folders are followed, but for those to what is listed anyway. without:
    names of sub-folders that are left out where frames/, images/ or videos/, to which they belong, lie beside them.
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
            if known or (takes is not None and takes(entry.path)):
                yield entry.path
    yield from closed


def _enters(without: Set[str], folder: Folder, entry: os.DirEntry[str]) -> bool:
    return entry.name not in without or not any(e.name in VIDEO_HOLDERS for e in folder.folders)


@dataclass(frozen=True)
class UnlabelledFiles:
    """A Source of files whose label nobody knows: what `corit detect` is given.

    aligned: the pictures already are face crops in the template's pose. landmarks: points by path, or None; told which
    pictures the run has by `Landmarks.among`, else only keys that are whole paths count.
    """

    aligned: bool = False
    landmarks: Landmarks | None = None

    @property
    def samples(self) -> Sequence[Sample]:
        """None are listed: see `sample`."""
        return ()

    def sample(self, path: str) -> Sample:
        """The row of one file."""
        return Sample(path, path, None)

    def load(self, sample: Sample) -> Picture:
        """Decode a file. Raises InputError's kinds, also when the landmarks' file knows nothing of it."""
        return read_with_landmarks(sample.path, self.aligned, self.landmarks)


def read_with_landmarks(path: str, aligned: bool = False, landmarks: Landmarks | None = None) -> Picture:
    """A picture with what is known of its face.

    Args:
        path: of the picture.
        aligned: it is a face crop; its landmarks are those beside it where frames were prepared, unless some are given.
        landmarks: of the run's pictures; see `Landmarks.among`.

    Raises:
        InputError: its kinds, also where the landmarks have no entry of the picture, or one that outlines no face.
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
    """Say of each row what is known of its picture beside its file, in `Sample.extra`.

    Args:
        samples: the rows of a run.
        aligned: the pictures are face crops.
        landmarks: of a list.

    Returns:
        The rows; the text is another one where the landmarks are, or where they are predicted by something else.
    """
    rows = tuple(samples)
    if landmarks is None:
        said = f"aligned, landmarks by {_predictor()}" if aligned else ""
        return tuple(replace(s, extra=said) for s in rows) if said else rows
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
    """Folders of real and of fake pictures, with sub-folders; a video is one row, whose frame is WHOLE.

    A sample's group is its path inside its folder without the suffix, so that real/a.jpg and fake/a.png stay on one
    side of a split, and so is fake/sdxl/a.png where there is a real/a.jpg; with `by_folder`, the sub-folder that it
    lies in (a person, a video, a camera). Folders whose
    pictures all lie in train/, val/ and test/ are split by them, and so are folders that themselves all lie in such
    ones. Files without a suffix of pictures and videos are taken where they begin as one; `passed_over` are the others.
    Raises DataError for a folder that is absent or empty, or that is or lies in another one of them.
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
        """The files of the folders that are no rows, by suffix."""
        return self._listing[1]

    @cached_property
    def _listing(self) -> tuple[tuple[Sample, ...], PassedOver]:
        passed = PassedOver()
        roots = [(r, 0) for r in self.real] + [(r, 1) for r in self.fake]
        _require_apart([r for r, _ in roots])
        sides = [SPLIT_FOLDERS.get(PurePath(os.path.abspath(r)).parent.name.lower(), "") for r, _ in roots]
        sides = sides if all(sides) and len(set(sides)) > 1 else [""] * len(roots)
        bare = [os.path.basename(os.path.normpath(r)) or "root" for r, _ in roots]
        names = _unique([f"{side}/{name}" if side else name for side, name in zip(sides, bare, strict=True)])
        rows = [
            s
            for (root, label), name, side in zip(roots, names, sides, strict=True)
            for s in self._rows(root, label, name, side, passed)
        ]
        return describe_extra(rows if self.by_folder else _paired(rows), self.aligned, self.landmarks), passed

    def _rows(self, root: str, label: int, name: str, side: str, passed: PassedOver) -> Iterator[Sample]:
        if not os.path.isdir(root):
            raise DataError(f"expected a folder of {'fake' if label else 'real'} pictures at {root}; there is none")
        there = PassedOver()
        listed = list_pictures(root, SUFFIXES | VIDEO_SUFFIXES, SIDE_FOLDERS, there.takes)
        paths = [PurePath(os.path.relpath(p, root)) for p in listed]
        passed.counts.update(there.counts)
        if not paths:
            known, words = ", ".join(sorted(SUFFIXES | VIDEO_SUFFIXES)), there.words
            said = f"{known}, nor one that begins as such{f'; {words}' if words else ''}"
            raise DataError(f"expected pictures or videos in {root}, but it has no file with {said}")
        presplit = split_folders(paths)
        bare = name.removeprefix(f"{side}/")
        kind = "" if label == 0 else bare
        for rel in paths:
            group = rel.parent.as_posix() if self.by_folder else _bare(rel).as_posix()
            split = side or presplit.get(rel.parts[0], "")
            where = str(Path(root) / rel)
            group = f"{side}/{group}" if side else group
            named = f"{name}/{rel.as_posix()}"
            video, frame = (named, WHOLE_VIDEO) if is_video(where) else ("", 0)
            yield Sample(named, where, label, split, kind, bare, group, video, frame)  # type: ignore[arg-type]

    def load(self, sample: Sample) -> Picture:
        """Decode one picture, with the landmarks beside it where frames were prepared. Raises InputError's kinds."""
        if self.landmarks is None and not self.aligned:
            return read_frame(sample, READ_ALL)
        require_picture(sample)
        return read_with_landmarks(sample.path, self.aligned, self._landmarks)

    @cached_property
    def _landmarks(self) -> Landmarks | None:
        """The landmarks, which know all pictures of the folders."""
        return None if self.landmarks is None else self.landmarks.among(s.path for s in self.samples)


def _bare(path: PurePath) -> PurePath:
    """A path without its suffix, or without both of a.jpg.1; a suffix that is none of a picture or video is a name."""
    known, suffix = SUFFIXES | VIDEO_SUFFIXES, path.suffix.lower()
    if suffix in known or suffix.startswith(tuple(known)):  # .jpg, .jpg_large
        return path.with_suffix("")
    inner = path.with_suffix("") if suffix else path
    return inner.with_suffix("") if inner.suffix.lower() in known else path


def _require_apart(roots: Sequence[str]) -> None:
    """Raise DataError when a folder is another one or lies in it: its pictures would be listed twice."""
    real = [PurePath(os.path.realpath(r)) for r in roots]
    for (a, inner), (b, outer) in permutations(zip(roots, real, strict=True), 2):
        if inner.is_relative_to(outer):
            raise DataError(
                f"expected folders of real and of fake pictures that lie apart, but {a} is in {b} or the same folder; "
                "name folders that do not hold each other"
            )


def _paired(rows: Sequence[Sample]) -> Iterator[Sample]:
    """The rows; a fake in a sub-folder has the group of the real picture that has its name, if there is one."""
    reals = {s.group for s in rows if not s.label}
    for s in rows:
        parts = s.group.split("/")
        at = int(parts[0].lower() in SPLIT_FOLDERS)
        without = "/".join((*parts[:at], *parts[at + 1 :]))
        alone = s.label and s.group not in reals
        yield replace(s, group=without) if alone and without in reals else s


def split_folders(paths: Iterable[PurePath]) -> Mapping[str, str]:
    """First-level folder -> split, when all pictures lie in folders named train, val and test; else empty."""
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
    """The folders that are named, or those in `root` that are called by their class, also inside train/, val/, test/.

    A class is told by the folder's whole name (`REALS`, `FAKES`), so that unreal/ is not real. landmarks: a file of
    them. Raises DataError when there are none.
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
    """The folders in `root` that have one of some names, in any case."""
    return [e.path for e in list_entries(root) if e.name.lower() in names and e.is_dir()]


def _unique(names: list[str]) -> list[str]:
    """Names with a number where one comes twice."""
    counts = {n: int(c) for n, c in zip(*np.unique(names, return_counts=True), strict=True)}
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(f"{name}-{seen[name]}" if counts[name] > 1 else name)
    return out


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
