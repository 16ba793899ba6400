"""A pre-norm ViT block in NumPy float64, head by head and token by token."""

from __future__ import annotations

from math import erf

import numpy as np


def layer_norm(x, weight, bias, eps):
    out = np.empty_like(x)
    for i, row in enumerate(x):
        out[i] = (row - row.mean()) / np.sqrt(((row - row.mean()) ** 2).mean() + eps) * weight + bias
    return out


def gelu(t):
    return np.vectorize(lambda v: 0.5 * v * (1 + erf(v / 2**0.5)))(t)


def quick_gelu(t):
    return t / (1 + np.exp(-1.702 * t))


def attention(x, qkv_w, qkv_b, proj_w, proj_b, heads):
    tokens, width = x.shape
    q, k, v = ((x @ w.T + b) for w, b in zip(np.split(qkv_w, 3), np.split(qkv_b, 3), strict=True))
    out = np.zeros_like(x)
    size = width // heads
    for h in range(heads):
        at = slice(h * size, (h + 1) * size)
        for i in range(tokens):
            scores = np.array([q[i, at] @ k[j, at] for j in range(tokens)]) / np.sqrt(size)
            weights = np.exp(scores - scores.max())
            weights /= weights.sum()
            out[i, at] = sum(weights[j] * v[j, at] for j in range(tokens))
    return out @ proj_w.T + proj_b


def block(x, p, heads, eps, activation, scale=None):
    """p: tensors by timm's names; scale: LayerScale gammas (two), or None."""
    g1, g2 = scale if scale is not None else (1.0, 1.0)
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"], eps)
    x = x + g1 * attention(
        y, p["attn.qkv.weight"], p["attn.qkv.bias"], p["attn.proj.weight"], p["attn.proj.bias"], heads
    )
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"], eps)
    y = activation(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"]) @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]
    return x + g2 * y
