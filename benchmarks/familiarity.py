"""`python -m benchmarks.familiarity STORE OUT`: which pictures a detector of a feature store calls unfamiliar.

Each way to measure the distance is fitted on the store's training rows and limited on its validation rows. The table
gives the share of each kind of picture beyond the limit, and of the store's test rows, where 1 % is right.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.kinds import KINDS, Maker, painted, sketched
from corit.backbones.load import load_backbone
from corit.data.folders import list_pictures
from corit.data.sample import Sample
from corit.detect.familiarity import Method, fit_familiarity
from corit.errors import StoreError
from corit.features.store import Features, FeatureStore
from corit.heads.rows import Rows
from corit.images.picture import Picture, read_picture
from corit.model.corit import class_columns
from corit.model.encode import Encoder
from corit.train.heads import measure_features

WAYS: Mapping[str, tuple[Method, bool]] = {
    "mahalanobis": ("mahalanobis", True),
    "neighbours": ("neighbours", True),
    "mahalanobis, all of z": ("mahalanobis", False),
    "neighbours, all of z": ("neighbours", False),
}


class KindSource:
    """A source of the pictures of one kind."""

    def __init__(self, kind: str, maker: Maker, count: int, *, aligned: bool) -> None:
        self.kind, self.maker, self.count, self.aligned = kind, maker, count, aligned

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """One for each picture, all of them real."""
        names = [f"{self.kind} {i}" for i in range(self.count)]
        return tuple(Sample(name, name, 0, frame=i) for i, name in enumerate(names))

    def load(self, sample: Sample) -> Picture:
        """Make one picture."""
        picture = self.maker(sample.frame)
        return replace(picture, aligned=True) if self.aligned else picture


def shares(
    train: Rows, valid: Rows, kinds: Mapping[str, Features], class_tokens: np.ndarray
) -> dict[str, dict[str, float]]:
    """Fit each way and return, by way and kind, the share of pictures beyond its limit.

    Args:
        train: (n, D) training features.
        valid: (n', D) validation features.
        kinds: features of each kind.
        class_tokens: the numbers of a feature that are class tokens.
    """
    table = {}
    for name, (method, alone) in WAYS.items():
        known = fit_familiarity(train, valid, method, columns=class_tokens if alone else None)
        distances = {kind: known.distance(rows.to_tensor()) for kind, rows in kinds.items()}
        table[name] = {kind: float((values > known.limit).mean()) for kind, values in distances.items()}
    return table


def kinds_of(encoder: Encoder, out: Path, makers: Mapping[str, Maker], count: int) -> dict[str, Features]:
    """Measure the features of pictures of each kind, into a store for each kind. Kinds without a feature are left out.

    Args:
        encoder: of the features.
        out: folder of the stores.
        makers: of the pictures.
        count: pictures of each kind.
    """
    aligned = encoder.recipe.views.domain == "face"
    measured = {}
    for kind, maker in makers.items():
        store = measure_features(KindSource(kind, maker, count, aligned=aligned), encoder, out / kind.replace(" ", "-"))
        try:
            measured[kind] = store.features()
        except StoreError as err:
            print(f"no picture of {kind} has a feature: {err}")
    return measured


def folder_makers(folders: Sequence[str], altered: bool) -> dict[str, Maker]:
    """Return makers of the pictures in folders, and of these pictures painted and sketched if `altered`."""
    makers: dict[str, Maker] = {}
    for folder in folders:
        paths = list(list_pictures(folder))
        name = Path(folder).name
        makers[name] = lambda i, paths=paths: read_picture(paths[i % len(paths)])  # type: ignore[misc]
        if altered:
            makers[f"{name} painted"] = lambda i, make=makers[name]: painted(make(i))  # type: ignore[misc]
            makers[f"{name} sketched"] = lambda i, make=makers[name]: sketched(make(i))  # type: ignore[misc]
    return makers


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.familiarity", description=__doc__)
    parser.add_argument("store", help="feature store with the splits train, val and test")
    parser.add_argument("out", type=Path, help="folder for the features of the other pictures")
    parser.add_argument("--count", type=int, default=24, help="pictures of each kind")
    parser.add_argument("--weights", default="", help="of the backbone")
    parser.add_argument("--pictures", nargs="*", default=[], metavar="DIR", help="folders of further kinds")
    parser.add_argument("--altered", action="store_true", help="also paint and sketch the pictures of these folders")
    options = parser.parse_args(arguments)
    store = FeatureStore.open(options.store)
    encoder = Encoder(load_backbone(store.recipe.backbone.name, options.weights), store.recipe)
    makers = {**KINDS, **folder_makers(options.pictures, options.altered)}
    kinds = {"test": store.features(split="test"), **kinds_of(encoder, options.out, makers, options.count)}
    tokens = class_columns(store.recipe.model, encoder.backbone.width, store.width)
    table = shares(store.features(split="train"), store.features(split="val"), kinds, tokens)
    print("| pictures | count |", " | ".join(table), "|\n|---|---|" + "---|" * len(table))
    for kind, rows in kinds.items():
        print(f"| {kind} | {len(rows)} |", " | ".join(f"{100 * table[way][kind]:.0f} %" for way in table), "|")


if __name__ == "__main__":
    main()
