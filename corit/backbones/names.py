"""Backbones by name: a table of constructors; nothing is built until a name is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from corit.errors import BackboneError, WeightsError

if TYPE_CHECKING:
    from corit.backbones.stepped import Backbone


def _timm(name: str, timm_name: str, licence: str, side: int | None = None, projection: int = 0):  # type: ignore[no-untyped-def]
    TIMM[name] = timm_name

    def build(weights: str) -> Backbone:
        from corit.backbones.build import create

        return create(name, timm_name, weights, side=side, projection=projection, licence=licence)

    return build


def _miniature(weights: str) -> Backbone:
    from corit.backbones.build import wrap
    from corit.backbones.carriers import random_seed
    from corit.world import encoder

    model = encoder.build(random_seed(weights))
    source = str(encoder.weights_path()) if weights == "packaged" else weights
    return wrap(model, "miniature", source, encoder.MEAN, encoder.STD, encoder.LICENCE)


TIMM: dict[str, str] = {}  # what timm calls a backbone

# OpenAI published CLIP's weights with its MIT-licensed code; the others are as their cards on the hub say.
BACKBONES: dict[str, Callable[[str], Backbone]] = {
    "clip-vit-l14": _timm("clip-vit-l14", "vit_large_patch14_clip_quickgelu_224.openai", "MIT", projection=768),
    "clip-vit-b16": _timm("clip-vit-b16", "vit_base_patch16_clip_quickgelu_224.openai", "MIT", projection=512),
    "vit-l16-imagenet": _timm("vit-l16-imagenet", "vit_large_patch16_224.augreg_in21k_ft_in1k", "Apache-2.0"),
    "vit-b16-imagenet": _timm("vit-b16-imagenet", "vit_base_patch16_224.augreg_in21k_ft_in1k", "Apache-2.0"),
    "dinov2-vit-b14": _timm("dinov2-vit-b14", "vit_base_patch14_dinov2.lvd142m", "Apache-2.0", side=224),
    "dinov2-vit-b14-reg": _timm("dinov2-vit-b14-reg", "vit_base_patch14_reg4_dinov2.lvd142m", "Apache-2.0", side=224),
    "miniature": _miniature,
}


def default_weights(name: str) -> str:
    """Where a backbone's weights come from when nothing is said."""
    return "packaged" if name == "miniature" else "hub"


def load_backbone(name: str, weights: str = "") -> Backbone:
    """A frozen backbone by name, or "timm:<name>" for any timm ViT that passes the contract.

    weights: "hub", "packaged" (the miniature's), "random:SEED" or a local file; empty for the name's default. Raises
    BackboneError for an unknown name or family, WeightsError when the weights cannot be had.
    """
    weights = weights or default_weights(name)
    if name == "miniature" and weights == "hub":
        raise WeightsError('the miniature is not on the hub; use weights "packaged", "random:SEED" or a file')
    if name != "miniature" and weights == "packaged":
        raise WeightsError(f'only the miniature\'s weights are packaged; for {name} use "hub", "random:SEED" or a file')
    if name.startswith("timm:"):
        from corit.backbones.stepped import contract

        found = _timm(name, name.removeprefix("timm:"), "")(weights)
        contract(found)
        return found
    require_backbone(name)
    return BACKBONES[name](weights)


def require_backbone(name: str) -> None:
    """Raise BackboneError for a name that is neither in the table nor one of timm's."""
    if name not in BACKBONES and not name.startswith("timm:"):
        raise BackboneError(f"no backbone {name!r}; there are {', '.join(BACKBONES)} and timm:<name>")


def lacking(name: str, weights: str = "") -> str:
    """What has to be fetched before a backbone can be built here, in words; empty for nothing.

    weights: as for `backbone`. Raises BackboneError for a name that there is not, WeightsError for a file that is not
    there and for a seed that is no number.
    """
    require_backbone(name)
    weights = weights or default_weights(name)
    if weights == "hub":
        from corit.backbones.carriers import fetched

        return "" if fetched(TIMM.get(name, name.removeprefix("timm:"))) else f"{name}'s weights"
    if weights.startswith("random:"):
        from corit.backbones.carriers import random_seed

        random_seed(weights)
    elif weights != "packaged" and not os.path.isfile(weights):
        raise WeightsError(f"expected a weights file of {name} at {weights}, but there is none; check the path")
    return ""
