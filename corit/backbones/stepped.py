"""A frozen timm ViT, stepped block by block with region tokens: embed, block(l), norm, grid. The only door to timm."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from corit.errors import BackboneError, DeviceError, WeightsError


def device_of(name: str) -> torch.device:
    """The processor of a name, such as cpu, cuda or cuda:1. Raises DeviceError where it is not to be had."""
    try:
        found = torch.device(name)
        torch.zeros(1, device=found).item()  # what torch says it has, a driver may still lack
    except (RuntimeError, AssertionError, NotImplementedError) as err:
        told = str(err).partition("\n")[0]
        raise DeviceError(f"expected a device that is here, as cpu or cuda, got {name!r} ({told}); use cpu") from err
    return found


class Backbone(nn.Module):
    """A frozen pre-norm ViT with class token, L blocks and width D; the sequence is [C; registers; V; T].

    name, licence: texts. depth L, width D, side S in pixels, patch in pixels, grid (h, w), prefix (class token and
    registers), mean and std (3) of the input in [0, 1]. Attention has no position of its own, so region tokens T carry
    none. Raises BackboneError for a model that cannot be stepped.
    """

    def __init__(
        self,
        model: nn.Module,
        name: str,
        *,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        licence: str = "",
        projection: nn.Module | None = None,
    ) -> None:
        super().__init__()
        check_family(model, name)
        self.model, self.projection = model, projection
        self.name, self.licence, self.mean, self.std = name, licence, mean, std
        embed: Any = model.patch_embed
        self.depth: int = len(model.blocks)  # type: ignore[arg-type]
        self.width: int = model.embed_dim  # type: ignore[assignment]
        self.patch, self.side, self.grid = embed.patch_size[0], embed.img_size[0], tuple(embed.grid_size)
        self.prefix: int = model.num_prefix_tokens  # type: ignore[assignment]
        self.eval().requires_grad_(False)

    def normalise(self, images: np.ndarray | Tensor) -> Tensor:
        """(B, S, S, 3) uint8 -> (B, 3, S, S) in the backbone's floating type, with its mean and std."""
        weight = next(self.parameters())
        x = torch.as_tensor(images).to(weight.device).permute(0, 3, 1, 2).to(weight.dtype) / 255
        return (x - x.new_tensor(self.mean)[:, None, None]) / x.new_tensor(self.std)[:, None, None]

    def embed(self, images: Tensor) -> Tensor:
        """Layer 0: (B, 3, S, S) -> (B, prefix + N, D), position added and pre-norm applied."""
        if images.shape[1:] != (3, self.side, self.side):
            raise BackboneError(
                f"{self.name}: expected images (B, 3, {self.side}, {self.side}), got {tuple(images.shape)}"
            )
        m: Any = self.model
        return m.norm_pre(m.patch_drop(m._pos_embed(m.patch_embed(images))))

    def block(self, l: int, tokens: Tensor) -> Tensor:
        """Block l, counted from 1: (B, M, D) -> (B, M, D) for any number of tokens M."""
        return self.model.blocks[l - 1](tokens)  # type: ignore[index,operator]

    def norm(self, tokens: Tensor) -> Tensor:
        """The final norm, (..., D) -> (..., D)."""
        return self.model.norm(tokens)  # type: ignore[operator]

    def project(self, tokens: Tensor) -> Tensor:
        """CLIP's projection of final class tokens, (B, D) -> (B, P). Raises BackboneError where there is none."""
        if self.projection is None:
            raise BackboneError(
                f"{self.name} has no projection; unifd-768 needs CLIP weights with one (a CLIPModel, not a bare "
                "CLIPVisionModel)"
            )
        return self.projection(tokens)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the names, shapes and float32 bytes of all tensors but the projection."""
        h = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            value = tensor.detach().to("cpu", torch.float32).contiguous()
            h.update(f"{name}{tuple(value.shape)}".encode())
            h.update(memoryview(value.numpy()).cast("B"))  # type: ignore[arg-type]
        return h.hexdigest()


def check_family(model: nn.Module, name: str) -> None:
    """Raise BackboneError unless the model is a ViT whose blocks take any token sequence and that has a class token."""
    from timm.models.vision_transformer import VisionTransformer

    advice = "use a ViT with class token and absolute positions, e.g. clip-vit-l14 or dinov2-vit-b14"
    if getattr(model, "rope", None) is not None:
        raise BackboneError(
            f"{name} has rotary positions, and no rule says which position a region token has; {advice}"
        )
    if not isinstance(model, VisionTransformer):
        raise BackboneError(f"expected a timm VisionTransformer, got {type(model).__name__} for {name}; {advice}")
    if model.cls_token is None:
        raise BackboneError(f"{name} has no class token, which CoRIT's features start from; {advice}")
    if isinstance(model.norm, nn.Identity):
        raise BackboneError(f"{name} has no final norm over tokens (it norms after pooling); {advice}")


def contract(backbone: Backbone, rtol: float = 1e-4) -> None:
    """Raise BackboneError unless stepping without region tokens equals timm's own forward pass on a test image."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, backbone.side, backbone.side, generator=generator).to(next(backbone.parameters()))
    with torch.inference_mode():
        tokens = backbone.embed(image)
        for l in range(1, backbone.depth + 1):
            tokens = backbone.block(l, tokens)
        ours, theirs = backbone.norm(tokens), backbone.model.forward_features(image)  # type: ignore[operator]
    error = float((ours - theirs).norm() / theirs.norm())
    if not error <= rtol:
        raise BackboneError(
            f"{backbone.name}: stepping the blocks differs from timm's forward pass by {error:.2g} of its norm; "
            "this model does more than its blocks say and cannot be used"
        )


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
            raise _hub_error(name, timm_name, err) from err
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


def random_seed(weights: str) -> int:
    """The seed of "random:SEED", 0 for any other source of weights."""
    if not weights.startswith("random:"):
        return 0
    try:
        return int(weights.removeprefix("random:"))
    except ValueError:
        raise WeightsError(f'expected "random:SEED" with an integer, got {weights!r}') from None


def _hub_error(name: str, timm_name: str, err: Exception) -> WeightsError:
    import timm

    config = timm.get_pretrained_cfg(timm_name)
    repo = getattr(config, "hf_hub_id", None) or timm_name
    return WeightsError(
        f"expected to fetch {name} from the Hugging Face hub ({repo}), but: {type(err).__name__}: "
        f"{str(err).splitlines()[0][:200]}. Download model.safetensors of that repository elsewhere and pass its path "
        "as --weights, or use --weights random:0 for a rehearsal"
    )


WEIGHT_FILES = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin")


def fetched(timm_name: str) -> bool:
    """Whether the hub's weights of a timm model lie in the hub's cache on this machine; nothing is asked of the hub."""
    import timm
    from huggingface_hub import try_to_load_from_cache

    repo = getattr(timm.get_pretrained_cfg(timm_name), "hf_hub_id", None)
    return repo is not None and any(isinstance(try_to_load_from_cache(repo, f), str) for f in WEIGHT_FILES)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name of a .safetensors, .bin, .pt or .pth file; nothing is unpickled but tensors.

    Raises WeightsError when the file is absent, damaged, or holds anything else.
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
    """Load weights of timm's, OpenAI's or Hugging Face's layout; True when a CLIP projection came with them.

    Raises WeightsError listing what is missing, unexpected or of another shape.
    """
    from timm.models.vision_transformer import checkpoint_filter_fn

    state = {k: v.float() for k, v in to_timm(state).items()}
    mapped = {k: v for k, v in checkpoint_filter_fn(state, model).items() if not k.startswith("fc_norm.")}  # type: ignore[arg-type]
    own = model.state_dict()
    head_shape = own["head.weight"].shape if "head.weight" in own else None
    projection = head_shape is not None and getattr(mapped.get("head.weight"), "shape", None) == head_shape
    if not projection:  # a classifier's head, or none: not a projection
        mapped = {k: v for k, v in mapped.items() if not k.startswith("head.")}
    elif "head.bias" in own:
        mapped.setdefault("head.bias", torch.zeros(head_shape[0]))  # type: ignore[index]
    wanted = {k for k in own if not k.startswith("head.")} | {k for k in mapped if k.startswith("head.")}
    missing, unexpected = sorted(wanted - set(mapped)), sorted(set(mapped) - set(own))
    shapes = [k for k in mapped if k in own and mapped[k].shape != own[k].shape]
    if missing or unexpected or shapes:
        trouble = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
        listing = "; ".join(f"{what}: {', '.join(names[:5])}" for what, names in trouble.items() if names)
        raise WeightsError(f"{source} does not fit {type(model).__name__}: {listing}. Is it another model's?")
    model.load_state_dict(mapped, strict=False)
    return projection


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
    """Recognise the layout by its keys: Hugging Face's CLIP is renamed; OpenAI's vision tower gets timm's prefix."""
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
        if ".self_attn." in key:  # q, k and v stand apart there and stacked here
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
