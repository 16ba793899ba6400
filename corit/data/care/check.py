"""Check a source: counts, missing files, leaks between splits, contradictory and surprising labels."""

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

# Words in the names of folders that tell the label, as the field's data sets use them.
REAL = frozenset(("real", "reals", "original", "originals", "pristine", "authentic", "genuine", "nature"))
FAKE = frozenset(("fake", "fakes", "manipulated", "synthesis", "synthetic", "generated", "forged", "ai"))
WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Count:
    """The numbers of samples, videos and groups of one data set, split, label and manipulation.

    Attributes:
        dataset: name of the data set.
        split: of the samples.
        label: 0 for real, 1 for fake, None for unknown.
        manipulation: of the samples.
        samples: number of samples.
        videos: different videos; a picture of no video counts as one.
        groups: different groups.
    """

    dataset: str
    split: str
    label: int | None
    manipulation: str
    samples: int
    videos: int
    groups: int


@dataclass(frozen=True)
class Straddle:
    """A group (person, source video), or a video, whose samples stand in several splits.

    Attributes:
        kind: "group" or "video".
        name: of the group or video.
        splits: the splits, sorted.
    """

    kind: str
    name: str
    splits: tuple[str, ...]


@dataclass(frozen=True)
class Surprise:
    """Something that contradicts labels.

    Attributes:
        what: the contradiction in a sentence.
        ids: the rows that it is about.
    """

    what: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """What two sources share. Shared paths and pixels are certainly a leak; names of groups may agree by chance.

    Attributes:
        paths: files that both list, with links to folders resolved.
        groups: names of groups that both use.
        pixels: pictures with the same pixels, where contents were read.
    """

    paths: tuple[str, ...]
    groups: tuple[str, ...]
    pixels: tuple[Duplicate, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether they share nothing."""
        return not (self.paths or self.groups or self.pixels)


@dataclass(frozen=True)
class SourceCheck:
    """All findings about one source.

    Attributes:
        counts: samples, videos and groups by data set, split, label and manipulation.
        absent: rows whose file does not exist.
        straddles: groups and videos in several splits.
        surprises: what contradicts labels.
        problems: pictures that cannot be scored; None where pictures were not read, like the two fields that follow.
        duplicates: pictures with the same pixels.
        contents: the digests of the pictures.
        shared_groups: names of groups in several splits of sources that are checked as one. None of them straddles
            within one source: they may agree by chance, as in `Overlap`.
        passed_over: files of the source's folders that have no row, by suffix.
    """

    counts: tuple[Count, ...]
    absent: tuple[Sample, ...]
    straddles: tuple[Straddle, ...]
    surprises: tuple[Surprise, ...]
    problems: tuple[Problem, ...] | None = None
    duplicates: tuple[Duplicate, ...] | None = None
    contents: Contents | None = field(default=None, repr=False, compare=False)
    shared_groups: tuple[Straddle, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)

    @property
    def leaks(self) -> tuple[Duplicate, ...]:
        """Duplicates in several splits."""
        return tuple(d for d in self.duplicates or () if len(d.splits) > 1)

    @property
    def clean(self) -> bool:
        """Whether no problems were found; duplicates within one split and label are none."""
        contradictory = any(len(d.labels) > 1 for d in self.duplicates or ())
        return not (self.absent or self.straddles or self.surprises or self.problems or self.leaks or contradictory)


def check_source(
    source: Source,
    *,
    contents: bool = True,
    workers: int = 0,
    progress: Progress = no_progress,
    check_picture: PictureCheck | None = None,
) -> SourceCheck:
    """Check a source: its rows and, with `contents`, every picture.

    Args:
        source: the data set, folder or drawn world.
        contents: decode every picture once; otherwise only names are looked at.
        workers: threads that decode, 0 for none.
        progress: called with the number of pictures that are read, and of all.
        check_picture: raises the InputError with which a detector refuses a decoded picture, as one without a face.

    Returns:
        The findings.
    """
    samples = source.samples
    parts = [part.samples for part in source.sources] if isinstance(source, JoinedSources) else [samples]
    own, between = _straddles(samples, parts)
    surprises = tuple(s for part in parts for s in find_surprises(part))  # a class may be empty in one of them alone
    names_only = SourceCheck(
        count_samples(samples),
        missing_files(samples),
        own,
        surprises,
        shared_groups=between,
        passed_over=count_passed_over(source),
    )
    if not contents:
        return names_only
    read = read_contents(source, workers=workers, progress=progress, check_picture=check_picture)
    return replace(names_only, problems=read.problems, duplicates=find_duplicates(read), contents=read)


def count_passed_over(source: Source) -> Mapping[str, int]:
    """Count the files of the folders behind a source that have no row, by suffix; see `FolderSource`."""
    if isinstance(source, JoinedSources):
        return sum((Counter(count_passed_over(part)) for part in source.sources), Counter())
    if isinstance(source, FolderSource):
        return source.passed_over.counts
    inner = getattr(source, "source", None)  # of a source that selects rows of another one
    return {} if inner is None else count_passed_over(inner)


def _straddles(
    samples: Sequence[Sample], parts: Sequence[Sequence[Sample]]
) -> tuple[tuple[Straddle, ...], tuple[Straddle, ...]]:
    """What straddles within one of the sources, and the groups that straddle only between them."""
    own = tuple(s for part in parts for s in find_straddles(part))
    within = {s.name for s in own}
    between = find_straddles(samples) if len(parts) > 1 else ()
    return own, tuple(s for s in between if s.kind == "group" and s.name not in within)


def count_samples(samples: Sequence[Sample]) -> tuple[Count, ...]:
    """Count samples, videos and groups by data set, split, label and manipulation, in this order."""
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
    """Find groups and videos in several splits; samples without a split do not count."""
    sides: dict[tuple[str, str], set[str]] = defaultdict(set)
    for s in samples:
        if s.split:
            for kind, name in (("group", s.group), ("video", s.video)):
                if name:
                    sides[kind, name].add(s.split)
    several = [(k, tuple(sorted(v))) for k, v in sides.items() if len(v) > 1]
    return tuple(Straddle(kind, name, splits) for (kind, name), splits in sorted(several))


def find_surprises(samples: Sequence[Sample]) -> tuple[Surprise, ...]:
    """Find labels that the path, the manipulation, the video or the rest of the split contradicts."""
    finds = (_repeated, _unlabelled, _path_labels, _manipulations, _mixed_videos, _one_sided, _landmarks)
    return tuple(s for find in finds for s in find(samples))


def _repeated(samples: Sequence[Sample]) -> Iterator[Surprise]:
    ids = tuple(i for i, n in Counter(s.id for s in samples).items() if n > 1)
    if ids:
        yield Surprise(f"{len(ids)} ids are of several samples: {examples(ids)}", ids)


def _unlabelled(samples: Sequence[Sample]) -> Iterator[Surprise]:
    ids = tuple(s.id for s in samples if s.label is None)
    if ids:
        yield Surprise(f"{len(ids)} samples have no label", ids)


def _path_labels(samples: Sequence[Sample]) -> Iterator[Surprise]:
    """The innermost folder whose name tells a label tells the other one; whole words count: unreal is not real."""
    if not samples:
        return  # no folders have no common part
    folders = [os.path.dirname(s.path) for s in samples]
    label_of = _folder_labels(set(folders))
    wrong: dict[str, list[str]] = defaultdict(list)
    for s, folder in zip(samples, folders, strict=True):
        if s.label is not None and label_of[folder] not in (None, s.label):
            wrong[folder].append(s.id)
    for folder, ids in wrong.items():
        kind = ("real", "fake")[1 - label_of[folder]]  # type: ignore[operator]
        yield Surprise(
            f"{len(ids)} samples in {folder} are labelled {kind}, but the folder's name says otherwise", tuple(ids)
        )


def _folder_labels(folders: set[str]) -> dict[str, int | None]:
    """Folder -> the label that its name tells, below what all folders share."""
    alike = len({os.path.isabs(f) for f in folders}) == 1
    common = os.path.commonpath(folders) if alike else ""
    inside = {f: os.path.relpath(f, common) if common else f for f in folders}
    return {f: _name_label(name.replace(os.sep, "/")) for f, name in inside.items()}


def _name_label(folder: str) -> int | None:
    """The label that the innermost part of a folder's name tells, or None."""
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
        ids = tuple(i for video_ids in mixed.values() for i in video_ids)
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
    """One class has landmarks beside its frames and the other none: face crops of one, whole frames of the other."""
    folders = {f: _has_landmarks(f) for f in {os.path.dirname(s.path) for s in samples}}
    ids: dict[tuple[int | None, bool], list[str]] = defaultdict(list)
    for s in samples:
        ids[s.label, folders[os.path.dirname(s.path)]].append(s.id)
    for label, kind, other in ((0, "real", "fakes"), (1, "fake", "reals")):
        bare = ids[label, False]
        if bare and not ids[label, True] and ids[1 - label, True]:
            yield Surprise(f"{len(bare)} {kind} samples have no landmarks beside them, but {other} have", tuple(bare))


def _has_landmarks(folder: str) -> bool:
    """Whether the folder landmarks/ exists for the frames of a folder."""
    path = path_beside(os.path.join(folder, "0.png"), "landmarks", ".npy")
    return path is not None and os.path.isdir(path_up_to(path, "landmarks"))


def find_overlap(
    train: Sequence[Sample], test: Sequence[Sample], contents: tuple[Contents, Contents] | None = None
) -> Overlap:
    """Find what training samples of one source share with test samples of another one, or of the same one.

    Args:
        train: rows to train on.
        test: rows to test on.
        contents: the digests of both, in this order; None to compare names only.
    """
    paths = real_paths(s.path for s in train) & real_paths(s.path for s in test)
    groups = {s.group for s in train} & {s.group for s in test} - {""}
    return Overlap(tuple(sorted(paths)), tuple(sorted(groups)), shared_pictures(*contents) if contents else ())


def shared_pictures(train: Contents, test: Contents) -> tuple[Duplicate, ...]:
    """Find pictures that two sources hold, with the rows of `train` before those of `test`."""
    common = set(train.digests) & set(test.digests)
    keep = [
        Contents(*zip(*((s, d) for s, d in zip(c.samples, c.digests, strict=True) if d in common), strict=True))
        for c in (train, test)
        if common
    ]
    return find_duplicates(*keep)


def real_paths(paths: Iterable[str]) -> set[str]:
    """Return paths with the links in their folders resolved, each folder once."""
    parts = [os.path.split(p) for p in paths]
    folders = {f: os.path.realpath(f) for f in {f for f, _ in parts}}
    return {os.path.join(folders[f], name) for f, name in parts}
