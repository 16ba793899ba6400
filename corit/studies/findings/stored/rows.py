"""Stores -> forgeries: fakes of one kind and the reals that they are told from, with their features at a layer.

Stores of the same pictures by several recipes make one set. A store's variant is that of its recipe; a store without
injection gives UniFD's class token too. Of all stores of a set, only rows that every one of them holds are used, each
picture with its largest face.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePath

import numpy as np
import torch
from torch import Tensor

from corit.data.text_files import read_text
from corit.errors import DataError
from corit.features.preparation import SELF_BLENDED
from corit.features.store import FeatureStore
from corit.recipe import Recipe
from corit.seeding import seed
from corit.studies.findings.plan import SUBTLE
from corit.studies.findings.stored.plan import UNIFD

CLOSE, LOOSE = "close", "loose"
PARTS = re.compile(r"(easy|mid|hard)_\d+_([01]{4})")  # a composite's name: difficulty; eyes (2), nose, mouth
LEAST_GROUPS = 4  # for each fold


@dataclass(frozen=True)
class Forgery:
    """Fakes of one kind and their reals: those of the same groups where fakes share groups with reals, else all.

    Attributes:
        name: the manipulation type, with "close" or "loose" where the degree of alignment is known.
        set: the set's number; forgeries of one set share reals.
        stores: by variant, the folder of the store.
        ids: (n) ids of the rows, sorted.
        y: (n) labels.
        group: (n) the pair or picture.
    """

    name: str
    set: int
    stores: Mapping[str, Path]
    ids: np.ndarray
    y: np.ndarray
    group: np.ndarray

    @property
    def subtle(self) -> bool:
        """Whether little of the picture is changed: closely aligned pairs, self-blends, F2F and NT."""
        return self.name.endswith(f" {CLOSE}") or self.name.startswith(SELF_BLENDED) or self.name in SUBTLE

    def read(self, variant: str, layer: int) -> Tensor:
        """Return the features (n, D) of a variant at a layer; of "unifd" the class token."""
        store = FeatureStore.open(self.stores[variant])
        features = store.features(level=layer, face=0)
        z = features.take(np.searchsorted(features.ids, self.ids)).to_tensor()
        width = _levels(store)[2]
        return z[:, :width].contiguous() if variant == UNIFD else z

    def folds(self, count: int) -> np.ndarray:
        """Return the fold (n) of each row: a group is in one, groups with fakes and other groups are spread evenly."""
        faked = set(self.group[self.y == 1].tolist())
        number: dict[str, int] = {}
        for names in (faked, set(self.group.tolist()) - faked):
            ordered = sorted(names, key=lambda g: seed("findings fold", str(g)))
            number |= {g: i % count for i, g in enumerate(ordered)}
        return np.array([number[g] for g in self.group.tolist()])

    def slices(self) -> dict[str, np.ndarray]:
        """Return masks (n) of all reals and some fakes, where the files' names say how hard or which part."""
        names = [PARTS.fullmatch(PurePath(i).stem) for i in self.ids.tolist()]
        if not any(names):
            return {}
        words = [(m[1], _part(m[2])) if m else ("", "") for m in names]
        kinds = sorted({w for pair in words for w in pair if w})
        return {k: (self.y == 0) | np.array([k in pair for pair in words]) for k in kinds}


def _part(digits: str) -> str:
    """Which part of a face was replaced."""
    eyes, lower = "1" in digits[:2], "1" in digits[2:]
    if digits == "1111":
        return "whole face"
    return "eyes and below" if eyes and lower else "eyes" if eyes else "nose or mouth"


def read_forgeries(folders: Sequence[str | Path], pairs: Path | None = None, close: float = 0.95) -> list[Forgery]:
    """List the forgeries of stores.

    Args:
        folders: of stores that keep levels.
        pairs: a CSV file with the columns fake and correlation_112, which says how close the fakes of a set are to
            their reals; None where it is not known.
        close: the least correlation of a close pair.

    Raises:
        DataError: two stores of one set have the same variant, there is no UniFD, or a forgery has too few groups.
        StoreError: a folder holds no store, or one without levels.
    """
    alike = {} if pairs is None else _correlations(pairs)
    forgeries = [f for k, s in enumerate(_sets(folders)) for f in _forgeries(k, s, alike, close)]
    if pairs is not None and not any(f.name.endswith((f" {CLOSE}", f" {LOOSE}")) for f in forgeries):
        raise DataError(
            f"expected fakes of {pairs} in the stores, but there are none; give the pairs of their pictures"
        )
    names = [f.name for f in forgeries]
    if len(set(names)) < len(names):
        raise DataError(
            f"expected each manipulation type in one set of pictures, got {', '.join(names)}; join the sets"
        )
    return forgeries


def depth_of(forgeries: Sequence[Forgery]) -> int:
    """Return the number of layers that all stores keep. Raises DataError when they differ."""
    depths = {_levels(FeatureStore.open(p))[0] - 1 for f in forgeries for p in f.stores.values()}
    if len(depths) != 1:
        raise DataError(f"expected stores of one ViT, got some of {sorted(depths)} layers; give those of one backbone")
    return depths.pop()


def variants_of(recipe: Recipe) -> tuple[str, ...]:
    """Return the variants that a store of this recipe holds the features of, by what it injects and masks."""
    model = recipe.model
    if model.kind == "unifd":
        return (UNIFD,)
    if model.inject:
        return ("corit" if model.rrm else "no-mask",)
    if recipe.views.random_regions:
        return (UNIFD,)
    return ("pool" if model.rrm else "plain", UNIFD)


def _levels(store: FeatureStore) -> tuple[int, ...]:
    """Layers and the embedding, tokens and width of the levels that a store keeps."""
    if store.header.levels is None:
        raise DataError(f"expected levels in the store {store.path}, but it keeps none; extract it with --levels")
    return store.header.levels


@dataclass(frozen=True)
class _Set:
    stores: dict[str, Path]
    ids: set[str]


def _sets(folders: Sequence[str | Path]) -> list[_Set]:
    """Stores that share pictures, joined; a plain store goes before another that could give UniFD too."""
    sets: list[_Set] = []
    opened = [FeatureStore.open(f) for f in folders]
    for store in sorted(opened, key=lambda s: len(variants_of(s.recipe))):
        _levels(store)
        ids, first, *more = set(store.features(face=0).ids.tolist()), *variants_of(store.recipe)
        here = next((s for s in sets if s.ids & ids), None)
        if here is None:
            here = _Set({}, ids)
            sets.append(here)
        if first in here.stores:
            raise DataError(
                f"expected one store of each variant, but {here.stores[first]} and {store.path} are {first}"
            )
        here.stores[first] = store.path
        for variant in more:
            here.stores.setdefault(variant, store.path)
        here.ids.intersection_update(ids)
    for s in sets:
        if UNIFD not in s.stores:
            names = ", ".join(map(str, s.stores.values()))
            raise DataError(f"expected a store without injection beside {names}, whose class token is UniFD's; add one")
    return sets


def _forgeries(number: int, some: _Set, alike: Mapping[str, float], close: float) -> Iterator[Forgery]:
    table = FeatureStore.open(some.stores[UNIFD]).features(face=0)
    table = table.take(np.flatnonzero(np.isin(table.ids, list(some.ids))))
    kinds, y, group = table.column("manipulation"), table.y.astype(np.int64), table.column("group")
    for kind in sorted(set(kinds[y == 1].tolist())):
        fakes = (y == 1) & (kinds == kind)
        paired = bool(np.isin(group[fakes], group[y == 0]).all())
        for name, chosen in _by_alignment(kind, fakes, table.ids, alike if paired else {}, close):
            shared = (y == 0) & np.isin(group, group[chosen])
            rows = chosen | (shared if shared.any() else y == 0)
            forgery = Forgery(name, number, some.stores, table.ids[rows], y[rows], group[rows])
            for label, word in ((0, "reals"), (1, "fakes")):
                count = len(set(forgery.group[forgery.y == label].tolist()))
                if count < 3 * LEAST_GROUPS:
                    raise DataError(
                        f"expected {3 * LEAST_GROUPS} groups of {word} or more of {name}, got {count}; give more rows"
                    )
            yield forgery


def _by_alignment(
    kind: str, fakes: np.ndarray, ids: np.ndarray, alike: Mapping[str, float], close: float
) -> list[tuple[str, np.ndarray]]:
    """A kind's fakes (n), in two parts where it is known how close they are to their reals."""
    values = np.array([alike.get(PurePath(i).stem, np.nan) if f else np.nan for i, f in zip(ids, fakes, strict=True)])
    if kind == SELF_BLENDED or np.isnan(values[fakes]).any():
        return [(kind, fakes)]
    return [(f"{kind} {CLOSE}", fakes & (values >= close)), (f"{kind} {LOOSE}", fakes & (values < close))]


def _correlations(path: Path) -> dict[str, float]:
    table = csv.DictReader(StringIO(read_text(path, "pairs.csv")))
    try:
        return {row["fake"]: float(row["correlation_112"]) for row in table}
    except (KeyError, ValueError) as err:
        raise DataError(f"expected the columns fake and correlation_112 in {path}, but: {err!r}") from err


def mask_of(folds: np.ndarray, split: int, part: str, count: int) -> np.ndarray:
    """Return the rows (n) of a part of a split, "train", "val" or "test"."""
    test, valid = folds == split, folds == (split + 1) % count
    return {"test": test, "val": valid, "train": ~test & ~valid}[part]


def index_of(mask: np.ndarray) -> Tensor:
    """Return the places of a mask as a tensor."""
    return torch.from_numpy(np.flatnonzero(mask))
