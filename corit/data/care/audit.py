"""Everything that a check finds, as flat rows for a table, a file or another program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from corit.data.care.check import Overlap, SourceCheck, check_source, find_overlap, real_paths
from corit.data.care.contents import Duplicate, PictureCheck
from corit.data.care.published import size_differences
from corit.data.passed_over import HIDDEN, SIDE_SUFFIXES
from corit.data.sample import Sample, Source
from corit.errors import DataError, examples
from corit.progress import Progress, no_progress, part_of

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
    "passed over",
    "side file",
]
# What is no fault by itself: the same picture twice on one side, names of groups that agree, a part of a data set, and
# texts and numbers beside the pictures.
HARMLESS = frozenset(("count", "duplicate", "shared group", "size", "side file"))
CHANCE = "may be chance"


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


def audit_source(
    source: Source,
    against: Source | None = None,
    *,
    missing: Sequence[str] = (),
    contents: bool = True,
    workers: int = 0,
    progress: Progress = no_progress,
    look: PictureCheck | None = None,
) -> tuple[Finding, ...]:
    """What `check_source` finds in a source, and what it shares with another, which it is to be tested on.

    missing: a list to which the source adds the files that it lacks while it is listed. contents, workers, look: see
    there. progress: called after each picture of both sources. Of the other source the samples are counted too, and
    those that are missing or unreadable are named. Raises DataError for a source without samples.
    """
    if not source.samples or (against is not None and not against.samples):
        raise DataError("expected samples to check, but the data set lists none; ask for other splits")
    first, total = len(source.samples), len(source.samples) + (len(against.samples) if against is not None else 0)
    checked = partial(check_source, contents=contents, workers=workers, look=look)
    found = checked(source, progress=part_of(progress, 0, total))
    other = checked(against, progress=part_of(progress, first, total)) if against is not None else None
    both = [found, other] if other else [found]
    rows = [row for c in both for row in _counts(c)]
    rows += [Finding("missing", name=name, samples=1) for name in missing]
    rows += [row for c in both for row in (*_lost(c), *_passed(c))]
    rows += _sides(found)
    rows += [Finding("size", dataset, name=dataset, detail=what) for dataset, what in size_differences(found.counts)]
    if against is not None and other is not None:
        pair = (found.read, other.read) if found.read and other.read else None
        rows += _overlap(find_overlap(source.samples, against.samples, pair))
    return tuple(rows)


def _counts(found: SourceCheck) -> Iterator[Finding]:
    for c in found.counts:
        label = _label(c.label)
        yield Finding("count", c.dataset, c.split, label, c.manipulation, c.samples, c.videos, c.groups)


def _label(label: int | None) -> str:
    return "unknown" if label is None else ("real", "fake")[label]


def _lost(found: SourceCheck) -> Iterator[Finding]:
    yield from (_of(s, "missing") for s in found.absent)
    gone = {s.id for s in found.absent}
    for p in found.problems or ():
        if p.id not in gone:
            yield Finding("unreadable", samples=1, name=p.path, detail=f"{p.status}: {p.reason}")


def _passed(found: SourceCheck) -> Iterator[Finding]:
    """Files of folders that are no rows, by suffix."""
    for kind, count in sorted(found.passed_over.items()):
        if kind in (HIDDEN, *SIDE_SUFFIXES):
            yield Finding("side file", samples=count, name=kind, detail=f"{count} files")
        else:
            yield Finding("passed over", samples=count, name=kind, detail=f"{count} files that cannot be read")


def _sides(found: SourceCheck) -> Iterator[Finding]:
    yield from (_same(d, kind) for d in found.duplicates or () for kind in _faults(d))
    for s in found.straddles:
        yield Finding("straddle", split="+".join(s.splits), name=s.name, detail=f"a {s.kind} in several splits")
    yield from (Finding("shared group", split="+".join(s.splits), name=s.name, detail=CHANCE) for s in found.namesakes)
    yield from (
        Finding("surprise", samples=len(s.ids), name=examples(s.ids, 1), detail=s.what) for s in found.surprises
    )


def _of(sample: Sample, kind: Kind) -> Finding:
    return Finding(kind, sample.dataset, sample.split, _label(sample.label), sample.manipulation, 1, name=sample.path)


def _faults(pictures: Duplicate) -> tuple[Kind, ...]:
    """What is wrong with pictures that are the same: a picture under both labels may be on both sides as well."""
    leak: tuple[Kind, ...] = ("leak",) if len(pictures.splits) > 1 else ()
    contradiction: tuple[Kind, ...] = ("contradiction",) if len(pictures.labels) > 1 else ()
    return (*leak, *contradiction) or ("duplicate",)


def _same(pictures: Duplicate, kind: Kind) -> Finding:
    first, *others = pictures.samples
    return Finding(
        kind,
        first.dataset,
        "+".join(pictures.splits),
        "+".join(map(_label, pictures.labels)),
        samples=len(pictures.samples),
        name=first.path,
        detail="same picture: " + examples(s.path for s in others),
    )


def _overlap(found: Overlap) -> Iterator[Finding]:
    yield from (Finding("shared file", samples=2, name=path) for path in found.paths)
    files = set(found.paths)
    for d in found.pixels:
        if not real_paths(s.path for s in d.samples) <= files:
            yield _same(d, "shared picture")
    yield from (Finding("shared group", groups=2, name=name, detail=CHANCE) for name in found.groups)
