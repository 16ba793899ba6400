"""The whole study: features, pictures, comparisons, verdicts, parts.json.

Features lie in stores under OUT/features, tokens in OUT/tokens, measurements in OUT/measured.jsonl. An interrupted run
resumes: what is measured is not repeated. A run of another plan needs another folder.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from corit.backbones.load import load_backbone
from corit.backbones.stepped import Backbone
from corit.data.collections import PHOTOGRAPHS
from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.files import write_text
from corit.journal import Journal, lock_folder
from corit.progress import OpenBar, no_bar
from corit.serialise import json_text
from corit.studies.parts import injection
from corit.studies.parts.pictures import Pictures, count_masks, measure_block, read_tokens
from corit.studies.parts.plan import BLOCK, COMPARED, PARTS, Part, PartsPlan
from corit.studies.parts.probe import probes
from corit.studies.parts.summary import masks, proxy, tokens
from corit.studies.parts.verdicts import verdicts
from corit.studies.real.bank import Rows, load_rows
from corit.studies.real.plan import CORIT, PAIRED, SETS, TOKENS
from corit.studies.real.run import Compute
from corit.studies.real.stores import Extraction, folder_of, source_of
from corit.train.heads import versions

RECORD, MEASURED = "parts.json", "measured.jsonl"


def run(
    data: str | Path,
    out: str | Path,
    plan: PartsPlan,
    *,
    parts: Sequence[Part] = PARTS,
    compute: Compute | None = None,
    command: str = "",
    bars: OpenBar = no_bar,
) -> dict[str, Any]:
    """Run the parts of the study that are asked for, and write OUT/parts.json with all parts that are measured.

    Args:
        data: folder that holds dfdc-crops, and photographs if scenes are to be counted.
        out: folder of the run.
        plan: sizes, seeds and settings.
        parts: some of `PARTS`.
        compute: how features are measured.
        command: the words that started it, for the record.
        bars: opens progress bars.

    Returns:
        The content of parts.json.

    Raises:
        DataError: DATA holds no dfdc-crops, or OUT holds a run of another plan.
    """
    if not (Path(data) / SETS[PAIRED].folder).is_dir():
        raise DataError(f"expected the folder {SETS[PAIRED].folder} in {data}, but there is none; check the path")
    folder = Path(out)
    with lock_folder(folder):
        with Journal(folder / MEASURED, {"plan": plan.to_json()}) as journal:
            study = _Study(Path(data), folder, plan, compute or Compute(), journal, bars)
            for part in (p for p in PARTS if p in parts):
                started = time.monotonic()
                if study.measure(part):
                    study.add_seconds(part, time.monotonic() - started)
            result = study.record(command)
        write_text(folder / RECORD, json_text(result, indent=1))
    return result


@dataclass
class _Study:
    data: Path
    out: Path
    plan: PartsPlan
    compute: Compute
    journal: Journal
    bars: OpenBar

    @cached_property
    def backbone(self) -> Backbone:
        backbone = load_backbone(self.plan.backbone, self.plan.weights)
        named = {"digest": backbone.digest, "source": backbone.source, "layers": backbone.depth}
        self.journal.write("backbone", **named)
        return backbone

    @cached_property
    def extraction(self) -> Extraction:
        how = self.compute
        return Extraction(self.data, self.out, self.plan.real, self.backbone, how.device, how.batch, how.workers)

    @property
    def scenes(self) -> int:
        """How many photographs are counted."""
        return self.plan.scenes if (self.data / PHOTOGRAPHS.folder).is_dir() else 0

    def measure(self, part: Part) -> bool:
        """Do the work of a part that the journal lacks; return whether there was any."""
        works = {"injection": self._injection} if part == "injection" else {"pictures": self._pictures}
        if part == "pictures" and self.scenes:
            works["scenes"] = self._scenes
        missing = [n for n in works if n not in self.journal.entries]
        for name in missing:
            works[name]()
        return bool(missing)

    def _pictures(self) -> None:
        with self.bars(f"features of {PAIRED}") as progress:
            self.extraction.measure(PAIRED, (CORIT,), progress)
        made = probes(self._rows((CORIT,)), self.plan)
        self.journal.write("probes", record={h: dict(p.record) for h, p in made.items()})
        pictures = Pictures.of(source_of(self.data, self.plan.real, PAIRED), self.backbone, self.compute.device)
        blocks = pictures.pairs(self.plan.measured)
        with self.bars("pictures") as progress:
            for i, block in enumerate(blocks):
                progress(i, len(blocks))
                if f"block/{i}" not in self.journal.entries:
                    check = i < self.plan.checked // BLOCK
                    record = measure_block(pictures, block, made, self._tokens(i), check=check)
                    self.journal.write(f"block/{i}", record=record)
            progress(len(blocks), len(blocks))
        self.journal.write("pictures", blocks=len(blocks))

    def _tokens(self, block: int) -> Path:
        return self.out / "tokens" / f"{block:03d}.npz"

    def _scenes(self) -> None:
        """Count masks of photographs, one by one."""
        source = source_of(self.data, self.plan.real, PHOTOGRAPHS.name)
        pictures = Pictures.of(source, self.backbone, self.compute.device)
        records: list[dict[str, Any]] = []
        with self.bars("scenes") as progress:
            for one in pictures.prepared(source.samples):
                progress(len(records), self.plan.scenes)
                records.append(count_masks(pictures, [one]))
        self.journal.write("scenes", records=records)

    def _injection(self) -> None:
        with self.bars(f"features of {PAIRED}") as progress:
            self.extraction.measure(PAIRED, (CORIT, TOKENS), progress)
        with self.bars("compared features") as progress:
            self.extraction.measure_subset(COMPARED, progress)
        rows = self._rows((CORIT, TOKENS), subset=True).without_blends().part("train", "val")
        rows = injection.first_pairs(rows, self.plan.compared)
        places = injection.places(self.backbone.depth)
        works = [("injection", injection.measure, p) for p in places]
        works += [("sweep", injection.sweep, p) for p in places[: injection.CHIEF]]
        with self.bars("comparisons") as progress:
            for i, (kind, measure, place) in enumerate(works):
                progress(i, len(works))
                if f"{kind}/{place}" not in self.journal.entries:
                    self.journal.write(f"{kind}/{place}", record=measure(rows, place, self.plan))
            progress(len(works), len(works))
        self.journal.write("injection")

    def _rows(self, whole: Sequence[Any], *, subset: bool = False) -> Rows:
        """The rows that all stores hold; with `subset`, those of the compared stores too."""
        folders = {v.name: folder_of(self.out, self.plan.backbone, PAIRED, v) for v in whole}
        if subset:
            folders |= {v.name: folder_of(self.out, self.plan.backbone, PAIRED, v, subset=True) for v in COMPARED}
        return load_rows(PAIRED, {n: FeatureStore.open(f) for n, f in folders.items()})

    def add_seconds(self, part: Part, seconds: float) -> None:
        """Add to the time that a part took."""
        before = self.journal.entries.get(f"seconds/{part}", {}).get("value", 0.0)
        self.journal.write(f"seconds/{part}", value=round(before + seconds, 1))

    def record(self, command: str) -> dict[str, Any]:
        """The content of parts.json: averages of all that the journal holds, what was left out, and the verdicts."""
        entries = self.journal.entries
        measured: dict[str, Any] = {"proxy": {}, "masks": {}, "tokens": {}, "injection": {}}
        if blocks := self._entries("block"):
            tokens_of = read_tokens([self._tokens(int(i)) for i in blocks])
            heads = entries["probes"]["record"]
            measured["proxy"] = {"heads": heads, **proxy(list(blocks.values()), self.plan)}
            measured["masks"] = {PAIRED: masks(list(blocks.values()), self.plan)}
            measured["tokens"] = tokens(list(blocks.values()), tokens_of, entries["backbone"]["layers"])
        if "scenes" in entries:
            measured["masks"][PHOTOGRAPHS.name] = masks(entries["scenes"]["records"], self.plan)
        measured["injection"] = injection.joined(self._entries("injection"), self._entries("sweep"))
        return {
            "command": command,
            "plan": self.plan.to_json(),
            "backbone": {k: v for k, v in entries.get("backbone", {}).items() if k != "name"},
            "left_out": self._left_out(entries),
            **measured,
            "verdicts": verdicts(measured),
            "seconds": {p: entries[f"seconds/{p}"]["value"] for p in PARTS if f"seconds/{p}" in entries},
            "versions": versions(),
        }

    def _entries(self, kind: str) -> dict[str, Any]:
        """The records of one kind that are measured, by name, in their order."""
        entries = {n.partition("/")[2]: e for n, e in self.journal.entries.items() if n.startswith(f"{kind}/")}
        return {name: e["record"] for name, e in entries.items()}

    def _left_out(self, entries: Mapping[str, Any]) -> list[str]:
        blocks, places, swept = (len(self._entries(k)) for k in ("block", "injection", "sweep"))
        texts = {
            "pictures": f"test pairs behind the first {blocks * BLOCK} of {self.plan.measured}",
            "scenes": "photographs",
            "injection": f"comparisons of stores behind the first {places} (converged) and {swept} (SAM)",
        }
        if not blocks:
            texts["pictures"] = "the part pictures"
        if not places:
            texts["injection"] = "the part injection"
        return [text for name, text in texts.items() if name not in entries]
