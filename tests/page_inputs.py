"""The folders that the pages speak of, drawn or cut from photographs that installed packages ship."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage.data import astronaut
from trees.celebdf import celebdf
from trees.genimage import genimage
from trees.paint import miniature
from trees.paper import paper
from trees.write import Hand

from corit.images.perturb import perturb
from corit.studies.photographs import PHOTOGRAPHS, photographs
from corit.world.miniature import Miniature, MiniatureSpec


def prepare(code: str, folder: Path) -> None:
    """Make those of the folders that the code of a page names."""
    for name, make in INPUTS.items():
        if re.search(rf"(?<![\w/-]){name}\b(?!-)", code):
            make(folder / name)


def photos(folder: Path) -> None:
    """24 real photographs: the quarters of six."""
    for name, pixels in _parts(2):
        _save(pixels, folder / f"{name}.jpg", quality=75)


def photo(file: Path) -> None:
    """The portrait that scikit-image ships, as README scores it."""
    _save(astronaut(), file, quality=95)


def labelled(folder: Path) -> None:
    """54 real photographs, the ninths of six, and each of them pixelated and with noise as fakes."""
    for name, pixels in _parts(3):
        file = name + (".jpg", ".png")[int(name[-1]) % 2]
        _save(pixels, folder / "real" / file)
        for kind in ("pixelation", "noise"):
            _save(perturb(pixels, kind, 5), folder / "fake" / kind / file)


def pixelated(folder: Path) -> None:
    """The 24 photographs as reals, and pixelated as fakes."""
    for name, pixels in _parts(2):
        shown = np.asarray(Image.open(BytesIO(_jpeg(pixels))))
        _save(shown, folder / "real" / f"{name}.jpg", quality=95)
        _save(perturb(shown, "pixelation", 5), folder / "fake" / f"{name}.jpg", quality=95)


def clips(folder: Path) -> None:
    """A video of two scenes, the same cut off, and a text that is called a video."""
    cat, cup = _cat_and_cup()
    _video(folder / "two.avi", [*_moving(cat, 20), *_moving(cup, 20)])
    (folder / "cut.avi").write_bytes((folder / "two.avi").read_bytes()[:90_000])
    (folder / "notes.mp4").write_text("this is no video")


def videos(folder: Path) -> None:
    """Two real videos, two coarse ones as fakes, and an empty file."""
    for name, picture in zip(("cat", "cup"), _cat_and_cup(), strict=True):
        coarse = cv2.resize(cv2.resize(picture, (40, 30)), picture.shape[1::-1])
        _video(folder / "real" / f"{name}.avi", _moving(picture, 12))
        _video(folder / "fake" / f"{name}.avi", _moving(coarse, 12))
    (folder / "fake" / "broken.mp4").write_bytes(b"")


def datasets(folder: Path) -> None:
    """Tiny trees of two public data sets, whose pictures are coloured squares."""
    celebdf(folder / "celeb", Hand(frames=2))
    genimage(folder / "genimage")


def footage(folder: Path) -> None:
    """Videos of one face, of its mirror image and of a wall; one breaks off."""
    face, wall = astronaut()[:, :, ::-1], np.full((512, 512, 3), 120, np.uint8)
    for name, picture in {
        "real/0000": face,
        "real/0001": face,
        "fake/0000_fake": face[:, ::-1],
        "fake/0001_fake": wall,
    }.items():
        shown = [np.ascontiguousarray(picture[k : 320 + k, 100:420]) for k in range(20)]
        _video(folder / f"{name}.avi", shown, 25, (320, 320))
    whole = (folder / "real" / "0001.avi").read_bytes()
    (folder / "real" / "0001.avi").write_bytes(whole[: len(whole) // 2])


def sets(folder: Path) -> None:
    """Tiny trees of all data sets of the paper, in one folder."""
    drawn = miniature(Miniature(MiniatureSpec(0, train=6, val=4, test=6, pictures=2)))
    paper(folder, Hand(drawn, frames=1), people=2, each=1)


def rows(file: Path) -> None:
    """A CSV file of eight rows: four of one photograph's quarters, and as fakes four of another's."""
    photos(file.parent / "photos")
    with file.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(("path", "label"))
        for (label, name), i in product(enumerate(("coffee", "rocket")), range(4)):
            table.writerow((f"photos/{name}-{i}.jpg", label))


INPUTS = {
    "photos": photos,
    "labelled": labelled,
    "pixelated": pixelated,
    "clips": clips,
    "videos": videos,
    "datasets": datasets,
    "footage": footage,
    "sets": sets,
    "rows.csv": rows,
}


def _parts(count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Every photograph in count x count parts, row by row, with a name each."""
    for shown, pixels in photographs():
        name = PHOTOGRAPHS.get(shown, shown)
        height, width = pixels.shape[0] // count, pixels.shape[1] // count
        for i, (row, column) in enumerate(product(range(count), repeat=2)):
            y, x = row * height, column * width
            yield f"{name}-{i}", pixels[y : y + height, x : x + width].copy()


def _save(pixels: np.ndarray, path: Path, quality: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=quality)


def _jpeg(pixels: np.ndarray) -> bytes:
    """The bytes of a file in `photos`."""
    out = BytesIO()
    Image.fromarray(pixels).save(out, "jpeg", quality=75)
    return out.getvalue()


def _cat_and_cup() -> list[np.ndarray]:
    """Two photographs, BGR, as they come from the files in `photos`."""
    quarters = dict(_parts(2))
    stored = [np.frombuffer(_jpeg(quarters[name]), np.uint8) for name in ("chelsea-0", "coffee-0")]
    return [cv2.imdecode(s, cv2.IMREAD_COLOR) for s in stored]


def _moving(picture: np.ndarray, count: int) -> list[np.ndarray]:
    return [picture[k:, k:] for k in range(count)]


def _video(path: Path, pictures: list[np.ndarray], rate: float = 10.0, size: tuple[int, int] = (160, 120)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
    for picture in pictures:
        writer.write(cv2.resize(picture, size))
    writer.release()
