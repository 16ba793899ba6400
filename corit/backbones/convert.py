"""Convert a weights file of any readable layout to safetensors under timm's names."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from corit.backbones.names import BACKBONES, record_of
from corit.backbones.stepped import Backbone
from corit.backbones.weights import fit_state, read_weights
from corit.errors import WeightsError
from corit.files import atomic_file


def timm_tensors(path: Path, name: str) -> dict[str, Tensor]:
    """Read a weights file as the tensors of a backbone, in float32 under timm's names, CLIP's projection with them.

    Args:
        path: a file of timm's, OpenAI's, Hugging Face's or the ONNX layout.
        name: of the backbone, as `load_backbone` takes it.

    Raises:
        WeightsError: when the file cannot be read, or does not fit the backbone.
    """
    return fit_state(_empty_model(name), read_weights(path), str(path))[0]


def convert(path: Path, out: Path, name: str = "") -> str:
    """Write a weights file as safetensors under timm's names.

    Args:
        path: a file of any readable layout.
        out: the file to write, whole or not at all.
        name: of the backbone; empty for the first of the table that the file fits.

    Returns:
        The name of the backbone.

    Raises:
        WeightsError: when the file cannot be read, or fits no backbone.
    """
    from safetensors.torch import save_file

    state = read_weights(path)
    problems = []
    for candidate in [name] if name else BACKBONES:
        try:
            tensors, _ = fit_state(_empty_model(candidate), state, str(path))
        except WeightsError as err:
            problems.append(str(err))
            continue
        with atomic_file(out) as staged:
            save_file({key: value.contiguous() for key, value in tensors.items()}, staged)
        return candidate
    if name:
        raise WeightsError(problems[0])
    raise WeightsError(f"{path} fits none of {', '.join(BACKBONES)}; name its backbone with --backbone timm:NAME")


def skeleton(name: str) -> Backbone:
    """A backbone without memory for its weights. Raises BackboneError for a name that there is not."""
    from corit.backbones.load import build_from

    with torch.device("meta"):
        return build_from(record_of(name), "random:0")


def _empty_model(name: str) -> nn.Module:
    """The timm model of a backbone without memory for its weights, its projection as the head."""
    backbone = skeleton(name)
    if backbone.projection is not None:
        backbone.model.head = backbone.projection
    return backbone.model
