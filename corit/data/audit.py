"""Everything that a check finds, as flat rows for a table, a file or another program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from corit.data.check import Check, Overlap, check, overlap
from corit.data.contents import Duplicate, read_contents
from corit.data.missing import examples
from corit.data.published import sizes
from corit.data.sample import Sample, Source
from corit.errors import DataError

Kind = Literal[
    "count",
    "missing",
    "unreadable",
    "duplicate",
    "leak",
    "contradiction",
    "straddle",
    "surprise",
    "shared file",
    "shared picture",
    "shared group",
    "size",
]
# What is no fault by itself: the same picture twice on one side, names of groups that agree, a part of a data set.
HARMLESS = frozenset(("count", "duplicate", "shared group", "size"))


@dataclass(frozen=True)
class Finding:
    """One row. name: the file, group or video that it is about. samples, videos and groups: how many it is about.

    label: real, fake or unknown, or nothing where a finding has none. split: several have + between them.
    """

    finding: Kind
    dataset: str = ""
    split: str = ""
    label: str = ""
    manipulation: str = ""
    samples: int = 0
    videos: int = 0
    groups: int = 0
    name: str = ""
    detail: str = ""

    @property
    def harmless(self) -> bool:
        """Nothing that ought to be mended."""
        return self.finding in HARMLESS


def audit(
    source: Source,
    against: Source | None = None,
    *,
    missed: Sequence[str] = (),
    contents: bool = True,
    workers: int = 0,
    seen: Callable[[], None] | None = None,
) -> tuple[Finding, ...]:
    """What `corit.data.check.check` finds in a source, and what it shares with another, which it is to be tested on.

    missed: a list to which the source adds the files that it lacks while it is listed. contents, workers, seen: see
    there. Raises DataError for a source without samples.
    """
    if not source.samples:
        raise DataError("expected samples to check, but the data set lists none; ask for other splits")
    found = check(source, contents=contents, workers=workers, seen=seen)
    rows = [*_counts(found), *(Finding("missing", name=name, samples=1) for name in missed), *_check(found)]
    rows += [Finding("size", dataset, name=dataset, detail=what) for dataset, what in sizes(found.counts)]
    if against is not None:
        other = read_contents(against, workers=workers, seen=seen) if found.read else None
        pair = (found.read, other) if found.read and other else None
        rows += _overlap(overlap(source.samples, against.samples, pair))
    return tuple(rows)


def _counts(found: Check) -> Iterator[Finding]:
    for c in found.counts:
        label = _label(c.label)
        yield Finding("count", c.dataset, c.split, label, c.manipulation, c.samples, c.videos, c.groups)


def _label(label: int | None) -> str:
    return "unknown" if label is None else ("real", "fake")[label]


def _check(found: Check) -> Iterator[Finding]:
    yield from (_of(s, "missing") for s in found.absent)
    gone = {s.id for s in found.absent}
    for p in found.problems or ():
        if p.id not in gone:
            yield Finding("unreadable", samples=1, name=p.path, detail=f"{p.status}: {p.reason}")
    yield from (_same(d) for d in found.duplicates or ())
    for s in found.straddles:
        yield Finding("straddle", split="+".join(s.splits), name=s.name, detail=f"a {s.kind} in several splits")
    yield from (
        Finding("surprise", samples=len(s.ids), name=examples(s.ids, 1), detail=s.what) for s in found.surprises
    )


def _of(sample: Sample, kind: Kind) -> Finding:
    return Finding(kind, sample.dataset, sample.split, _label(sample.label), sample.manipulation, 1, name=sample.path)


def _same(pictures: Duplicate, kind: Kind | None = None) -> Finding:
    first, *others = pictures.samples
    usual: Kind = "contradiction" if len(pictures.labels) > 1 else "leak" if len(pictures.splits) > 1 else "duplicate"
    return Finding(
        kind or usual,
        first.dataset,
        "+".join(s for s in pictures.splits if s),
        "+".join(map(_label, pictures.labels)),
        samples=len(pictures.samples),
        name=first.path,
        detail="same picture: " + examples(s.path for s in others),
    )


def _overlap(found: Overlap) -> Iterator[Finding]:
    yield from (Finding("shared file", samples=2, name=path) for path in found.paths)
    files = set(found.paths)
    yield from (_same(d, "shared picture") for d in found.pixels if not {s.path for s in d.samples} <= files)
    yield from (Finding("shared group", groups=2, name=name, detail="may be chance") for name in found.groups)
