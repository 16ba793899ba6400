"""A claim's row: what was asserted, by which rule it is judged, and how the numbers came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from corit.seeding import generator
from corit.serialise import finite

Verdict = Literal["shown", "not shown", "mixed"]
DRAWS, LEVEL = 2000, 0.95


@dataclass(frozen=True)
class Bars:
    """Where an effect counts: above `shown` it is there, at or below `absent` it is not, between them it is neither."""

    shown: float = 0.0
    absent: float = 0.0


@dataclass(frozen=True)
class Effect:
    """One number for each encoder seed E and head seed S (E, S), NaN where it has none; its mean, and an interval.

    The value is the mean over encoder seeds of means over head seeds. The interval resamples encoder seeds, and head
    seeds within each: with three encoder seeds it is rough, and never narrower than three can say.
    """

    table: np.ndarray
    value: float
    low: float
    high: float

    @property
    def by_encoder(self) -> np.ndarray:
        """(E)."""
        return _means(self.table)

    @classmethod
    def of(cls, table: Any) -> Effect:
        """The effect of an array or lists (E, S), or (E)."""
        values = np.asarray(table, float)
        values = values[:, None] if values.ndim == 1 else values
        encoders, heads = values.shape
        rng = generator("effect", encoders, heads)
        which = rng.integers(encoders, size=(DRAWS, encoders))
        inner = rng.integers(heads, size=(DRAWS, encoders, heads))
        drawn = values[which[..., None], inner]  # (draws, E, S)
        means = _means(_means(drawn))
        low, high = _quantiles(means)
        return cls(values, float(_means(_means(values))), low, high)


def _means(values: np.ndarray) -> np.ndarray:
    """Means over the last axis without NaN; NaN where nothing is known."""
    known = ~np.isnan(values)
    count = known.sum(-1)
    total = np.where(known, values, 0).sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _quantiles(means: np.ndarray) -> tuple[float, float]:
    known = means[~np.isnan(means)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def decide(effect: Effect, bars: Bars | None = None) -> Verdict:
    """Shown: every encoder seed and the whole interval above `shown`. Not shown: every encoder seed, or the whole
    interval, at or below `absent`. Mixed otherwise; an effect that no seed has is not shown."""
    bars = bars or Bars()
    seeds = effect.by_encoder[~np.isnan(effect.by_encoder)]
    if not len(seeds):
        return "not shown"
    if len(seeds) == len(effect.by_encoder) and (seeds > bars.shown).all() and effect.low > bars.shown:
        return "shown"
    return "not shown" if (seeds <= bars.absent).all() or effect.high <= bars.absent else "mixed"


def join(verdicts: Sequence[Verdict]) -> Verdict:
    """Of a claim in parts: shown or not shown where all parts are, else mixed."""
    return verdicts[0] if len(set(verdicts)) == 1 else "mixed"


@dataclass(frozen=True)
class Claim:
    """A row of the table: name, the claim in words, the rule, the verdict, and the effects by which it was judged.

    effects: by name, those that decide first; bars: those of the deciding effects. numbers: whatever else belongs to
    it. setting: world, backbone, head and seeds of the numbers.
    """

    name: str
    claim: str
    rule: str
    setting: str
    effects: Mapping[str, Effect]
    bars: Mapping[str, Bars]
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """By `decide` for each effect with bars, joined."""
        return join([decide(self.effects[k], b) for k, b in self.bars.items()])

    def to_json(self) -> dict[str, Any]:
        """The row of claims.json; interval and value are those of the first deciding effect."""
        first = self.effects[next(iter(self.bars))]
        return {
            "name": self.name,
            "claim": self.claim,
            "verdict": self.verdict,
            "value": finite(first.value, 4),
            "interval": [finite(first.low, 4), finite(first.high, 4)],
            "rule": self.rule,
            "setting": self.setting,
            "effects": {k: self._effect(k, e) for k, e in self.effects.items()},
            "numbers": dict(self.numbers),
        }

    def _effect(self, name: str, e: Effect) -> dict[str, Any]:
        row: dict[str, Any] = {
            "value": finite(e.value, 4),
            "interval": [finite(e.low, 4), finite(e.high, 4)],
            "by_encoder": [finite(v, 4) for v in e.by_encoder],
        }
        if name in self.bars:
            row |= {"verdict": decide(e, self.bars[name]), "bars": [self.bars[name].shown, self.bars[name].absent]}
        return row
