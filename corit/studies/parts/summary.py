"""Averages of the measured pictures, with intervals by pair (by picture for scenes)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from corit.metrics.bootstrap import percentile_interval
from corit.recipe import REGIONS
from corit.seeding import generator
from corit.studies.parts.injection import rounded
from corit.studies.parts.plan import CHECKED, DEFAULT, PERTURBS, THRESHOLDS, PartsPlan, quarters
from corit.studies.parts.signal import Signal, signal
from corit.studies.real.intervals import LEVEL, numbers

EDGES = 1 / 6  # the paper's layers 1-4 and 21-24 of 24, as a share of the depth on either side
FEW = 0.9  # of pictures in which a single patch must lie in its region
LEAST = 6  # pairs or pictures below which an interval would be too narrow, so that there is none
FIELDS = ("own", "other", "random", "inside", "either", "between")
Block = Mapping[str, Any]


def interval(values: np.ndarray, groups: np.ndarray, draws: int) -> list[Any]:
    """Return the mean over groups of values (n), NaN left out, with its bootstrap interval; for a record."""
    kept = np.isfinite(values)
    means = _means(values[kept], groups[kept])
    return _bootstrapped(means, draws, lambda m: m.mean(0))


def _bootstrapped(rows: np.ndarray, draws: int, statistic: Callable[[np.ndarray], Any]) -> list[Any]:
    """A statistic of rows (G, ...), and its percentile interval over drawn rows; none for fewer than LEAST."""
    if not len(rows):
        return [None, None, None]
    rng = generator("parts", len(rows))
    drawn = [
        statistic(rows[rng.integers(len(rows), size=len(rows))]) for _ in range(draws if len(rows) >= LEAST else 0)
    ]
    return numbers(percentile_interval(float(statistic(rows)), [float(d) for d in drawn], LEVEL))


def _means(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    names, at = np.unique(groups, return_inverse=True)
    return np.bincount(at, values) / np.bincount(at) if len(names) else np.empty(0)


def _groups(blocks: Sequence[Block]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([b["group"] for b in blocks]), np.concatenate([b["label"] for b in blocks])


def proxy(blocks: Sequence[Block], plan: PartsPlan) -> dict[str, Any]:
    """Average the agreement of the proxy with each head's gradient.

    Returns:
        "pictures"; "cosine", by head, mean over layers and by layer: each of FIELDS and "own less other"; "rise", by
        head and quarter: share of pictures whose score rises, its mean, and the correlation with what the gradient
        promises; "blends less fakes", of the cosine.
    """
    groups, _ = _groups(blocks)
    heads = {h: _fields(blocks, h) for h in blocks[0]["proxy"]}
    cosines: dict[str, Any] = {}
    for head, fields in heads.items():
        table = {**{k: fields[k] for k in FIELDS}, "own less other": fields["own"] - fields["other"]}
        cosines[head] = {
            "mean": {k: interval(v.mean(0), groups, plan.draws) for k, v in table.items()},
            "layers": {k: [interval(row, groups, plan.draws) for row in v] for k, v in table.items()},
        }
    first, second = (h["own"].mean(0) for h in heads.values())
    return {
        "pictures": len(groups),
        "cosine": cosines,
        "blends less fakes": interval(first - second, groups, plan.draws),
        "rise": {h: _rises(f, groups, plan) for h, f in heads.items()},
    }


def _fields(blocks: Sequence[Block], head: str) -> dict[str, np.ndarray]:
    """Each field (L, n)."""
    layers = range(len(blocks[0]["proxy"][head]))
    names = blocks[0]["proxy"][head][0]
    return {k: np.array([np.concatenate([b["proxy"][head][l][k] for b in blocks]) for l in layers]) for k in names}


def _rises(fields: Mapping[str, np.ndarray], groups: np.ndarray, plan: PartsPlan) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for l in quarters(len(fields["rise"])):
        rise, promised = fields["rise"][l - 1], fields["promised"][l - 1]
        rows = np.stack([_means(rise, groups), _means(promised, groups)], 1)
        record[str(l)] = {
            "raised": interval((rise > 0).astype(float), groups, plan.draws),
            "rise": interval(rise, groups, plan.draws),
            "promised": interval(promised, groups, plan.draws),
            "correlation": _bootstrapped(rows, plan.draws, _correlation),
        }
    return record


def _correlation(rows: np.ndarray) -> float:
    """Of two columns (G, 2); zero where one does not vary."""
    a, b = (rows - rows.mean(0)).T
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0


def masks(blocks: Sequence[Block], plan: PartsPlan) -> dict[str, Any]:
    """Average what masks keep.

    Returns:
        "pictures"; by perturb, "kept" by threshold and region (L); "silent" by region (L+1), the share of patches whose
        proxy is zero; "middle less first" and "middle less last", by threshold, of the foreground; "checked".
    """
    groups, _ = _groups(blocks)
    record: dict[str, Any] = {"pictures": len(groups)}
    for p in PERTURBS:
        kept = {t: np.concatenate([_array(b["masks"][p]["kept"][t]) for b in blocks]) for t in THRESHOLDS}
        quiet = np.concatenate([_array(b["masks"][p]["silent"]) for b in blocks])
        record[p] = {
            "kept": {t: _by_region(v) for t, v in kept.items()},
            "silent": _by_region(quiet),
            "edges": {t: _edges(v, groups, plan.draws) for t, v in kept.items()},
        }
    if checked := [b for b in blocks if b.get("checked")]:
        values = np.concatenate([_array(b["checked"]) for b in checked])
        record["checked"] = {"pictures": len(values), "kept": _by_region(values), "beside": _beside(checked)}
    return record


def _array(values: Any) -> np.ndarray:
    return np.array(values, float)


def _by_region(values: np.ndarray) -> dict[str, list[Any]]:
    """Mean over pictures (B, K, L) -> by region (L)."""
    return {r: [_mean(values[:, k, l]) for l in range(values.shape[2])] for k, r in enumerate(REGIONS)}


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(known.mean()), 4) if len(known) else None


def _beside(checked: Sequence[Block]) -> dict[str, list[Any]]:
    """The same threshold on the default's course, for the same pictures."""
    return _by_region(np.concatenate([_array(b["masks"]["source"]["kept"][CHECKED]) for b in checked]))


def _edges(values: np.ndarray, groups: np.ndarray, draws: int) -> dict[str, Any]:
    """What the foreground keeps in the first sixth, between and in the last sixth of the layers, and differences."""
    shares = values[:, REGIONS.index("foreground")]  # (B, L)
    edge = max(1, round(EDGES * shares.shape[1]))
    first, inner, last = shares[:, :edge].mean(1), shares[:, edge:-edge].mean(1), shares[:, -edge:].mean(1)
    return {
        "first": interval(first, groups, draws),
        "inner": interval(inner, groups, draws),
        "last": interval(last, groups, draws),
        "inner less first": interval(inner - first, groups, draws),
        "inner less last": interval(inner - last, groups, draws),
        "spread": float(np.ptp(np.nanmean(shares, 0))) if np.isfinite(shares).any() else None,
    }


def tokens(blocks: Sequence[Block], arrays: Mapping[str, np.ndarray], depth: int) -> dict[str, Any]:
    """Measure the GSNR of single patches, pooled regions and masked regions, clustered by pair, after centring.

    Args:
        blocks: groups and labels of the pictures.
        arrays: their tokens; see `corit.studies.parts.pictures.read_tokens`.
        depth: L.

    Returns:
        "pairs"; "gsnr", by layer and region: "patch" (mean over single patches that lie in the region in most
        pictures), "patches" (their number), "pooled", "masked", and the differences.
    """
    groups, y = _groups(blocks)
    record = {}
    for q, layer in enumerate(quarters(depth)):
        record[str(layer)] = {r: _region(arrays, q, k, y, groups) for k, r in enumerate(REGIONS)}
    return {"pairs": len(np.unique(groups)), "threshold": DEFAULT, "gsnr": record}


def _rounded(value: Signal) -> list[Any]:
    """Value and interval; no interval for too few clusters."""
    numbers_of = rounded(value)
    return numbers_of if len(value.without) >= LEAST else [numbers_of[0], None, None]


def _region(arrays: Mapping[str, np.ndarray], q: int, k: int, y: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    common = np.flatnonzero(arrays["regions"][:, k].mean(0) >= FEW)
    single = Signal.mean([signal(arrays["patch"][:, q, i].astype(np.float32), y, groups) for i in common])
    pooled, masked = (signal(arrays[n][:, q, k].astype(np.float32), y, groups) for n in ("pooled", "masked"))
    return {
        "patches": len(common),
        "patch": _rounded(single),
        "pooled": _rounded(pooled),
        "masked": _rounded(masked),
        "pooled less patch": _rounded(pooled.less(single)) if len(common) else [None] * 3,
        "masked less pooled": _rounded(masked.less(pooled)),
    }
