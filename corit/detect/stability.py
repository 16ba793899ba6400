"""Whether a verdict holds when the picture is re-encoded mildly: JPEG 90, resized to 0.9, 2 % cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import cv2
import numpy as np

from corit.detect.row import Row
from corit.errors import InputError
from corit.images.faces import Face
from corit.images.perturb import encoded, shrunk
from corit.images.picture import Picture, join_notes
from corit.views.prepare import Box, Views

QUALITY, SCALE, CUT = 90, 0.9, 0.02
WORDS = "the verdict changes under mild re-encoding"
OTHER = {"real": "fake", "fake": "real"}


class FindingPreparation(Protocol):
    """A preparation that can look for faces first, as `corit.views.prepare.Preparer` does."""

    def locate(self, picture: Picture, /) -> Picture:
        """Return the picture with its faces, where any are looked for."""

    def crops(self, picture: Picture, /) -> Sequence[Any]:
        """Cut out the faces, or the one scene, of a picture."""

    def views(self, crop: Any, /) -> Views:
        """Make image, twins and regions of a crop."""

    def forge(self, crop: Any, draw: int, /) -> Any:
        """Make a self-blended fake of a crop."""

    def without_limits(self) -> FindingPreparation:
        """Return the same preparation for pictures and faces of any size, with one twin at most."""


@dataclass(frozen=True)
class StableCrop:
    """A prepared crop, and the same face or picture under each mild re-encoding.

    Attributes:
        crop: the crop.
        variants: the crops of the re-encoded picture, by the name of the re-encoding.
    """

    crop: Any
    variants: Mapping[str, Any] = field(default_factory=dict)

    @property
    def box(self) -> Box | None:
        """That of the crop."""
        return self.crop.box


@dataclass(frozen=True)
class StablePreparer:
    """Prepares pictures with their mild re-encodings, by which `settle` judges a verdict.

    Faces are looked for once: in the re-encoded pictures the same landmarks are used, scaled and shifted.

    Attributes:
        preparer: prepares pictures.
    """

    preparer: FindingPreparation

    def crops(self, picture: Picture) -> tuple[StableCrop, ...]:
        """Return the crops of a picture, each with its variants. Raises what the preparer raises."""
        located = self.preparer.locate(picture)
        crops = self.preparer.crops(located)
        variants = {name: again for name in RE_ENCODINGS if (again := self._again(located, name, len(crops)))}
        return tuple(StableCrop(c, {name: again[i] for name, again in variants.items()}) for i, c in enumerate(crops))

    def _again(self, picture: Picture, name: str, count: int) -> Sequence[Any]:
        """The crops of a re-encoded picture; none where it cannot be prepared, as with a face that the cut takes."""
        try:
            crops = self.preparer.without_limits().crops(re_encode(picture, name))
        except InputError:
            return ()
        return crops if len(crops) == count else ()

    def views(self, crop: StableCrop) -> Views:
        """Return the views of a crop, with those of its variants."""
        again = self.preparer.without_limits()
        return replace(self.preparer.views(crop.crop), variants={n: again.views(c) for n, c in crop.variants.items()})

    def forge(self, crop: StableCrop, draw: int) -> StableCrop:
        """Return a self-blended fake of a crop, without variants."""
        return StableCrop(self.preparer.forge(crop.crop, draw))


def re_encode(picture: Picture, name: str) -> Picture:
    """Re-encode a picture mildly; landmarks, faces and mask move along.

    Args:
        picture: the picture as a viewer shows it.
        name: one of `RE_ENCODINGS`.

    Returns:
        The re-encoded picture; the same picture gives the same result.

    Raises:
        UnsupportedError: the picture is too large for a JPEG file.
    """
    return RE_ENCODINGS[name](picture)


def _jpeg(picture: Picture) -> Picture:
    return replace(picture, pixels=encoded(picture.pixels, "JPEG", QUALITY))


def _resize(picture: Picture) -> Picture:
    pixels = shrunk(picture.pixels, SCALE)
    size = np.array(pixels.shape[1::-1], np.float32)
    mask = picture.mask
    if mask is not None:
        mask = cv2.resize(mask.astype(np.uint8), pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    scale = size / np.array(picture.pixels.shape[1::-1], np.float32)
    return _moved(replace(picture, pixels=pixels, mask=mask), scale, np.zeros(2, np.float32))


def _cut(picture: Picture) -> Picture:
    """Half of the cut at each edge, and at least a pixel."""
    height, width = picture.pixels.shape[:2]
    y, x = (max(1, round(n * CUT / 2)) for n in (height, width))
    inside = slice(y, height - y), slice(x, width - x)
    mask = None if picture.mask is None else picture.mask[inside]
    pixels = np.ascontiguousarray(picture.pixels[inside])
    return _moved(replace(picture, pixels=pixels, mask=mask), np.ones(2, np.float32), np.array([x, y], np.float32))


def _moved(picture: Picture, scale: np.ndarray, shift: np.ndarray) -> Picture:
    """The picture with its points p at p * scale - shift."""
    landmarks = None if picture.landmarks is None else picture.landmarks * scale - shift
    faces = None if picture.faces is None else tuple(_moved_face(f, scale, shift) for f in picture.faces)
    return replace(picture, landmarks=landmarks, faces=faces)


def _moved_face(face: Face, scale: np.ndarray, shift: np.ndarray) -> Face:
    corners = np.reshape(face.box, (2, 2)) * scale - shift
    return replace(face, box=tuple(corners.ravel().tolist()), landmarks=face.landmarks * scale - shift)


RE_ENCODINGS = {f"JPEG {QUALITY}": _jpeg, f"resize {SCALE:g}": _resize, f"crop {CUT * 100:g} %": _cut}


def settle(row: Row, verdicts: Mapping[str, str]) -> Row:
    """Call a row unsure where a mild re-encoding turns its verdict from real to fake, or from fake to real.

    Args:
        row: of the picture as it is.
        verdicts: on the re-encoded picture, by the name of the re-encoding.

    Returns:
        The row, with its score unchanged.
    """
    changed = [name for name, verdict in verdicts.items() if verdict == OTHER.get(row.verdict or "")]
    if not changed:
        return row
    return replace(row, verdict="unsure", reason=join_notes(row.reason, f"{WORDS} ({', '.join(changed)})"))
