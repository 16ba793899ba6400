"""Photographs that installed libraries ship, and pictures that are none: for examples without a download."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from corit.images.picture import read_picture

# Name here -> function of skimage.data that gives a picture of the installed wheel, without a download.
PHOTOGRAPHS = {"portrait": "astronaut", "cat": "chelsea", "coffee": "coffee", "rocket": "rocket"}
NO_PHOTOGRAPHS = {"printed page": "page", "retina scan": "retina"}


def photographs() -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and pixels of photographs: scikit-learn's, and scikit-image's where it is installed."""
    from sklearn.datasets import load_sample_images

    bunch = load_sample_images()
    yield from zip((Path(f).stem for f in bunch.filenames), bunch.images, strict=True)
    yield from _scikit_image(PHOTOGRAPHS)


def second_portrait() -> np.ndarray | None:
    """The one photograph that matplotlib ships, of another person than scikit-image's; None where it ships none."""
    import matplotlib

    file = next(iter(sorted((Path(matplotlib.get_data_path()) / "sample_data").glob("*.jpg"))), None)
    return None if file is None else read_picture(file).pixels


def other_pictures() -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and pixels of pictures that are no photographs of scenes: a printed page and a scan of an eye."""
    yield from _scikit_image(NO_PHOTOGRAPHS)


def _scikit_image(names: dict[str, str]) -> Iterator[tuple[str, np.ndarray]]:
    if find_spec("skimage") is None:
        return
    from skimage import data

    for name, function in names.items():
        pixels = getattr(data, function)()
        yield name, pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
