"""Equations (17)-(25) in NumPy float64, one image, one patch and one region at a time.

A backbone is three functions on arrays of one image: embed(image) -> (prefix + N, D), block(l, tokens), norm(tokens).
"""

from __future__ import annotations

import numpy as np


def anchor(g, members):
    """(19)"""
    if not members:
        return np.zeros(g.shape[1])
    mean = sum(g[i] for i in members) / len(members)
    norm = np.sqrt(sum(v * v for v in mean))
    return mean / norm if norm > 0 else mean * 0


def mask(g, members, tau, threshold):
    """(20)"""
    a = anchor(g, members)
    m = np.zeros(len(g), bool)
    if not members or not a.any():
        return m
    s = {}
    for i in members:
        s[i] = float(g[i] @ a)
        if threshold == "cosine":
            n = np.linalg.norm(g[i])
            s[i] = s[i] / n if n > 0 else 0.0
    bar = tau * np.mean(list(s.values())) if threshold == "relative" else tau
    for i in members:
        m[i] = s[i] > bar
    return m


def pool(v, m, pooling, eps):
    """(21)"""
    chosen = [v[i] for i in range(len(v)) if m[i]]
    if not chosen:
        return np.zeros(v.shape[1])
    if pooling == "max":
        return np.max(chosen, axis=0)
    return sum(chosen) / (len(chosen) + eps)


def forward(backbone, image, twin, regions, r, depth, prefix, middle):
    """z, the masks of every block (L, K, N) and the levels (L+1, 1+K, D). r: a recipe's model part."""
    regions = [[i for i, inside in enumerate(row) if inside] for row in regions] if r.rsi else []
    n = None
    paired = r.rsi and r.rrm
    carries = r.inject and len(regions) > 0
    streams = [image, twin] if paired else [image]
    tokens, t = [], []
    for s, picture in enumerate(streams):
        x = backbone.embed(picture)
        n = len(x) - prefix
        v = x[prefix:]
        start = []
        for members in regions:
            whole = np.array([i in members for i in range(n)])
            row = {
                "mean": lambda w=whole, v=v: pool(v, w, "average", r.eps),
                "zeros": lambda x=x: np.zeros(x.shape[1]),
                "class": lambda x=x: x[0].copy(),
            }[r.start]()
            start.append(row * 0 if s == 1 and r.twin == "zeros" else row)
        tokens.append(x)
        t.append(start)
    level = lambda norm: np.array([(backbone.norm if norm else np.asarray)(row) for row in [tokens[0][0], *t[0]]])
    levels, masks, kept = [level(True)], [], {}
    for l in range(1, depth + 1):
        after = []
        for s in range(len(streams)):
            sequence = np.concatenate([tokens[s], np.array(t[s])]) if carries else tokens[s]
            after.append(backbone.block(l, sequence))
        size = prefix + n
        v = [a[prefix:size] for a in after]
        g = np.array([v[1][i] - v[0][i] for i in range(n)]) if paired else None  # (17), (18)
        ms = [
            mask(g, members, r.tau, r.threshold) if paired else np.array([i in members for i in range(n)])
            for members in regions
        ]
        for s in range(len(streams)):
            tokens[s] = after[s][:size]
            for k in range(len(regions)):
                pooled = pool(v[s], ms[k], r.pooling, r.eps)
                t[s][k] = after[s][size + k] + pooled if carries else pooled  # (23)
                if s == 1 and r.twin == "zeros" and carries:
                    t[s][k] = t[s][k] * 0
        masks.append(np.array(ms).reshape(len(regions), n))
        levels.append(level(True))
        if l in (middle, depth):
            kept[l] = level(r.middle_norm or l == depth)
    last = kept[depth]
    if r.fusion == "cross-attention":  # (25)
        rows = []
        for query in last:
            scores = np.array([query @ key for key in kept[middle]]) / np.sqrt(len(query))
            weights = np.exp(scores - scores.max())
            rows.append(sum(w * value for w, value in zip(weights / weights.sum(), kept[middle], strict=True)))
        z = np.concatenate(rows)
    else:  # (24)
        z = np.concatenate([kept[middle].ravel(), last.ravel()]) if r.hri else last.ravel()
    return z, np.array(masks), np.array(levels)
