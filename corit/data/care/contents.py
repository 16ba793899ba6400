"""Read every picture of a source once: which cannot be had, and which are the same picture."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from corit.data.frames import VIDEO_SUFFIXES, WHOLE_VIDEO, is_video
from corit.data.pool import require_workers
from corit.data.sample import Sample, Source
from corit.data.walk import existing_names
from corit.errors import InputError, UnreadableError
from corit.images.picture import SUFFIXES, Picture
from corit.progress import Progress, no_progress

BATCH = 256


class ReadResult(NamedTuple):
    """The digest of a picture, empty where it cannot be read, and why it cannot be scored, if so."""

    digest: bytes = b""
    refused: InputError | None = None


PictureCheck = Callable[[Picture], object]


@dataclass(frozen=True)
class Problem:
    """A picture that cannot be had: its row's id and path, the status that detection would give it, and why."""

    id: str
    path: str
    status: str
    reason: str


@dataclass(frozen=True)
class Contents:
    """What was read: samples that could be had with a digest of each one's pixels, and the others' problems.

    A video file that is one row is digested by its bytes; its frames are counted and decoded, and only the first and
    the last are looked at. A row that is one frame of a video file is digested by that frame's pixels.
    """

    samples: tuple[Sample, ...]
    digests: tuple[bytes, ...] = field(repr=False)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Duplicate:
    """Rows that hold the same pixels, in the source's order."""

    samples: tuple[Sample, ...]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that they stand in: more than one is a leak. Rows without a split are on no side."""
        return tuple(sorted({s.split for s in self.samples} - {""}))

    @property
    def labels(self) -> tuple[int | None, ...]:
        """Their labels: more than one is a contradiction."""
        return tuple(sorted({s.label for s in self.samples}, key=str))


def read_contents(
    source: Source,
    samples: Sequence[Sample] | None = None,
    *,
    workers: int = 0,
    progress: Progress = no_progress,
    look: PictureCheck | None = None,
) -> Contents:
    """Decode the pictures of a source, or those of some samples, in order.

    Args:
        source: where the pictures come from.
        samples: the rows to read; None for all of the source.
        workers: threads, 0 for none.
        progress: called after each picture.
        look: raises the InputError with which a detector would refuse a decoded picture, such as one without a face.

    Returns:
        The rows that can be read, with digests, and the problems of the others, and of those that `look` refuses.
    """
    kept: list[Sample] = []
    digests: list[bytes] = []
    problems: list[Problem] = []
    rows = source.samples if samples is None else samples
    for done, (sample, found) in enumerate(_digests(source, rows, workers, look), start=1):
        if found.digest:
            kept.append(sample)
            digests.append(found.digest)
        if found.refused is not None:
            problems.append(Problem(sample.id, sample.path, found.refused.status, str(found.refused)))
        progress(done, len(rows))
    return Contents(tuple(kept), tuple(digests), tuple(problems))


def _digests(
    source: Source, samples: Iterable[Sample], workers: int, look: PictureCheck | None
) -> Iterator[tuple[Sample, ReadResult]]:
    rest = iter(samples)
    require_workers(workers)
    videos = threading.local()  # each thread plays its own
    if not workers:
        yield from ((s, _digest(source, s, videos, look)) for s in rest)
        return
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(rest, BATCH)):
            yield from zip(batch, pool.map(lambda s: _digest(source, s, videos, look), batch), strict=True)


def _digest(source: Source, sample: Sample, videos: threading.local, look: PictureCheck | None) -> ReadResult:
    try:
        if not is_video(sample.path):
            picture = source.load(sample)
        elif sample.frame == WHOLE_VIDEO:
            return ReadResult(_video(sample.path))
        else:
            picture = _played(sample, videos)
    except InputError as err:
        return ReadResult(refused=err)
    digest = hashlib.sha256(repr(picture.pixels.shape).encode() + picture.pixels.tobytes()).digest()
    try:
        if look is not None:
            look(picture)
    except InputError as err:
        return ReadResult(digest, err)
    return ReadResult(digest)


class _TruncatedError(InputError):
    """A video that ends before its time, or has frames that are lost."""

    status = "truncated"


def _played(sample: Sample, videos: threading.local) -> Picture:
    """One frame of a video, which is played onward where rows come in its order. Raises InputError's kinds."""
    from corit.data.video_frames import SequentialReader

    if not hasattr(videos, "play"):
        videos.play = SequentialReader()
    picture: Picture = videos.play(sample.path, sample.frame)
    return picture


def _video(path: str) -> bytes:
    """The digest of a video's bytes. Raises InputError's kinds, also where it ends early or frames in it are lost."""
    from corit.images.video import VideoFile

    video = VideoFile(path)
    for _ in video.frames(2, "even"):  # the first and the last; all between are decoded
        pass
    assert video.ending is not None
    if video.ending.status != "ok":
        had = f"{video.ending.decoded} of {video.count} frames of {video.name}"
        raise _TruncatedError(f"{had} can be decoded; the others are cut off, damaged or missing")
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as err:
        raise UnreadableError(f"{os.path.basename(path)} cannot be read: {err.strerror}") from err


def find_duplicates(*contents: Contents) -> tuple[Duplicate, ...]:
    """Rows of one or several sources with the same pixels, in the order of the first of each."""
    found: dict[bytes, list[Sample]] = defaultdict(list)
    for one in contents:
        for sample, digest in zip(one.samples, one.digests, strict=True):
            found[digest].append(sample)
    return tuple(Duplicate(tuple(rows)) for rows in found.values() if len(rows) > 1)


def missing_files(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Rows whose file is not there, with one look into each folder; nothing is decoded.

    Rows whose path has no suffix of a picture or video, as those of a generated world, are not looked for.
    """
    folders: dict[str, frozenset[str]] = {}
    out = []
    for sample in samples:
        folder, name = os.path.split(sample.path)
        if os.path.splitext(name)[1].lower() not in SUFFIXES | VIDEO_SUFFIXES:
            continue
        if folder not in folders:
            folders[folder] = existing_names(folder or ".")
        if name not in folders[folder]:
            out.append(sample)
    return tuple(out)
