"""Train, val and test of a data set that is trained on: its own split where it has one, else dealt by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from corit.data.frames import SPLITS
from corit.data.sample import Sample, Split
from corit.data.split import SHARES, split_by_group

OFFICIAL, DEALT = "its own splits", "dealt by group"


@dataclass(frozen=True)
class Parts:
    """Samples of which each has a part.

    Attributes:
        samples: the samples in their order.
        how: how the parts were made, in words.
    """

    samples: tuple[Sample, ...]
    how: str


def assign_parts(samples: Sequence[Sample], *, official: bool = False, key: int = 0) -> Parts:
    """Assign train, val and test.

    A split that has train but lacks val or test keeps its rows, and what it lacks is cut out of train by group. A split
    without train says only what other data are tested on: everything is dealt by group.

    Args:
        samples: the samples of one source, all or none of which have a split.
        official: the split is that of a public data set, which may hold a source on two sides: rows to train on are
            left out where test or val holds their group. Otherwise such rows are an error.
        key: seeds the order of groups.

    Raises:
        DataError: see `corit.data.split.split_by_group`.
    """
    held = {s.split for s in samples}
    lacking: list[Split] = [s for s in SPLITS if s not in held]
    if "" in held or not lacking:
        kept, left_out = _apart(samples) if official and not lacking else (samples, "")
        return Parts(split_by_group(kept, key=key), DEALT if held == {""} else OFFICIAL + left_out)
    if "train" in lacking:
        return Parts(split_by_group([replace(s, split="") for s in samples], key=key), DEALT)
    kept, left_out = _apart(samples) if official else (samples, "")
    shares = {name: share for name, share in SHARES.items() if name in ("train", *lacking)}
    train = [replace(s, split="") for s in kept if s.split == "train"]
    cut = {s.id: s for s in split_by_group(train, shares=shares, key=key)}
    rows = split_by_group([cut.get(s.id, s) for s in kept])  # checks that no group stands in two parts
    return Parts(rows, f"{OFFICIAL}, {' and '.join(lacking)} cut out of train by group{left_out}")


def _apart(samples: Sequence[Sample]) -> tuple[Sequence[Sample], str]:
    """The samples without those whose group also stands in a part that decides more; and how many there are."""
    groups = {part: {s.group for s in samples if s.split == part and s.group} for part in SPLITS}
    later = {"train": groups["val"] | groups["test"], "val": groups["test"]}
    kept = [s for s in samples if s.group not in later.get(s.split, ())]
    count = len(samples) - len(kept)
    return kept, f", {count} rows left out whose source also stands in a later part" if count else ""
