"""The demo over worlds and encoders: are its numbers those of one draw?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from corit.errors import DataError
from corit.files import write_text
from corit.journal import Journal
from corit.progress import OpenBar, no_bar
from corit.serialise import json_text
from corit.studies.demo import MODELS, compare
from corit.world.miniature import MiniatureSpec
from corit.world.pretrain import pretrain

SETTINGS = "settings.jsonl"
TABLES = ("in_domain", "leave_one_out")


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
    """Run `compare` in each world and write `out`/replication.json: median and range over worlds of every AUC.

    steps: 0 keeps the packaged encoder and draws new identities and forgeries; otherwise an encoder is pretrained for
    each world, from the world's seed, in so many steps. Worlds that are finished are not run again. The range is
    the lowest and highest world, since a handful of worlds supports no interval. Raises DataError without worlds, and
    where the folder holds worlds of other settings.
    """
    if not worlds:
        raise DataError("expected at least one world; give --worlds 3")
    folder = Path(out)
    asked = {"world": asdict(spec), "seeds": list(seeds), "steps": steps, **_encoders(steps, faces, photos)}
    _require_same(folder, asked)
    runs = [_one(folder / f"world-{w}", w, spec, seeds, steps, faces, photos, workers, bars) for w in worlds]
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


def _encoders(steps: int, faces: int, photos: Path | None) -> dict[str, Any]:
    """What encoders are pretrained on, where they are."""
    return {"faces": faces, "photos": str(photos or "")} if steps else {}


def _require_same(folder: Path, asked: dict[str, Any]) -> None:
    """Raise DataError where the folder holds worlds of other settings, which it remembers."""
    if not (folder / SETTINGS).exists() and any(folder.glob("world-*/results.json")):
        raise DataError(f"{folder} holds worlds of settings that nobody remembers; remove it or choose another folder")
    Journal(folder / SETTINGS, json.loads(json.dumps(asked))).close()


def _one(
    folder: Path,
    world: int,
    spec: MiniatureSpec,
    seeds: Sequence[int],
    steps: int,
    faces: int,
    photos: Path | None,
    workers: int,
    bars: OpenBar,
) -> dict[str, Any]:
    """The record of one world: read when it was finished before."""
    done = folder / "results.json"
    if done.exists():
        held: dict[str, Any] = json.loads(done.read_text())
        return held
    weights = folder / "encoder.safetensors"
    if steps and not weights.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pretrain(weights, seed=world, steps=steps, faces=faces, photos=photos)
    found = compare(
        folder,
        spec=replace(spec, seed=world),
        seeds=seeds,
        weights=str(weights) if steps else "packaged",
        workers=workers,
        bars=bars,
    )
    write_text(done, json_text(found.to_json()))
    return found.to_json()


def _spread(runs: Sequence[dict[str, Any]], table: str, model: str, kind: str) -> dict[str, float]:
    return _summary([r[table][model][kind] for r in runs])


def _gain(runs: Sequence[dict[str, Any]], table: str, kind: str) -> dict[str, float]:
    """AUC of CoRIT less that of UniFD in the same world."""
    return _summary([r[table]["corit"][kind] - r[table]["unifd"][kind] for r in runs])


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {k: round(float(f(values)), 4) for k, f in (("median", np.median), ("low", np.min), ("high", np.max))}
