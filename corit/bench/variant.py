"""Recipes to compare, as named changes to CoRIT's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corit.backbones.stepped import Backbone
from corit.bench.protocols import Protocol
from corit.detect.named import detector_entry
from corit.recipe import BackboneRecipe, Recipe


@dataclass(frozen=True)
class RecipeVariant:
    """A recipe by its changes to CoRIT's defaults.

    Attributes:
        name: its name, which is part of the name of the features' folder.
        changes: recipe fields, such as "model.tau", and their values.
        backbone: the backbone's name, "" for the run's own.
        weights: where the backbone's weights come from, "" for what the run says.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    backbone: str = ""
    weights: str = ""

    def recipe(self, backbone: Backbone, protocol: Protocol) -> Recipe:
        """Return the whole recipe, for a backbone and under a protocol."""
        base = Recipe(BackboneRecipe(backbone.name, backbone.digest))
        return base.replace(**dict(protocol.transform)).replace(**self.changes)


def variant_of(detector: str) -> RecipeVariant:
    """Return the variant of a detector that `corit.detect.named` lists.

    Raises:
        DetectorError: for an unknown name.
    """
    return RecipeVariant(detector, detector_entry(detector).changes)


UNIFD, CORIT = variant_of("unifd"), variant_of("corit")
PATCH_MEAN, REGIONS_ONLY = variant_of("pooled"), variant_of("regions")  # baselines
PROJECTED = variant_of("unifd-768-trained")  # UniFD on CLIP's projected feature
