"""All of it: encoders, features, frozen knobs, measurements unit by unit, verdicts, claims.json.

A unit is a file under OUT/measured; what is there is not measured again, so an interrupted run goes on where it was.
A run with another plan or other encoders needs another folder, and says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from corit.errors import DataError
from corit.files import write_text
from corit.journal import require_same_settings
from corit.progress import Progress, no_progress
from corit.serialise import json_text
from corit.studies.findings import assertions, atlas, courses, headline, knobs, opposition, proxy, regional
from corit.studies.findings.book import Book
from corit.studies.findings.claims import Claim
from corit.studies.findings.encoders import card_of, ensure
from corit.studies.findings.plan import MAIN, Plan
from corit.studies.findings.stores import extract_world
from corit.train.heads import versions


@dataclass(frozen=True)
class Unit:
    """One measurement: its kind, the encoder seed or setting it is of, and its file's name."""

    kind: str
    index: int
    name: str

    def run(self, out: Path, plan: Plan, frozen: dict[str, Any]) -> dict[str, Any]:
        """Measure it."""
        if self.kind == "sweeps":
            return atlas.measure(out, plan, frozen, plan.settings[self.index])
        if self.kind == "courses":
            return courses.measure(out, plan, frozen, plan.watched_settings[self.index])
        if self.kind == "regional":
            return regional.measure(out, plan, self.index)
        by_seed = {"proxy": proxy.measure, "opposition": opposition.measure}
        return by_seed[self.kind](out, plan, frozen, self.index)


def units(plan: Plan) -> list[Unit]:
    """Every measurement, the longest first."""
    found = [Unit("courses", i, s.name) for i, s in enumerate(plan.watched_settings)]
    found += [Unit("sweeps", i, s.name) for i, s in enumerate(plan.settings)]
    found += [Unit(kind, s, str(s)) for kind in ("proxy", "regional", "opposition") for s in plan.encoders]
    return found


def run(
    out: str | Path, plan: Plan, *, photos: Path | None = None, workers: int = 2, progress: Progress = no_progress
) -> dict[str, Any]:
    """Everything, into OUT/claims.json; returns what it holds.

    workers: processes that measure, 0 for none. Raises DataError when OUT holds another plan's work or an encoder is
    missing and cannot be trained.
    """
    folder, began = Path(out), time.monotonic()
    _same_plan(folder, plan)
    for target, seed in plan.all_encoders:
        ensure(folder, plan, target, seed, photos, progress)
    _all([(_extracted, (folder, plan, s)) for s in plan.encoders], workers, progress)
    frozen = _kept(folder / "frozen.json", lambda: knobs.freeze(folder, plan))
    left = [u for u in units(plan) if not _place(folder, u).exists()]
    _all([(_measured, (folder, plan, frozen, u)) for u in left], workers, progress)
    seconds = _spent(folder, time.monotonic() - began)
    found = record(folder, plan, frozen, judged(read(folder, plan)), seconds)
    _write(folder / "claims.json", found)
    return found


def judged(book: Book) -> list[Claim]:
    """Every claim's row."""
    return [*headline.claims(book), *assertions.claims(book)]


def record(out: Path, plan: Plan, frozen: dict[str, Any], claims: Sequence[Claim], seconds: float) -> dict[str, Any]:
    """What claims.json holds: how it was measured, what was frozen, and a row for each claim."""
    return {
        "world": f"miniature, {plan.train}/{plan.val}/{plan.test} identities x {plan.pictures} pictures",
        "plan": plan.to_json(),
        "encoders": [card_of(out, t, s) for t, s in plan.all_encoders],
        "frozen": {
            "on": f"validation identities of world {plan.encoders[0]}, encoder {MAIN}-{plan.encoders[0]}",
            "choices": frozen,
            "heads": knobs.recipes(frozen),
            "collapse": {"chance": 0.55, "learned": 0.6},
            "layers": list(plan.layers),
            "rhos": list(plan.rhos),
        },
        "seconds": round(seconds),
        "versions": versions(),
        "claims": [c.to_json() for c in claims],
    }


def read(out: Path, plan: Plan) -> Book:
    """Everything that was measured. Raises DataError when a unit is missing."""
    held: dict[str, dict[Any, Any]] = {k: {} for k in ("sweeps", "courses", "proxy", "regional", "opposition")}
    for unit in units(plan):
        place = _place(out, unit)
        if not place.exists():
            raise DataError(f"expected the measurement {place}, but it is not there; run corit findings --out {out}")
        held[unit.kind][unit.name if unit.kind in ("sweeps", "courses") else unit.index] = json.loads(place.read_text())
    return Book(plan, **held)


def _extracted(out: Path, plan: Plan, seed: int) -> None:
    extract_world(out, plan, seed)


def _measured(out: Path, plan: Plan, frozen: dict[str, Any], unit: Unit) -> None:
    _kept(_place(out, unit), lambda: unit.run(out, plan, frozen))


def _place(out: Path, unit: Unit) -> Path:
    return out / "measured" / unit.kind / f"{unit.name}.json"


def _all(jobs: Sequence[tuple[Callable[..., None], tuple[Any, ...]]], workers: int, progress: Progress) -> None:
    """Run every job, here or in processes of one thread each; an error stops those that have not begun."""
    for done, _ in enumerate(_finished(jobs, workers), start=1):
        progress(done, len(jobs))


def _finished(jobs: Sequence[tuple[Callable[..., None], tuple[Any, ...]]], workers: int) -> Iterator[None]:
    if not workers:
        yield from (job(*given) for job, given in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_single_threaded) as pool:
        futures: list[Future[None]] = [pool.submit(job, *given) for job, given in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _single_threaded() -> None:
    """Two processes of one thread each are faster than one of two."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _same_plan(out: Path, plan: Plan) -> None:
    """Raise DataError when the folder was begun with another plan."""
    asked = json.loads(json.dumps(plan.to_json()))
    begun = _kept(out / "plan.json", lambda: asked)
    require_same_settings(out, {k: begun.get(k) for k in asked}, asked)


def _spent(out: Path, seconds: float) -> float:
    """Seconds of this run and of those before it that were interrupted."""
    place = out / "seconds.json"
    before = json.loads(place.read_text()) if place.exists() else 0.0
    _write(place, before + seconds)
    return before + seconds


def _kept(place: Path, make: Callable[[], Any]) -> Any:
    """The content of a JSON file, made and written when it is not there."""
    if not place.exists():
        _write(place, make())
    return json.loads(place.read_text())


def _write(place: Path, content: Any) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, json_text(content, indent=1))
