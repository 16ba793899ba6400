"""What is in a source, and what should make its user wary: leaks, contradictions, surprises."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from corit.data.care.contents import (
    Contents,
    Duplicate,
    PictureCheck,
    Problem,
    find_duplicates,
    missing_files,
    read_contents,
)
from corit.data.folders import FolderSource
from corit.data.frames import path_beside, path_up_to
from corit.data.sample import Sample, Source
from corit.data.selected import JoinedSources
from corit.errors import examples
from corit.progress import Progress, no_progress

# Words of folder and file names that say what a picture is, as the field's data sets use them.
REAL = frozenset(("real", "reals", "original", "originals", "pristine", "authentic", "genuine", "nature"))
FAKE = frozenset(("fake", "fakes", "manipulated", "synthesis", "synthetic", "generated", "forged", "ai"))
WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Count:
    """How many samples, videos and groups there are of one data set, split, label and manipulation."""

    dataset: str
    split: str
    label: int | None
    manipulation: str
    samples: int
    videos: int
    groups: int


@dataclass(frozen=True)
class Straddle:
    """A group (identity, source video), or a video, whose samples stand in several splits."""

    kind: str
    name: str
    splits: tuple[str, ...]


@dataclass(frozen=True)
class Surprise:
    """A label that something speaks against, in a sentence, with the ids of the rows that it is about."""

    what: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """What two sources share: file paths, names of groups, and, where contents were read, the same pixels.

    Paths are those behind links to folders. Shared paths and pixels are a leak for certain. Names of groups may agree
    by chance between unlike data sets.
    """

    paths: tuple[str, ...]
    groups: tuple[str, ...]
    pixels: tuple[Duplicate, ...] = ()

    @property
    def empty(self) -> bool:
        """They share nothing that was looked at."""
        return not (self.paths or self.groups or self.pixels)


@dataclass(frozen=True)
class SourceCheck:
    """All findings about one source; problems, duplicates and read are None when its pictures were not read.

    namesakes: names of groups in several splits of sources that are checked as one, none of which straddles by itself:
    they may agree by chance, as in `Overlap`. passed_over: files of its folders that are no rows, by suffix.
    """

    counts: tuple[Count, ...]
    absent: tuple[Sample, ...]
    straddles: tuple[Straddle, ...]
    surprises: tuple[Surprise, ...]
    problems: tuple[Problem, ...] | None = None
    duplicates: tuple[Duplicate, ...] | None = None
    read: Contents | None = field(default=None, repr=False, compare=False)
    namesakes: tuple[Straddle, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)

    @property
    def leaks(self) -> tuple[Duplicate, ...]:
        """Duplicates across splits."""
        return tuple(d for d in self.duplicates or () if len(d.splits) > 1)

    @property
    def clean(self) -> bool:
        """Nothing was found that ought to be mended; duplicates within one split and label are no fault."""
        contradictory = any(len(d.labels) > 1 for d in self.duplicates or ())
        return not (self.absent or self.straddles or self.surprises or self.problems or self.leaks or contradictory)


def check_source(
    source: Source,
    *,
    contents: bool = True,
    workers: int = 0,
    progress: Progress = no_progress,
    look: PictureCheck | None = None,
) -> SourceCheck:
    """Check a source; with `contents` every picture is decoded once (see `read_contents` for the other arguments)."""
    samples = source.samples
    parts = [part.samples for part in source.sources] if isinstance(source, JoinedSources) else [samples]
    own, between = _straddles(samples, parts)
    strange = tuple(s for part in parts for s in find_surprises(part))  # a class may be empty in one of them alone
    passed = count_passed_over(source)
    quick = SourceCheck(
        count_samples(samples), missing_files(samples), own, strange, namesakes=between, passed_over=passed
    )
    if not contents:
        return quick
    read = read_contents(source, workers=workers, progress=progress, look=look)
    return replace(quick, problems=read.problems, duplicates=find_duplicates(read), read=read)


def count_passed_over(source: Source) -> Mapping[str, int]:
    """How many files of the folders behind a source are neither picture nor video, by suffix; see `FolderSource`."""
    if isinstance(source, JoinedSources):
        return sum((Counter(count_passed_over(part)) for part in source.sources), Counter())
    if isinstance(source, FolderSource):
        return source.passed_over.counts
    inner = getattr(source, "source", None)  # of those that choose among the rows of another
    return {} if inner is None else count_passed_over(inner)


def _straddles(
    samples: Sequence[Sample], parts: Sequence[Sequence[Sample]]
) -> tuple[tuple[Straddle, ...], tuple[Straddle, ...]]:
    """What straddles within one of the sources that the samples are of, and the groups that do between them only."""
    own = tuple(s for part in parts for s in find_straddles(part))
    within = {s.name for s in own}
    between = find_straddles(samples) if len(parts) > 1 else ()
    return own, tuple(s for s in between if s.kind == "group" and s.name not in within)


def count_samples(samples: Sequence[Sample]) -> tuple[Count, ...]:
    """Samples, videos and groups by data set, split, label and manipulation, sorted."""
    rows: Counter[tuple[str, str, int | None, str]] = Counter()
    videos: dict[tuple[str, str, int | None, str], set[str]] = defaultdict(set)
    groups: dict[tuple[str, str, int | None, str], set[str]] = defaultdict(set)
    for s in samples:
        key = s.dataset, s.split, s.label, s.manipulation
        rows[key] += 1
        videos[key].add(s.video or s.id)
        groups[key].add(s.group)
    order = sorted(rows, key=lambda k: (k[0], ("train", "val", "test", "").index(k[1]), str(k[2]), k[3]))
    return tuple(Count(*k, rows[k], len(videos[k]), len(groups[k])) for k in order)


def find_straddles(samples: Sequence[Sample]) -> tuple[Straddle, ...]:
    """Groups and videos on several sides of the split; samples in no split are on no side."""
    sides: dict[tuple[str, str], set[str]] = defaultdict(set)
    for s in samples:
        if s.split:
            for kind, name in (("group", s.group), ("video", s.video)):
                if name:
                    sides[kind, name].add(s.split)
    found = [(k, tuple(sorted(v))) for k, v in sides.items() if len(v) > 1]
    return tuple(Straddle(kind, name, splits) for (kind, name), splits in sorted(found))


def find_surprises(samples: Sequence[Sample]) -> tuple[Surprise, ...]:
    """Labels that the path, the manipulation, the video or the rest of the split speak against."""
    finds = (_repeated, _unlabelled, _said_by_path, _manipulations, _mixed_videos, _one_sided, _landmarks)
    return tuple(s for find in finds for s in find(samples))


def _repeated(samples: Sequence[Sample]) -> Iterator[Surprise]:
    ids = tuple(i for i, n in Counter(s.id for s in samples).items() if n > 1)
    if ids:
        yield Surprise(f"{len(ids)} ids are of several samples: {examples(ids)}", ids)


def _unlabelled(samples: Sequence[Sample]) -> Iterator[Surprise]:
    ids = tuple(s.id for s in samples if s.label is None)
    if ids:
        yield Surprise(f"{len(ids)} samples have no label", ids)


def _said_by_path(samples: Sequence[Sample]) -> Iterator[Surprise]:
    """The innermost folder that says real or fake says the other; whole words count: unreal is not real."""
    if not samples:
        return  # no folders have no common part
    folders = [os.path.dirname(s.path) for s in samples]
    said = _said(set(folders))
    wrong: dict[str, list[str]] = defaultdict(list)
    for s, folder in zip(samples, folders, strict=True):
        if s.label is not None and said[folder] not in (None, s.label):
            wrong[folder].append(s.id)
    for folder, ids in wrong.items():
        kind = ("real", "fake")[1 - said[folder]]  # type: ignore[operator]
        yield Surprise(
            f"{len(ids)} samples in {folder} are labelled {kind}, but the folder's name says otherwise", tuple(ids)
        )


def _said(folders: set[str]) -> dict[str, int | None]:
    """What each folder says, below what all of them share."""
    alike = len({os.path.isabs(f) for f in folders}) == 1
    common = os.path.commonpath(folders) if alike else ""
    inside = {f: os.path.relpath(f, common) if common else f for f in folders}
    return {f: _says(name.replace(os.sep, "/")) for f, name in inside.items()}


def _says(folder: str) -> int | None:
    for part in reversed(folder.split("/")):
        words = set(WORD.findall(part.lower()))
        if bool(words & REAL) != bool(words & FAKE):
            return int(bool(words & FAKE))
    return None


def _manipulations(samples: Sequence[Sample]) -> Iterator[Surprise]:
    real = tuple(s.id for s in samples if s.label == 0 and s.manipulation)
    fake = tuple(s.id for s in samples if s.label == 1 and not s.manipulation)
    if real:
        yield Surprise(f"{len(real)} real samples name a manipulation", real)
    if fake:
        yield Surprise(f"{len(fake)} fake samples name no manipulation", fake)


def _mixed_videos(samples: Sequence[Sample]) -> Iterator[Surprise]:
    videos: dict[str, dict[int | None, list[str]]] = defaultdict(lambda: defaultdict(list))
    for s in samples:
        if s.video:
            videos[s.video][s.label].append(s.id)
    mixed = {v: tuple(i for ids in labels.values() for i in ids) for v, labels in videos.items() if len(labels) > 1}
    if mixed:
        ids = tuple(i for found in mixed.values() for i in found)
        yield Surprise(f"{len(mixed)} videos have frames of both labels: {examples(mixed)}", ids)


def _one_sided(samples: Sequence[Sample]) -> Iterator[Surprise]:
    sides: dict[str, set[int | None]] = defaultdict(set)
    for s in samples:
        sides[s.split].add(s.label)
    for split, labels in sides.items():
        if labels in ({0}, {1}):
            kind = "real" if labels == {0} else "fake"
            yield Surprise(f"{split or 'the source'} holds {kind} samples only", ())


def _landmarks(samples: Sequence[Sample]) -> Iterator[Surprise]:
    """One class has landmarks beside its frames and the other none: crops of faces there, whole frames here."""
    folders = {f: _marked(f) for f in {os.path.dirname(s.path) for s in samples}}
    ids: dict[tuple[int | None, bool], list[str]] = defaultdict(list)
    for s in samples:
        ids[s.label, folders[os.path.dirname(s.path)]].append(s.id)
    for label, kind, other in ((0, "real", "fakes"), (1, "fake", "reals")):
        bare = ids[label, False]
        if bare and not ids[label, True] and ids[1 - label, True]:
            yield Surprise(f"{len(bare)} {kind} samples have no landmarks beside them, but {other} have", tuple(bare))


def _marked(folder: str) -> bool:
    """Whether the data set's folder landmarks/ is there for the frames of a folder."""
    path = path_beside(os.path.join(folder, "0.png"), "landmarks", ".npy")
    return path is not None and os.path.isdir(path_up_to(path, "landmarks"))


def find_overlap(
    train: Sequence[Sample], test: Sequence[Sample], contents: tuple[Contents, Contents] | None = None
) -> Overlap:
    """What the training samples of one source share with the test samples of another (or of the same one)."""
    paths = real_paths(s.path for s in train) & real_paths(s.path for s in test)
    groups = {s.group for s in train} & {s.group for s in test} - {""}
    return Overlap(tuple(sorted(paths)), tuple(sorted(groups)), shared_pictures(*contents) if contents else ())


def shared_pictures(train: Contents, test: Contents) -> tuple[Duplicate, ...]:
    """Pictures that both hold, with the rows of the first before those of the second."""
    common = set(train.digests) & set(test.digests)
    keep = [
        Contents(*zip(*((s, d) for s, d in zip(c.samples, c.digests, strict=True) if d in common), strict=True))
        for c in (train, test)
        if common
    ]
    return find_duplicates(*keep)


def real_paths(paths: Iterable[str]) -> set[str]:
    """The files' paths with links in their folders followed, each folder once."""
    parts = [os.path.split(p) for p in paths]
    folders = {f: os.path.realpath(f) for f in {f for f, _ in parts}}
    return {os.path.join(folders[f], name) for f, name in parts}
