"""The whole study in the miniature: encoders, features, hyperparameters, measurements, verdicts, claims.json.

Each measurement is a file under OUT/measured. An interrupted run resumes: finished measurements are not repeated. A run
with another plan needs another folder.
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
from corit.studies.findings import (
    courses,
    further_claims,
    gradient_opposition,
    gradient_proxy,
    hyperparameters,
    main_claims,
    regional_gsnr,
    sweeps,
)
from corit.studies.findings.claims import Claim
from corit.studies.findings.encoders import card_of, ensure_encoder
from corit.studies.findings.measurements import Measurements
from corit.studies.findings.plan import MAIN, FindingsPlan
from corit.studies.findings.stores import extract_world
from corit.studies.findings.worlds import write_world
from corit.train.heads import versions


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Attributes:
        kind: "sweeps", "courses", "proxy", "regional" or "opposition".
        index: the place of its setting in the plan, or its encoder seed.
        name: the name of its file.
    """

    kind: str
    index: int
    name: str

    def run(self, out: Path, plan: FindingsPlan, frozen: dict[str, Any]) -> dict[str, Any]:
        """Measure and return the record.

        Args:
            out: folder of the study, with the features.
            plan: its plan.
            frozen: the chosen hyperparameters.
        """
        if self.kind == "sweeps":
            return sweeps.measure(out, plan, frozen, plan.settings[self.index])
        if self.kind == "courses":
            return courses.measure(out, plan, frozen, plan.course_settings[self.index])
        if self.kind == "regional":
            return regional_gsnr.measure(out, plan, self.index)
        by_seed = {"proxy": gradient_proxy.measure, "opposition": gradient_opposition.measure}
        return by_seed[self.kind](out, plan, frozen, self.index)


def measurements_of(plan: FindingsPlan) -> list[Measurement]:
    """List every measurement, the longest first."""
    jobs = [Measurement("courses", i, s.name) for i, s in enumerate(plan.course_settings)]
    jobs += [Measurement("sweeps", i, s.name) for i, s in enumerate(plan.settings)]
    jobs += [Measurement(kind, s, str(s)) for kind in ("proxy", "regional", "opposition") for s in plan.encoders]
    return jobs


def run(
    out: str | Path,
    plan: FindingsPlan,
    *,
    photos: Path | None = None,
    workers: int = 2,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Run the study and write OUT/claims.json, and the same record as the miniature's in OUT/findings.json.

    Args:
        out: folder of the study.
        plan: its plan.
        photos: folder of photographs, to pretrain encoders that are missing.
        workers: processes that measure, 0 for this one.
        progress: called with steps done and in all, of each part of the study.

    Returns:
        The content of claims.json.

    Raises:
        DataError: when OUT holds a study of another plan, or an encoder is missing and cannot be pretrained.
    """
    folder, started = Path(out), time.monotonic()
    _require_same_plan(folder, plan)
    for target, seed in plan.all_encoders:
        ensure_encoder(folder, plan, target, seed, photos, progress)
    run_all([(_extract, (folder, plan, s)) for s in plan.encoders], workers, progress)
    frozen = read_or_make(folder / "frozen.json", lambda: hyperparameters.choose_all(folder, plan))
    missing = [m for m in measurements_of(plan) if not _path(folder, m).exists()]
    run_all([(_measure, (folder, plan, frozen, m)) for m in missing], workers, progress)
    seconds = add_seconds(folder, time.monotonic() - started)
    result = record(folder, plan, frozen, claims_of(read(folder, plan)), seconds)
    _write(folder / "claims.json", result)
    write_world(folder, "miniature", result)
    return result


def claims_of(data: Measurements) -> list[Claim]:
    """Return every claim, the paper's main ones first."""
    return [*main_claims.claims(data), *further_claims.claims(data)]


def record(
    out: Path, plan: FindingsPlan, frozen: dict[str, Any], claims: Sequence[Claim], seconds: float
) -> dict[str, Any]:
    """Return the content of claims.json: plan, encoders, hyperparameters, and a row for each claim."""
    return {
        "world": f"miniature, {plan.train}/{plan.val}/{plan.test} identities x {plan.pictures} pictures",
        "plan": plan.to_json(),
        "encoders": [card_of(out, t, s) for t, s in plan.all_encoders],
        "frozen": {
            "on": f"validation identities of world {plan.encoders[0]}, encoder {MAIN}-{plan.encoders[0]}",
            "choices": frozen,
            "heads": hyperparameters.recipes(frozen),
            "collapse": {"chance": 0.55, "learned": 0.6},
            "layers": list(plan.layers),
            "rhos": list(plan.rhos),
        },
        "seconds": round(seconds),
        "versions": versions(),
        "claims": [c.to_json() for c in claims],
    }


def read(out: Path, plan: FindingsPlan) -> Measurements:
    """Read every measurement of a study.

    Raises:
        DataError: when one is missing.
    """
    records: dict[str, dict[Any, Any]] = {k: {} for k in ("sweeps", "courses", "proxy", "regional", "opposition")}
    for m in measurements_of(plan):
        path = _path(out, m)
        if not path.exists():
            raise DataError(f"expected the measurement {path}, but it is not there; run corit findings --out {out}")
        key = m.name if m.kind in ("sweeps", "courses") else m.index
        records[m.kind][key] = json.loads(path.read_text())
    return Measurements(plan, **records)


def _extract(out: Path, plan: FindingsPlan, seed: int) -> None:
    extract_world(out, plan, seed)


def _measure(out: Path, plan: FindingsPlan, frozen: dict[str, Any], measurement: Measurement) -> None:
    read_or_make(_path(out, measurement), lambda: measurement.run(out, plan, frozen))


def _path(out: Path, measurement: Measurement) -> Path:
    return out / "measured" / measurement.kind / f"{measurement.name}.json"


def run_all(jobs: Sequence[tuple[Callable[..., None], tuple[Any, ...]]], workers: int, progress: Progress) -> None:
    """Run every job, here or in processes of one thread each; an error stops those that have not started."""
    for done, _ in enumerate(_finished(jobs, workers), start=1):
        progress(done, len(jobs))


def _finished(jobs: Sequence[tuple[Callable[..., None], tuple[Any, ...]]], workers: int) -> Iterator[None]:
    if not workers:
        yield from (job(*arguments) for job, arguments in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_single_threaded) as pool:
        futures: list[Future[None]] = [pool.submit(job, *arguments) for job, arguments in jobs]
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


def _require_same_plan(out: Path, plan: FindingsPlan) -> None:
    """Raise DataError when the folder holds a study of another plan."""
    settings = json.loads(json.dumps(plan.to_json()))
    stored = read_or_make(out / "plan.json", lambda: settings)
    require_same_settings(out, {k: stored.get(k) for k in settings}, settings)


def add_seconds(out: Path, seconds: float) -> float:
    """Return the seconds of this run and of the interrupted runs before it."""
    path = out / "seconds.json"
    before = json.loads(path.read_text()) if path.exists() else 0.0
    _write(path, before + seconds)
    return before + seconds


def read_or_make(path: Path, make: Callable[[], Any]) -> Any:
    """Return the content of a JSON file, made and written first when it is missing."""
    if not path.exists():
        _write(path, make())
    return json.loads(path.read_text())


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json_text(content, indent=1))
