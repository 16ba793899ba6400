"""The table of backbones by name, and the texts that name their weights.

A new ViT of timm's needs one record here; `corit.backbones.load` builds it.
"""

from __future__ import annotations

from dataclasses import dataclass

from corit.errors import BackboneError, WeightsError

MINIATURE = "miniature"  # the small ViT of corit.world, whose weights are packaged
TIMM_PREFIX = "timm:"  # before the name of any timm ViT that is not in the table
WITHOUT_FILE = ("auto", "hub", "carrier")  # weights that are downloaded where this machine has none


@dataclass(frozen=True)
class BackboneRecord:
    """What is needed to build a backbone.

    Attributes:
        name: the name that recipes and commands use.
        timm_name: timm's name with its tag of pretrained weights; empty for the miniature.
        licence: of the weights; empty for the one that timm states.
        side: input side in pixels; None for the model's own.
        projection: width of CLIP's projection of the class token; 0 for a backbone without one.
    """

    name: str
    timm_name: str
    licence: str = ""
    side: int | None = None
    projection: int = 0


# OpenAI published CLIP's weights with its MIT-licensed code; the others are as their cards on the hub say.
_RECORDS = (
    BackboneRecord("clip-vit-l14", "vit_large_patch14_clip_quickgelu_224.openai", "MIT", projection=768),
    BackboneRecord("clip-vit-b16", "vit_base_patch16_clip_quickgelu_224.openai", "MIT", projection=512),
    BackboneRecord("vit-l16-imagenet", "vit_large_patch16_224.augreg_in21k_ft_in1k", "Apache-2.0"),
    BackboneRecord("vit-b16-imagenet", "vit_base_patch16_224.augreg_in21k_ft_in1k", "Apache-2.0"),
    BackboneRecord("dinov2-vit-b14", "vit_base_patch14_dinov2.lvd142m", "Apache-2.0", side=224),
    BackboneRecord("dinov2-vit-b14-reg", "vit_base_patch14_reg4_dinov2.lvd142m", "Apache-2.0", side=224),
    BackboneRecord(MINIATURE, ""),
)
BACKBONES: dict[str, BackboneRecord] = {record.name: record for record in _RECORDS}


def record_of(name: str) -> BackboneRecord:
    """Look up a backbone.

    Args:
        name: a name of the table, or "timm:NAME" or "timm:NAME@SIDE" for any other timm ViT.

    Raises:
        BackboneError: for a name that is neither, or a side that is no number of pixels.
    """
    if name.startswith(TIMM_PREFIX):
        timm_name, at, side = name.removeprefix(TIMM_PREFIX).partition("@")
        if at and not (side.isascii() and side.isdigit() and int(side)):
            raise BackboneError(f"expected timm:NAME@SIDE with the side of the input in pixels, got {name!r}")
        return BackboneRecord(name, timm_name, side=int(side) if at else None)
    if name not in BACKBONES:
        raise BackboneError(f"no backbone {name!r}; there are {', '.join(BACKBONES)}, timm:NAME and timm:NAME@SIDE")
    return BACKBONES[name]


def default_weights(name: str) -> str:
    """Name the default weights of a backbone: "packaged" for the miniature, else "auto"."""
    return "packaged" if name == MINIATURE else "auto"


def random_seed(weights: str) -> int:
    """Read the seed of "random:SEED"; 0 for any other weights.

    Raises:
        WeightsError: when the seed is no integer.
    """
    if not weights.startswith("random:"):
        return 0
    try:
        return int(weights.removeprefix("random:"))
    except ValueError:
        raise WeightsError(f'expected "random:SEED" with an integer, got {weights!r}') from None
