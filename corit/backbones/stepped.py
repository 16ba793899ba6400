"""A frozen timm ViT that passes any token sequence block by block, so that region tokens can join it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from corit.backbones.rotary import patch_positions, region_positions
from corit.errors import BackboneError


class Backbone(nn.Module):
    """A frozen ViT; the sequence is [C; registers; V; T].

    Positions that are added to the embedded tokens leave region tokens T, which join later, without one. Rotary
    positions act in every block, where a region token is at the mean position of its region [choice]. A ViT without
    class token that pools its tokens by attention has no C in its sequence: `class_token` is the pooled token [choice].

    Attributes:
        name: the backbone's name.
        licence: of the weights.
        source: where the weights come from, as `load_backbone` takes it; empty when nobody says.
        depth: L, the number of blocks.
        width: D, of a token.
        side: S, of the square input in pixels.
        patch: side of a patch in pixels.
        grid: (h, w) patches; N = h w.
        patches: N.
        prefix: number of tokens before the patches: class token and registers.
        rotary: whether positions act in every block.
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
        self.patches: int = self.grid[0] * self.grid[1]
        self.rotary: bool = getattr(model, "rope", None) is not None
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
        tokens = m._pos_embed(m.patch_embed(images))  # with the rotary table, where the family has one
        return m.norm_pre(tokens[0] if isinstance(tokens, tuple) else m.patch_drop(tokens))

    def positions(self, regions: Tensor) -> Tensor | None:
        """Compute what `block` must know of the positions in [V; T].

        Args:
            regions: (B, K, N) bool, of the region tokens.

        Returns:
            (B, 1, N + K, 2 d) for rotary positions, the heads' width being d; None for a backbone without.
        """
        if not self.rotary:
            return None
        patches = patch_positions(self.model, self.grid)
        own = region_positions(self.model, self.grid, regions).to(patches)
        return torch.cat([patches.expand(len(regions), -1, -1), own], 1)[:, None]

    def block(self, l: int, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Pass tokens through block l.

        Args:
            l: counted from 1.
            tokens: (B, M, D), for any number of tokens M.
            positions: as `positions` returns them; None for a sequence without region tokens.

        Raises:
            BackboneError: for region tokens without positions, where positions are rotary.
        """
        block: Any = self.model.blocks[l - 1]  # type: ignore[index]
        if not self.rotary:
            return block(tokens)
        table = patch_positions(self.model, self.grid) if positions is None else positions
        if tokens.shape[1] != self.prefix + table.shape[-2]:
            raise BackboneError(
                f"{self.name} has rotary positions: expected {self.prefix + table.shape[-2]} tokens, got "
                f"{tokens.shape[1]}; pass `positions` of the region tokens"
            )
        return block(tokens, rope=table)

    def class_token(self, tokens: Tensor, norm: bool = True) -> Tensor:
        """Read the class token (B, 1, D) of a sequence (B, M, D).

        Args:
            tokens: [C; registers; V; T], or [V; T] for a backbone without class token.
            norm: after the final norm; the pooled token of a backbone without class token always is.
        """
        m: Any = self.model
        if m.cls_token is None:
            return m.attn_pool(self.norm(tokens[:, self.prefix : self.prefix + self.patches]))[:, None]
        return self.norm(tokens[:, :1]) if norm else tokens[:, :1]

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
    """Check that a model is a ViT with a class or pooled token and a final norm, whose blocks take any token sequence.

    Raises:
        BackboneError: when it is not.
    """
    from timm.layers import AttentionPoolLatent, RotaryEmbeddingCat, RotaryEmbeddingDinoV3
    from timm.models.eva import Eva
    from timm.models.vision_transformer import VisionTransformer

    advice = "use a ViT such as clip-vit-l14, dinov2-vit-b14 or timm:vit_base_patch16_dinov3"
    if not isinstance(model, (VisionTransformer, Eva)):
        raise BackboneError(f"expected a timm VisionTransformer, got {type(model).__name__} for {name}; {advice}")
    rope = getattr(model, "rope", None)
    if rope is not None and not isinstance(rope, (RotaryEmbeddingCat, RotaryEmbeddingDinoV3)):
        raise BackboneError(
            f"{name} has rotary positions of the kind {type(rope).__name__}, for which no rule says which position a "
            f"region token has; {advice}"
        )
    pooled = isinstance(getattr(model, "attn_pool", None), AttentionPoolLatent)
    if model.cls_token is None and not pooled:
        raise BackboneError(f"{name} has no class token nor one pooled by attention; {advice}")
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
