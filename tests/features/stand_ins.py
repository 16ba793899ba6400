"""A source, a preparation and an encoder that are small, picklable, and easy to predict."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from corit.data.sample import Sample
from corit.errors import NoFaceError, TooSmallError, UnreadableError
from corit.images.picture import Picture
from corit.model.corit import Readout
from corit.recipe import BackboneRecipe, Recipe
from corit.seeding import generator
from corit.views.prepare import Views

SIDE, GRID, WIDTH, LEVELS = 8, 4, 6, (3, 2, 3)


def recipe(**changes):
    return Recipe(BackboneRecipe("stand-in")).replace(**changes)


@dataclass(frozen=True)
class Crop:
    pixels: np.ndarray
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class Pictures:
    """n pictures: every third is fake, some unreadable or without a face, some with three faces.

    log: a file that gets a line for each picture that is loaded. kill, stop: the id that brings SIGKILL or `signals`
    times SIGINT upon the process that loads it. bug: the id whose loading fails as no input should. deaf: loading needs
    a process that ignores Ctrl-C.
    """

    n: int = 24
    log: Path | None = None
    kill: str = ""
    stop: str = ""
    signals: int = 1
    bug: str = ""
    shuffled: bool = False
    deaf: bool = False

    @property
    def samples(self):
        rows = [
            Sample(
                f"p{i:03d}",
                f"dir/p{i:03d}.png",
                int(i % 3 == 0),
                ("train", "val", "test")[i % 4 % 3],
                "DF" if i % 3 == 0 else "",
                "stand-in",
                f"g{i // 2}",
                f"v{i // 2}",
                i,
            )
            for i in range(self.n)
        ]
        return [rows[i] for i in np.random.default_rng(0).permutation(self.n)] if self.shuffled else rows

    def load(self, sample):
        if self.log is not None:
            with open(self.log, "a") as log:
                log.write(sample.id + "\n")
        if sample.id == self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if sample.id == self.bug:
            raise ZeroDivisionError("a bug, not an input")
        if self.deaf and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            raise AssertionError("a worker would hear Ctrl-C")
        for _ in range(self.signals if sample.id == self.stop else 0):
            signal.raise_signal(signal.SIGINT)  # handled before the next one: the kernel would make one of two
        number = int(sample.id[1:])
        if number % 10 == 4:
            raise UnreadableError(f"{sample.path} is damaged")
        return Picture(generator(sample.id).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))


@dataclass(frozen=True)
class Preparing:
    """The number of faces of a picture follows from its first value."""

    def crops(self, picture):
        kind = int(picture.pixels[0, 0, 0]) % 8
        if kind == 0:
            raise NoFaceError("no face was found")
        if kind == 1:
            return ()
        faces = 3 if kind == 2 else 1
        return tuple(Crop(np.roll(picture.pixels, k, 0), (k, k, k + 4.0, k + 4.5)) for k in range(faces))

    def views(self, crop):
        if crop.box[0] == 1:
            raise TooSmallError("the face is too small")
        return Views(crop.pixels, crop.pixels[None], np.ones((2, GRID), bool), np.ones((SIDE, SIDE), bool), crop.box)

    def forge(self, crop, draw):
        return Crop(crop.pixels[::-1].copy() + np.uint8(draw), crop.box)


class StandIn:
    """z is a fixed function of the image alone."""

    width, level_shape, in_process = WIDTH, LEVELS, False

    def __init__(self, of=None, digest="d" * 64, scale=1.0):
        self.recipe, self.digest, self.scale, self.sizes = of or recipe(), digest, scale, []

    @property
    def backbone(self):
        return self

    def __call__(self, views, *, keep_levels=False):
        self.sizes.append(len(views))
        flat = torch.from_numpy(np.stack([v.image.reshape(-1)[:18] for v in views])).float() / 16
        levels = flat.reshape(-1, *LEVELS).clone()
        return Readout(flat[:, :WIDTH] * self.scale, levels if keep_levels else None)
