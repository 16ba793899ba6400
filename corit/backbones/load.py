"""A backbone by name and weights; torch and timm are imported only when one is built."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from corit.backbones.names import MINIATURE, TIMM_PREFIX, default_weights, random_seed, record_of
from corit.errors import WeightsError

if TYPE_CHECKING:
    from corit.backbones.stepped import Backbone


def load_backbone(name: str, weights: str = "") -> Backbone:
    """Build a frozen backbone.

    Args:
        name: a name of `corit.backbones.names.BACKBONES`, or "timm:<name>" for any timm ViT whose blocks, stepped one
            by one, equal its own forward pass.
        weights: "hub", "packaged" (the miniature's), "random:SEED" or the path of a file; empty for the name's default.

    Returns:
        The backbone, whose weights are frozen.

    Raises:
        BackboneError: for an unknown name, or a model of another family.
        WeightsError: when the weights cannot be fetched or read.
    """
    weights = weights or default_weights(name)
    if name == MINIATURE and weights == "hub":
        raise WeightsError('the miniature is not on the hub; use weights "packaged", "random:SEED" or a file')
    if name != MINIATURE and weights == "packaged":
        raise WeightsError(f'only the miniature\'s weights are packaged; for {name} use "hub", "random:SEED" or a file')
    record = record_of(name)
    from corit.backbones.build import build_miniature, build_timm
    from corit.backbones.stepped import check_stepping

    if name == MINIATURE:
        return build_miniature(weights)
    backbone = build_timm(record, weights)
    if name.startswith(TIMM_PREFIX):
        check_stepping(backbone)
    return backbone


def missing_weights(name: str, weights: str = "") -> str:
    """Say what must be downloaded before a backbone can be built on this machine.

    Args:
        name: as for `load_backbone`.
        weights: as for `load_backbone`.

    Returns:
        The missing weights in words; empty for none.

    Raises:
        BackboneError: for an unknown name.
        WeightsError: for a file that does not exist and a seed that is no integer.
    """
    record = record_of(name)
    weights = weights or default_weights(name)
    if weights == "hub":
        from corit.backbones.hub import is_cached

        return "" if is_cached(record.timm_name or name) else f"{name}'s weights"
    if weights.startswith("random:"):
        random_seed(weights)
    elif weights != "packaged" and not os.path.isfile(weights):
        raise WeightsError(f"expected a weights file of {name} at {weights}, but there is none; check the path")
    return ""
