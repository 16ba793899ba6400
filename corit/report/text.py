"""Results as text for the terminal."""

from __future__ import annotations

import io
import math
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from corit.evaluate.slices import Comparison
    from corit.features.store import FeatureStore
    from corit.metrics.bootstrap import Estimate
    from corit.studies.demo import ModelComparison
    from corit.theory.geometry import Geometry
    from corit.train.heads import TrainingResult

NO_INTERVAL = "too few"  # in place of an interval of too few rows
LANDMARK_SPREAD = re.compile(r", spread \d+ % of the face's width")  # part of a note that differs by picture
CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # C0, DEL, C1, bidi


def training_text(result: TrainingResult) -> str:
    """Return the test metrics of a training, its counts, and the rows that could not be used."""
    table = Table(box=None, pad_edge=False)
    for name in ("metric", "held out", "95 % interval"):
        table.add_column(name)
    for name, e in result.metrics.items():
        interval = NO_INTERVAL if math.isnan(e.low) else f"{e.low:.3f} to {e.high:.3f}"
        table.add_row(name.upper(), f"{e.value:.3f}", interval)
    counts = ", ".join(f"{n} {kind}" for kind, n in result.counts.items())
    lost = ", ".join(f"{n} {status}" for status, n in result.unusable.items())
    lines = [table_text(table), f"rows: {counts}", *([f"not used: {lost}"] if lost else [])]
    return "\n".join([*lines, *_head_lines(result), *_threshold_warning(result)])


def _head_lines(result: TrainingResult) -> list[str]:
    """The head with its radius in units of the features' norm, whether they are centred, and a warning where not."""
    head, raw = result.detector.card.head, result.units.raw
    lines = [f"head: {result.detector.card.head_text}"]
    if head.scaling != "raw":
        return [*lines, f"features: centred by the training mean ({head.scaling} scaling); before it {raw}"]
    lines.append(f"features: raw, not centred; {raw}")
    if head.rho > 0:
        lines.append(_common_mean_warning(raw))
    return lines


def _common_mean_warning(raw: Geometry) -> str:
    """Why raw features and a radius do not go together. The half-way radius is a rule of thumb of linear heads."""
    halfway = f", here {2 / raw.mean_norm:.3g} to {3 / raw.mean_norm:.3g}" if raw.mean_norm > 0 else ""
    return (
        f"warning: {raw.common:.0%} of the raw features' squared norm is a mean that reals and fakes have in common. "
        "SAM drives a linear head on such features towards the nearest-mean classifier, half of the way at a radius of "
        f"about 2 to 3 / ||E x||{halfway}. Centre the features (--scaling standard, unit or centre), or train without "
        "SAM (--rho 0)"
    )


def _threshold_warning(result: TrainingResult) -> list[str]:
    """A warning when the threshold's false-positive rate is finer than the validation reals can resolve."""
    c = result.detector.card.calibration
    if c.reals * c.fpr >= 1:
        return []
    return [
        f"threshold: the highest of only {c.reals} validation reals, too few for a false-positive rate of {c.fpr:.0%}"
    ]


def reading_notes(store: FeatureStore) -> list[str]:
    """Return the notes on how measured pictures were read, each with its number of rows; see `Picture.note`."""
    rows = store.table.select(["status", "reason"]).to_pylist()
    notes = Counter(LANDMARK_SPREAD.sub("", r["reason"]) for r in rows if r["status"] == "ok" and r["reason"])
    return [f"{n} measured rows: {note}" for note, n in sorted(notes.items())]


def comparison_text(result: ModelComparison) -> str:
    """Return the AUC of both models as a table, in-domain and leave-one-out, with intervals."""
    kinds = result.spec.kinds
    table = Table(box=None, pad_edge=False)
    for name in ("AUC", *kinds):
        table.add_column(name)
    for title, models in (("in-domain", result.in_domain), ("leave-one-out", result.leave_one_out)):
        for model, aucs in models.items():
            table.add_row(f"{title} {model}", *(interval_text(aucs[k]) for k in kinds))
    return table_text(table)


def interval_text(e: Estimate) -> str:
    """Return a value with its interval, or the reason why it has none."""
    return f"{e.value:.3f} [{NO_INTERVAL}]" if math.isnan(e.low) else f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"


def delong_text(c: Comparison) -> str:
    """Return DeLong's test of two detectors in one line, or the reason why there is none."""
    if c.auc_first is None:
        return f"DeLong by {c.level}: {c.first} and {c.second} are not compared: {c.reason}"
    first, second = f"{c.auc_first:.3f} of {c.first}", f"{c.auc_second:.3f} of {c.second}"
    p = c.reason if c.p is None else f"p = {c.p:.3g}"
    return f"DeLong by {c.level}: AUC {first}, {second}, {p}, n = {c.n}"


def signed_percent(share: float) -> str:
    """Return a signed percentage; zero has no sign."""
    text = f"{100 * share:+.1f}"
    return f"{'0.0' if text in ('+0.0', '-0.0') else text} %"


def escape_controls(text: str) -> str:
    r"""Escape control characters, as \x1b, so that a file name cannot change the state of the terminal."""
    return CONTROL_CHARACTERS.sub(lambda c: c[0].encode("unicode_escape").decode(), text)


def print_text(text: str) -> None:
    """Print to standard output; file names that are not valid text are written as their bytes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    print(text, flush=True)


def table_text(table: Table) -> str:
    """Return a table as text of at most 160 columns."""
    target = io.StringIO()
    Console(file=target, width=160, markup=False, emoji=False).print(table)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines())
