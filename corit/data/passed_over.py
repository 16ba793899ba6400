"""Files of a folder that are neither picture nor video by their suffix: those that are by their bytes, and the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath

from corit.data.walk import is_hidden
from corit.images.file_kind import kind_of

# What lies beside pictures, and is not looked into.
SIDE_SUFFIXES = frozenset(
    (".npy", ".npz", ".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".xml", ".html", ".yaml", ".yml", ".toml")
    + (".ini", ".log", ".pdf", ".py", ".sh", ".pkl", ".pt", ".pth", ".safetensors", ".db", ".lock")
)
# Raw files of cameras, which begin as TIFF and MP4 do and hold no picture as a viewer shows it.
RAW_SUFFIXES = frozenset(
    (".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw")
    + (".x3f", ".3fr", ".fff", ".iiq", ".erf", ".kdc", ".dcr", ".mrw", ".raw", ".rwl")
)
HIDDEN, NO_SUFFIX = "hidden", "without a suffix"
SHOWN_KINDS = 8  # kinds that a line names


@dataclass
class PassedOver:
    """Counts, by suffix, files of folders that are passed over; `takes` is what a listing asks."""

    counts: Counter[str] = field(default_factory=Counter)

    def takes(self, path: str) -> bool:
        """Whether a file without a suffix of pictures and videos is one by its first bytes; others are counted."""
        kind = suffix_of(path)
        if kind not in (HIDDEN, *SIDE_SUFFIXES, *RAW_SUFFIXES) and kind_of(path):
            return True
        self.counts[kind] += 1
        return False

    @property
    def words(self) -> str:
        """One line such as "passed over 12 files: 10 .txt, 2 .cr2"; empty for none."""
        return summarize(self.counts.items())


def suffix_of(path: str) -> str:
    """A file's suffix in small letters, or the words for one that is hidden or has none."""
    name = PurePath(path).name
    return HIDDEN if is_hidden(name) else PurePath(name).suffix.lower() or NO_SUFFIX


def summarize(counts: Iterable[tuple[str, int]]) -> str:
    """The line on files that were passed over, by kind, the most first; empty for none."""
    ordered = sorted(counts, key=lambda c: (-c[1], c[0]))
    total = sum(n for _, n in ordered)
    if not total:
        return ""
    shown = [f"{n} {kind}" for kind, n in ordered[:SHOWN_KINDS]]
    rest = sum(n for _, n in ordered[SHOWN_KINDS:])
    return f"passed over {total} file{'s' * (total > 1)}: {', '.join([*shown, *([f'{rest} others'] if rest else [])])}"
