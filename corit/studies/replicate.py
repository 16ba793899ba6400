"""The demo repeated over worlds and encoders: how much do its numbers vary?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from corit.errors import DataError
from corit.files import write_text
from corit.journal import Journal
from corit.progress import OpenBar, no_bar
from corit.serialise import json_text
from corit.studies.demo import MODELS, compare_models, write_results
from corit.world.miniature import MiniatureSpec
from corit.world.pretrain import pretrain

SETTINGS = "settings.jsonl"
TABLES = ("in_domain", "leave_one_out")


@dataclass(frozen=True)
class Replication:
    """The settings that all worlds share.

    Attributes:
        spec: the world; each replication changes its seed.
        seeds: head seeds.
        steps: pretraining steps of an encoder for each world, 0 for the packaged encoder in all.
        faces: drawn faces in pretraining.
        photos: folder of photographs in pretraining, None without.
    """

    spec: MiniatureSpec
    seeds: tuple[int, ...]
    steps: int
    faces: int
    photos: Path | None

    def to_json(self) -> dict[str, Any]:
        """Return the settings that a folder keeps."""
        encoders = {"faces": self.faces, "photos": str(self.photos or "")} if self.steps else {}
        settings = {"world": asdict(self.spec), "seeds": list(self.seeds), "steps": self.steps, **encoders}
        plain: dict[str, Any] = json.loads(json.dumps(settings))
        return plain


def replicate(
    out: str | Path,
    *,
    spec: MiniatureSpec,
    worlds: Sequence[int],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    steps: int = 0,
    faces: int = 30_000,
    photos: Path | None = None,
    workers: int = 2,
    bars: OpenBar = no_bar,
) -> dict[str, Any]:
    """Run the demo in each world and write `out`/replication.json: median and range over worlds of every AUC.

    The range is the lowest and the highest world, since a handful of worlds supports no interval. Finished worlds are
    not repeated.

    Args:
        out: folder of the record and of a folder for each world.
        spec: the world; its seed is replaced.
        worlds: seeds of the worlds, each with new identities and forgeries.
        seeds: head seeds.
        steps: 0 keeps the packaged encoder; otherwise each world pretrains an encoder from its seed in so many steps.
        faces: drawn faces in pretraining.
        photos: folder of photographs in pretraining, None without.
        workers: processes that prepare pictures, 0 for this one.
        bars: opens progress bars.

    Raises:
        DataError: without worlds, or when the folder holds worlds of other settings.
    """
    if not worlds:
        raise DataError("expected at least one world; give --worlds 3")
    folder, settings = Path(out), Replication(spec, tuple(seeds), steps, faces, photos)
    _require_same_settings(folder, settings)
    runs = [_run_world(folder / f"world-{w}", w, settings, workers, bars) for w in worlds]
    record = {
        "worlds": list(worlds),
        "encoder": f"pretrained for {steps} steps in each world" if steps else "packaged, the same in every world",
        "head": runs[0]["head"],
        "seeds": list(seeds),
        **{t: {m: {k: _spread(runs, t, m, k) for k in spec.kinds} for m in MODELS} for t in TABLES},
        "gain": {t: {k: _gain(runs, t, k) for k in spec.kinds} for t in TABLES},
    }
    write_text(folder / "replication.json", json_text(record))
    return record


def _require_same_settings(folder: Path, settings: Replication) -> None:
    """Raise DataError when the folder holds worlds of other settings, or of unknown ones."""
    if not (folder / SETTINGS).exists() and any(folder.glob("world-*/results.json")):
        raise DataError(f"{folder} holds worlds of unknown settings; remove it or choose another folder")
    Journal(folder / SETTINGS, settings.to_json()).close()


def _run_world(folder: Path, world: int, settings: Replication, workers: int, bars: OpenBar) -> dict[str, Any]:
    """The record of one world: stored, or from a run."""
    path = folder / "results.json"
    if path.exists():
        stored: dict[str, Any] = json.loads(path.read_text())
        return stored
    s, weights = settings, folder / "encoder.safetensors"
    if s.steps and not weights.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pretrain(weights, seed=world, steps=s.steps, faces=s.faces, photos=s.photos)
    result = compare_models(
        folder,
        spec=replace(s.spec, seed=world),
        seeds=s.seeds,
        weights=str(weights) if s.steps else "packaged",
        workers=workers,
        bars=bars,
    )
    write_results(result, path)
    return result.to_json()


def _spread(runs: Sequence[dict[str, Any]], table: str, model: str, kind: str) -> dict[str, float]:
    return _summary([r[table][model][kind] for r in runs])


def _gain(runs: Sequence[dict[str, Any]], table: str, kind: str) -> dict[str, float]:
    """AUC of CoRIT minus that of UniFD in the same world."""
    return _summary([r[table]["corit"][kind] - r[table]["unifd"][kind] for r in runs])


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {k: round(float(f(values)), 4) for k, f in (("median", np.median), ("low", np.min), ("high", np.max))}
