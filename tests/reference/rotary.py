"""A ViT block with rotary positions in NumPy float64: each token's query and key turned pair by pair by its place."""

from __future__ import annotations

import numpy as np
from reference.vit import gelu, layer_norm


def dinov3_angles(row, column, grid, pairs):
    """One angle for each pair of channels: rows first, coordinates from -1 to 1, periods up to 100."""
    y, x = 2 * (row + 0.5) / grid[0] - 1, 2 * (column + 0.5) / grid[1] - 1
    half = pairs // 2
    return [2 * np.pi * (y if c < half else x) / 100 ** ((c % half) / half) for c in range(pairs)]


def perception_angles(row, column, grid, pairs, pretrained=10):
    """One angle for each pair of channels: columns first, counted from 1 and stretched onto the pretrained grid."""
    y, x = (row + 1) * pretrained / grid[0], (column + 1) * pretrained / grid[1]
    half = pairs // 2
    return [(x if c < half else y) / 10000 ** ((c % half) / half) for c in range(pairs)]


def turned(vector, angles, halves):
    """Turn channels c and c + d/2 (halves), or 2c and 2c + 1, by the angle of pair c."""
    out, pairs = vector.copy(), len(angles)
    for c, angle in enumerate(angles):
        a, b = (c, c + pairs) if halves else (2 * c, 2 * c + 1)
        out[a] = vector[a] * np.cos(angle) - vector[b] * np.sin(angle)
        out[b] = vector[b] * np.cos(angle) + vector[a] * np.sin(angle)
    return out


def block(x, p, heads, angles, halves, eps=1e-5):
    """Tokens (M, D) after a block; angles: one list for each token, None for a token that is nowhere."""
    size = x.shape[1] // heads
    y = layer_norm(x, p["norm1.weight"], p["norm1.bias"], eps)
    bias = p.get("attn.qkv.bias", np.zeros(3 * x.shape[1]))
    q, k, v = (y @ w.T + b for w, b in zip(np.split(p["attn.qkv.weight"], 3), np.split(bias, 3), strict=True))
    out = np.zeros_like(x)
    for h in range(heads):
        at = slice(h * size, (h + 1) * size)
        placed = [
            [t[i, at] if angles[i] is None else turned(t[i, at], angles[i], halves) for i in range(len(x))]
            for t in (q, k)
        ]
        for i, query in enumerate(placed[0]):
            scores = np.array([query @ key for key in placed[1]]) / np.sqrt(size)
            weights = np.exp(scores - scores.max())
            out[i, at] = weights / weights.sum() @ v[:, at]
    x = x + p.get("gamma_1", 1.0) * (out @ p["attn.proj.weight"].T + p["attn.proj.bias"])
    y = layer_norm(x, p["norm2.weight"], p["norm2.bias"], eps)
    y = gelu(y @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"]) @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]
    return x + p.get("gamma_2", 1.0) * y
