"""A timm model with its weights becomes a `Backbone`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from corit.backbones.hub import download_error
from corit.backbones.names import MINIATURE, BackboneRecord, random_seed
from corit.backbones.stepped import Backbone, check_family
from corit.backbones.weights import load_into, read_weights
from corit.errors import BackboneError


def build_timm(record: BackboneRecord, weights: str) -> Backbone:
    """Build a timm ViT.

    Args:
        record: what to build.
        weights: "hub", "random:SEED" or the path of a file.

    Raises:
        BackboneError: when timm has no such model, or it is no ViT that can be stepped.
        WeightsError: when the weights cannot be fetched or read.
    """
    import timm

    require_timm_model(record)
    options: dict[str, Any] = {"num_classes": record.projection} | ({"img_size": record.side} if record.side else {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_seed(weights))
        try:
            model = timm.create_model(record.timm_name, pretrained=weights == "hub", **options)
        except (OSError, RuntimeError) as err:
            if weights != "hub":
                raise
            raise download_error(record.name, record.timm_name, err) from err
        except TypeError as err:  # the constructor of another family does not take these options
            raise BackboneError(f"{record.name} cannot be built as a ViT of {record.side} px: {err}") from err
    _require_whole_patches(model, record.name)
    config: Any = model.pretrained_cfg
    licence = record.licence or str(config.get("license") or "")
    return wrap(model, record.name, weights, config["mean"], config["std"], licence)


def require_timm_model(record: BackboneRecord) -> None:
    """Check that timm knows the model of a record.

    Raises:
        BackboneError: when it does not.
    """
    import timm

    if not timm.is_model(record.timm_name.split(".")[0]):
        raise BackboneError(
            f"timm {timm.__version__} knows no model {record.timm_name!r}; see timm.list_models('*vit*')"
        )


def _require_whole_patches(model: nn.Module, name: str) -> None:
    embed: Any = getattr(model, "patch_embed", None)
    size, patch = getattr(embed, "img_size", None), getattr(embed, "patch_size", None)
    if size and patch and (size[0] % patch[0] or size[1] % patch[1]):
        raise BackboneError(f"{name} has patches of {patch[0]} px, which do not fill a side of {size[0]} px")


def build_miniature(weights: str) -> Backbone:
    """Build the miniature ViT with "packaged" weights, "random:SEED" or those of a file.

    Raises:
        WeightsError: when the weights cannot be read.
    """
    from corit.world import encoder

    model = encoder.build(random_seed(weights))
    source = str(encoder.weights_path()) if weights == "packaged" else weights
    return wrap(model, MINIATURE, source, encoder.MEAN, encoder.STD, encoder.LICENCE)


def wrap(
    model: nn.Module, name: str, weights: str, mean: tuple[float, ...], std: tuple[float, ...], licence: str
) -> Backbone:
    """Load a weights file into a model and split off its head as CLIP's projection.

    Args:
        model: a timm VisionTransformer.
        name: the backbone's name.
        weights: the path of a file; "hub" and "random:SEED" leave the model's weights as they are.
        mean: (3) of the input in [0, 1].
        std: (3) of the input in [0, 1].
        licence: of the weights.

    Raises:
        BackboneError: for a model that cannot be stepped.
        WeightsError: when the file cannot be read or does not fit.
    """
    check_family(model, name)
    head: Any = model.head
    has_projection = isinstance(head, nn.Linear)
    if weights != "hub" and not weights.startswith("random:"):
        has_projection = load_into(model, read_weights(Path(weights)), weights) and has_projection
    model.head = nn.Identity()  # type: ignore[assignment]
    return Backbone(
        model, name, mean=tuple(mean), std=tuple(std), licence=licence, projection=head if has_projection else None
    )
