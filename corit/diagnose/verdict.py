"""Verdicts on the cells of a diagnosis, the factor to blame for a low bound, and the ranking of forgeries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from corit.diagnose.cause import Cause, cause, reaches_nearest_mean
from corit.diagnose.diagnosis import Diagnosis, DiagnosisCell
from corit.diagnose.plan import RECOMMENDED
from corit.theory.collapse import LOSS, Collapse, Radius
from corit.theory.factors import FACTORS
from corit.theory.floors import Floors

Word = Literal["stable", "in the collapse zone", "falls to the nearest mean", "never learned"]


@dataclass(frozen=True)
class Blame:
    """How Theorem 1's factors of a cell differ from those of other cells.

    Attributes:
        factor: the factor that lowers the bound most; empty where none lowers it.
        against: the other cells, in words.
        logs: factor -> median natural logarithm over seeds, minus that of the other cells; the sum is the difference of
            the logarithms of the bounds, up to the medians.
    """

    factor: str
    against: str
    logs: Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """The verdict on a cell.

    never learned: at least half of the seeds never reach a test AUC of 0.6 at any radius. in the collapse zone: the
    interval of the empirical COR over seeds reaches down to the recommended radius, 0.05, SAM's own default, which the
    paper's figures mark as the border of the zone. falls to the nearest mean: a linear head loses half of what it has
    to lose within the radii, and ends at the nearest-mean classifier (`corit.diagnose.cause.reaches_nearest_mean`).
    stable: none of these; heads may still collapse at larger radii.

    Attributes:
        cell: what the verdict is about.
        word: the verdict.
        cause: why, where that is known.
        blame: the factor that sets the cell apart; None for a stable cell and where no other cell compares.
    """

    cell: DiagnosisCell
    word: Word
    blame: Blame | None
    cause: Cause | None = None

    @property
    def line(self) -> str:
        """The verdict with its numbers, in one line."""
        c, parts = self.cell, [f"{self.cell.group}: {self.word}"]
        if self.word != "never learned":
            half = "" if str(c.collapse.half) == str(c.collapse.cor) else f", half-way {c.collapse.half}"
            parts.append(f"COR {c.collapse.cor}{half}")
        if c.floors is not None and c.head == "linear":
            parts.append(_floors(c.floors, c.collapse))
        unlearned = sum(r.censoring == "never learned" for r in c.collapse.radius)
        if unlearned and self.word != "never learned":
            parts.append(f"{unlearned} of {len(c.auc)} seeds never learned")
        if self.cause is not None:
            parts.append(self.cause.text)
        if self.cause is not None and self.cause.name in ("common mean", "nearest mean"):
            return "; ".join(parts)  # the bound (11) does not explain this fall
        if self.blame is not None:
            parts.append(_sentence(self.blame))
        elif self.word != "stable":
            parts.append("no stable group and no better layer to compare its factors with")
        return "; ".join(parts)


@dataclass(frozen=True)
class Ranking:
    """Groups of one store and head at the store's headline layer, most fragile first.

    Attributes:
        store: name of the store.
        head: kind of head.
        by_cor: sorted by the median empirical COR, equal ones by the median half-way radius.
        by_gsnr: sorted by the early GSNR.
        correlations: Spearman's rank correlations over all (layer, group) cells that learned, of "cor" and of "halfway"
            with the early "gsnr" and with the "bound", such as "cor_gsnr"; NaN where one of the two does not vary.
        count: number of these cells.
    """

    store: str
    head: str
    by_cor: tuple[DiagnosisCell, ...]
    by_gsnr: tuple[DiagnosisCell, ...]
    correlations: Mapping[str, float]
    count: int


def word(cell: DiagnosisCell) -> Word:
    """Decide the verdict on a cell, as `Verdict` defines it."""
    if cell.collapse.cor.median.censoring == "never learned":
        return "never learned"
    learned = [r for r in cell.collapse.radius if r.censoring != "never learned"]
    low = cell.collapse.cor.low
    low = min(learned, key=lambda r: r.order) if low.censoring == "never learned" else low
    if reaches(low, RECOMMENDED):
        return "in the collapse zone"
    return "falls to the nearest mean" if reaches_nearest_mean(cell) else "stable"


def reaches(low: Radius, radius: float) -> bool:
    """Tell whether the lower end of an interval, which may be censored, is at or below a radius."""
    return low.value < radius if low.censoring == ">" else low.value <= radius


def verdicts(diagnosis: Diagnosis) -> tuple[Verdict, ...]:
    """Give a verdict on each cell at its store's headline layer."""
    words = [(c, word(c)) for c in diagnosis.headlines()]
    return tuple(Verdict(c, w, blame(diagnosis, c), cause(c, w != "never learned")) for c, w in words)


def blame(diagnosis: Diagnosis, cell: DiagnosisCell) -> Blame | None:
    """Find the factor of (13) that sets a fragile cell apart from the stable groups of its layer.

    Without a stable group the cell is compared with the group's best layer.

    Returns:
        None for a stable cell, and where no other cell compares.
    """
    if word(cell) == "stable":
        return None
    beside = diagnosis.where(store=cell.store, head=cell.head, layer=cell.layer)
    stable = [c for c in beside if word(c) == "stable"]
    if stable:
        return _apart(cell, stable, f"the stable groups ({', '.join(c.group for c in stable)})")
    column = diagnosis.where(store=cell.store, head=cell.head, group=cell.group)
    best = max(column, key=lambda c: (c.collapse.cor.median.order, _finite_median(c.bound)))
    return None if best is cell else _apart(cell, [best], f"its layer {best.at}")


def _apart(cell: DiagnosisCell, others: Sequence[DiagnosisCell], against: str) -> Blame:
    here = _logs(cell)
    there = np.mean([_logs(c) for c in others], axis=0)
    logs = dict(zip(FACTORS, (here - there).tolist(), strict=True))
    finite = {k: v for k, v in logs.items() if np.isfinite(v)}
    lowest = min(finite, key=lambda k: finite[k], default="")
    return Blame(lowest if lowest and finite[lowest] < 0 and sum(finite.values()) < 0 else "", against, logs)


def _logs(cell: DiagnosisCell) -> np.ndarray:
    """Median log of each factor over seeds (3)."""
    with np.errstate(divide="ignore"):
        return np.array([_finite_median(np.log(column)) for column in cell.factors.T])


def _finite_median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def _floors(floors: Floors, collapse: Collapse) -> str:
    """What a linear head has to lose, and where half of it is lost."""
    lost = "" if collapse.lost is None or floors.gap < LOSS else f", half of that lost at {collapse.lost}"
    return f"logistic {floors.logistic:.2f}, nearest mean {floors.nearest_mean:.2f}{lost}"


def _sentence(blame: Blame) -> str:
    if not blame.factor:
        return f"its bound is not lower than that of {blame.against}: none of Theorem 1's factors is to blame"
    bound, factor = np.exp(sum(blame.logs.values())), np.exp(blame.logs[blame.factor])
    return f"its bound is {bound:.2g} of that of {blame.against}; the {blame.factor} factor ({factor:.2g}) is to blame"


def rankings(diagnosis: Diagnosis) -> tuple[Ranking, ...]:
    """Rank the groups of each store and head."""
    return tuple(_ranking(diagnosis, s, h) for s in diagnosis.stores for h in diagnosis.plan.heads)


def _ranking(diagnosis: Diagnosis, store: str, head: str) -> Ranking:
    shown = diagnosis.headlines(store=store, head=head)
    cells = [c for c in diagnosis.where(store=store, head=head) if c.collapse.cor.median.censoring != "never learned"]
    radii = {"cor": [c.collapse.cor.median for c in cells], "halfway": [c.collapse.half.median for c in cells]}
    values = {"gsnr": [_finite_median(c.early) for c in cells], "bound": [_finite_median(c.bound) for c in cells]}
    return Ranking(
        store,
        head,
        tuple(sorted(shown, key=fragility)),
        tuple(sorted(shown, key=lambda c: _finite_median(c.early))),
        {f"{a}_{b}": _spearman(_ranks(r), v) for a, r in radii.items() for b, v in values.items()},
        len(cells),
    )


def fragility(cell: DiagnosisCell) -> tuple[tuple[float, int], tuple[float, int]]:
    """Return the key that ranks groups, lowest for the most fragile: median COR, then median half-way radius."""
    return cell.collapse.cor.median.order, cell.collapse.half.median.order


def _ranks(radii: Sequence[Radius]) -> list[int]:
    """Places in rising order, the same for equal ones; "> 20" is one place above 20."""
    places = {o: i for i, o in enumerate(sorted({r.order for r in radii}))}
    return [places[r.order] for r in radii]


def _spearman(a: Sequence[float], b: Sequence[float]) -> float:
    if len(set(a)) < 2 or len(set(b)) < 2:
        return float("nan")
    return float(stats.spearmanr(a, b).statistic)
