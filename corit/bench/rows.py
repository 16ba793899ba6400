"""The rows that a protocol selects from feature stores; and checks that no test row helps to choose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from corit.bench.protocols import Protocol, Selection
from corit.data.care.check import real_paths
from corit.data.sets.forensynths import SUBSETS, cut_subset
from corit.errors import DataError, examples
from corit.features.store import FeatureStore
from corit.heads.rows import Rows
from corit.images.frame_choice import choose

Unit = Literal["video", "source"]
UNIFD = {f"UniFD/{s}": s for s in SUBSETS}


@dataclass(frozen=True)
class SideBySide:
    """Several features of the same rows, side by side: (n, D1 + D2 + ...).

    Attributes:
        parts: the features, each (n, D_i).
    """

    parts: tuple[Rows, ...]

    def __len__(self) -> int:
        return len(self.parts[0])

    @property
    def width(self) -> int:
        """D1 + D2 + ..."""
        return sum(p.width for p in self.parts)

    def gather(self, index: np.ndarray) -> Tensor:
        """Return the rows of `index` (b), each a concatenation (b, D1 + D2 + ...)."""
        return torch.cat([p.gather(index) for p in self.parts], dim=1)


@dataclass(frozen=True)
class Stacked:
    """Rows of several stores, one below the other: (n1 + n2 + ..., D).

    Attributes:
        parts: the rows, each (n_i, D).
    """

    parts: tuple[Rows, ...]

    def __len__(self) -> int:
        return sum(len(p) for p in self.parts)

    @property
    def width(self) -> int:
        """D."""
        return self.parts[0].width

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(len(p) for p in self.parts)])

    def gather(self, index: np.ndarray) -> Tensor:
        """Return the rows of `index` (b), in its order (b, D)."""
        which = np.searchsorted(self._starts, index, side="right") - 1
        places = [np.flatnonzero(which == i) for i in range(len(self.parts))]
        rows = [
            (at, p.gather(index[at] - start))
            for at, p, start in zip(places, self.parts, self._starts[:-1], strict=True)
        ]
        out = rows[0][1].new_empty(len(index), self.width)
        for at, values in rows:
            out[torch.from_numpy(at)] = values
        return out


@dataclass(frozen=True)
class ProtocolRows:
    """Measured rows of one or several selections, with their metadata.

    Attributes:
        rows: the features (n, D).
        table: the stores' metadata columns and `data`, the data set's name; n rows.
        unscored: by status, the number of rows that the protocol selects and that could not be measured.
    """

    rows: Rows
    table: pa.Table
    unscored: Mapping[str, int]

    def __len__(self) -> int:
        return self.table.num_rows

    @cached_property
    def y(self) -> np.ndarray:
        """Labels (n): 0 real, 1 fake."""
        return self.column("label").astype(np.int64)

    def column(self, name: str) -> np.ndarray:
        """Return one metadata column (n)."""
        return self.table[name].to_numpy(zero_copy_only=False)

    def units(self, by: Unit) -> np.ndarray:
        """Return the independent unit of each row (n), which a bootstrap draws.

        Args:
            by: "video": the video, else the source, else the picture; "source": the source, else the video, else the
                picture.
        """
        names = ("video", "group", "id") if by == "video" else ("group", "video", "id")
        chosen = [a or b or c for a, b, c in zip(*map(self.column, names), strict=True)]
        return np.array([f"{d}\0{c}" for d, c in zip(self.column("data"), chosen, strict=True)])


def select_rows(
    protocol: Protocol,
    selections: Sequence[Selection],
    stores: Mapping[str, FeatureStore],
    layers: Sequence[int] = (),
) -> ProtocolRows:
    """Select rows of a protocol from feature stores.

    Args:
        protocol: gives the frames of each video and the cut of test subsets.
        selections: the rows.
        stores: the features, by the data set's name.
        layers: features F_l = [C; T_1..T_K] of these layers side by side in place of z, from stores that keep levels;
            so one store serves every l_m of (24).

    Raises:
        DataError: when a store is missing, or no row of a selection could be measured.
        StoreError: when a store has no such layer.
    """
    parts = [_select(protocol, s, _store(protocol, s, stores), layers) for s in selections]
    widths = {p.rows.width for p in parts}
    if len(widths) > 1:
        raise DataError(f"protocol {protocol.name}: expected features of one width, got {sorted(widths)}")
    if len(parts) == 1:
        return parts[0]
    unscored = sum((Counter(p.unscored) for p in parts), Counter[str]())
    table = pa.concat_tables([p.table for p in parts])
    return ProtocolRows(Stacked(tuple(p.rows for p in parts)), table, dict(unscored))


def _store(protocol: Protocol, selection: Selection, stores: Mapping[str, FeatureStore]) -> FeatureStore:
    if selection.data not in stores:
        needed = ", ".join(protocol.data)
        raise DataError(
            f"protocol {protocol.name} needs features of {needed}, but there are none of {selection.data}; extract them"
        )
    return stores[selection.data]


def _select(protocol: Protocol, selection: Selection, store: FeatureStore, layers: Sequence[int]) -> ProtocolRows:
    table = store.table
    selected = np.isin(_texts(table, "id"), list(_ids(protocol, selection, table)))
    status = _texts(table, "status")
    unscored = Counter(status[selected & (status != "ok")].tolist())
    ids = set(_texts(table, "id")[selected & (status == "ok")].tolist())
    if not ids:
        raise DataError(f"protocol {protocol.name}: no row of {selection} could be measured; not measured: {unscored}")
    features = [store.features(level=l) for l in layers] or [store.features()]
    index = np.flatnonzero(np.isin(features[0].ids, list(ids)))
    selected_rows = [f.take(index) for f in features]
    with_data = selected_rows[0].table.append_column("data", pa.array([selection.data] * len(index)))
    rows = selected_rows[0] if len(selected_rows) == 1 else SideBySide(tuple(selected_rows))
    return ProtocolRows(rows, with_data, dict(unscored))


def _texts(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy(zero_copy_only=False)


def _ids(protocol: Protocol, selection: Selection, table: pa.Table) -> Iterable[str]:
    """The ids of a selection: by split, data sets and manipulations, then by frames of a video, then by the cut."""
    label, kind = pc.fill_null(table["label"], -1).to_numpy(), _texts(table, "manipulation")
    keep = label >= 0
    if selection.split:
        keep &= _texts(table, "split") == selection.split
    if selection.datasets:
        keep &= np.isin(_texts(table, "dataset"), selection.datasets)
    if selection.manipulations:
        keep &= (label == 0) | np.isin(kind, selection.manipulations)
    index = np.flatnonzero(keep)
    index = _frames(protocol, table, index)
    return _cut(protocol, table, label, index) if selection.split == "test" else _texts(table, "id")[index].tolist()


def _frames(protocol: Protocol, table: pa.Table, index: np.ndarray) -> np.ndarray:
    """Of the rows `index`, those of the frames that the protocol takes of each video; all faces of a frame stay."""
    if protocol.frames is None or len(index) == 0:
        return index
    videos, frames, ids = _texts(table, "video")[index], _texts(table, "frame")[index], _texts(table, "id")[index]
    order = np.lexsort((ids, frames, videos))
    _, starts = np.unique(videos[order], return_index=True)
    groups = []
    for at in np.split(order, starts[1:]):
        names = list(dict.fromkeys(ids[at].tolist()))
        if not videos[at[0]] or len(names) <= protocol.frames:
            groups.append(at)
            continue
        chosen = {names[i] for i in choose(len(names), protocol.frames, protocol.choice)}
        groups.append(at[[n in chosen for n in ids[at].tolist()]])
    return index[np.sort(np.concatenate(groups))]


def _cut(protocol: Protocol, table: pa.Table, label: np.ndarray, index: np.ndarray) -> list[str]:
    """UniversalFakeDetect's cut of each of its subsets, as its data set makes it, where the protocol has it."""
    ids, dataset = _texts(table, "id")[index], _texts(table, "dataset")[index]
    if protocol.sampling == "unifd-full":
        return list(ids.tolist())
    chosen: list[str] = []
    for name in np.unique(dataset).tolist():
        if name not in UNIFD:
            chosen += ids[dataset == name].tolist()
            continue
        sides = [sorted(set(ids[(dataset == name) & (label[index] == y)].tolist())) for y in (0, 1)]
        reals, fakes = cut_subset(sides[0], sides[1], f"0 {UNIFD[name]}")
        chosen += [*reals, *fakes]
    return chosen


def require_recipe(protocol: Protocol, stores: Mapping[str, FeatureStore]) -> None:
    """Check that the protocol's stores are of one recipe, which has the protocol's transform.

    Raises:
        DataError: when they are not.
    """
    used = {d: stores[d] for d in protocol.data if d in stores}
    digests = {d: s.digest[:10] for d, s in used.items()}
    if len(set(digests.values())) > 1:
        raise DataError(
            f"protocol {protocol.name}: expected features of one recipe, got {digests}; extract all with the same one"
        )
    for data, recipe in ((d, s.recipe) for d, s in used.items()):
        required = [f"{k} = {v!r}" for k, v in protocol.transform if recipe.replace(**{k: v}) != recipe]
        if required:
            raise DataError(
                f"protocol {protocol.name} requires {', '.join(required)}, but the features of {data} have another "
                "recipe; extract them with it"
            )


def require_disjoint(protocol: Protocol, chosen: ProtocolRows, test: ProtocolRows, role: str) -> None:
    """Check that rows to train on or to select by share no id, path, source or video with test rows.

    Sources and videos are compared within a data set, ids and paths across all of them, paths without links.

    Args:
        protocol: named in the error.
        chosen: rows that decide something.
        test: rows of a test set.
        role: "train on" or "select by", for the error.

    Raises:
        DataError: when they share one.
    """
    for what in ("id", "path", "group", "video"):
        both = sorted(_names(chosen, what) & _names(test, what))
        if both:
            raise DataError(
                f"protocol {protocol.name}: the rows to {role} share {len(both)} {what}s with the test rows: "
                f"{examples([b.replace(chr(0), ' ') for b in both])}; test rows must not decide anything, so take them "
                "out"
            )


def _names(rows: ProtocolRows, what: str) -> set[str]:
    names = rows.column(what)
    if what in ("group", "video"):
        return {f"{d}\0{n}" for d, n in zip(rows.column("data"), names, strict=True) if n}
    known = set(names.tolist()) - {""}
    return real_paths(known) if what == "path" else known
