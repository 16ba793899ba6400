"""Where a head collapses, by plain loops over its AUC; written from the definition of the empirical COR."""

from __future__ import annotations

import math


def empirical(rhos, area):
    """A radius, or the words for what the grid does not show."""
    if all(math.isnan(a) or a < 0.6 for a in area):
        return "never learned"
    last = None
    for rho, a in zip(rhos, area, strict=True):
        if math.isnan(a) or a < 0.55:
            if last is None or last == 0:
                return "<"
            return rho
        last = rho
    return ">"


def bisect(area_at, held, gone, rounds):
    """Halve [held, gone] in log rho with a function that gives the AUC at a radius."""
    for _ in range(rounds):
        middle = math.exp((math.log(held) + math.log(gone)) / 2)
        if area_at(middle) < 0.55:
            gone = middle
        else:
            held = middle
    return gone


def halfway(rhos, area):
    """Walk from the best radius outwards until half of what was learned is lost."""
    best = max(range(len(area)), key=lambda k: area[k])
    target = 0.5 + (area[best] - 0.5) / 2
    for k in range(best + 1, len(area)):
        if area[k] < target:
            if rhos[k - 1] == 0:
                return "<"
            a, b = math.log(rhos[k - 1]), math.log(rhos[k])
            return math.exp(a + (b - a) * (area[k - 1] - target) / (area[k - 1] - area[k]))
    return ">"
