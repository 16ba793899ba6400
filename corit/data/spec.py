"""A source as one text, NAME:PLACE,option=value,...: parsed, and opened."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from corit.data.dataset import READING, DataSet, Kind
from corit.data.sample import Source
from corit.errors import DataError

OPTION = re.compile(r"([a-z_]+)=")
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
KINDS = {
    "text": "a text",
    "texts": "a text, once or several times",
    "words": "words with + between them",
    "number": "a whole number",
    "flag": "true or false",
}


def open_spec(
    spec: str,
    table: Mapping[str, DataSet],
    root: str = "",
    on_missing: Callable[[str], None] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Source:
    """Open the source that a text names; its rows are listed when its samples are first asked for.

    The text is NAME, NAME:PLACE or NAME:PLACE,option=value,... A comma ends a value only where option= follows, so that
    paths may hold commas (but not a comma, a word and = after each other). Several values are joined by +
    (splits=train+val). An option that takes several paths is repeated instead. Every source also takes splits,
    manipulations and max, the most rows of each class.

    Args:
        spec: the text.
        table: data sets by name.
        root: the place, where the text has none.
        on_missing: called with the path of each file that the data set lacks, which is then listed without it.
        defaults: values of options that the data set has and the text does not name.

    Raises:
        DataError: an unknown name or option, or a value that cannot be read.
    """
    name, values = parse_spec(spec, table)
    dataset = table[name]
    if root:
        values.setdefault(dataset.place, root)
    for key in (defaults or {}).keys() & dataset.options.keys():
        values.setdefault(key, (defaults or {})[key])
    absent = [r for r in dataset.required if r not in values]
    if absent:
        raise DataError(f"expected {' and '.join(absent)} of {name}, got {spec!r}; write {dataset.usage}")
    if on_missing and "partial" in dataset.options:
        values["on_missing"] = on_missing
    return _build(dataset, values)


def parse_spec(spec: str, table: Mapping[str, DataSet]) -> tuple[str, dict[str, Any]]:
    """Return the name and the options of a source's text without opening it.

    Raises:
        DataError: as `open_spec` raises it.
    """
    name, _, rest = spec.partition(":")
    if name not in table:
        raise DataError(
            f"no data set {name!r} in {spec!r}; expected NAME:PLACE,option=value with one of {', '.join(table)}"
        )
    dataset = table[name]
    return name, {key: _value(key, texts, dataset.options[key]) for key, texts in _texts(rest, dataset).items()}


def _texts(rest: str, dataset: DataSet) -> dict[str, list[str]]:
    """Option -> its texts, in the order in which they are written."""
    texts: dict[str, list[str]] = defaultdict(list)
    for part in filter(None, re.split(r",(?=[a-z_]+=)", rest)):
        option = OPTION.match(part)
        key, text = (option[1], part[option.end() :]) if option else (dataset.place, part)
        if key not in dataset.options:
            raise DataError(f"{dataset.name} takes no option {key!r}; it takes {', '.join(dataset.options)}")
        texts[key].append(text)
    return dict(texts)


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


def _build(dataset: DataSet, values: dict[str, Any]) -> Source:
    """The source, with the options that its constructor does not take applied to its rows."""
    known = {*(READING if dataset.video else ()), "on_missing"} - set(dataset.own_options)
    reading = {k: v for k, v in values.items() if dataset.video and k in known}
    own = {k: v for k, v in values.items() if k in dataset.own_options or (k == "on_missing" and not dataset.video)}
    if reading:
        from corit.data.frames import Reading

        own["reading"] = Reading(**reading)
    source = dataset.build(**own)
    rest = {k: v for k, v in values.items() if k not in own and k not in reading}
    if not rest:
        return source
    from corit.data.selected import SelectedRows

    if "max" in rest:
        rest["limit"] = rest.pop("max")
        if rest["limit"] < 1:
            raise DataError(f"expected a max of at least one row of each class, got {rest['limit']}")
    return SelectedRows(source, **rest)
