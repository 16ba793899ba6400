"""A timm model with its weights becomes a Backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from corit.backbones.carriers import hub_error, random_seed
from corit.backbones.stepped import Backbone, check_family
from corit.backbones.weights import load_into, read_weights
from corit.errors import BackboneError


def create(
    name: str,
    timm_name: str,
    weights: str,
    *,
    side: int | None = None,
    projection: int = 0,
    licence: str = "",
) -> Backbone:
    """Build a timm model with weights from "hub", "random:SEED" or a local file.

    projection: width of CLIP's projection, 0 for none. Raises WeightsError when the weights cannot be had.
    """
    import timm

    if not timm.is_model(timm_name.split(".")[0]):
        raise BackboneError(f"timm {timm.__version__} knows no model {timm_name!r}; see timm.list_models('*vit*')")
    options: dict[str, Any] = {"num_classes": projection} | ({"img_size": side} if side else {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_seed(weights))
        try:
            model = timm.create_model(timm_name, pretrained=weights == "hub", **options)
        except (OSError, RuntimeError) as err:
            if weights != "hub":
                raise
            raise hub_error(name, timm_name, err) from err
        except TypeError as err:  # a family that does not take these options is no ViT of ours
            raise BackboneError(f"{name} cannot be built as a ViT of {side} px: {err}") from err
    config: Any = model.pretrained_cfg
    return wrap(model, name, weights, config["mean"], config["std"], licence or str(config.get("license") or ""))


def wrap(
    model: nn.Module, name: str, weights: str, mean: tuple[float, ...], std: tuple[float, ...], licence: str
) -> Backbone:
    """Load a local file into the model where `weights` names one, and split off its head as the projection."""
    check_family(model, name)
    head: Any = model.head
    has_projection = isinstance(head, nn.Linear)
    if weights != "hub" and not weights.startswith("random:"):
        has_projection = load_into(model, read_weights(Path(weights)), weights) and has_projection
    model.head = nn.Identity()  # type: ignore[assignment]
    return Backbone(
        model, name, mean=tuple(mean), std=tuple(std), licence=licence, projection=head if has_projection else None
    )
