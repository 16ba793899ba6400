"""Splits by group: samples of one source stay in one split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from corit.data.sample import Sample, Split
from corit.errors import DataError
from corit.seeding import seed

SHARES: dict[Split, float] = {"test": 0.2, "val": 0.2, "train": 0.6}


def split_by_group(
    samples: Sequence[Sample], *, shares: dict[Split, float] | None = None, key: int = 0
) -> tuple[Sample, ...]:
    """Assign train, val and test to samples by group; samples that are already split stay as they are.

    Groups are ordered by a hash of their name and `key`, separately for groups with reals only, fakes only and both, so
    that every split holds every kind of group. If a kind has too few groups for that, its groups are split together
    with those of the largest kind; its labels must also occur in kinds with enough groups.

    Args:
        samples: the samples, all or none of which have a split.
        shares: the share of groups of each split; by default `SHARES`.
        key: seeds the order.

    Returns:
        The samples in their order, each with a split.

    Raises:
        DataError: some samples have a split and others none, a group stands in two splits, or a kind has too few
            groups.
    """
    if all(s.split for s in samples):
        require_groups_apart(samples)
        return tuple(samples)
    if any(s.split for s in samples):
        unsplit = next(s for s in samples if not s.split)
        raise DataError(f"expected all pictures split by their folders or none, but {unsplit.path} is in no split")
    shares = shares or SHARES
    labels: dict[str, set[int | None]] = defaultdict(set)
    for s in samples:
        labels[s.group].add(s.label)
    kinds: dict[frozenset[int | None], list[str]] = defaultdict(list)
    for group, held in labels.items():
        kinds[frozenset(held)].append(group)
    split = {
        g: name for groups in _merge(kinds, len(shares)) for g, name in _assign_splits(groups, shares, key).items()
    }
    return tuple(replace(s, split=split[s.group]) for s in samples)


def _merge(kinds: Mapping[frozenset[int | None], list[str]], minimum: int) -> list[list[str]]:
    """The groups of each kind; a kind with fewer than `minimum` joins the largest where no label depends on it."""
    enough = [kind for kind, groups in kinds.items() if len(groups) >= minimum]
    labels = frozenset[int | None]().union(*enough)
    small = [kind for kind in kinds if kind not in enough and kind <= labels]
    largest = max(enough, key=lambda kind: (len(kinds[kind]), sorted(map(str, kind))), default=None)
    extra = [g for kind in small for g in kinds[kind]]
    return [groups + extra if kind == largest else groups for kind, groups in kinds.items() if kind not in small]


def _assign_splits(groups: list[str], shares: dict[Split, float], key: int) -> dict[str, Split]:
    """Group -> split, by the groups' hashed order; every split gets at least one group."""
    ordered = sorted(groups, key=lambda g: seed("split", key, g))
    if len(ordered) < len(shares):
        raise DataError(
            f"expected at least {len(shares)} sources of pictures, one for each of {', '.join(shares)}, "
            f"got {len(ordered)}; give more pictures"
        )
    splits: dict[str, Split] = {}
    start, total = 0, sum(shares.values())
    for left, (name, share) in zip(range(len(shares) - 1, -1, -1), shares.items(), strict=True):
        count = max(1, round(share / total * len(ordered))) if left else len(ordered) - start
        count = min(count, len(ordered) - start - left)
        splits.update(dict.fromkeys(ordered[start : start + count], name))
        start += count
    return splits


def require_groups_apart(samples: Sequence[Sample]) -> None:
    """Raise DataError when samples of one group stand in two splits."""
    split: dict[str, str] = {}
    for s in samples:
        if s.group and split.setdefault(s.group, s.split) != s.split:
            raise DataError(
                f"expected the pictures of one source on one side, but {s.group!r} is in {split[s.group]} and {s.split}"
            )
