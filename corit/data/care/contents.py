"""Read every picture of a source once: which cannot be read, and which are the same picture."""

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
    """What reading one picture gave.

    Attributes:
        digest: of the picture; empty where it cannot be read.
        refused: why the picture cannot be scored; None where it can.
    """

    digest: bytes = b""
    refused: InputError | None = None


PictureCheck = Callable[[Picture], object]


@dataclass(frozen=True)
class Problem:
    """A picture that cannot be scored.

    Attributes:
        id: of its row.
        path: of its file.
        status: the status that detection gives it.
        reason: why, in words.
    """

    id: str
    path: str
    status: str
    reason: str


@dataclass(frozen=True)
class Contents:
    """The digests of a source's pictures.

    The digest of a picture, or of one frame of a video file, is that of its pixels. The digest of a video file that is
    one row is that of its bytes; all of its frames are decoded.

    Attributes:
        samples: the rows that can be read.
        digests: of each row in `samples`.
        problems: of the rows that cannot be read or scored.
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
        """The splits that hold them: more than one is a leak. Rows without a split do not count."""
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
    check_picture: PictureCheck | None = None,
) -> Contents:
    """Decode the pictures of a source, or those of some samples, in order.

    Args:
        source: where the pictures come from.
        samples: the rows to read; None for all of the source.
        workers: threads, 0 for none.
        progress: called after each picture.
        check_picture: raises the InputError with which a detector refuses a decoded picture, as one without a face.

    Returns:
        The rows that can be read, with digests, and the problems of the others and of what `check_picture` refuses.
    """
    kept: list[Sample] = []
    digests: list[bytes] = []
    problems: list[Problem] = []
    rows = source.samples if samples is None else samples
    for done, (sample, result) in enumerate(_digests(source, rows, workers, check_picture), start=1):
        if result.digest:
            kept.append(sample)
            digests.append(result.digest)
        if result.refused is not None:
            problems.append(Problem(sample.id, sample.path, result.refused.status, str(result.refused)))
        progress(done, len(rows))
    return Contents(tuple(kept), tuple(digests), tuple(problems))


def _digests(
    source: Source, samples: Iterable[Sample], workers: int, check_picture: PictureCheck | None
) -> Iterator[tuple[Sample, ReadResult]]:
    rest = iter(samples)
    require_workers(workers)
    videos = threading.local()  # each thread reads its own
    if not workers:
        yield from ((s, _digest(source, s, videos, check_picture)) for s in rest)
        return
    with ThreadPoolExecutor(workers) as pool:
        while batch := list(islice(rest, BATCH)):
            yield from zip(batch, pool.map(lambda s: _digest(source, s, videos, check_picture), batch), strict=True)


def _digest(source: Source, sample: Sample, videos: threading.local, check_picture: PictureCheck | None) -> ReadResult:
    try:
        if not is_video(sample.path):
            picture = source.load(sample)
        elif sample.frame == WHOLE_VIDEO:
            return ReadResult(_video(sample.path))
        else:
            picture = _video_frame(sample, videos)
    except InputError as err:
        return ReadResult(refused=err)
    digest = hashlib.sha256(repr(picture.pixels.shape).encode() + picture.pixels.tobytes()).digest()
    try:
        if check_picture is not None:
            check_picture(picture)
    except InputError as err:
        return ReadResult(digest, err)
    return ReadResult(digest)


class _TruncatedError(InputError):
    """A video that ends early, or whose frames are lost."""

    status = "truncated"


def _video_frame(sample: Sample, videos: threading.local) -> Picture:
    """One frame of a video, decoded in one pass where rows come in its order. Raises InputError's kinds."""
    from corit.data.video_frames import SequentialReader

    if not hasattr(videos, "reader"):
        videos.reader = SequentialReader()
    picture: Picture = videos.reader(sample.path, sample.frame)
    return picture


def _video(path: str) -> bytes:
    """The digest of a video's bytes. Raises InputError's kinds, also where it ends early or frames in it are lost."""
    from corit.images.video import VideoFile

    video = VideoFile(path)
    for _ in video.frames(2, "even"):  # the first and the last; all between are decoded
        pass
    assert video.ending is not None
    if video.ending.status != "ok":
        decoded = f"{video.ending.decoded} of {video.count} frames of {video.name}"
        raise _TruncatedError(f"{decoded} can be decoded; the others are cut off, damaged or missing")
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as err:
        raise UnreadableError(f"{os.path.basename(path)} cannot be read: {err.strerror}") from err


def find_duplicates(*contents: Contents) -> tuple[Duplicate, ...]:
    """Find rows of one or several sources with the same digest, in the order of the first row of each."""
    rows_of: dict[bytes, list[Sample]] = defaultdict(list)
    for one in contents:
        for sample, digest in zip(one.samples, one.digests, strict=True):
            rows_of[digest].append(sample)
    return tuple(Duplicate(tuple(rows)) for rows in rows_of.values() if len(rows) > 1)


def missing_files(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Find rows whose file does not exist, with one look into each folder; nothing is decoded.

    Rows whose path has no suffix of a picture or video, such as those of a drawn world, are left out.
    """
    folders: dict[str, frozenset[str]] = {}
    absent = []
    for sample in samples:
        folder, name = os.path.split(sample.path)
        if os.path.splitext(name)[1].lower() not in SUFFIXES | VIDEO_SUFFIXES:
            continue
        if folder not in folders:
            folders[folder] = existing_names(folder or ".")
        if name not in folders[folder]:
            absent.append(sample)
    return tuple(absent)
