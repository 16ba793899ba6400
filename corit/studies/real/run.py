"""The whole study: features, measurements, verdicts, real.json.

Features lie in stores under OUT/features, measurements in OUT/measured.jsonl. An interrupted run resumes: what is
measured is not repeated. A run of another plan, or with other sets, needs another folder.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from corit.backbones.load import load_backbone
from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.files import write_text
from corit.journal import Journal, lock_folder
from corit.progress import OpenBar, no_bar
from corit.serialise import json_text
from corit.studies.real import components, layers, transfer, variants
from corit.studies.real.bank import Rows, join, load_rows
from corit.studies.real.plan import (
    CORIT,
    FACES,
    FAMILIES,
    PAIRED,
    PARTS,
    PHOTOGRAPHS,
    SETS,
    TOKENS,
    Family,
    Part,
    RealPlan,
    Variant,
    trainings,
)
from corit.studies.real.plan import variants as list_variants
from corit.studies.real.stores import Extraction, folder_of, present
from corit.studies.real.verdicts import verdicts
from corit.train.heads import versions

RECORD, MEASURED = "real.json", "measured.jsonl"
ALL_FACES = "all faces"


@dataclass(frozen=True)
class Compute:
    """How features are measured.

    Attributes:
        device: of the forward passes.
        batch: pictures in one forward pass.
        workers: processes that prepare pictures; 0 for this one.
    """

    device: str = "cpu"
    batch: int = 8
    workers: int = 0


def run(
    data: str | Path,
    out: str | Path,
    plan: RealPlan,
    *,
    parts: Sequence[Part] = PARTS,
    families: Sequence[Family] = FAMILIES,
    compute: Compute | None = None,
    command: str = "",
    bars: OpenBar = no_bar,
) -> dict[str, Any]:
    """Run the parts of the study that are asked for, and write OUT/real.json with all parts that are measured.

    Args:
        data: folder that holds dfdc-crops, stylegan-faces, composited-faces and photographs, or some of them.
        out: folder of the run.
        plan: sizes, seeds and settings.
        parts: some of `PARTS`.
        families: ablations that the part variants measures, some of `FAMILIES`.
        compute: how features are measured.
        command: the words that started it, for the record.
        bars: opens progress bars.

    Returns:
        The content of real.json.

    Raises:
        DataError: DATA holds no set of faces, or OUT holds a run of another plan or of other sets.
    """
    folder, sets = Path(out), tuple(n for n in present(Path(data)) if plan.limit(n))
    if not set(sets) & set(FACES):
        names = ", ".join(c.folder for c in FACES.values())
        raise DataError(f"expected at least one of the folders {names} in {data}, but there is none; check the path")
    with lock_folder(folder):
        settings = {"plan": plan.to_json(), "sets": list(sets)}
        with Journal(folder / MEASURED, settings) as journal:
            study = _Study(Path(data), folder, plan, sets, tuple(families), compute or Compute(), journal, bars)
            for part in (p for p in PARTS if p in parts):
                study.measure(part)
            result = study.record(command)
        write_text(folder / RECORD, json_text(result, indent=1))
    return result


@dataclass
class _Study:
    data: Path
    out: Path
    plan: RealPlan
    sets: tuple[str, ...]
    families: tuple[Family, ...]
    compute: Compute
    journal: Journal
    bars: OpenBar

    @cached_property
    def faces(self) -> tuple[str, ...]:
        return tuple(n for n in self.sets if n in FACES)

    def measure(self, part: Part) -> None:
        """Do the jobs of a part that the journal lacks; features are measured first."""
        started = time.monotonic()
        names = {
            "layers": self._layer_names,
            "components": self._layer_names,
            "transfer": self._trainings,
            "variants": self.families if PAIRED in self.sets else (),
            "control": self._single_trainings,
        }[part]
        missing = [n for n in names if f"{part}/{n}" not in self.journal.entries]
        if not missing:
            return
        self._extract(part, missing)
        with self.bars(part) as progress:
            for done, name in enumerate(missing):
                progress(done, len(missing))
                self.journal.write(f"{part}/{name}", record=self._job(part, name))
            progress(len(missing), len(missing))
        self._add_seconds(part, time.monotonic() - started)

    @property
    def _layer_names(self) -> tuple[str, ...]:
        return (*self.sets, *((ALL_FACES,) if len(self.faces) > 1 else ()))

    @property
    def _trainings(self) -> tuple[str, ...]:
        return tuple(trainings(self.sets, blends=self.plan.blends > 0))

    @property
    def _single_trainings(self) -> tuple[str, ...]:
        return tuple(t for t in self._trainings if " + " not in t)

    def _job(self, part: Part, name: str) -> dict[str, Any]:
        if part == "layers":
            return layers.measure(self._rows(name, self.plan.backbone, (TOKENS,)), self.plan)
        if part == "components":
            return components.measure(self._rows(name, self.plan.backbone, (TOKENS, CORIT)), self.plan)
        if part == "variants":
            return self._variants(cast(Family, name))
        banks = self._main_rows if part == "transfer" else self._control_rows
        return transfer.measure(banks, tuple(name.split(" + ")), self.plan)

    def _rows(self, name: str, backbone: str, recipes: Sequence[Variant]) -> Rows:
        """The rows of a set without self-blends, or of all sets of faces."""
        if name == ALL_FACES:
            return join([self._rows(n, backbone, recipes) for n in self.faces])
        rows = self._load(name, backbone, recipes)
        return rows if name == PHOTOGRAPHS.name else rows.without_blends()

    def _load(self, name: str, backbone: str, recipes: Sequence[Variant]) -> Rows:
        stores = {v.name: FeatureStore.open(folder_of(self.out, backbone, name, v)) for v in recipes}
        return load_rows(name, stores)

    @cached_property
    def _main_rows(self) -> dict[str, Rows]:
        return {n: self._load(n, self.plan.backbone, (TOKENS, CORIT)) for n in self.sets}

    @cached_property
    def _control_rows(self) -> dict[str, Rows]:
        return {n: self._load(n, self.plan.control, (TOKENS, CORIT)) for n in self.sets}

    def _variants(self, family: Family) -> dict[str, Any]:
        folders = {v.name: folder_of(self.out, self.plan.backbone, PAIRED, v) for v in (TOKENS, CORIT)}
        for v in list_variants(family):
            folders[v.name] = folder_of(self.out, self.plan.backbone, PAIRED, v, subset=True)
        rows = load_rows(PAIRED, {n: FeatureStore.open(f) for n, f in folders.items()})
        return variants.measure(rows.without_blends(), self.plan)

    def _extract(self, part: Part, missing: Sequence[str]) -> None:
        """Measure the features that a part reads and that are not stored."""
        control = part == "control"
        name = self.plan.control if control else self.plan.backbone
        backbone = load_backbone(name, "" if control else self.plan.weights)
        self.journal.write(f"backbone/{name}", digest=backbone.digest, source=backbone.source)
        how = self.compute
        extraction = Extraction(self.data, self.out, self.plan, backbone, how.device, how.batch, how.workers)
        for n in (PAIRED,) if part == "variants" else self.sets:
            with self.bars(f"{n}, {name}") as progress:
                extraction.measure(n, (TOKENS,) if part == "layers" else (TOKENS, CORIT), progress)
        for family in missing if part == "variants" else ():
            with self.bars(f"variants of {family}, {name}") as progress:
                extraction.measure_subset(list_variants(cast(Family, family)), progress)

    def _add_seconds(self, part: Part, seconds: float) -> None:
        before = self.journal.entries.get(f"seconds/{part}", {}).get("value", 0.0)
        self.journal.write(f"seconds/{part}", value=round(before + seconds, 1))

    def record(self, command: str) -> dict[str, Any]:
        """The content of real.json: all that the journal holds, what was left out, and the verdicts."""
        measured: dict[str, dict[str, Any]] = {p: {} for p in PARTS}
        for key, entry in self.journal.entries.items():
            part, _, name = key.partition("/")
            if part in measured:
                measured[part][name] = entry["record"]
        return {
            "command": command,
            "plan": self.plan.to_json(),
            "backbones": self._entries("backbone", ("digest", "source")),
            "sets": self._counts(),
            "left_out": self._left_out(measured),
            **measured,
            "verdicts": verdicts(measured["transfer"], self.plan.rhos[1]) if measured["transfer"] else [],
            "seconds": {k: e["value"] for k, e in self._entries("seconds", ("value",)).items()},
            "versions": versions(),
        }

    def _entries(self, kind: str, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        entries = {k.partition("/")[2]: e for k, e in self.journal.entries.items() if k.startswith(f"{kind}/")}
        return {name: {k: e[k] for k in keys} for name, e in entries.items()}

    def _counts(self) -> dict[str, Any]:
        """What each set's plain features count: rows by kind and split, and what could not be measured."""
        counts: dict[str, Any] = {}
        for name in self.sets:
            folder = folder_of(self.out, self.plan.backbone, name, TOKENS)
            if folder.is_dir():
                rows = self._load(name, self.plan.backbone, (TOKENS,))
                counts[name] = {"rows": rows.count(), "failed": dict(rows.failed)}
        return counts

    def _left_out(self, measured: dict[str, dict[str, Any]]) -> list[str]:
        missing = set(SETS) - set(present(self.data))
        texts = [f"{SETS[n].folder}: the folder is missing" for n in SETS if n in missing]
        texts += [
            f"{SETS[n].folder}, of which no picture was asked for" for n in SETS if not {n} & {*missing, *self.sets}
        ]
        texts += [f"the part {p}" for p in PARTS if not measured[p] and (p != "variants" or PAIRED in self.sets)]
        if PAIRED not in self.sets:
            texts.append(f"the variants and the self-blends, which need {SETS[PAIRED].folder}")
        left = [f for f in FAMILIES if f not in measured["variants"]] if measured["variants"] else []
        return [*texts, *(f"the variants of {f}" for f in left)]
