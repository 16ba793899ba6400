"""The whole control: features, facts, hyperparameters, sweeps, verdicts, control.json.

Features lie in stores under OUT/features, measurements in OUT/measured.jsonl. An interrupted run resumes: what is
measured is not repeated. A run of another plan needs another folder.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from corit.backbones.load import load_backbone
from corit.features.extract import extract
from corit.features.store import FeatureStore
from corit.features.targets import StoreTarget
from corit.files import write_text
from corit.journal import Journal, lock_folder
from corit.progress import OpenBar, no_bar
from corit.serialise import finite, json_text
from corit.studies.control.claims import Sweeps, claims
from corit.studies.control.facts import facts_of_real, facts_of_world
from corit.studies.control.measures import choose_knobs, measure
from corit.studies.control.plan import Case, ControlPlan
from corit.studies.findings.stores import BATCH, NoPreparation, PreparedSource, encoder_of
from corit.studies.findings.sweeps import radius
from corit.theory.collapse import Radius, spread
from corit.train.heads import versions
from corit.world.forgeries import KINDS
from corit.world.miniature import SPLITS, Miniature, MiniatureSpec

RECORD, MEASURED = "control.json", "measured.jsonl"


def run(
    out: str | Path,
    plan: ControlPlan,
    *,
    stores: Mapping[str, str | Path] | None = None,
    bars: OpenBar = no_bar,
) -> dict[str, Any]:
    """Run the control and write OUT/control.json.

    Args:
        out: folder of the run.
        plan: worlds, cases, heads and radii.
        stores: feature stores of real pictures with levels, by name, whose raw geometry is measured beside the
            miniature's; earlier ones of the same folder are kept.
        bars: opens progress bars.

    Returns:
        The content of control.json.

    Raises:
        DataError: OUT holds a run of another plan.
        StoreError: a store cannot be read, or keeps no levels.
    """
    folder = Path(out)
    with lock_folder(folder):
        with Journal(folder / MEASURED, {"plan": _plan_json(plan)}) as journal:
            control = _Control(folder, plan, journal, bars)
            control.measure_facts(stores or {})
            control.measure_cases()
            result = control.record()
        write_text(folder / RECORD, json_text(result, indent=1))
    return result


def _plan_json(plan: ControlPlan) -> dict[str, Any]:
    """The plan as JSON holds it, where tuples are lists."""
    values = plan.to_json()
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@dataclass
class _Control:
    out: Path
    plan: ControlPlan
    journal: Journal
    bars: OpenBar
    stores: dict[str, FeatureStore] = field(default_factory=dict)

    def measure_facts(self, stores: Mapping[str, str | Path]) -> None:
        """Measure the geometry of raw features: of the first world, and of real stores."""
        for name, place in stores.items():
            if f"facts/{name}" not in self.journal.entries:
                store = FeatureStore.open(place)
                backbone = store.recipe.backbone.name
                self.journal.write(f"facts/{name}", backbone=backbone, rows=facts_of_real(store, name))
        if "facts/miniature" not in self.journal.entries:
            rows = facts_of_world(self._store(self.plan.worlds[0]), self.plan.layers, KINDS)
            self.journal.write("facts/miniature", backbone="miniature, packaged", rows=rows)

    def measure_cases(self) -> None:
        """Choose the heads' hyperparameters and sweep every case that the journal lacks."""
        started = time.monotonic()
        if "chosen" not in self.journal.entries:
            chosen = choose_knobs(self._store(self.plan.worlds[0]), self._frame(), self.plan)
            self.journal.write("chosen", value=chosen)
        jobs = [(w, c) for w in self.plan.worlds for c in self.plan.cases]
        missing = [(w, c) for w, c in jobs if _name(w, c) not in self.journal.entries]
        with self.bars("cases") as progress:
            for done, (world, case) in enumerate(missing):
                progress(done, len(missing))
                chosen = self.journal.entries["chosen"]["value"]
                cells = measure(self._store(world), self._frame(), self.plan, chosen, case)
                self.journal.write(_name(world, case), cells=cells)
            progress(len(missing), len(missing))
        before = self.journal.entries.get("seconds", {}).get("value", 0.0)
        self.journal.write("seconds", value=round(before + time.monotonic() - started, 1))

    def _store(self, seed: int) -> FeatureStore:
        return self._extracted(f"world-{seed}", self.plan.world(seed), SPLITS)

    def _frame(self) -> FeatureStore:
        return self._extracted("frame", self.plan.frame, ("train",))

    def _extracted(self, name: str, spec: MiniatureSpec, splits: Sequence[Any]) -> FeatureStore:
        """The class tokens of a world with all levels; an extraction that was interrupted goes on."""
        if name not in self.stores:
            place, backbone = self.out / "features" / name, load_backbone("miniature", "packaged")
            source = PreparedSource(Miniature(spec, splits), encoder_of(backbone, "corit").preparer())
            target = StoreTarget(encoder_of(backbone, "unifd"), place, True, NoPreparation())
            with self.bars(f"features of {name}") as progress:
                extract(source, [target], batch=BATCH, progress=progress)
            self.stores[name] = FeatureStore.open(place)
        return self.stores[name]

    def record(self) -> dict[str, Any]:
        """Return the content of control.json."""
        entries = self.journal.entries
        p = self.plan
        records = {w: {c.name: entries[_name(w, c)]["cells"] for c in p.cases} for w in p.worlds}
        data = Sweeps(p, records)
        return {
            "world": f"miniature, {p.train}/{p.val}/{p.test} identities x {p.pictures} pictures",
            "plan": _plan_json(p),
            "chosen": {"on": f"validation identities of world {p.worlds[0]}", **entries["chosen"]["value"]},
            "facts": {
                k.partition("/")[2]: {"backbone": e["backbone"], "rows": e["rows"]}
                for k, e in entries.items()
                if k.startswith("facts/")
            },
            "claims": [c.to_json() for c in claims(data)],
            "cases": {c.name: {"knobs": asdict(c.knobs), **_summary(data, c)} for c in p.cases},
            "seconds": entries["seconds"]["value"],
            "versions": versions(),
        }


def _name(world: int, case: Case) -> str:
    return f"world {world}, {case.name}"


def _summary(data: Sweeps, case: Case) -> dict[str, Any]:
    """Each type's numbers: means over worlds and head seeds, and the median radius with its censoring."""
    return {kind: _cell(data, case.name, kind) for kind in case.kinds}


def _cell(data: Sweeps, case: str, kind: str) -> dict[str, Any]:
    aucs = np.concatenate([np.nan_to_num(data.auc(w, case, kind), nan=0.5) for w in data.plan.worlds])
    radii = [
        Radius(_number(r["value"]), r["censoring"]) for w in data.plan.worlds for r in data.radii_of(w, case, kind)
    ]
    fields = ("nearest_mean", "logistic", "mean_norm", "rms_norm", "common", "gsnr", "gsnr_plain", "distance", "low")
    means = {f: finite(data.column(case, f, kind).mean(), 4) for f in fields}
    return {"auc": finite(aucs.mean(0), 4), "relative": radius(spread(radii).median), **means}


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
