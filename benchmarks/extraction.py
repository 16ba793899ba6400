"""(b) Extraction from JPEG files to stored features over the model alone; and the rate of preparation alone."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks import photographs
from corit.backbones.load import load_backbone
from corit.backbones.stepped import Backbone
from corit.data.folders import FolderSource
from corit.data.landmarks import read_landmarks
from corit.data.sample import Source
from corit.features.extract import extract
from corit.features.targets import StoreTarget
from corit.model.encode import Encoder
from corit.recipe import BackboneRecipe, Recipe, ViewsRecipe
from corit.views.prepare import Preparer, Views

PICTURES = 32
DOMAINS = ("face", "scene")


def path_ratio(pictures: int = PICTURES, *, batch: int = 4, workers: int = 1) -> dict[str, float]:
    """Measure `path_ratio`, the larger of `path_ratio_face` and `path_ratio_scene`, with `workers` processes.

    CLIP ViT-L/14 on random weights. Extraction reads JPEG files, prepares them in `workers` processes, runs the model
    and writes the store; the start of the processes counts. The model alone runs on the same views in the same batches,
    one half before and one half after, so that a change of the machine's speed affects both alike.
    """
    backbone = load_backbone("clip-vit-l14", "random:0")
    assert backbone.digest  # computed once, as for any number of pictures
    ratios = {f"path_ratio_{d}": _ratio(backbone, d, pictures, batch, workers) for d in DOMAINS}
    return {"path_ratio": max(ratios.values()), **ratios, "path_workers": workers, "path_pictures": pictures}


def _ratio(backbone: Backbone, domain: str, pictures: int, batch: int, workers: int) -> float:
    with tempfile.TemporaryDirectory(prefix="corit-path-") as folder:
        source = write(Path(folder, "pictures"), domain, pictures)
        recipe = Recipe(BackboneRecipe("clip-vit-l14"), ViewsRecipe(domain=domain))  # type: ignore[arg-type]
        encoder = Encoder(backbone, recipe)
        preparer = encoder.preparer()
        views = prepared(source, preparer)
        encoder(views[:batch])  # the first call allocates
        half = len(views) // 2 // batch * batch
        alone = _seconds(lambda: _model(encoder, views[:half], batch))
        path = _seconds(
            lambda: extract(source, [StoreTarget(encoder, Path(folder, "store"))], batch=batch, workers=workers)
        )
        return path / (alone + _seconds(lambda: _model(encoder, views[half:], batch)))


def views_per_second(pictures: int = PICTURES) -> dict[str, float]:
    """Measure `views_per_second_face` (aligned crops) and `views_per_second_scene`: JPEG to views, on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {f"views_per_second_{d}": _rate(d, pictures) for d in DOMAINS}
    finally:
        torch.set_num_threads(before)


def _rate(domain: str, pictures: int) -> float:
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)  # as in a worker process
    try:
        with tempfile.TemporaryDirectory(prefix="corit-views-") as folder:
            source = write(Path(folder), domain, pictures)
            preparer = Preparer.of(Recipe(views=ViewsRecipe(domain=domain)), side=224, grid=(16, 16))  # type: ignore[arg-type]
            prepared(source, preparer)
            return pictures / _seconds(lambda: prepared(source, preparer))
    finally:
        cv2.setNumThreads(before)


def write(folder: Path, domain: str, pictures: int) -> Source:
    """Write photographs into a folder and return them as a source of aligned faces or of scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    if domain == "scene":
        photographs.scenes(folder, pictures)
        return FolderSource((str(folder),))
    photographs.faces(folder, pictures)
    return FolderSource((str(folder),), aligned=True, landmarks=read_landmarks(folder / photographs.LANDMARKS))


def prepared(source: Source, preparer: Preparer) -> list[Views]:
    """Return the views of all pictures, prepared in this process."""
    return [v for s in source.samples for v in preparer(source.load(s))]


def _model(encoder: Encoder, views: Sequence[Views], batch: int) -> None:
    for start in range(0, len(views), batch):
        encoder(views[start : start + batch])


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    print(views_per_second(count))
    print(path_ratio(count))
