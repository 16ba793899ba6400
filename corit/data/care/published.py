"""How large data sets are as published: what a part of one is measured against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from corit.data import sets
from corit.data.care.check import Count
from corit.data.dataset import DataSet, PublishedSize


@cache
def published_sizes() -> Mapping[tuple[str, str], PublishedSize]:
    """Collect the published sizes of all data sets in `corit.data.sets`, by (`Sample.dataset`, split)."""
    modules = [import_module(f"{sets.__name__}.{m.name}") for m in iter_modules(sets.__path__)]
    records: list[DataSet] = [d for m in modules for d in getattr(m, "DATASETS", ()) or (m.DATASET,)]
    return {key: size for record in records for key, size in record.sizes.items()}


def size_differences(counts: Iterable[Count]) -> Iterator[tuple[str, str]]:
    """Yield (data set, the differences in words) for each data set whose size is not the published one."""
    published, unknown = published_sizes(), PublishedSize()
    differences: dict[str, list[str]] = defaultdict(list)
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for c in counts:
        each = published.get((c.dataset, c.split), unknown).each
        totals[c.dataset, c.split] += c.videos
        if each and c.videos != each:
            differences[c.dataset].append(f"{c.split} {c.manipulation or 'real'} {c.videos} of {each}")
    for (dataset, split), count in totals.items():
        known = published.get((dataset, split), unknown).totals
        if known and count not in known:
            differences[dataset].append(f"{split} {count} of {known[0]}")
    return ((dataset, ", ".join(parts)) for dataset, parts in sorted(differences.items()))
