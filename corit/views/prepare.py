"""Prepare the views of a picture; extraction and detection share this preparation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np

from corit.errors import DataError, NoFaceError, TooSmallError
from corit.images.face_shape import require_face
from corit.images.faces import Face, FaceFinder, align, find_faces
from corit.images.landmark_prediction import Predictor, predict_landmarks
from corit.images.picture import Picture, join_notes
from corit.recipe import REGIONS, Recipe, RegionName, ViewsRecipe
from corit.seeding import generator
from corit.views.blend import draw_blend, self_blend
from corit.views.foreground import Tokens, face_hull, saliency, token_foreground
from corit.views.regions import patch_regions, random_partition

Box = tuple[float, float, float, float]
Domain = Literal["face", "scene"]


@dataclass(frozen=True)
class Crop:
    """A prepared crop of a picture.

    Attributes:
        pixels: (S, S, 3) uint8.
        mask: the foreground (S, S) bool.
        landmarks: (P, 2) in pixels of the crop, or None.
        box: (x0, y0, x1, y1) of the face in the original picture, or None.
        note: what a reader of the result must know about it; see `Picture.note`.
        domain: the picture's; see `Picture.domain`.
    """

    pixels: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray | None = None
    box: Box | None = None
    note: str = ""
    domain: str = ""


@dataclass(frozen=True)
class Views:
    """What the model sees of one picture, or of one face in it.

    Attributes:
        image: the prepared crop (S, S, 3) uint8, at the backbone's side.
        twins: W >= 0 self-blended draws (W, S, S, 3) uint8.
        regions: the patches of each region, (K, N) bool.
        mask: the foreground (S, S) bool.
        box: (x0, y0, x1, y1) of the face in the original picture; None for a whole picture.
        note: as in `Crop`.
        domain: as in `Crop`.
        subject: what the recipe looks for, "face" or "scene".
        variants: the same face or picture under mild re-encodings, by name; see `corit.detect.stability`.
    """

    image: np.ndarray
    twins: np.ndarray
    regions: np.ndarray
    mask: np.ndarray
    box: Box | None = None
    note: str = ""
    domain: str = ""
    subject: Domain = "face"
    variants: Mapping[str, Views] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        side = self.image.shape[0]
        if self.image.shape != (side, side, 3) or self.image.dtype != np.uint8:
            raise ValueError(f"image must be (S, S, 3) uint8, got {self.image.shape} {self.image.dtype}")
        if self.twins.shape[1:] != self.image.shape or self.twins.dtype != np.uint8:
            raise ValueError(f"twins must be (W, {side}, {side}, 3) uint8, got {self.twins.shape} {self.twins.dtype}")
        if self.regions.ndim != 2 or self.regions.dtype != bool:
            raise ValueError(f"regions must be (K, N) bool, got {self.regions.shape} {self.regions.dtype}")
        if self.mask.shape != (side, side) or self.mask.dtype != bool:
            raise ValueError(f"mask must be ({side}, {side}) bool, got {self.mask.shape} {self.mask.dtype}")


@dataclass(frozen=True)
class Preparer:
    """Prepares pictures by a recipe: crops, regions, twins and self-blended fakes.

    Attributes:
        recipe: how to crop, and how to find regions.
        side: of the backbone's input in pixels.
        grid: patches in a column and in a row.
        regions: the regions, in this order.
        twins: self-blends of each crop; 0 where the feature needs none.
        max_faces: the most faces of a picture, the largest first.
        finder: finds the faces of a picture.
        tokens: gives the backbone's patch tokens; needed where the recipe finds the foreground by them.
        predictor: predicts landmarks in face crops without any.
    """

    recipe: ViewsRecipe
    side: int
    grid: tuple[int, int]
    regions: tuple[RegionName, ...] = REGIONS
    twins: int = 1
    max_faces: int = 16
    finder: FaceFinder = field(default=find_faces, compare=False)
    tokens: Tokens | None = field(default=None, compare=False)
    predictor: Predictor = field(default=predict_landmarks, compare=False)

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        *,
        side: int,
        grid: tuple[int, int],
        twins: int = 1,
        max_faces: int = 16,
        finder: FaceFinder = find_faces,
        tokens: Tokens | None = None,
    ) -> Preparer:
        """Return the preparer of a whole recipe; see the class for the arguments."""
        return cls(recipe.views, side, grid, recipe.model.regions, twins, max_faces, finder, tokens)

    def __call__(self, picture: Picture) -> tuple[Views, ...]:
        """Return the views of each face, the largest first, or of a scene.

        Raises:
            NoFaceError: the picture shows no face.
            TooSmallError: the picture or its largest face has too few pixels.
            UnreadableError: the landmarks outline no face.
        """
        return tuple(self.views(crop) for crop in self.crops(picture))

    def locate(self, picture: Picture) -> Picture:
        """Return the picture with the faces that are scored, where the recipe looks for any.

        Raises:
            NoFaceError: the picture shows no face.
            TooSmallError: its largest face has too few pixels.
        """
        known = picture.aligned or picture.landmarks is not None or picture.faces is not None
        if known or self.recipe.domain == "scene":
            return picture
        return replace(picture, faces=self._faces(picture)[: self.max_faces])

    def without_limits(self) -> Preparer:
        """Return the same preparation for pictures and faces of any size, with one twin at most."""
        return replace(self, recipe=replace(self.recipe, min_side=1, min_face=1), twins=min(1, self.twins))

    def crops(self, picture: Picture) -> tuple[Crop, ...]:
        """Return the prepared crops of a picture. Raises the errors of `__call__`."""
        domain = picture.domain
        return tuple(replace(c, note=join_notes(picture.note, c.note), domain=domain) for c in self._crops(picture))

    def _crops(self, picture: Picture) -> tuple[Crop, ...]:
        require_size(picture, self.recipe.min_side)
        if self.recipe.domain == "scene":
            return (self._scene(picture),)
        if picture.aligned:
            return (self._aligned(picture),)
        faces = self._faces(picture)
        return tuple(self._face(picture.pixels, face) for face in faces[: self.max_faces])

    def _faces(self, picture: Picture) -> tuple[Face, ...]:
        if picture.landmarks is not None:
            points = picture.landmarks
            require_face(points, picture.pixels.shape[:2], "a picture with landmarks", aligned=False)
            return (Face((*points.min(0).tolist(), *points.max(0).tolist()), points, 1.0),)  # type: ignore[arg-type]
        faces = self.finder(picture.pixels) if picture.faces is None else picture.faces
        if not faces:
            raise NoFaceError("no face was found; for other pictures use a detector trained with --domain scene")
        large = tuple(f for f in faces if min(f.box[2] - f.box[0], f.box[3] - f.box[1]) >= self.recipe.min_face)
        if not large:
            size = max(min(f.box[2] - f.box[0], f.box[3] - f.box[1]) for f in faces)
            raise TooSmallError(f"the largest face is {size:.0f} px wide; at least {self.recipe.min_face} are needed")
        return large

    def _face(self, pixels: np.ndarray, face: Face) -> Crop:
        wide, points, _ = align(pixels, face.landmarks, self.recipe.crop_side, self.recipe.crop_scale)
        points = points * (self.side / self.recipe.crop_side)
        crop = _resize(wide, self.side)
        return Crop(crop, face_hull(points, self.side), points, face.box)

    def _aligned(self, picture: Picture) -> Crop:
        height, width = picture.pixels.shape[:2]
        scale = np.array([self.side / width, self.side / height], np.float32)
        pixels = _resize(picture.pixels, self.side)
        if picture.landmarks is not None:
            require_face(picture.landmarks, (height, width), "an aligned crop")
            points = picture.landmarks * scale
            return Crop(pixels, face_hull(points, self.side), points)
        if picture.mask is not None:
            return Crop(pixels, _resize_mask(picture.mask, self.side))
        predicted = self.predictor(picture.pixels, self.recipe.crop_scale)
        points = predicted.landmarks * scale
        return Crop(pixels, face_hull(points, self.side), points, note=predicted.note)

    def _scene(self, picture: Picture) -> Crop:
        fit = {"squash": _resize, "resize-crop": _resize_crop, "crop": _centre_crop}[self.recipe.scene_fit]
        pixels = fit(picture.pixels, self.side)
        if picture.mask is not None:
            known = np.repeat(picture.mask.astype(np.uint8)[..., None] * 255, 3, axis=2)
            return Crop(pixels, fit(known, self.side)[..., 0] > 127)
        if self.recipe.foreground == "tokens":
            if self.tokens is None:
                raise DataError('the recipe finds the foreground by "tokens", but the preparer was given none')
            return Crop(pixels, token_foreground(pixels, self.tokens))
        return Crop(pixels, saliency(pixels))

    def views(self, crop: Crop) -> Views:
        """Return the regions and twins of a crop; d and the crop's pixels seed draw d of the twin."""
        twins = [self._blend(crop, generator("twin", d, crop.pixels)) for d in range(self.twins)]
        stack = np.stack(twins) if twins else np.empty((0, *crop.pixels.shape), np.uint8)
        about = crop.box, crop.note, crop.domain
        return Views(crop.pixels, stack, self.patches(crop), crop.mask, *about, subject=self.recipe.domain)

    def forge(self, crop: Crop, number: int) -> Crop:
        """Return a self-blended fake of a real crop, other than its twins; source or target is perturbed, as in SBI."""
        pixels = self._blend(crop, generator("fake", number, crop.pixels), perturb="either")
        return replace(crop, pixels=pixels)

    def _blend(self, crop: Crop, rng: np.random.Generator, perturb: str = "") -> np.ndarray:
        recipe = replace(self.recipe.blend, perturb=perturb) if perturb else self.recipe.blend  # type: ignore[arg-type]
        return self_blend(crop.pixels, crop.mask, draw_blend(recipe, rng), recipe)[0]

    def patches(self, crop: Crop) -> np.ndarray:
        """Return the patch regions (K, N) bool of a crop, or random ones that its pixels seed."""
        if self.recipe.random_regions:
            rng = generator("regions", crop.pixels)
            return random_partition(self.grid[0] * self.grid[1], self.recipe.random_regions, rng)
        width, majority = self.recipe.boundary, self.recipe.majority
        return patch_regions(crop.mask, self.grid, width=width, majority=majority, names=self.regions)


def require_size(picture: Picture, least: int = ViewsRecipe().min_side) -> None:
    """Raise TooSmallError for a picture that has too few pixels.

    Args:
        picture: of any kind.
        least: pixels that its shorter side needs.

    Raises:
        TooSmallError: it has fewer.
    """
    height, width = picture.pixels.shape[:2]
    if min(height, width) < least:
        raise TooSmallError(f"the picture has {width} x {height} pixels; at least {least} on each side are needed")


Fit = Callable[[np.ndarray, int], np.ndarray]


def _resize(pixels: np.ndarray, side: int) -> np.ndarray:
    """Resize to (side, side): bicubic as the field's readers do; by areas below half the size, against aliasing."""
    height, width = pixels.shape[:2]
    if (height, width) == (side, side):
        return pixels
    method = cv2.INTER_AREA if min(height, width) > 2 * side else cv2.INTER_CUBIC
    return cv2.resize(pixels, (side, side), interpolation=method)


def _resize_mask(mask: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST).astype(bool)


def _resize_crop(pixels: np.ndarray, side: int) -> np.ndarray:
    """The largest centred square, resized."""
    height, width = pixels.shape[:2]
    edge = min(height, width)
    y, x = (height - edge) // 2, (width - edge) // 2
    return _resize(np.ascontiguousarray(pixels[y : y + edge, x : x + edge]), side)


def _centre_crop(pixels: np.ndarray, side: int) -> np.ndarray:
    """The centre (side, side) without resizing; smaller pictures get a black margin."""
    height, width = pixels.shape[:2]
    down, right = max(0, side - height), max(0, side - width)
    padded = np.pad(pixels, ((down // 2, down - down // 2), (right // 2, right - right // 2), (0, 0)))
    y, x = (round((n - side) / 2) for n in padded.shape[:2])  # halves to even, as torchvision's CenterCrop
    return np.ascontiguousarray(padded[y : y + side, x : x + side])
