"""Where a head collapses, by plain loops over its AUC; written from the definition of the empirical COR."""

from __future__ import annotations

import math


def empirical(rhos, area):
    """A radius, or the words for what the grid does not show: walk outwards, wait for a head that learned."""
    learned = False
    for k, a in enumerate(area):
        if not learned:
            learned = not math.isnan(a) and a >= 0.6
        elif math.isnan(a) or a < 0.55:
            return "<" if rhos[k - 1] == 0 else rhos[k]
    return ">" if learned else "never learned"


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
    """Walk outwards with the best of the radii since the first that learned, up to the collapse; then look back."""
    best = None
    for k, a in enumerate(area):
        if best is None:
            best = k if not math.isnan(a) and a >= 0.6 else None
        elif math.isnan(a) or a < 0.55:
            break
        elif a > area[best]:
            best = k
    if best is None:
        return "never learned"
    target = 0.5 + (area[best] - 0.5) / 2
    for k in range(best + 1, len(area)):
        lost = 0.5 if math.isnan(area[k]) else area[k]
        if lost < target:
            if rhos[k - 1] == 0:
                return "<"
            a, b = math.log(rhos[k - 1]), math.log(rhos[k])
            return math.exp(a + (b - a) * (area[k - 1] - target) / (area[k - 1] - lost))
    return ">"
