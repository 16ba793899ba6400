"""Files of a folder without a suffix of pictures and videos: taken by their first bytes, or passed over and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath

from corit.data.walk import is_hidden
from corit.images.file_kind import kind_of

# Texts and numbers that lie beside pictures; they are never opened.
SIDE_SUFFIXES = frozenset(
    (".npy", ".npz", ".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".xml", ".html", ".yaml", ".yml", ".toml")
    + (".ini", ".log", ".pdf", ".py", ".sh", ".pkl", ".pt", ".pth", ".safetensors", ".db", ".lock")
)
# Raw files of cameras. They begin as TIFF and MP4 files do, but hold no picture that a viewer shows.
RAW_SUFFIXES = frozenset(
    (".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw")
    + (".x3f", ".3fr", ".fff", ".iiq", ".erf", ".kdc", ".dcr", ".mrw", ".raw", ".rwl")
)
HIDDEN, NO_SUFFIX = "hidden", "without a suffix"
SHOWN_KINDS = 8  # the most kinds that a summary names


@dataclass
class PassedOver:
    """Counts the files of folders that are passed over.

    Attributes:
        counts: how many files by suffix in small letters; "hidden" for hidden files and folders, "without a suffix".
    """

    counts: Counter[str] = field(default_factory=Counter)

    def accepts(self, path: str) -> bool:
        """Return whether a file is a picture or video by its first bytes; count it if it is not.

        Args:
            path: a file without a suffix of pictures and videos, or anything hidden.
        """
        kind = suffix_of(path)
        if kind not in (HIDDEN, *SIDE_SUFFIXES, *RAW_SUFFIXES) and kind_of(path):
            return True
        self.counts[kind] += 1
        return False

    @property
    def summary(self) -> str:
        """One line such as "passed over 12 files: 10 .txt, 2 .cr2"; empty where none is passed over."""
        return summarize(self.counts.items())


def suffix_of(path: str) -> str:
    """Return a file's suffix in small letters, or the words for a hidden file or one without a suffix."""
    name = PurePath(path).name
    return HIDDEN if is_hidden(name) else PurePath(name).suffix.lower() or NO_SUFFIX


def summarize(counts: Iterable[tuple[str, int]]) -> str:
    """Summarize how many files were passed over, by suffix, the most frequent first; empty where none was."""
    ordered = sorted(counts, key=lambda c: (-c[1], c[0]))
    total = sum(n for _, n in ordered)
    if not total:
        return ""
    shown = [f"{n} {kind}" for kind, n in ordered[:SHOWN_KINDS]]
    rest = sum(n for _, n in ordered[SHOWN_KINDS:])
    return f"passed over {total} file{'s' * (total > 1)}: {', '.join([*shown, *([f'{rest} others'] if rest else [])])}"
