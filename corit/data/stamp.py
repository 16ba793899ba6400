"""Versions of a picture: compared quickly by the stamps of its files, and for certain by their bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from corit.data.frames import path_beside, path_up_to
from corit.data.sample import Sample
from corit.images.display import READING
from corit.journal import Journal


@dataclass(frozen=True, slots=True)  # there is one for each row of a store
class Version:
    """The version of a picture that a result was made from.

    Attributes:
        stamp: digest of the paths, sizes and times of its files. An equal stamp means an unchanged picture.
        content: digest of the files' bytes, which decides where the stamp differs; empty where they cannot be read, and
            then the version is unknown.
    """

    stamp: str = ""
    content: str = ""


UNKNOWN_VERSION = Version()


class CurrentVersion:
    """The version of some files now; their bytes are read only where the stamp does not decide.

    Attributes:
        files: what a result is made of, the most important file first.
        words: everything else that the result depends on.
        stamp: the stamp of the files when this object was made.
    """

    def __init__(self, files: Sequence[str], words: Sequence[str] = ()) -> None:
        self.files, self.words = tuple(files), tuple(words)
        self.stamp = _digest([*map(_full_stamp, self.files), *self.words])

    @cached_property
    def content(self) -> str:
        """The digest of the files' bytes; empty where they cannot be read."""
        return self.content_with("")

    def content_with(self, digest: str) -> str:
        """Return `content` without reading the first file, unless `digest`, its SHA-256, is empty."""
        first, *others = self.files
        digests = [digest or _content_digest(first), *map(_content_digest, others)]
        return _digest([*digests, *self.words]) if all(digests) else ""

    def version(self, digest: str = "") -> Version:
        """Return the version that was read since this object was made.

        A file that changed meanwhile may have been read before or after: then the version has no content.

        Args:
            digest: the SHA-256 of the first file, if it is known.
        """
        content = CurrentVersion(self.files, self.words).content_with(digest)
        unchanged = CurrentVersion(self.files, self.words).stamp == self.stamp
        return Version(self.stamp, content if unchanged else "")

    def same(self, other: Version) -> bool:
        """Return whether a result of another version is still valid."""
        return bool(other.content) and (other.stamp == self.stamp or other.content == self.content)


def entry_is_current(journal: Journal, name: str, now: CurrentVersion) -> bool:
    """Return whether a journal's entry is of the version that is there now.

    Where only the times of the files changed, the new stamp is recorded, so that no later run reads them again.

    Args:
        journal: its entries have `stamp` and `content`; see `Version`.
        name: of an entry.
        now: the current version.
    """
    entry = journal.entries[name]
    if not now.same(Version(entry.get("stamp", ""), entry.get("content", ""))):
        return False
    if entry["stamp"] != now.stamp:
        journal.write(**{**entry, "stamp": now.stamp})
    return True


def current_version(sample: Sample) -> CurrentVersion:
    """Return the current version of a sample's picture.

    It depends on the sample's file, the landmarks and the mask that lie beside a frame, the frame's number, how files
    are read (`corit.images.display.READING`), and `Sample.extra`.
    """
    beside = (path_beside(sample.path, "landmarks", ".npy"), path_beside(sample.path, "masks", ".png"))
    reading = f"reading {READING}" if os.path.exists(sample.path) else "drawn"
    # Where the folder of landmarks exists, a frame without any is refused.
    marked = beside[0] is not None and os.path.isdir(path_up_to(beside[0], "landmarks"))
    words = (f"frame {sample.frame}", reading, f"landmarks {marked}", sample.extra)
    return CurrentVersion([sample.path, *(path for path in beside if path)], words)


def file_stamp(path: str) -> str:
    """Return a file's full path, size and time of change; of a drawn picture, which has no file, its path alone."""
    return _stat_text(path, "st_size", "st_mtime_ns")


def _full_stamp(path: str) -> str:
    """More than `file_stamp`: a file that replaced another one may have its size and time of change."""
    return _stat_text(path, "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")


def _stat_text(path: str, *fields: str) -> str:
    try:
        stat = os.stat(path)
    except OSError:
        return path
    return " ".join([os.path.abspath(path), *(str(getattr(stat, f)) for f in fields)])


def _content_digest(path: str) -> str:
    """The SHA-256 of a file; where there is no file that of its path; empty where it cannot be read."""
    try:
        return _file_digest(path, _full_stamp(path)) if os.path.isfile(path) else _digest([path])
    except OSError:
        return ""


@lru_cache(maxsize=8)
def _file_digest(path: str, _stamp: str) -> str:
    """The SHA-256 of a file with this stamp: the frames of one video ask for it one after the other."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(texts: list[str]) -> str:
    joined = "\0".join(texts).encode(errors="surrogateescape")
    return hashlib.blake2b(joined, digest_size=16).hexdigest()
