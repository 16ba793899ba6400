"""A folder or CSV file of the user under a title, so that several such sources can be joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from corit.data.folders import SPLIT_FOLDERS
from corit.data.sample import Sample, Source
from corit.images.picture import Picture


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
