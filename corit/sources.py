"""Data sets by name, and the sources that texts name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from corit.data.care.shares import Share, share_of
from corit.data.dataset import DataSet
from corit.data.sample import Sample, Source
from corit.data.spec import open_spec
from corit.errors import DataError

if TYPE_CHECKING:
    from corit.images.picture import Picture

# Name -> the module whose DATASET, or one of whose DATASETS, has it. To add a data set, write such a module and a line.
MODULES = {
    "faceforensics": "corit.data.sets.faceforensics",
    "faceshifter": "corit.data.sets.faceforensics",
    "deepfakedetection": "corit.data.sets.faceforensics",
    "celeb-df-v1": "corit.data.sets.celebdf",
    "celeb-df-v2": "corit.data.sets.celebdf",
    "dfdc": "corit.data.sets.dfdc",
    "dfdcp": "corit.data.sets.dfdc",
    "df40": "corit.data.sets.df40",
    "uadfv": "corit.data.sets.uadfv",
    "deeperforensics": "corit.data.sets.deeperforensics",
    "unifd": "corit.data.sets.forensynths",
    "genimage": "corit.data.sets.genimage",
    "deepfakebench": "corit.data.sets.deepfakebench",
    "folder": "corit.data.folders",
    "csv": "corit.data.index",
    "miniature": "corit.world.miniature",
}


class _DataSets(Mapping[str, DataSet]):
    """The records of data sets; a module is imported when one of its records is first asked for."""

    def __getitem__(self, name: str) -> DataSet:
        module = import_module(MODULES[name])
        return next(d for d in getattr(module, "DATASETS", ()) or (module.DATASET,) if d.name == name)

    def __contains__(self, name: object) -> bool:
        return name in MODULES

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


SOURCES: Mapping[str, DataSet] = _DataSets()


def open_source(*specs: str, root: str = "", on_missing: Callable[[str], None] | None = None) -> Source:
    """Open the source that a text names, or several sources as one.

    Nothing is read until the source's samples are asked for.

    Args:
        specs: texts such as "celeb-df-v2:/data/celeb,frames=8"; see `corit.data.spec.open_spec`.
        root: the place, for texts that have none.
        on_missing: called with the path of each file that a data set lacks, which is then listed without it.

    Returns:
        The source; of several texts, one that joins their rows in order.

    Raises:
        DataError: no text is given, or a text is wrong.
    """
    if not specs:
        raise DataError(f"expected a data set, one of {', '.join(SOURCES)}; got none")
    sources = tuple(open_spec(spec, SOURCES, root, on_missing) for spec in specs)
    if len(sources) == 1:
        return sources[0]
    from corit.data.selected import JoinedSources

    return JoinedSources(sources)


@dataclass(frozen=True)
class PartOfSet:
    """What is there of a data set, as a source.

    Attributes:
        spec: the text that names the data set.
        root: the place, for a text that has none.
        missing: what is not there, once the rows are listed: videos, lists, and folders with a slash at their end.
    """

    spec: str
    root: str = ""
    missing: list[str] = field(default_factory=list, compare=False, repr=False)

    @cached_property
    def source(self) -> Source:
        """The data set without what is missing."""
        return open_source(self.spec, root=self.root, on_missing=self.missing.append)

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The rows that are there. Raises DataError where there are none."""
        if self.source.samples:
            return self.source.samples
        return open_source(self.spec, root=self.root).samples  # which raises, and says what it looked for

    def load(self, sample: Sample) -> Picture:
        """Return the picture of one row. Raises a kind of InputError."""
        return self.source.load(sample)

    @property
    def share(self) -> Share:
        """How much is there. Raises DataError where there is nothing."""
        _ = self.samples
        return share_of(SOURCES[self.spec.partition(":")[0]], self.source, self.missing)


def spec_of(text: str) -> str:
    """Return the text that names a source: a folder of classes and a CSV file need no name before them.

    Args:
        text: a folder with real/ and fake/, a CSV file, or what `open_source` opens.

    Raises:
        DataError: the text is the name both of a data set and of a folder.
    """
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


def title_of(spec: str, root: str) -> str:
    """Return the last part of the place in a text, without the suffix of a file; its kind where it has no place.

    Args:
        spec: what `spec_of` returns.
        root: the place of texts that have none.
    """
    kind, _, rest = spec.partition(":")
    place = rest.split(",")[0]
    name = os.path.basename(os.path.abspath((place if "=" not in place else "") or root or kind))
    return os.path.splitext(name)[0] if kind == "csv" else name
