"""What `corit calibrate` and `corit update` measured, as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table

from corit.report.text import interval_text, table_text

if TYPE_CHECKING:
    from corit.metrics.bootstrap import Estimate
    from corit.metrics.calibration import Calibration
    from corit.train.calibrate import CalibrationResult
    from corit.train.update import Comparison, UpdateResult

TITLES = {
    "auc": "AUC",
    "ap": "AP",
    "eer": "EER",
    "ece": "calibration error",
    "tpr": "fakes called fake",
    "fpr": "reals called fake",
}


def calibration_text(result: CalibrationResult) -> str:
    """Return the measurements before and after a calibration, the new thresholds, and what they rest on."""
    counts, new = result.counts, result.detector.card.calibration
    grid = _table("your pictures", result.before, result.after)
    lines = [table_text(grid), f"pictures: {_pictures(counts['real'], counts['fake'], counts['sources'])}"]
    lines += [_lost(result.unusable)] if result.unusable else []
    if not counts["fake"]:
        lines.append("reals called fake, after: what to expect of new reals of this kind; scores are unchanged")
    elif result.held_out:
        lines.append("after: calibration error and shares on sources that the calibration had not seen, in five parts")
    else:
        lines.append(
            "after: on the pictures that the calibration was made on, since there are too few sources to hold some "
            "out: the calibration error and the shares are too good"
        )
    return "\n".join([*lines, _thresholds(new)])


def update_text(result: UpdateResult) -> str:
    """Return both heads' measurements on both tests, and what the new head was trained on."""
    compressed = ", from its compressed features" if result.compressed else ""
    parts = []
    for title, c in (("your test part", result.new), (f"the detector's own test{compressed}", result.old)):
        parts += [table_text(_table(title, c.before, c.after)), _change(c)]
    counts = ", ".join(f"{n} {kind}" for kind, n in result.counts.items())
    weights = ", ".join(f"{name or 'its own pictures'} {share:.3g}" for name, share in result.shares.items())
    lines = [f"rows: {counts}", f"weights: {weights}", _thresholds(result.detector.card.calibration)]
    if result.compressed:
        lines.append("on compressed features, a fall of the AUC looks smaller than it is, by about 0.01")
    return "\n".join([*parts, *lines])


def worse_text(result: UpdateResult) -> str:
    """Say why a head is not worth its cost, and what can be done."""
    return (
        f"expected a head that gains more than it loses, but its AUC changed by {result.new.change.value:+.4f} on your "
        f"pictures and by {result.old.change.value:+.4f} on the detector's own test; nothing is written. Give more "
        "pictures, another --weight-new, or --force"
    )


def _table(title: str, before: Mapping[str, Estimate], after: Mapping[str, Estimate]) -> Table:
    grid = Table(box=None, pad_edge=False)
    for name in (title, "before", "after"):
        grid.add_column(name)
    for name in (n for n in TITLES if n in before):
        grid.add_row(TITLES[name], interval_text(before[name]), interval_text(after[name]))
    return grid


def _thresholds(new: Calibration) -> str:
    rate = f"for a false-positive rate of {new.fpr:.3g}"
    return f"thresholds: fake from {new.fake:.3f}, real below {new.real:.3f}, {rate}"


def _change(c: Comparison) -> str:
    return f"AUC changed by {interval_text(c.change)} on {_pictures(c.reals, c.fakes, c.sources)}"


def _pictures(reals: int, fakes: int, sources: int) -> str:
    return f"{reals} real, {fakes} fake, of {sources} sources"


def _lost(unusable: Mapping[str, int]) -> str:
    return f"not used: {', '.join(f'{n} {status}' for status, n in unusable.items())}"
