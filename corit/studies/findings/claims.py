"""A claim: the assertion, the rule that decides it, and the measured numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from corit.seeding import generator
from corit.serialise import finite

Verdict = Literal["shown", "not shown", "mixed"]
DRAWS, CONFIDENCE = 2000, 0.95


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of a deciding effect.

    Attributes:
        shown: above it, the effect is shown.
        absent: at or below it, the effect is not shown; between both it is neither.
    """

    shown: float = 0.0
    absent: float = 0.0


@dataclass(frozen=True)
class Effect:
    """A number for each encoder seed, or split of real rows, and head seed, their mean, and its interval.

    The interval resamples encoder seeds (or splits), and head seeds within each. With three of them it is rough.

    Attributes:
        table: the numbers (E, S) by encoder and head seed, NaN where a seed has none.
        value: the mean over encoder seeds of means over head seeds.
        low: lower end of the 95 % bootstrap interval.
        high: its upper end.
    """

    table: np.ndarray
    value: float
    low: float
    high: float

    @property
    def by_encoder(self) -> np.ndarray:
        """The mean over head seeds of each encoder seed (E)."""
        return _means(self.table)

    @classmethod
    def of(cls, table: Any) -> Effect:
        """Return the effect of an array or lists (E, S), or (E)."""
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
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def decide(effect: Effect, bars: Thresholds | None = None) -> Verdict:
    """Decide an effect.

    Args:
        effect: the effect.
        bars: the thresholds, 0 by default.

    Returns:
        "shown" when every encoder seed and the whole interval are above `shown`. "not shown" when every encoder seed or
        the whole interval is at or below `absent`, or no seed has a number. "mixed" otherwise.
    """
    bars = bars or Thresholds()
    seeds = effect.by_encoder[~np.isnan(effect.by_encoder)]
    if not len(seeds):
        return "not shown"
    if len(seeds) == len(effect.by_encoder) and (seeds > bars.shown).all() and effect.low > bars.shown:
        return "shown"
    return "not shown" if (seeds <= bars.absent).all() or effect.high <= bars.absent else "mixed"


def join_verdicts(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict of a claim in parts: the parts' verdict where all agree, else "mixed"."""
    return verdicts[0] if len(set(verdicts)) == 1 else "mixed"


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and its effects.

    Attributes:
        name: its short name.
        claim: the claim in words.
        rule: the rule that decides it, in words.
        setting: world, backbone, head and seeds of the numbers.
        effects: the effects by name, the deciding ones first.
        bars: the thresholds of the deciding effects.
        numbers: further numbers for the record.
    """

    name: str
    claim: str
    rule: str
    setting: str
    effects: Mapping[str, Effect]
    bars: Mapping[str, Thresholds]
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The joined verdicts of the deciding effects."""
        return join_verdicts([decide(self.effects[k], b) for k, b in self.bars.items()])

    def to_json(self, by: str = "encoder") -> dict[str, Any]:
        """Return the row of the record; interval and value are those of the first deciding effect.

        Args:
            by: what the rows of the effects' tables are, "encoder" or "split".
        """
        first = self.effects[next(iter(self.bars))]
        return {
            "name": self.name,
            "claim": self.claim,
            "verdict": self.verdict,
            "value": finite(first.value, 4),
            "interval": [finite(first.low, 4), finite(first.high, 4)],
            "rule": self.rule,
            "setting": self.setting,
            "effects": {k: self._effect(k, e, by) for k, e in self.effects.items()},
            "numbers": dict(self.numbers),
        }

    def _effect(self, name: str, e: Effect, by: str) -> dict[str, Any]:
        row: dict[str, Any] = {
            "value": finite(e.value, 4),
            "interval": [finite(e.low, 4), finite(e.high, 4)],
            f"by_{by}": [finite(v, 4) for v in e.by_encoder],
        }
        if name in self.bars:
            row |= {"verdict": decide(e, self.bars[name]), "bars": [self.bars[name].shown, self.bars[name].absent]}
        return row
