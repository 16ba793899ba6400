"""The control's facts and cases as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corit import serialise
from corit.studies.control.plan import SUBJECT, ControlPlan, Knobs
from corit.studies.findings.claims_table import markdown_table as verdict_table

FACTS = (
    "features",
    "layer",
    "norm E x",
    "rms norm",
    "c",
    "axes of 90 %",
    "d / spread",
    "low",
    "nearest mean",
    "logistic",
)
FACT_LAYERS: Mapping[str, Sequence[int]] = {"miniature": (1, 4, 8)}
REAL_LAYERS = (3, 6, 9, 12)


def facts_table(facts: Mapping[str, Any]) -> str:
    """Return the facts of raw class tokens, the miniature's types first; `facts` are those of control.json."""
    rows = []
    for name, part in facts.items():
        for row in part["rows"]:
            if row["layer"] in FACT_LAYERS.get(name, REAL_LAYERS):
                what = f"miniature, {row['kind']}" if name == "miniature" else f"CLIP, {name}"
                rows.append((name != "miniature", what, row))
    rows.sort(key=lambda r: r[0])
    return serialise.markdown_table(FACTS, [_fact(what, row) for _, what, row in rows])


def _fact(what: str, row: Mapping[str, Any]) -> list[str]:
    sizes = [f"{row['mean_norm']:.1f}", f"{row['rms_norm']:.1f}", f"{row['common']:.2f}", f"{row['most']:.0f}"]
    signal = [f"{row[k]:.2f}" for k in ("distance", "low")]
    return [what, str(row["layer"]), *sizes, *signal, *(f"{row[k]:.2f}" for k in ("nearest_mean", "logistic"))]


def shown_cases(plan: ControlPlan) -> list[str]:
    """Return the names of the cases in the order of the page: the base, then one knob after the other, all raw."""
    raw = [c.name for c in plan.cases if c.head == "linear" and c.scaling == "raw" and c.knobs != Knobs()]
    return [raw[0], "base, centre", "base, standard", *raw[1:]]


def claims_table(record: dict[str, Any]) -> str:
    """Return the control's claims with their deciding effects, by world."""
    return verdict_table(record).replace("by encoder seed", "by world")


def cases_table(record: Mapping[str, Any], names: Sequence[str], kind: str = SUBJECT) -> str:
    """Return AUCs of one type without SAM and at growing radii, beside its floors.

    Args:
        record: the content of control.json.
        names: the cases.
        kind: the manipulation type.
    """
    rhos = record["plan"]["rhos"]
    shown = [i for i, r in enumerate(rhos) if r in (0.0, 0.05, 0.1, 0.2, 0.5, 5.0)]
    head = ["case", "c", "norm E x", *(f"rho {rhos[i]:g}" for i in shown), "nearest mean", "logistic", "radius"]
    rows = []
    for name in names:
        cell = record["cases"][name][kind]
        aucs = [f"{cell['auc'][i]:.3f}" for i in shown]
        ends = [f"{cell[k]:.3f}" for k in ("nearest_mean", "logistic")]
        rows.append(
            [name, f"{cell['common']:.2f}", f"{cell['mean_norm']:.1f}", *aucs, *ends, _radius(cell["relative"])]
        )
    return serialise.markdown_table(head, rows)


def _radius(record: Mapping[str, Any]) -> str:
    if record["censoring"] == "never learned" or record["value"] is None:
        return "-"
    return f"{record['censoring']} {record['value']:.2g}".strip()
