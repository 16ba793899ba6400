"""What tells one version of a picture from another: at a glance by its files' stamps, for certain by their bytes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property, lru_cache

from corit.data.frames import beside
from corit.data.sample import Sample


@dataclass(frozen=True)
class Version:
    """The version of a picture that a result was made from.

    stamp: paths, sizes and times of its files; where it is the same, nothing has changed. content: digest of their
    bytes, which decides where the stamp is another; empty where they cannot be read, and then nothing is known.
    """

    stamp: str = ""
    content: str = ""


UNKNOWN = Version()


class Current:
    """The version of a sample's picture that is there now; its bytes are read only where its stamp does not decide.

    What counts: the sample's file, the landmarks and the mask that lie beside a frame, which frame it is, and what the
    sample says of anything else (`Sample.extra`).
    """

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    @cached_property
    def stamp(self) -> str:
        """The stamp of its files."""
        texts = [_stamp(path) for path in _files(self.sample)]
        return _digest([*texts, *_words(self.sample)])

    @cached_property
    def content(self) -> str:
        """The digest of its bytes; empty where they cannot be read."""
        return self.content_with("")

    def content_with(self, digest: str) -> str:
        """`content`, where the SHA-256 of the sample's file is known already unless it is empty."""
        first, *others = _files(self.sample)
        digests = [digest or _bytes(first), *map(_bytes, others)]
        return _digest([*digests, *_words(self.sample)]) if all(digests) else ""

    def version(self, digest: str = "") -> Version:
        """Stamp and content; digest: the SHA-256 of the sample's file where it is known."""
        return Version(self.stamp, self.content_with(digest))

    def same(self, other: Version) -> bool:
        """Whether a result of another version still holds."""
        return bool(other.content) and (other.stamp == self.stamp or other.content == self.content)


def stamp(path: str) -> str:
    """A file's full path, size and time of change; of what is no file, such as drawn pictures, the path alone."""
    try:
        found = os.stat(path)
    except OSError:
        return path
    return f"{os.path.abspath(path)} {found.st_size} {found.st_mtime_ns}"


def _files(sample: Sample) -> tuple[str, ...]:
    """The sample's file, and those that lie beside a frame."""
    near = (beside(sample.path, "landmarks", ".npy"), beside(sample.path, "masks", ".png"))
    return (sample.path, *(path for path in near if path))


def _words(sample: Sample) -> tuple[str, str]:
    return f"frame {sample.frame}", sample.extra


def _stamp(path: str) -> str:
    """More than `stamp`: a file that another one was moved over may have the old one's size and time of change."""
    try:
        found = os.stat(path)
    except OSError:
        return path
    return f"{os.path.abspath(path)} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


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
