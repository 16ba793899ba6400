"""Weight files: read without running their code, and mapped from OpenAI's or Hugging Face's layout to timm's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from corit.errors import WeightsError


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a weights file, without unpickling anything but tensors.

    Args:
        path: a .safetensors, .onnx, .bin, .pt or .pth file.

    Returns:
        Name -> tensor, as the file has them.

    Raises:
        WeightsError: when the file is absent, damaged, or holds anything else.
    """
    if not path.is_file():
        raise WeightsError(f"expected a weights file at {path}, but there is none; check the path")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (OSError, SafetensorError) as err:
            raise WeightsError(f"{path} is not a whole safetensors file: {err}; download it again") from err
    if path.suffix == ".onnx":
        from corit.backbones.onnx_layout import read_onnx

        return read_onnx(path)
    import pickle

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as err:
        raise WeightsError(
            f"{path} does not load as plain tensors ({str(err).splitlines()[0][:160]}). TorchScript archives and "
            "pickled objects are not opened, since that would run their code; convert the file to safetensors"
        ) from err
    for key in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise WeightsError(f"expected a table of tensors in {path}, got {type(loaded).__name__}")
    return dict(loaded)


def load_into(model: nn.Module, state: dict[str, Tensor], source: str) -> bool:
    """Load weights of timm's, OpenAI's or Hugging Face's layout into a model.

    Args:
        model: a timm VisionTransformer.
        state: name -> tensor.
        source: where the weights come from, for error messages.

    Returns:
        Whether the weights include CLIP's projection.

    Raises:
        WeightsError: when tensors are missing, unexpected or of another shape; it lists them.
    """
    mapped, projection = fit_state(model, state, source)
    model.load_state_dict(mapped, strict=False)
    return projection


def fit_state(model: nn.Module, state: dict[str, Tensor], source: str) -> tuple[dict[str, Tensor], bool]:
    """Map weights of timm's, OpenAI's or Hugging Face's layout to a model's names; the model stays as it is.

    Args:
        model: a timm VisionTransformer, also on the meta device.
        state: name -> tensor.
        source: where the weights come from, for error messages.

    Returns:
        Name -> tensor, float32, and whether they include CLIP's projection.

    Raises:
        WeightsError: when tensors are missing, unexpected or of another shape; it lists them.
    """
    from timm.models import eva, vision_transformer

    family: Any = eva if isinstance(model, eva.Eva) else vision_transformer

    state = {k: v.float() for k, v in to_timm(state).items()}
    _require_patches(model, state, source)
    mapped = {k: v for k, v in family.checkpoint_filter_fn(state, model).items() if not k.startswith("fc_norm.")}  # type: ignore[arg-type]
    own = model.state_dict()
    head_shape = own["head.weight"].shape if "head.weight" in own else None
    projection = head_shape is not None and getattr(mapped.get("head.weight"), "shape", None) == head_shape
    if not projection:  # the file has a classifier's head, or none
        mapped = {k: v for k, v in mapped.items() if not k.startswith("head.")}
    elif "head.bias" in own:
        mapped.setdefault("head.bias", torch.zeros(head_shape[0]))  # type: ignore[index]
    required = {k for k in own if not k.startswith("head.")} | {k for k in mapped if k.startswith("head.")}
    missing, unexpected = sorted(required - set(mapped)), sorted(set(mapped) - set(own))
    shapes = [k for k in mapped if k in own and mapped[k].shape != own[k].shape]
    if missing or unexpected or shapes:
        problems = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
        listing = "; ".join(f"{problem}: {', '.join(names[:5])}" for problem, names in problems.items() if names)
        raise WeightsError(f"{source} does not fit {type(model).__name__}: {listing}. Is it another model's?")
    return mapped, projection


def _require_patches(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Raise WeightsError for patches of another size or width, which timm resamples without a word."""
    weight = next((v for k, v in state.items() if k.endswith(("patch_embed.proj.weight", "visual.conv1.weight"))), None)
    own: Any = model.patch_embed
    shape = tuple(own.proj.weight.shape)
    if weight is not None and weight.ndim == len(shape) and tuple(weight.shape) != shape:
        raise WeightsError(
            f"{source} does not fit {type(model).__name__}: patches of the shape {tuple(weight.shape)} instead of "
            f"{shape}. Is it another model's?"
        )


HF_NAMES = (
    ("vision_model.embeddings.class_embedding", "cls_token"),
    ("vision_model.embeddings.position_embedding.weight", "pos_embed"),
    ("vision_model.embeddings.patch_embedding.", "patch_embed.proj."),
    ("vision_model.pre_layrnorm.", "norm_pre."),
    ("vision_model.post_layernorm.", "norm."),
    ("vision_model.encoder.layers.", "blocks."),
    (".layer_norm1.", ".norm1."),
    (".layer_norm2.", ".norm2."),
    (".self_attn.out_proj.", ".attn.proj."),
    ("visual_projection.", "head."),
)


def to_timm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Map a state to names that timm reads: Hugging Face's CLIP is renamed; OpenAI's vision tower gets a prefix.

    The keys tell the layout; a state of timm's layout comes back unchanged.
    """
    if "conv1.weight" in state and "class_embedding" in state:
        return {f"visual.{k}": v for k, v in state.items()}
    embedding = next((k for k in state if k.endswith("embeddings.class_embedding")), None)
    if embedding is None:
        return state
    prefix = embedding.removesuffix("embeddings.class_embedding")
    parts = tuple(f"{prefix}{part}" for part in ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm."))
    vision = {f"vision_model.{k.removeprefix(prefix)}": v for k, v in state.items() if k.startswith(parts)}
    vision |= {k: v for k, v in state.items() if k.startswith("visual_projection.")}
    return _from_hugging_face(vision)


def _from_hugging_face(state: dict[str, Tensor]) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    qkv: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        if key.endswith("position_ids"):
            continue
        for theirs, ours in HF_NAMES:
            key = key.replace(theirs, ours)
        if ".self_attn." in key:  # Hugging Face has q, k and v apart, timm has them stacked
            block, _, rest = key.partition(".self_attn.")
            letter, _, kind = rest.partition("_proj.")
            qkv.setdefault(f"{block}.attn.qkv.{kind}", {})[letter] = value
        else:
            out[key] = value
    out |= {key: torch.cat([parts[x] for x in "qkv"]) for key, parts in qkv.items() if len(parts) == 3}
    out["cls_token"] = out["cls_token"].reshape(1, 1, -1)
    if "pos_embed" in out:
        out["pos_embed"] = out["pos_embed"][None]
    return out
