"""The recipes that the paper compares, as named changes to one recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corit.backbones.stepped import Backbone
from corit.bench.protocols import Protocol
from corit.detect.named import entry
from corit.recipe import BackboneRecipe, Recipe


@dataclass(frozen=True)
class Variant:
    """A recipe by its changes to CoRIT's defaults; backbone and weights are the stage's where empty."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    backbone: str = ""
    weights: str = ""

    def recipe(self, backbone: Backbone, protocol: Protocol) -> Recipe:
        """The whole recipe, for a backbone and under a protocol."""
        base = Recipe(BackboneRecipe(backbone.name, backbone.digest))
        return base.replace(**dict(protocol.transform)).replace(**self.changes)


def of(detector: str) -> Variant:
    """The variant of a detector of the table. Raises DetectorError for a name that it has not."""
    return Variant(detector, entry(detector).changes)


UNIFD, PROBE, REGIONS_ONLY, CORIT, PROJECTED = map(of, ("unifd", "pooled", "regions", "corit", "unifd-768-trained"))
