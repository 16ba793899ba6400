"""What a detector is trained on: folders of reals and fakes, or data sets by name, divided into train, val and test."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from corit.data.care.shares import share_of
from corit.data.folders import FolderSource
from corit.data.frames import SPLITS
from corit.data.groups import GroupEntry, group_samples, read_groups
from corit.data.parts import DEALT, Parts, assign_parts
from corit.data.sample import Sample, Source
from corit.data.selected import JoinedSources
from corit.data.spec import open_spec, parse_spec
from corit.data.titled import TitledSource
from corit.data.video_frames import FRAMES_PER_VIDEO, VideoFrames
from corit.errors import DataError, examples
from corit.images.frame_choice import Choice
from corit.images.picture import DRAWN
from corit.sources import SOURCES, spec_of, title_of
from corit.train.heads import SplitSource

OWN = ("folder", "csv")  # sources whose names and groups are the user's own, and may agree by chance


@dataclass(frozen=True)
class TrainedOn:
    """One data set that a detector is trained on; its fields are keys in the detector's card.

    Attributes:
        name: the data set, with how much of it was there.
        parts: how its rows were divided into train, val and test.
        real: its real rows, by part.
        fake: its fake rows, by part.
    """

    name: str
    parts: str
    real: dict[str, int]
    fake: dict[str, int]

    @property
    def text(self) -> str:
        """One line."""
        fakes = sum(self.fake.values())
        return f"{self.name}; {sum(self.real.values())} real{f', {fakes} fake' if fakes else ''}; {self.parts}"


@dataclass(frozen=True)
class Choices:
    """How data is opened to train on.

    Attributes:
        frames: use at most this many frames of each video; None for all.
        choice: "even" spreads the frames over the video, "first" takes the first ones.
        aligned: pictures of folders and CSV files are face crops.
        landmarks: a file of landmarks for pictures of folders and CSV files; empty for none.
        partial: go on without what a data set lacks.
        groups: a file of groups, see `corit.data.groups`; empty for none.
    """

    frames: int | None = FRAMES_PER_VIDEO
    choice: Choice = "even"
    aligned: bool = False
    landmarks: str = ""
    partial: bool = False
    groups: str = ""


@dataclass(frozen=True)
class TrainingData:
    """Labelled rows, each with its part.

    Attributes:
        split: the rows and their source.
        data: what each data set gave.
        notes: what a user should know of the files of groups and of names that agree.
        folders: the sources, for the files that they passed over.
        drawn: every row is of the miniature world.
    """

    split: SplitSource
    data: tuple[TrainedOn, ...]
    notes: tuple[str, ...] = ()
    folders: tuple[Source, ...] = field(default=(), repr=False)
    drawn: bool = False

    @property
    def has_fakes(self) -> bool:
        """Whether any row is fake."""
        return any(s.label for s in self.split.samples)

    @property
    def card(self) -> tuple[dict[str, Any], ...]:
        """What the detector's card says of the data."""
        return tuple(map(asdict, self.data))

    def domain(self, kind: str) -> str:
        """Return in words what the pictures show, such as "faces" of some data sets."""
        return f"{DRAWN} only" if self.drawn else f"{kind} of {', '.join(d.name.partition(':')[0] for d in self.data)}"


def open_folders(folders: FolderSource, choices: Choices) -> TrainingData:
    """Divide folders of real and of fake pictures and videos by group, or as they are divided.

    Args:
        folders: lists and reads the pictures.
        choices: the frames and the groups.

    Raises:
        DataError: see `FolderSource`, `read_groups` and `assign_parts`.
    """
    source = VideoFrames(folders, choices.frames, choices.choice)
    samples, notes = _grouped(source.samples, choices.groups)
    parts = assign_parts(samples)
    names = dict.fromkeys(os.path.basename(os.path.abspath(f)) for f in (*folders.real, *folders.fake))
    trained = _trained_on(", ".join(names), parts.how, parts.samples)
    return TrainingData(SplitSource(source, parts.samples), (trained,), notes, (folders,))


def open_data(specs: Sequence[str], root: str, choices: Choices) -> TrainingData:
    """Open data sets by name, each with its own splits or dealt by group, as one.

    Args:
        specs: texts, each a folder with real/ and fake/, a CSV file, or what `corit.sources.open_source` opens.
        root: folder of the data sets that are given without a place.
        choices: how they are opened.

    Raises:
        DataError: a text is wrong, a data set is missing or incomplete, rows have no label, or there are no reals.
    """
    texts = [spec_of(text) for text in specs]
    titles = [title_of(t, root) for t in texts]
    opened = []
    for text, title in zip(texts, titles, strict=True):
        opened.append(_open(text, title if titles.count(title) == 1 else text, root, choices, len(texts) > 1))
    joined = opened[0].source if len(opened) == 1 else JoinedSources(tuple(o.source for o in opened))
    samples, notes = _grouped(joined.samples, choices.groups)
    _require_labels(samples, specs)
    divided = _divide(samples, [len(o.source.samples) for o in opened], [o.official for o in opened])
    rows = tuple(s for parts in divided for s in parts.samples)
    trained = tuple(_trained_on(o.name, p.how, p.samples) for o, p in zip(opened, divided, strict=True))
    if len(opened) > 1:
        notes += _shared_names(rows, strict=bool(choices.groups))
    drawn = all(t.partition(":")[0] == "miniature" for t in texts)
    return TrainingData(SplitSource(joined, rows), trained, notes, tuple(o.source for o in opened), drawn)


@dataclass(frozen=True)
class _Opened:
    """A data set's rows, with videos as frames; its name with how much is there; whether its split is official."""

    source: Source
    name: str
    official: bool


def _open(text: str, title: str, root: str, choices: Choices, several: bool) -> _Opened:
    kind, options = parse_spec(text, SOURCES)
    source, name = _listed(text, root, choices)
    if kind in OWN:
        source = TitledSource(source, title, several, dataset=kind == "folder", kinds="by_folder" not in options)
        name = title
    frames = VideoFrames(source, options.get("frames", choices.frames), options.get("choice", choices.choice))
    return _Opened(frames, name, kind not in OWN)


def _listed(text: str, root: str, choices: Choices) -> tuple[Source, str]:
    missing: list[str] = []
    kind = parse_spec(text, SOURCES)[0]
    dataset = SOURCES[kind]
    defaults: dict[str, Any] = {"choice": choices.choice, **({"frames": choices.frames} if choices.frames else {})}
    defaults |= {k: v for k, v in (("aligned", choices.aligned), ("landmarks", choices.landmarks)) if v}
    lacking = [k for k in ("aligned", "landmarks") if k in defaults and k not in dataset.options]
    if lacking:
        raise DataError(
            f"expected --{lacking[0]} with folders and CSV files only, got {text}, whose crops have landmarks/ beside "
            "frames/; prepare them with `corit data prepare`"
        )
    source = open_spec(text, SOURCES, root, missing.append if choices.partial else None, defaults)
    try:
        rows = source.samples
    except DataError as err:
        if choices.partial or "partial" not in dataset.options:
            raise
        raise DataError(f"{err} With --partial, what is there is used.") from err
    if not rows:  # open it again, so that it says what it looked for
        _ = open_spec(text, SOURCES, root, None, defaults).samples
        raise DataError(f"expected rows of {text}, but it lists none; ask for other splits")
    return source, share_of(dataset, source, missing).text


def _require_labels(samples: Sequence[Sample], specs: Sequence[str]) -> None:
    counts = Counter(s.label for s in samples)
    if counts[None]:
        raise DataError(
            f"expected a label, real or fake, of each row of {', '.join(specs)}, but {counts[None]} rows have none: "
            f"{examples(s.id for s in samples if s.label is None)}; fill it in"
        )
    if not counts[0]:
        raise DataError(
            f"expected real pictures in {', '.join(specs)}, got {counts[1]} fakes only; add a data set with reals"
        )


def _grouped(samples: Sequence[Sample], file: str) -> tuple[Sequence[Sample], tuple[str, ...]]:
    """The samples with the groups of a file, and what it left open."""
    if not file:
        return samples, ()
    entries: Sequence[GroupEntry] = read_groups(file)
    grouped = group_samples(samples, entries, file)
    rest = len(samples) - grouped.named
    notes = [f"{file} names {grouped.named} of {len(samples)} pictures"]
    notes += [f"the group of the other {rest} is their own"] if rest else []
    notes += [f"{grouped.unused} of its entries name none"] if grouped.unused else []
    return grouped.samples, ("; ".join(notes),)


def _trained_on(name: str, parts: str, samples: Sequence[Sample]) -> TrainedOn:
    counts = [Counter(s.split for s in samples if s.label == y) for y in (0, 1)]
    real, fake = ({str(p): c[p] for p in SPLITS if c[p]} for c in counts)
    return TrainedOn(name, parts, real, fake)


def _divide(samples: Sequence[Sample], sizes: Sequence[int], official: Sequence[bool]) -> list[Parts]:
    """The parts of each source. Sources without splits that share groups are dealt as one."""
    starts = np.cumsum([0, *sizes]).tolist()
    own = [samples[a:b] for a, b in pairwise(starts)]
    free = [rows for rows in own if not any(s.split for s in rows)]
    counts = Counter(g for rows in free for g in {s.group for s in rows})
    if max(counts.values(), default=0) < 2:
        return [assign_parts(rows, official=o) for rows, o in zip(own, official, strict=True)]
    together = {s.id: s for s in assign_parts([s for rows in free for s in rows]).samples}
    return [
        Parts(tuple(together[s.id] for s in rows), DEALT) if rows in free else assign_parts(rows, official=o)
        for rows, o in zip(own, official, strict=True)
    ]


def _shared_names(samples: Sequence[Sample], strict: bool) -> tuple[str, ...]:
    """A note on names of groups that stand in several parts, which may be chance.

    Raises:
        DataError: a file does so or, where `strict` says that the user named the groups, a group.
    """
    sides: dict[str, set[str]] = defaultdict(set)
    files: dict[str, set[str]] = defaultdict(set)
    for s in samples:
        sides[s.group].add(s.split)
        files[os.path.abspath(s.path)].add(s.split)
    shared = sorted(g for g, splits in sides.items() if g and len(splits) > 1)
    both = sorted(f for f, splits in files.items() if len(splits) > 1) or (shared if strict else [])
    if both:
        raise DataError(
            f"expected each file and group in one part, but {examples(both)} {'is' if len(both) == 1 else 'are'} in "
            "several, where data sets with other splits meet; train on one of them"
        )
    if not shared:
        return ()
    where = "in different parts of different data sets"
    return (f"{len(shared)} names of groups stand {where}, which may be chance: {examples(shared)}",)
