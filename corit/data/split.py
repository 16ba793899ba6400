"""Splits by group: what comes from one source stays on one side."""

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
    """The samples with train, val and test assigned by group, in the given shares; samples already split are kept.

    Groups are ordered by a hash of their name and `key`, apart for groups with reals only, fakes only and both, so that
    every split holds every kind. A kind with too few groups for that is dealt with the largest one, if its labels are
    in every split without it. Raises DataError when a group was split before, or a kind has too few groups.
    """
    if all(s.split for s in samples):
        require_groups_apart(samples)
        return tuple(samples)
    if any(s.split for s in samples):
        one = next(s for s in samples if not s.split)
        raise DataError(f"expected all pictures split by their folders or none, but {one.path} is in no split")
    chosen = shares or SHARES
    kinds: dict[str, set[int | None]] = defaultdict(set)
    for s in samples:
        kinds[s.group].add(s.label)
    strata: dict[frozenset[int | None], list[str]] = defaultdict(list)
    for group, labels in kinds.items():
        strata[frozenset(labels)].append(group)
    side = {g: name for groups in _merged(strata, len(chosen)) for g, name in _assign(groups, chosen, key).items()}
    return tuple(replace(s, split=side[s.group]) for s in samples)


def _merged(strata: Mapping[frozenset[int | None], list[str]], least: int) -> list[list[str]]:
    """The groups of each kind; kinds with fewer than `least` join the largest where nothing hangs on them."""
    enough = [kind for kind, groups in strata.items() if len(groups) >= least]
    labels = frozenset[int | None]().union(*enough)
    few = [kind for kind in strata if kind not in enough and kind <= labels]
    largest = max(enough, key=lambda kind: (len(strata[kind]), sorted(map(str, kind))), default=None)
    extra = [g for kind in few for g in strata[kind]]
    return [groups + extra if kind == largest else groups for kind, groups in strata.items() if kind not in few]


def _assign(groups: list[str], shares: dict[Split, float], key: int) -> dict[str, Split]:
    ordered = sorted(groups, key=lambda g: seed("split", key, g))
    if len(ordered) < len(shares):
        raise DataError(
            f"expected at least {len(shares)} sources of pictures, one for each of {', '.join(shares)}, "
            f"got {len(ordered)}; give more pictures"
        )
    out: dict[str, Split] = {}
    start, total = 0, sum(shares.values())
    for left, (name, share) in zip(range(len(shares) - 1, -1, -1), shares.items(), strict=True):
        count = max(1, round(share / total * len(ordered))) if left else len(ordered) - start
        count = min(count, len(ordered) - start - left)
        out.update(dict.fromkeys(ordered[start : start + count], name))
        start += count
    return out


def require_groups_apart(samples: Sequence[Sample]) -> None:
    """Raise DataError when samples of one group stand in two splits."""
    seen: dict[str, str] = {}
    for s in samples:
        if s.group and seen.setdefault(s.group, s.split) != s.split:
            raise DataError(
                f"expected the pictures of one source on one side, but {s.group!r} is in {seen[s.group]} and {s.split}"
            )
