"""Prepared views become features: batches, precision and device around the forward passes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from corit.backbones.device import device_of
from corit.backbones.stepped import Backbone
from corit.errors import RecipeError
from corit.images.faces import FaceFinder, find_faces
from corit.model import corit, unifd
from corit.model.corit import Readout
from corit.recipe import Recipe
from corit.views.prepare import Preparer, Views

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Encoder:
    """The frozen part of a detector: it computes a recipe's features of prepared views on a device.

    float32 is the reference; bfloat16 and float16 run under autocast, with the masks still decided in float32.

    Args:
        backbone: the frozen ViT, which moves to the device.
        recipe: of the features.
        device: such as cpu, cuda or cuda:1.

    Raises:
        RecipeError: when the recipe is for another backbone, or its middle layer is outside of it.
        DeviceError: when the device is not available.
    """

    def __init__(self, backbone: Backbone, recipe: Recipe, device: str = "cpu") -> None:
        named = recipe.backbone
        if named.name != backbone.name:
            raise RecipeError(f"the recipe is for {named.name}, the backbone is {backbone.name}; give the right one")
        corit.middle_layer(backbone.depth, recipe.model)
        self.recipe, self.device = recipe, device_of(device)
        self.backbone = backbone.to(self.device)

    @property
    def regions(self) -> int:
        """K, the number of regions."""
        return self.recipe.views.random_regions or len(self.recipe.model.regions)

    @property
    def needs_twin(self) -> bool:
        """Whether views must carry a self-blended twin."""
        return corit.needs_twin(self.recipe.model)

    @property
    def width(self) -> int:
        """Dz, the width of a feature."""
        kind = self.recipe.model.kind
        if kind == "unifd-768":
            return self.backbone.project(torch.zeros(1, self.backbone.width, device=self.device)).shape[-1]
        if kind in ("unifd", "pooled", "both"):
            return self.backbone.width * (2 if kind == "both" else 1)
        return corit.width(self.recipe.model, self.backbone.width, self.regions)

    @property
    def level_shape(self) -> tuple[int, int, int]:
        """(L+1, tokens, D), the shape of one row's levels."""
        k = self.regions if self.recipe.model.kind == "corit" and self.recipe.model.rsi else 0
        return corit.last_layer(self.backbone.depth, self.recipe.model) + 1, 1 + k, self.backbone.width

    def __call__(
        self, views: Sequence[Views], *, keep_levels: bool = False, keep_masks: bool = False, keep_patches: bool = False
    ) -> Readout:
        """Compute the features of a batch of views, each with its first twin.

        Args:
            views: B prepared crops.
            keep_levels: whether to return the levels of all layers.
            keep_masks: whether to return CoRIT's masks.
            keep_patches: whether to return patch tokens.

        Raises:
            RecipeError: when a twin is missing.
        """
        images = self._input([v.image for v in views])
        precision = PRECISIONS[self.recipe.backbone.precision]
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, precision, enabled=precision is not None),
        ):
            kind = self.recipe.model.kind
            if kind != "corit":
                keep = {"keep_levels": keep_levels, "keep_patches": keep_patches}
                layer = corit.last_layer(self.backbone.depth, self.recipe.model)
                return unifd.forward(self.backbone, images, read=unifd.READS[kind], layer=layer, **keep)
            regions = torch.from_numpy(np.stack([v.regions for v in views])).to(self.device)
            keep = {"keep_levels": keep_levels, "keep_masks": keep_masks, "keep_patches": keep_patches}
            return corit.forward(self.backbone, images, self._twins(views), regions, self.recipe.model, **keep)

    def preparer(self, twins: int = 1, *, max_faces: int = 16, finder: FaceFinder = find_faces) -> Preparer:
        """Build the preparation of pictures that the recipe needs.

        Args:
            twins: self-blended twins of each crop; none where they cannot change the feature.
            max_faces: most faces of a picture.
            finder: detects faces.
        """
        return Preparer.of(
            self.recipe,
            side=self.backbone.side,
            grid=self.backbone.grid,
            twins=twins if self.needs_twin else 0,
            max_faces=max_faces,
            finder=finder,
            tokens=self.tokens if self.in_process else None,
        )

    @property
    def in_process(self) -> bool:
        """Whether the preparation of pictures needs this encoder's backbone, so that other processes cannot do it."""
        return self.recipe.views.domain == "scene" and self.recipe.views.foreground == "tokens"

    def tokens(self, pixels: np.ndarray) -> np.ndarray:
        """Compute the patch tokens (h, w, D) of one crop (S, S, 3) uint8 at the last layer, without region tokens."""
        with torch.inference_mode():
            patches = unifd.forward(self.backbone, self._input([pixels]), keep_patches=True).patches
        assert patches is not None
        return patches[0, -1].float().cpu().numpy().reshape(*self.backbone.grid, -1)

    def _twins(self, views: Sequence[Views]) -> Tensor | None:
        if not self.needs_twin:
            return None
        if any(len(v.twins) == 0 for v in views):
            raise RecipeError("this recipe needs a self-blended twin of each picture; prepare with twins >= 1")
        return self._input([v.twins[0] for v in views])

    def _input(self, images: list[np.ndarray]) -> Tensor:
        return self.backbone.normalise(np.stack(images))
