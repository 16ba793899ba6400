"""A data source as one text, NAME:PLACE,option=value,...: how the command line says what to read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from corit.data.sample import Source
from corit.errors import DataError

Kind = Literal["text", "texts", "words", "number", "flag"]
OPTION = re.compile(r"([a-z_]+)=")
# What every video data set takes beside its own options: the fields of `corit.data.frames.Reading`.
READING: Mapping[str, Kind] = {
    "frames": "number",
    "choice": "text",
    "media": "text",
    "splits": "words",
    "masks": "flag",
    "partial": "flag",
}
# What is chosen among the rows of any source; where a data set itself takes one of these, it is asked for less.
CHOOSING: Mapping[str, Kind] = {"splits": "words", "manipulations": "words", "max": "number"}
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
KINDS = {
    "text": "a text",
    "texts": "a text, once or several times",
    "words": "words with + between them",
    "number": "a whole number",
    "flag": "true or false",
}


@dataclass(frozen=True)
class Named:
    """A source that has a name.

    build: its constructor. takes: the options that it knows and how each is written; the first one is what stands
    before any `option=`. required: options without which it cannot be built. video: it also takes `READING`. marks:
    files or folders, as patterns, one of which is there where the place holds the data set; without any, the place is
    itself such a file. needs: what must be on the disk; where: who gives it.
    """

    build: Callable[..., Source]
    takes: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    video: bool = False
    marks: tuple[str, ...] = ()
    needs: str = ""
    where: str = ""

    @property
    def options(self) -> dict[str, Kind]:
        """Everything that may be said of it."""
        return {**CHOOSING, **(READING if self.video else {}), **self.takes}

    @property
    def place(self) -> str:
        """The option that is given without its name: a root folder, or a file."""
        return next(iter(self.takes))


Missed = Callable[[str], None]


def source(spec: str, table: Mapping[str, Named], root: str = "", missed: Missed | None = None) -> Source:
    """The source that a text names, listed when its samples are first asked for.

    NAME, NAME:PLACE or NAME:PLACE,option=value,...: a comma ends a value only where option= follows, so that paths may
    hold commas (but no comma, word and = after each other); words have + between them (splits=train+val); an option
    that takes several paths is repeated. root: the place, where the text has none. Every source also takes splits,
    manipulations and max, the most rows of each class. missed: called with the paths of files that a data set lacks,
    which then is listed without them. Raises DataError for a name or option that there is not, and for values that
    cannot be read.
    """
    name, values = read(spec, table)
    named = table[name]
    if root:
        values.setdefault(named.place, root)
    lost = [r for r in named.required if r not in values]
    if lost:
        raise DataError(f"expected {' and '.join(lost)} of {name}, got {spec!r}; write {usage(name, named)}")
    if missed and "partial" in named.options:
        values["missed"] = missed
    return _build(named, values)


def read(spec: str, table: Mapping[str, Named]) -> tuple[str, dict[str, Any]]:
    """The name and the options of such a text, without building anything. Raises DataError as `source` does."""
    name, _, rest = spec.partition(":")
    if name not in table:
        raise DataError(
            f"no data set {name!r} in {spec!r}; expected NAME:PLACE,option=value with one of {', '.join(table)}"
        )
    options = table[name].options
    return name, {key: _value(key, texts, options[key]) for key, texts in _parse(rest, table[name], name).items()}


def usage(name: str, named: Named) -> str:
    """How the source is written: its place, the options that it needs, and in brackets the others."""
    first = named.place
    shown = f"{name}:{first.upper()}" if first in named.required else name
    needed = [f"{r}=..." for r in named.required if r != first]
    rest = [k for k in named.options if k not in named.required]
    return ",".join([shown, *needed]) + f" [{', '.join(rest)}]"


def _parse(rest: str, named: Named, name: str) -> dict[str, list[str]]:
    """Option -> its texts, in the order in which they were given."""
    given: dict[str, list[str]] = defaultdict(list)
    for part in _parts(rest):
        option = OPTION.match(part)
        key, text = (option[1], part[option.end() :]) if option else (named.place, part)
        if key not in named.options:
            raise DataError(f"{name} takes no option {key!r}; it takes {', '.join(named.options)}")
        given[key].append(text)
    return dict(given)


def _parts(rest: str) -> list[str]:
    return [p for p in re.split(r",(?=[a-z_]+=)", rest) if p]


def _value(key: str, texts: list[str], kind: Kind) -> Any:
    if kind == "texts":
        return tuple(texts)
    if kind == "words":
        return tuple(w for text in texts for w in text.split("+") if w)
    if len(texts) > 1:
        raise DataError(f"expected {key} once, got {', '.join(texts)}")
    text = texts[0]
    if kind == "number" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "flag" and text.lower() in FLAGS:
        return FLAGS[text.lower()]
    if kind == "text" and text:
        return text
    raise DataError(f"expected {KINDS[kind]} for {key}, got {text!r}")


def _build(named: Named, values: dict[str, Any]) -> Source:
    """The source, with what it does not choose itself chosen from its rows."""
    known = {*(READING if named.video else ()), "missed"} - set(named.takes)
    reading = {k: v for k, v in values.items() if named.video and k in known}
    own = {k: v for k, v in values.items() if k in named.takes or (k == "missed" and not named.video)}
    if reading:
        from corit.data.frames import Reading

        own["reading"] = Reading(**reading)
    made = named.build(**own)
    rest = {k: v for k, v in values.items() if k not in own and k not in reading}
    if not rest:
        return made
    from corit.data.chosen import Chosen

    if "max" in rest:
        rest["most"] = rest.pop("max")
        if rest["most"] < 1:
            raise DataError(f"expected a max of at least one row of each class, got {rest['most']}")
    return Chosen(made, **rest)
