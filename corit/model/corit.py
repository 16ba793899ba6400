"""CoRIT, the paper's Section IV: an image and its twin in lockstep through a frozen ViT, equations (17)-(25).

Shapes: V, V~, g (B, N, D); R and m (B, K, N); T, r, a (B, K, D); C (B, D).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from corit.backbones.stepped import Backbone
from corit.errors import RecipeError
from corit.recipe import ModelRecipe


@dataclass(frozen=True)
class Readout:
    """The results of one forward pass; None for what was not kept.

    Attributes:
        z: (B, Dz) the feature.
        levels: (B, L+1, 1+K, D) every F_l after the final norm, from layer 0 on.
        masks: (B, L, K, N) bool, m after each block.
        patches: (B, 2, N, D) V at l_m and at L, after the final norm.
    """

    z: Tensor
    levels: Tensor | None = None
    masks: Tensor | None = None
    patches: Tensor | None = None


def proxy(v: Tensor, twin: Tensor) -> Tensor:
    """Compute the contrastive gradient proxy (17), (18): g_i = V~_i - V_i stands for the gradient by patch i.

    A difference within rounding of V_i is set to zero: image and twin have different places in one batch, where a
    matrix product may round differently, and an anchor must not come from that.

    Args:
        v: (B, N, D) patch tokens of the images.
        twin: (B, N, D) patch tokens of their twins.

    Returns:
        g (B, N, D) in float32, or in float64 where V is.
    """
    v, twin = (v, twin) if v.dtype == torch.float64 else (v.float(), twin.float())
    g = twin - v
    rounding = 64 * torch.finfo(v.dtype).eps * v.norm(dim=-1, keepdim=True)
    return torch.where(g.norm(dim=-1, keepdim=True) > rounding, g, 0.0)


def anchor(g: Tensor, regions: Tensor) -> Tensor:
    """Compute region anchors (19): a_k, the normalised mean of g over R_k.

    Args:
        g: (B, N, D) proxy.
        regions: (B, K, N) bool.

    Returns:
        a (B, K, D); zero where R_k is empty or its mean vanishes.
    """
    r = regions.to(g.dtype)
    mean = (r @ g) / r.sum(-1, keepdim=True).clamp_min(1)
    norm = mean.norm(dim=-1, keepdim=True)
    return torch.where(norm > 0, mean / norm.clamp_min(torch.finfo(g.dtype).tiny), 0.0)


def refinement_mask(g: Tensor, regions: Tensor, tau: float, threshold: str) -> Tensor:
    """Compute refinement masks (20): m_ki = 1[s_i > threshold] 1[i in R_k] with s_i = <g_i, a_k>.

    Args:
        g: (B, N, D) proxy, in float32 or float64, in which the mask is decided.
        regions: (B, K, N) bool.
        tau: coherence coefficient.
        threshold: "relative" is tau times the mean of s over R_k [choice], "absolute" is tau, "cosine" divides s_i by
            norm(g_i) and compares with tau.

    Returns:
        m (B, K, N) bool; empty where the anchor is zero.
    """
    a = anchor(g, regions)
    s = a @ g.mT
    if threshold == "cosine":
        s = s / g.norm(dim=-1)[:, None].clamp_min(torch.finfo(g.dtype).tiny)
    bar = torch.full_like(s[..., :1], tau)
    if threshold == "relative":
        r = regions.to(g.dtype)
        bar = tau * (s * r).sum(-1, keepdim=True) / r.sum(-1, keepdim=True).clamp_min(1)
    return (s > bar) & regions & (a != 0).any(-1, keepdim=True)


def pool(v: Tensor, mask: Tensor, pooling: str, eps: float) -> Tensor:
    """Pool patch tokens by region (21): r_k = sum_i m_ki V_i / (sum_i m_ki + eps).

    Args:
        v: (B, N, D) patch tokens.
        mask: (B, K, N) bool.
        pooling: "average", or "max" for the maximum over the mask.
        eps: of the average.

    Returns:
        r (B, K, D); zero where the mask is empty.
    """
    if pooling == "average":
        m = mask.to(v.dtype)
        return (m @ v) / (m.sum(-1, keepdim=True) + eps)
    rows = [v.masked_fill(~mask[:, k, :, None], -torch.inf).amax(1) for k in range(mask.shape[1])]
    return torch.where(mask.any(-1, keepdim=True), torch.stack(rows, 1), 0.0)


def integrate(middle: Tensor, last: Tensor, hri: bool) -> Tensor:
    """Compute (24): z = concat(F_lm, F_L) of levels [C; T_1..T_K] (B, 1+K, D); without integration (hri), z = F_L."""
    return torch.cat([middle, last], dim=1).flatten(1) if hri else last.flatten(1)


def cross_attention(middle: Tensor, last: Tensor) -> Tensor:
    """Compute (25), z (B, (1+K) D): F_L queries, F_lm is keys and values; one head without parameters [choice]."""
    weights: Tensor = (last @ middle.mT / last.shape[-1] ** 0.5).softmax(-1)
    return (weights @ middle).flatten(1)


def last_layer(depth: int, recipe: ModelRecipe) -> int:
    """Return L, the last block that runs: the recipe's, or that of a backbone with `depth` blocks.

    Raises:
        RecipeError: for a layer outside of the backbone.
    """
    if recipe.layer > depth:
        raise RecipeError(f"recipe field model.layer: expected a block from 1 to {depth}, got {recipe.layer}")
    return recipe.layer or depth


def middle_layer(depth: int, recipe: ModelRecipe) -> int:
    """Return l_m, the recipe's middle layer, or 0.75 L.

    Raises:
        RecipeError: for a layer outside of the backbone, or behind L.
    """
    last = last_layer(depth, recipe)
    middle = recipe.middle or round(0.75 * last)
    if middle > last:
        raise RecipeError(f"recipe field model.middle: expected a block from 1 to {last}, got {middle}")
    return middle


def width(recipe: ModelRecipe, backbone_width: int, regions: int) -> int:
    """Compute Dz, the width of z, for K regions."""
    tokens = 1 + (regions if recipe.rsi else 0)
    levels = 2 if recipe.hri and recipe.fusion == "concat" else 1
    return levels * tokens * backbone_width


def class_columns(recipe: ModelRecipe, backbone_width: int, feature_width: int) -> np.ndarray:
    """Return which numbers of a feature are class tokens: of CoRIT's z those of its levels, of other features all."""
    levels = 2 if recipe.hri and recipe.fusion == "concat" else 1
    if recipe.kind != "corit":
        return np.arange(feature_width)
    return np.arange(feature_width).reshape(levels, -1)[:, :backbone_width].ravel()


def needs_twin(recipe: ModelRecipe) -> bool:
    """Tell whether the self-blended twin can change the feature; where it cannot, it is not computed."""
    return recipe.kind == "corit" and recipe.rsi and recipe.rrm


def forward(
    backbone: Backbone,
    images: Tensor,
    twins: Tensor | None,
    regions: Tensor,
    recipe: ModelRecipe,
    *,
    keep_levels: bool = False,
    keep_masks: bool = False,
    keep_patches: bool = False,
) -> Readout:
    """Compute CoRIT's features, equations (17)-(25).

    Args:
        backbone: the frozen ViT.
        images: (B, 3, S, S), normalised.
        twins: (B, 3, S, S), normalised; None where the recipe needs none (see `needs_twin`).
        regions: (B, K, N) bool, the patches of each region.
        recipe: CoRIT's switches.
        keep_levels: whether to return every F_l.
        keep_masks: whether to return the masks.
        keep_patches: whether to return V at l_m and at L.

    Raises:
        RecipeError: when the recipe needs twins and there are none, or its middle layer is outside of the backbone.
    """
    lockstep = Lockstep(backbone, images, twins, regions, recipe)
    middle, depth = middle_layer(backbone.depth, recipe), last_layer(backbone.depth, recipe)
    levels, masks, kept, patches = [lockstep.level()] if keep_levels else [], [], {}, []
    for l in range(1, depth + 1):
        mask = lockstep.advance(l)
        if keep_masks:
            masks.append(mask)
        if keep_levels:
            levels.append(lockstep.level())
        if l in (middle, depth):
            # The final norm on the middle level as well is a [choice].
            kept[l] = lockstep.level(norm=recipe.middle_norm or l == depth)
            if keep_patches:
                patches.append(backbone.norm(lockstep.patches()))
    last = kept[depth]
    fused = recipe.fusion == "cross-attention"
    z = cross_attention(kept[middle], last) if fused else integrate(kept[middle], last, recipe.hri)
    if keep_patches and middle == depth:
        patches = patches * 2
    return Readout(
        z,
        torch.stack(levels, 1) if keep_levels else None,
        torch.stack(masks, 1) if keep_masks else None,
        torch.stack(patches, 1) if keep_patches else None,
    )


class Lockstep:
    """The sequences [C; V; T] of images and, below them in the same batch, of their twins, block by block.

    Args:
        backbone: the frozen ViT.
        images: (B, 3, S, S), normalised.
        twins: (B, 3, S, S), normalised; None where the recipe needs none (see `needs_twin`).
        regions: (B, K, N) bool, the patches of each region.
        recipe: CoRIT's switches.

    Raises:
        RecipeError: when the recipe needs twins and there are none.
    """

    def __init__(
        self, backbone: Backbone, images: Tensor, twins: Tensor | None, regions: Tensor, recipe: ModelRecipe
    ) -> None:
        self.backbone, self.recipe = backbone, recipe
        self.batch = len(images)
        self.regions = regions if recipe.rsi else regions[:, :0]
        self.paired = needs_twin(recipe)
        if self.paired and twins is None:
            raise RecipeError("this recipe refines its masks with a self-blended twin (rrm), but none was given")
        x = torch.cat([images, twins]) if self.paired and twins is not None else images
        self.patch_at = slice(backbone.prefix, backbone.prefix + regions.shape[-1])
        self.tokens = backbone.embed(x)
        self.positions = backbone.positions(self._both(self.regions)) if self._carries() else None
        self.region_tokens = self._start()
        self._blank_twin(self.region_tokens)
        if self._carries():
            self.tokens = torch.cat([self.tokens, self.region_tokens], 1)

    def _carries(self) -> bool:
        """Whether region tokens pass through the blocks."""
        return self.recipe.inject and self.regions.shape[1] > 0

    def _start(self) -> Tensor:
        """T at layer 0 [choice]: region averages of the embedded tokens, zeros, or copies of the class token."""
        rows, k = len(self.tokens), self.regions.shape[1]
        if self.recipe.start == "zeros":
            return self.tokens.new_zeros(rows, k, self.backbone.width)
        if self.recipe.start == "class":
            return self.backbone.class_token(self.tokens, norm=False).expand(-1, k, -1).clone()
        return pool(self.tokens[:, self.patch_at], self._both(self.regions), "average", self.recipe.eps)

    def _blank_twin(self, region_tokens: Tensor) -> None:
        """[choice] twin = "zeros": the twin's region tokens hold no signal."""
        if self.paired and self.recipe.twin == "zeros":
            region_tokens[self.batch :] = 0

    def _both(self, mask: Tensor) -> Tensor:
        return torch.cat([mask, mask]) if self.paired else mask

    def advance(
        self, l: int, *, mask: Tensor | None = None, change: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Pass block l, (22) and (23): [C, V, T'] = Block_l([C, V, T]); T = T' + r(l).

        Args:
            l: the block, from 1 to L, in order.
            mask: (B, K, N) bool to pool with; None for (20)'s.
            change: computes patch tokens (B, N, D) that replace the block's V; None to keep it. Only without twins.

        Returns:
            The mask m (B, K, N).
        """
        tokens = self.backbone.block(l, self.tokens, self.positions)
        if change is not None:
            v = change(tokens[:, self.patch_at])
            tokens = torch.cat([tokens[:, : self.patch_at.start], v, tokens[:, self.patch_at.stop :]], 1)
        v = tokens[:, self.patch_at]
        mask = self._mask(v) if mask is None else mask
        pooled = pool(v, self._both(mask), self.recipe.pooling, self.recipe.eps)
        if self._carries():
            k = pooled.shape[1]
            tokens[:, -k:] += pooled  # a block's output is a fresh tensor, so writing into it is safe
            self.region_tokens = tokens[:, -k:]
            self._blank_twin(self.region_tokens)
        else:
            self.region_tokens = pooled
        self.tokens = tokens
        return mask

    def _mask(self, v: Tensor) -> Tensor:
        """(20), or the whole region where refinement is off."""
        if not self.paired:
            return self.regions
        with torch.autocast(v.device.type, enabled=False):
            g = proxy(v[: self.batch], v[self.batch :])
            return refinement_mask(g, self.regions, self.recipe.tau, self.recipe.threshold)

    def level(self, norm: bool = True) -> Tensor:
        """Return F_l = [C; T_1..T_K] of the images (B, 1+K, D), after the final norm unless `norm` is False."""
        regions = self.region_tokens[: self.batch]
        regions = self.backbone.norm(regions) if norm else regions
        return torch.cat([self.backbone.class_token(self.tokens[: self.batch], norm), regions], 1)

    def patches(self) -> Tensor:
        """Return V of the images (B, N, D)."""
        return self.tokens[: self.batch, self.patch_at]
