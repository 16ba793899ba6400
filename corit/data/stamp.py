"""What tells one version of a picture from another: at a glance by its files' stamps, for certain by their bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from corit.data.frames import path_beside, path_up_to
from corit.data.sample import Sample
from corit.images.display import READING


@dataclass(frozen=True, slots=True)  # there is one for each row of a store
class Version:
    """The version of a picture that a result was made from.

    stamp: paths, sizes and times of its files; where it is the same, nothing has changed. content: digest of their
    bytes, which decides where the stamp is another; empty where they cannot be read, and then nothing is known.
    """

    stamp: str = ""
    content: str = ""


UNKNOWN_VERSION = Version()


class CurrentVersion:
    """The version of some files that is there now; their bytes are read only where the stamp does not decide.

    files: what a result is made of, the most important first. words: whatever else it depends on. stamp: of the files
    when this object was made.
    """

    def __init__(self, files: Sequence[str], words: Sequence[str] = ()) -> None:
        self.files, self.words = tuple(files), tuple(words)
        self.stamp = _digest([*map(_stamp, self.files), *self.words])

    @cached_property
    def content(self) -> str:
        """The digest of its bytes; empty where they cannot be read."""
        return self.content_with("")

    def content_with(self, digest: str) -> str:
        """`content`, where the SHA-256 of the first file is known already unless it is empty."""
        first, *others = self.files
        digests = [digest or _bytes(first), *map(_bytes, others)]
        return _digest([*digests, *self.words]) if all(digests) else ""

    def version(self, digest: str = "") -> Version:
        """The version that was read since this object was made; digest: the SHA-256 of the first file if known.

        Where a file was changed meanwhile nobody can say what was read: then it has no content, and is read again.
        """
        content = CurrentVersion(self.files, self.words).content_with(digest)
        same = CurrentVersion(self.files, self.words).stamp == self.stamp
        return Version(self.stamp, content if same else "")

    def same(self, other: Version) -> bool:
        """Whether a result of another version still holds."""
        return bool(other.content) and (other.stamp == self.stamp or other.content == self.content)


def current_version(sample: Sample) -> CurrentVersion:
    """The version of a sample's picture that is there now.

    It is made of the sample's file, the landmarks and the mask that lie beside a frame, which frame it is, how files
    are read, and what the sample says of anything else (`Sample.extra`).
    """
    near = (path_beside(sample.path, "landmarks", ".npy"), path_beside(sample.path, "masks", ".png"))
    read = f"reading {READING}" if os.path.exists(sample.path) else "drawn"
    # Where the folder of landmarks exists, a frame without any is refused.
    marked = near[0] is not None and os.path.isdir(path_up_to(near[0], "landmarks"))
    words = (f"frame {sample.frame}", read, f"landmarks {marked}", sample.extra)
    return CurrentVersion([sample.path, *(path for path in near if path)], words)


def file_stamp(path: str) -> str:
    """A file's full path, size and time of change; of what is no file, such as drawn pictures, the path alone."""
    return _told(path, "st_size", "st_mtime_ns")


def _stamp(path: str) -> str:
    """More than `file_stamp`: a file that another one was moved over may have the old one's size and time of change."""
    return _told(path, "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")


def _told(path: str, *fields: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return path
    return " ".join([os.path.abspath(path), *(str(getattr(found, f)) for f in fields)])


def _bytes(path: str) -> str:
    """The SHA-256 of a file, of what is no file that of its path; empty where it cannot be read."""
    try:
        return _hashed(path, _stamp(path)) if os.path.isfile(path) else _digest([path])
    except OSError:
        return ""


@lru_cache(maxsize=8)
def _hashed(path: str, _stamped: str) -> str:
    """The SHA-256 of a file of a stamp: the frames of one video ask for it one after the other."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(texts: list[str]) -> str:
    joined = "\0".join(texts).encode(errors="surrogateescape")
    return hashlib.blake2b(joined, digest_size=16).hexdigest()
