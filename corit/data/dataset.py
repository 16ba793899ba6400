"""The record of one data set: what builds it, its options, how its folder is recognised, where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from corit.data.origin import Origin
from corit.data.sample import Source, Split

Kind = Literal["text", "texts", "words", "number", "flag"]
Options = Mapping[str, Kind]
ROOT: Options = {"root": "text"}
# What every data set of videos takes beside its own options: the fields of `corit.data.frames.Reading`.
READING: Options = {
    "frames": "number",
    "choice": "text",
    "media": "text",
    "splits": "words",
    "masks": "flag",
    "partial": "flag",
}
# What the rows of any source can be selected by; a data set's own option of the same name takes its place.
SELECTION: Options = {"splits": "words", "manipulations": "words", "max": "number"}


@dataclass(frozen=True)
class PublishedSize:
    """How large one split of a data set is as published.

    Attributes:
        each: the videos of the reals, and of each manipulation; 0 where only totals are known.
        totals: the videos, or pictures, of both labels together; several where a protocol cuts the split.
    """

    each: int = 0
    totals: tuple[int, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """A data set that has a name: everything that the rest of the package knows of it.

    Attributes:
        name: the word that names it, as in `corit data check NAME:PLACE`.
        build: its constructor, which takes `own_options`, and `reading` (a `Reading`) if `video` is true.
        origin: its title, its layout on disk and who gives it.
        own_options: the constructor's options and how each is written. The first is the place: it may be written
            without its name.
        required: options without which it cannot be built.
        video: whether it also takes the options `READING`.
        marks: files or folders, as patterns below the place, of which one exists wherever the data set lies; none where
            the place is itself a file.
        sizes: published sizes by (`Sample.dataset`, split).
    """

    name: str
    build: Callable[..., Source]
    origin: Origin
    own_options: Options = field(default_factory=lambda: ROOT)
    required: tuple[str, ...] = ("root",)
    video: bool = False
    marks: tuple[str, ...] = ()
    sizes: Mapping[tuple[str, Split], PublishedSize] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Kind]:
        """All options that may be written after its name."""
        return {**SELECTION, **(READING if self.video else {}), **self.own_options}

    @property
    def place(self) -> str:
        """The option that is written without its name: a root folder, or a file."""
        return next(iter(self.own_options))

    @property
    def usage(self) -> str:
        """How it is written: its place, the options that it needs, and in brackets the others."""
        shown = f"{self.name}:{self.place.upper()}" if self.place in self.required else self.name
        needed = [f"{r}=..." for r in self.required if r != self.place]
        rest = [k for k in self.options if k not in self.required]
        return ",".join([shown, *needed]) + f" [{', '.join(rest)}]"
