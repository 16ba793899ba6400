"""The study on stores: measurements split by split, verdicts, and the real world's record in findings.json.

Each measurement is a file under OUT/real. An interrupted run resumes; a run with more splits goes on from one with
fewer, and one with CoRIT's perceptrons from one without. Another plan, or other stores, need another folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.journal import require_same_settings
from corit.progress import Progress, no_progress
from corit.studies.findings.run import add_seconds, read_or_make, run_all
from corit.studies.findings.stored import claims, courses, sweeps
from corit.studies.findings.stored.measured import Measured
from corit.studies.findings.stored.plan import Case, StoredPlan
from corit.studies.findings.stored.rows import Forgery, depth_of, read_forgeries
from corit.studies.findings.worlds import write_world
from corit.train.heads import versions

FOLDER = "real"
KINDS = {"sweeps": sweeps.measure, "courses": courses.measure, "landscapes": courses.measure_landscapes}


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Attributes:
        kind: "sweeps", "courses" or "landscapes".
        case: what is trained on what.
        split: the fold that is tested.
    """

    kind: str
    case: Case
    split: int

    def path(self, out: Path) -> Path:
        """Return the file of its record."""
        return out / FOLDER / self.kind / f"{self.case.name(self.split)}.json"


@dataclass(frozen=True)
class Stores:
    """What the study reads.

    Attributes:
        folders: of the stores.
        pairs: the file that says how close fakes are to their reals, or None.
    """

    folders: tuple[str, ...]
    pairs: Path | None = None

    def forgeries(self, plan: StoredPlan) -> list[Forgery]:
        """List the forgeries."""
        return read_forgeries(self.folders, self.pairs, plan.close)


def measurements_of(plan: StoredPlan, forgeries: Sequence[Forgery]) -> list[Measurement]:
    """List every measurement that the stores allow, split by split, the longest first."""
    held = {v for f in forgeries for v in f.stores}
    work = []
    for split in plan.splits:
        work += [Measurement("sweeps", c, split) for c in plan.cases if c.variant in held]
        work += [Measurement("courses", c, split) for c in plan.course_cases if c.variant in held]
        both = any({"unifd", "corit"} <= set(f.stores) for f in forgeries)
        work += [Measurement("landscapes", c, split) for c in plan.landscape_cases if both]
    return work


def run(
    out: str | Path,
    stores: Stores,
    plan: StoredPlan,
    *,
    workers: int = 2,
    command: str = "",
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Run the study and write the real world's part of OUT/findings.json.

    Args:
        out: folder of the study.
        stores: what it reads.
        plan: its plan; layers are moved to the same shares of the depth of the stores' ViT.
        workers: processes that measure, 0 for this one.
        command: the words that started it, for the record.
        progress: called with measurements done and in all.

    Returns:
        The record.

    Raises:
        DataError: the stores do not fit, or OUT holds a study of another plan or of other stores.
        StoreError: a folder holds no store with levels.
    """
    folder, started = Path(out), time.monotonic()
    forgeries = stores.forgeries(plan)
    plan = plan.at_depth(depth_of(forgeries))
    _require_same(folder, stores, plan, forgeries)
    missing = [m for m in measurements_of(plan, forgeries) if not m.path(folder).exists()]
    run_all([(_measure, (folder, stores, plan, m)) for m in missing], workers, progress)
    seconds = add_seconds(folder / FOLDER, time.monotonic() - started)
    measured = read(folder, plan, forgeries)
    result = record(measured, stores, command, seconds)
    write_world(folder, "real", result)
    return result


def read(out: Path, plan: StoredPlan, forgeries: Sequence[Forgery]) -> Measured:
    """Read every measurement of a study. Raises DataError when one is missing."""
    records: dict[str, dict[str, Any]] = {k: {} for k in KINDS}
    for m in measurements_of(plan, forgeries):
        path = m.path(out)
        if not path.exists():
            raise DataError(f"expected the measurement {path}, but it is not there; run corit findings --store again")
        records[m.kind][m.case.name(m.split)] = json.loads(path.read_text())
    return Measured(plan, tuple(forgeries), **records)


def record(measured: Measured, stores: Stores, command: str, seconds: float) -> dict[str, Any]:
    """Return the real world's record: plan, stores, forgeries, a row for each claim, and what the figure shows."""
    opened = {str(p): FeatureStore.open(p) for f in measured.forgeries for p in f.stores.values()}
    recipes = {s.recipe.backbone.name: s.recipe.backbone.weights for s in opened.values()}
    return {
        "world": "stored features of real pictures",
        "by": "split",
        "command": command,
        "plan": measured.plan.to_json(),
        "backbones": recipes,
        "forgeries": {f.name: _counts(f) for f in measured.forgeries},
        "close": None if stores.pairs is None else f"correlation of {measured.plan.close:g} or more",
        "seconds": round(seconds),
        "versions": versions(),
        "claims": [c.to_json("split") for c in claims.claims(measured)],
        "curves": claims.curves(measured),
    }


def _counts(forgery: Forgery) -> dict[str, Any]:
    return {
        "reals": int((forgery.y == 0).sum()),
        "fakes": int((forgery.y == 1).sum()),
        "kind": "subtle" if forgery.subtle else "overt",
        "variants": sorted(forgery.stores),
    }


def _measure(out: Path, stores: Stores, plan: StoredPlan, measurement: Measurement) -> None:
    """Measure in this process, from the stores."""
    make = KINDS[measurement.kind]
    read_or_make(measurement.path(out), lambda: make(stores.forgeries(plan), plan, measurement.case, measurement.split))


def _require_same(out: Path, stores: Stores, plan: StoredPlan, forgeries: Sequence[Forgery]) -> None:
    """Raise DataError when the folder holds a study of another plan or other rows; splits may be added."""
    settings = {k: v for k, v in plan.to_json().items() if k not in ("splits", "perceptron_models")}
    settings["stores"] = {f.name: {v: FeatureStore.open(p).digest for v, p in f.stores.items()} for f in forgeries}
    settings["rows"] = {f.name: len(f.ids) for f in forgeries}
    settings = json.loads(json.dumps(settings))
    stored = read_or_make(out / FOLDER / "plan.json", lambda: settings)
    require_same_settings(out / FOLDER, {k: stored.get(k) for k in settings}, settings)
