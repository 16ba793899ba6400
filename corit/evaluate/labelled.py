"""The labelled data that detectors are measured on: one or several sources, of which the test split is used."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from corit.data.sample import Sample, Source
from corit.data.selected import JoinedSources
from corit.data.spec import parse_spec
from corit.data.stamp import file_stamp
from corit.data.titled import TitledSource
from corit.data.video_frames import FRAMES_PER_VIDEO, VideoFrames
from corit.errors import DataError
from corit.images.frame_choice import Choice
from corit.images.picture import Picture
from corit.sources import SOURCES, open_source, spec_of, title_of


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
        return "; ".join(_key(spec_of(text), self.root) for text in self.texts)

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
    specs = [spec_of(text) for text in data]
    if len({_key(s, root) for s in specs}) < len(specs):
        raise DataError(f"expected each data once, got {', '.join(data)}, of which some are the same; name it once")
    titles = [title_of(s, root) for s in specs]
    parts = []
    for spec, title in zip(specs, titles, strict=True):
        source = _part(spec, title if titles.count(title) == 1 else spec, root, len(specs) > 1)
        options = parse_spec(spec, SOURCES)[1]
        parts.append(VideoFrames(source, options.get("frames", frames), options.get("choice", choice)))
    return LabelledData(parts[0] if len(parts) == 1 else JoinedSources(tuple(parts)), tuple(data), root)


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


def _part(spec: str, title: str, root: str, several: bool) -> Source:
    source = open_source(spec, root=root)
    kind = spec.partition(":")[0]
    if kind == "folder":
        source = TitledSource(source, title, several, dataset=True, kinds="by_folder=" not in spec)
    elif kind == "csv":
        source = TitledSource(source, title, several)
    return source if "splits=" in spec else HeldOutRows(source)
