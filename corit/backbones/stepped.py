"""A frozen timm ViT that passes any token sequence block by block, so that region tokens can join it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from corit.errors import BackboneError


class Backbone(nn.Module):
    """A frozen pre-norm ViT with class token; the sequence is [C; registers; V; T].

    Positions are added to the embedded tokens only, so that region tokens T, which join later, have none.

    Attributes:
        name: the backbone's name.
        licence: of the weights.
        source: where the weights come from, as `load_backbone` takes it; empty when nobody says.
        depth: L, the number of blocks.
        width: D, of a token.
        side: S, of the square input in pixels.
        patch: side of a patch in pixels.
        grid: (h, w) patches; N = h w.
        prefix: number of tokens before the patches: class token and registers.
        mean: (3) of the input in [0, 1].
        std: (3) of the input in [0, 1].

    Raises:
        BackboneError: for a model that cannot be stepped; see `check_family`.
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
        self.source = ""
        embed: Any = model.patch_embed
        self.depth: int = len(model.blocks)  # type: ignore[arg-type]
        self.width: int = model.embed_dim  # type: ignore[assignment]
        self.patch, self.side, self.grid = embed.patch_size[0], embed.img_size[0], tuple(embed.grid_size)
        self.prefix: int = model.num_prefix_tokens  # type: ignore[assignment]
        self.eval().requires_grad_(False)

    def normalise(self, images: np.ndarray | Tensor) -> Tensor:
        """Normalise images (B, S, S, 3) uint8 to (B, 3, S, S) in the backbone's floating type, device, mean and std."""
        weight = next(self.parameters())
        x = torch.as_tensor(images).to(weight.device).permute(0, 3, 1, 2).to(weight.dtype) / 255
        return (x - x.new_tensor(self.mean)[:, None, None]) / x.new_tensor(self.std)[:, None, None]

    def embed(self, images: Tensor) -> Tensor:
        """Embed images (B, 3, S, S) as the tokens of layer 0 (B, prefix + N, D), positions added, pre-norm applied.

        Raises:
            BackboneError: for images of another size.
        """
        if images.shape[1:] != (3, self.side, self.side):
            raise BackboneError(
                f"{self.name}: expected images (B, 3, {self.side}, {self.side}), got {tuple(images.shape)}"
            )
        m: Any = self.model
        return m.norm_pre(m.patch_drop(m._pos_embed(m.patch_embed(images))))

    def block(self, l: int, tokens: Tensor) -> Tensor:
        """Pass tokens (B, M, D) through block l, counted from 1, for any number of tokens M."""
        return self.model.blocks[l - 1](tokens)  # type: ignore[index,operator]

    def norm(self, tokens: Tensor) -> Tensor:
        """Apply the final norm to tokens (..., D)."""
        return self.model.norm(tokens)  # type: ignore[operator]

    def project(self, tokens: Tensor) -> Tensor:
        """Project final class tokens (B, D) to CLIP's embedding (B, P).

        Raises:
            BackboneError: when the weights have no projection.
        """
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

    @property
    def label(self) -> str:
        """The name of model and weights in figures: the backbone's, or more where the weights are not the original."""
        from corit.backbones.wheels import label_of

        return label_of(self.digest) or self.name


def check_family(model: nn.Module, name: str) -> None:
    """Check that a model is a ViT with class token and final norm whose blocks take any token sequence.

    Raises:
        BackboneError: when it is not.
    """
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


def check_stepping(backbone: Backbone, rtol: float = 1e-4) -> None:
    """Check that stepping without region tokens equals timm's own forward pass on a random image.

    Args:
        backbone: what to check.
        rtol: largest norm of the difference, relative to the norm of timm's tokens.

    Raises:
        BackboneError: when it does not.
    """
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
