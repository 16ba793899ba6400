"""The labelled data that detectors are measured on: one or several sources, of which the test split is used."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from corit.data.folders import SPLIT_FOLDERS
from corit.data.sample import Sample, Source
from corit.data.selected import JoinedSources
from corit.data.spec import parse_spec
from corit.data.stamp import file_stamp
from corit.data.video_frames import FRAMES_PER_VIDEO, VideoFrames
from corit.errors import DataError
from corit.images.frame_choice import Choice
from corit.images.picture import Picture
from corit.sources import SOURCES, open_source


@dataclass(frozen=True)
class HeldOutRows:
    """The test rows of another source, or all of its rows where it has no test split.

    Attributes:
        source: the other source.
    """

    source: Source

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The rows."""
        rows = self.source.samples
        return tuple(s for s in rows if s.split == "test") or rows

    def load(self, sample: Sample) -> Picture:
        """Load the picture of one row. Raises a kind of InputError."""
        return self.source.load(sample)


@dataclass(frozen=True)
class TitledSource:
    """A folder or CSV file of the user, with a title that tells its rows from those of other sources.

    Attributes:
        source: the folder or CSV file.
        title: the title.
        prefix: put the title before ids, groups and videos, so that several such sources can be joined.
        dataset: the title is the data set of all rows.
        kinds: fakes in a sub-folder have its name as their manipulation type.
    """

    source: Source
    title: str
    prefix: bool = False
    dataset: bool = False
    kinds: bool = False

    @cached_property
    def _origins(self) -> dict[str, Sample]:
        return {self._id(s.id): s for s in self.source.samples}

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The rows, in the source's order."""
        return tuple(self._named(s) for s in self.source.samples)

    def _id(self, name: str) -> str:
        return f"{self.title}/{name}" if self.prefix and name else name

    def _named(self, s: Sample) -> Sample:
        named = replace(s, id=self._id(s.id), group=self._id(s.group), video=self._id(s.video))
        if self.dataset:
            named = replace(named, dataset=self.title)
        return replace(named, manipulation=_below(s) or s.manipulation) if self.kinds and s.label else named

    def load(self, sample: Sample) -> Picture:
        """Load the picture of one row. Raises a kind of InputError."""
        return self.source.load(self._origins[sample.id])


def _below(s: Sample) -> str:
    """The sub-folder that holds a folder's row, or ""; `FolderSource` says how ids are made."""
    parts = s.id.split("/")
    if s.split and parts[0].lower() in SPLIT_FOLDERS:
        parts = parts[1:]
    rest = parts[1:]  # below the folder of the class
    if s.split and len(rest) > 1 and rest[0].lower() in SPLIT_FOLDERS:
        rest = rest[1:]
    return rest[0] if len(rest) > 1 else ""


@dataclass(frozen=True)
class LabelledData:
    """Labelled data to measure detectors on; `open_labelled` opens it.

    Attributes:
        source: of the rows.
        texts: what the user wrote, one for each source.
        root: folder of the data sets that are given without a place.
    """

    source: Source
    texts: tuple[str, ...]
    root: str = ""

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The rows. Raises DataError unless there are reals and fakes."""
        rows = self.source.samples
        counts = Counter(s.label for s in rows)
        if not (counts[0] and counts[1]):
            raise DataError(
                f"expected real and fake pictures in {self.name}, got {counts[0]} reals, {counts[1]} fakes and "
                f"{counts[None]} without a label; add the other kind, or score them with `corit detect`"
            )
        return rows

    @property
    def name(self) -> str:
        """The texts, joined."""
        return ", ".join(self.texts)

    @property
    def key(self) -> str:
        """The texts with full paths, so that each place is written in one way."""
        return "; ".join(_key(_spec(text), self.root) for text in self.texts)

    @property
    def about(self) -> dict[str, str]:
        """What a page says about the data."""
        splits = sorted({s.split for s in self.samples})
        said = f"split {' and '.join(splits)}" if any(splits) else "not divided into splits"
        return {"rows of": self.name, "rows": f"{len(self.samples):,}, {said}"}

    def load(self, sample: Sample) -> Picture:
        """Load the picture of one row. Raises a kind of InputError."""
        return self.source.load(sample)


def open_labelled(
    data: Sequence[str], root: str = "", *, frames: int | None = FRAMES_PER_VIDEO, choice: Choice = "even"
) -> LabelledData:
    """Open labelled data; nothing is listed yet.

    Of data with a test split the other splits are left out, since detectors are trained on them, unless a text names
    splits itself.

    Args:
        data: texts, each a folder with real/ and fake/, a CSV file, or what `open_source` opens.
        root: folder of the data sets that are given without a place.
        frames: use at most this many frames of each video, selected by index; None uses all. A text may override it.
        choice: "even" spreads the frames over the video, "first" takes the first ones. A text may override it.

    Returns:
        The data, one source after the other.

    Raises:
        DataError: there is no such data, data is given twice, or a name is both a data set's and a folder's.
    """
    if not data:
        raise DataError(f"expected data to measure on: a folder, a CSV file, or one of {', '.join(SOURCES)}")
    specs = [_spec(text) for text in data]
    if len({_key(s, root) for s in specs}) < len(specs):
        raise DataError(f"expected each data once, got {', '.join(data)}, of which some are the same; name it once")
    titles = [_title(s, root) for s in specs]
    parts = []
    for spec, title in zip(specs, titles, strict=True):
        source = _part(spec, title if titles.count(title) == 1 else spec, root, len(specs) > 1)
        options = parse_spec(spec, SOURCES)[1]
        parts.append(VideoFrames(source, options.get("frames", frames), options.get("choice", choice)))
    return LabelledData(parts[0] if len(parts) == 1 else JoinedSources(tuple(parts)), tuple(data), root)


def _spec(text: str) -> str:
    if text in SOURCES and os.path.isdir(text):
        raise DataError(
            f"expected one thing called {text}, but there are a data set and a folder of that name; write {text}: for "
            f"the data set or ./{text} for the folder"
        )
    if text.partition(":")[0] in SOURCES:
        return text
    if os.path.isdir(text):
        return f"folder:{text}"
    return f"csv:{text}" if text.lower().endswith(".csv") else text


def _key(spec: str, root: str) -> str:
    """A text with each place in full and its options in order, and with the version of its file of landmarks."""
    name, options = parse_spec(spec, SOURCES)
    if root:
        options.setdefault(SOURCES[name].place, root)
    places = {k for k, kind in SOURCES[name].own_options.items() if kind in ("text", "texts")}
    full = {k: _full(v) if k in places else v for k, v in sorted(options.items())}
    if "landmarks" in options:  # other ones give other crops of the same pictures
        full["landmarks"] = file_stamp(options["landmarks"])
    return f"{name}: " + ", ".join(f"{k}={v}" for k, v in full.items())


def _full(value: str | tuple[str, ...]) -> str:
    """Real paths of what exists; other texts, such as a compression, unchanged."""
    texts = (value,) if isinstance(value, str) else value
    return " ".join(os.path.realpath(t) if os.path.exists(t) else t for t in texts)


def _title(spec: str, root: str) -> str:
    """The last part of the place in a text, without the suffix of a file; its kind where it has no place."""
    kind, _, rest = spec.partition(":")
    place = rest.split(",")[0]
    name = os.path.basename(os.path.abspath((place if "=" not in place else "") or root or kind))
    return os.path.splitext(name)[0] if kind == "csv" else name


def _part(spec: str, title: str, root: str, several: bool) -> Source:
    source = open_source(spec, root=root)
    kind = spec.partition(":")[0]
    if kind == "folder":
        source = TitledSource(source, title, several, dataset=True, kinds="by_folder=" not in spec)
    elif kind == "csv":
        source = TitledSource(source, title, several)
    return source if "splits=" in spec else HeldOutRows(source)
