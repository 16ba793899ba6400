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
    from corit.evaluate.slices import Comparison as Tested
    from corit.features.store import FeatureStore
    from corit.metrics.bootstrap import Estimate
    from corit.studies.demo import Comparison
    from corit.train.heads import TrainingResult

TOO_FEW = "too few"  # for an interval
SPREAD = re.compile(r", spread \d+ % of the face's width")  # one for each picture


# C0, DEL and C1, and what turns the direction of writing
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def outcome(found: TrainingResult) -> str:
    """The held-out metrics of a training, its counts, and what could not be used."""
    table = Table(box=None, pad_edge=False)
    for name in ("metric", "held out", "95 % interval"):
        table.add_column(name)
    for name, e in found.metrics.items():
        shown = TOO_FEW if math.isnan(e.low) else f"{e.low:.3f} to {e.high:.3f}"
        table.add_row(name.upper(), f"{e.value:.3f}", shown)
    counts = ", ".join(f"{n} {kind}" for kind, n in found.counts.items())
    lost = ", ".join(f"{n} {status}" for status, n in found.unusable.items())
    return "\n".join([printed(table), f"rows: {counts}", *([f"not used: {lost}"] if lost else []), *_few(found)])


def notes(store: FeatureStore) -> list[str]:
    """What is noted of how measured pictures were read, each with the number of pictures; see `Picture.note`."""
    found = store.table.select(["status", "reason"]).to_pylist()
    said = Counter(SPREAD.sub("", r["reason"]) for r in found if r["status"] == "ok" and r["reason"])
    return [f"{n} measured rows: {words}" for words, n in sorted(said.items())]


def _few(found: TrainingResult) -> list[str]:
    """A warning when the threshold's false-positive rate is finer than the validation reals can tell."""
    c = found.detector.card.calibration
    if c.reals * c.fpr >= 1:
        return []
    return [
        f"threshold: the highest of only {c.reals} validation reals, too few for a false-positive rate of {c.fpr:.0%}"
    ]


def comparison(found: Comparison) -> str:
    """AUC of both models, in-domain and leave-one-out, with intervals."""
    kinds = found.spec.kinds
    table = Table(box=None, pad_edge=False)
    for name in ("AUC", *kinds):
        table.add_column(name)
    for title, tables in (("in-domain", found.in_domain), ("leave-one-out", found.leave_one_out)):
        for model, values in tables.items():
            table.add_row(f"{title} {model}", *(interval(values.values[k]) for k in kinds))
    return printed(table)


def interval(e: Estimate) -> str:
    """A value with its interval, or why it has none."""
    return f"{e.value:.3f} [{TOO_FEW}]" if math.isnan(e.low) else f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"


def compared(c: Tested) -> str:
    """DeLong's test of two detectors, or why there is none."""
    if c.auc_first is None:
        return f"DeLong by {c.level}: {c.first} and {c.second} are not compared: {c.reason}"
    first, second = f"{c.auc_first:.3f} of {c.first}", f"{c.auc_second:.3f} of {c.second}"
    p = c.reason if c.p is None else f"p = {c.p:.3g}"
    return f"DeLong by {c.level}: AUC {first}, {second}, {p}, n = {c.n}"


def percent(share: float) -> str:
    """A change in percent with its sign, which nothing has not."""
    text = f"{100 * share:+.1f}"
    return f"{'0.0' if text in ('+0.0', '-0.0') else text} %"


def visible(text: str) -> str:
    """A text whose control characters are spelt out, as \\x1b is: a name on the screen may not steer the terminal."""
    return CONTROL.sub(lambda c: c[0].encode("unicode_escape").decode(), text)


def put(text: str) -> None:
    """To standard output; names of files need not be text, and come out as the bytes that they are."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    print(text, flush=True)


def printed(table: Table) -> str:
    """A table as text of at most 160 columns."""
    target = io.StringIO()
    Console(file=target, width=160, markup=False, emoji=False).print(table)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines())
