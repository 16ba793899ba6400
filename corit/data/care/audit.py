"""All findings of a check as flat rows, for a table, a file or another program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from corit.data.care.check import Overlap, SourceCheck, check_source, find_overlap, real_paths
from corit.data.care.contents import Duplicate, PictureCheck
from corit.data.care.published import size_differences
from corit.data.care.shares import Share
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
    "part",
    "passed over",
    "side file",
]
# Findings that are no problem by themselves: the same picture twice in one split, names of groups that agree, a part of
# a data set, and texts and numbers beside the pictures.
HARMLESS = frozenset(("count", "duplicate", "shared group", "size", "part", "side file"))
CHANCE = "may be chance"


@dataclass(frozen=True)
class Finding:
    """One finding about a data set.

    Attributes:
        finding: its kind.
        dataset: the data set's name.
        split: the split; several have + between them.
        label: "real", "fake" or "unknown"; empty where the finding has none.
        manipulation: the manipulation type.
        samples: how many samples it is about.
        videos: how many videos.
        groups: how many groups.
        name: the file, group or video that it is about.
        detail: more in words.
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
        """Whether it is no problem."""
        return self.finding in HARMLESS


def audit_source(
    source: Source,
    against: Source | None = None,
    *,
    missing: Sequence[str] = (),
    shares: Sequence[Share] = (),
    contents: bool = True,
    workers: int = 0,
    progress: Progress = no_progress,
    check_picture: PictureCheck | None = None,
) -> tuple[Finding, ...]:
    """Check a source, and find what it shares with another source that it is to be tested on.

    Args:
        source: the data to check.
        against: the other source. Its samples are counted too, and its missing and unreadable ones are named.
        missing: a list to which the source adds the files that it lacks while it is listed.
        shares: how much of each data set is there; those that are incomplete are named.
        contents: see `check_source`.
        workers: see `check_source`.
        progress: called after each picture of both sources.
        check_picture: see `check_source`.

    Returns:
        The findings, counts first.

    Raises:
        DataError: a source without samples.
    """
    if not source.samples or (against is not None and not against.samples):
        raise DataError("expected samples to check, but the data set lists none; ask for other splits")
    count, total = len(source.samples), len(source.samples) + (len(against.samples) if against is not None else 0)
    checked = partial(check_source, contents=contents, workers=workers, check_picture=check_picture)
    first = checked(source, progress=part_of(progress, 0, total))
    second = checked(against, progress=part_of(progress, count, total)) if against is not None else None
    checks = [first, second] if second else [first]
    rows = [row for c in checks for row in _counts(c)]
    rows += [Finding("missing", name=name, samples=1) for name in missing]
    rows += [row for c in checks for row in (*_unreadable(c), *_passed_over(c))]
    rows += _label_findings(first)
    rows += [Finding("size", dataset, name=dataset, detail=what) for dataset, what in size_differences(first.counts)]
    rows += [Finding("part", s.name, videos=s.there, detail=s.text) for s in shares if not s.complete]
    if against is not None and second is not None:
        pair = (first.contents, second.contents) if first.contents and second.contents else None
        rows += _shared(find_overlap(source.samples, against.samples, pair))
    return tuple(rows)


def _counts(check: SourceCheck) -> Iterator[Finding]:
    for c in check.counts:
        label = _label(c.label)
        yield Finding("count", c.dataset, c.split, label, c.manipulation, c.samples, c.videos, c.groups)


def _label(label: int | None) -> str:
    return "unknown" if label is None else ("real", "fake")[label]


def _unreadable(check: SourceCheck) -> Iterator[Finding]:
    yield from (_sample_finding(s, "missing") for s in check.absent)
    absent = {s.id for s in check.absent}
    for p in check.problems or ():
        if p.id not in absent:
            yield Finding("unreadable", samples=1, name=p.path, detail=f"{p.status}: {p.reason}")


def _passed_over(check: SourceCheck) -> Iterator[Finding]:
    """Files of folders that have no row, by suffix."""
    for kind, count in sorted(check.passed_over.items()):
        if kind in (HIDDEN, *SIDE_SUFFIXES):
            yield Finding("side file", samples=count, name=kind, detail=f"{count} files")
        else:
            yield Finding("passed over", samples=count, name=kind, detail=f"{count} files that cannot be read")


def _label_findings(check: SourceCheck) -> Iterator[Finding]:
    yield from (_duplicate_finding(d, kind) for d in check.duplicates or () for kind in _faults(d))
    for s in check.straddles:
        yield Finding("straddle", split="+".join(s.splits), name=s.name, detail=f"a {s.kind} in several splits")
    yield from (
        Finding("shared group", split="+".join(s.splits), name=s.name, detail=CHANCE) for s in check.shared_groups
    )
    yield from (
        Finding("surprise", samples=len(s.ids), name=examples(s.ids, 1), detail=s.what) for s in check.surprises
    )


def _sample_finding(sample: Sample, kind: Kind) -> Finding:
    return Finding(kind, sample.dataset, sample.split, _label(sample.label), sample.manipulation, 1, name=sample.path)


def _faults(pictures: Duplicate) -> tuple[Kind, ...]:
    """The kinds of problems that equal pictures are: they may stand in several splits and have both labels."""
    leak: tuple[Kind, ...] = ("leak",) if len(pictures.splits) > 1 else ()
    contradiction: tuple[Kind, ...] = ("contradiction",) if len(pictures.labels) > 1 else ()
    return (*leak, *contradiction) or ("duplicate",)


def _duplicate_finding(pictures: Duplicate, kind: Kind) -> Finding:
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


def _shared(overlap: Overlap) -> Iterator[Finding]:
    yield from (Finding("shared file", samples=2, name=path) for path in overlap.paths)
    files = set(overlap.paths)
    for d in overlap.pixels:
        if not real_paths(s.path for s in d.samples) <= files:
            yield _duplicate_finding(d, "shared picture")
    yield from (Finding("shared group", groups=2, name=name, detail=CHANCE) for name in overlap.groups)
