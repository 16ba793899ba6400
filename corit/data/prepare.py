"""Videos -> aligned face crops with landmarks and masks on disk, by DeepfakeBench's recipe and in its layout."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path, PurePath

import numpy as np
from PIL import Image

from corit.data.frames import BESIDE, FILMS
from corit.data.journal import Journal
from corit.errors import DataError, InputError, UnreadableError
from corit.images.crop import BENCHMARK, Cropping, Cut, crop
from corit.images.faces import FaceFinder
from corit.images.video import Film, Frame

JOURNAL = "prepared.jsonl"
STAGED = ".preparing"
LISTS = frozenset((".json", ".txt", ".csv"))
SAVED = ("ok", "truncated")
OURS = (*SAVED, "moving")
KINDS = ("landmarks", "masks", "frames")  # in the order in which they are moved: a video with frames has all


@dataclass(frozen=True)
class Prepared:
    """What became of one video. name: its path below the root. folder: where its frames are, empty for none.

    status: ok; truncated, where the file ends early and the frames before were saved; no_face; unreadable; unsupported;
    exists, where frames that this program did not make are in the way. frames: saved. faceless: chosen frames without a
    face. missing: chosen frames that could not be decoded.
    """

    name: str
    folder: str
    status: str
    reason: str = ""
    frames: int = 0
    faceless: int = 0
    missing: int = 0


def list_films(root: str | os.PathLike[str]) -> Iterator[str]:
    """The video files below a folder in a stable order, without hidden ones and films of masks."""
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(n for n in inner if not n.startswith(".") and n not in BESIDE)
        yield from (
            os.path.join(folder, n) for n in sorted(names) if PurePath(n).suffix.lower() in FILMS and n[0] != "."
        )


def prepare(
    paths: Iterable[str],
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    cropping: Cropping = BENCHMARK,
    *,
    finder: FaceFinder | None = None,
    workers: int = 0,
) -> Iterator[Prepared]:
    """Cut the largest face out of the chosen frames of each video below `root`, and write them below `out`.

    <folder>/videos/<video>.mp4 or <folder>/<video>.mp4 becomes <folder>/frames/<video>/000.png with landmarks/ beside
    it, numbered by the frame's index, and masks/ where a film of masks lies in masks/videos/ above the compression's
    folder. Lists (JSON, TXT, CSV) are copied, so that `out` can be read as `root` was; both may be one folder.
    prepared.jsonl in `out` remembers each video: what is there is not done again, what failed is tried again. A video
    appears whole or not at all. finder: by default dlib, with the settings of the cropping. workers: processes, 0 for
    none; a finder then has to be a function of a module.

    Yields a row for each video, in order. Raises DataError when a video lies outside the root, or `out` cannot be
    written or was begun with other settings.
    """
    root, out = os.fspath(root), os.fspath(out)
    if not os.path.isdir(root):
        raise DataError(f"expected a folder of videos at {root}; there is none")
    jobs = [Job(name, path, out, cropping, finder) for name, path in {_name(p, root): p for p in paths}.items()]
    _require_apart(jobs)
    journal = Journal(Path(out) / JOURNAL, asdict(cropping))
    if not os.path.samefile(root, out):
        _copy_lists(root, out)
    shutil.rmtree(os.path.join(out, STAGED), ignore_errors=True)
    todo = [j for j in jobs if not _done(j, journal) and not _in_the_way(j, journal)]
    results = _run(todo, workers)
    names = {j.name for j in todo}
    for job in jobs:
        if job.name in names:
            yield _settle(job, next(results), journal)
        elif _done(job, journal):
            yield Prepared(**{**journal.entries[job.name], "folder": job.target("frames")})
        else:
            reason = f"{job.target('frames')} is there and is not of this program; remove it or choose another folder"
            yield Prepared(job.name, "", "exists", reason)
    journal.close()
    shutil.rmtree(os.path.join(out, STAGED), ignore_errors=True)


@dataclass(frozen=True)
class Job:
    """One video to prepare. It travels to a worker process."""

    name: str
    path: str
    out: str
    cropping: Cropping
    finder: FaceFinder | None

    @property
    def folder(self) -> str:
        """What frames/, landmarks/ and masks/ lie in: the video's folder, or the one above videos/."""
        parts = self.name.split("/")
        at = len(parts) - 1 - parts[::-1].index("videos") if "videos" in parts[:-1] else len(parts) - 1
        return "/".join(parts[:at])

    @property
    def video(self) -> str:
        """The path of the video below frames/."""
        inside = self.name[len(self.folder) :].strip("/").removeprefix("videos/")
        return os.path.splitext(inside)[0]

    def target(self, kind: str) -> str:
        """Where the frames, landmarks or masks go."""
        return os.path.join(self.out, self.folder, kind, self.video)

    @property
    def staged(self) -> str:
        """Where they are made."""
        return os.path.join(self.out, STAGED, self.name)


def _done(job: Job, journal: Journal) -> bool:
    return journal.entries.get(job.name, {}).get("status") in SAVED and os.path.isdir(job.target("frames"))


def _in_the_way(job: Job, journal: Journal) -> bool:
    """Frames are there that this program did not begin to move."""
    return os.path.exists(job.target("frames")) and journal.entries.get(job.name, {}).get("status") not in OURS


def _run(jobs: Sequence[Job], workers: int) -> Iterator[Prepared]:
    if not workers:
        yield from map(_cut_out, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_cut_out, jobs)


def _cut_out(job: Job) -> Prepared:
    counts = {"frames": 0, "faceless": 0}
    try:
        film = Film(job.path)
        frames = film.frames(job.cropping.frames, job.cropping.choice)
        for frame, mask in _with_masks(frames, job):
            cut = crop(frame, job.cropping, job.finder, mask)
            counts["frames" if cut else "faceless"] += 1
            if cut:
                _write(job.staged, cut)
    except InputError as err:
        return Prepared(job.name, "", err.status, str(err), **counts)
    assert film.ending is not None
    end = film.ending
    if not counts["frames"]:
        reason = f"no face was found in {counts['faceless']} frames"
        return Prepared(job.name, "", "no_face", reason, **counts, missing=end.missing)
    folder = job.target("frames")
    return Prepared(job.name, folder, end.status, end.reason, **counts, missing=end.missing)


def _with_masks(frames: Iterator[Frame], job: Job) -> Iterator[tuple[Frame, np.ndarray | None]]:
    """Each frame with its grey mask (H, W) uint8, None where there is none; both films are decoded side by side."""
    path = mask_film(job.path)
    masks = Film(path).frames(job.cropping.frames, job.cropping.choice) if path else iter(())
    held = next(masks, None)
    for frame in frames:
        while held is not None and held.index < frame.index:
            held = next(masks, None)
        own = held.pixels[..., 0] if held is not None and held.index == frame.index else None
        if own is not None and own.shape != frame.pixels.shape[:2]:
            raise UnreadableError(f"expected masks of {frame.pixels.shape[:2]} in {path}, got {own.shape}")
        yield frame, own


def mask_film(path: str) -> str | None:
    """Where FaceForensics++ and its like keep the film of masks of a video: masks/videos/ above the compression."""
    parts = PurePath(path)
    for up in parts.parents[1:3]:
        found = os.path.join(up, "masks", "videos", parts.name)
        if os.path.isfile(found):
            return found
    return None


def _write(staged: str, cut: Cut) -> None:
    for kind in KINDS:
        if kind != "masks" or cut.mask is not None:
            os.makedirs(os.path.join(staged, kind), exist_ok=True)
    name = f"{cut.index:03d}"
    Image.fromarray(cut.pixels).save(os.path.join(staged, "frames", f"{name}.png"))
    np.save(os.path.join(staged, "landmarks", f"{name}.npy"), cut.landmarks)
    if cut.mask is not None:
        Image.fromarray(cut.mask.astype(np.uint8) * 255).save(os.path.join(staged, "masks", f"{name}.png"))


def _settle(job: Job, result: Prepared, journal: Journal) -> Prepared:
    """Move what a job made to its place and remember it."""
    try:
        if result.folder:
            _move(job, journal)
        shutil.rmtree(job.staged, ignore_errors=True)
        journal.write(**{**asdict(result), "folder": ""})
    except OSError as err:
        raise DataError(f"expected to write below {job.out}, but {err.strerror}; mend that and go on") from err
    return result


def _move(job: Job, journal: Journal) -> None:
    journal.write(job.name, status="moving")  # from here on what lies at the targets is ours
    for kind in KINDS:
        made, target = os.path.join(job.staged, kind), job.target(kind)
        if os.path.exists(target):
            shutil.rmtree(target)
        if os.path.isdir(made):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.replace(made, target)


def _name(path: str, root: str) -> str:
    name = os.path.relpath(path, root).replace(os.sep, "/")
    if name.startswith("../") or os.path.isabs(name):
        raise DataError(f"expected videos below {root}, got {path}; give the folder that all of them lie in")
    return name


def _require_apart(jobs: Sequence[Job]) -> None:
    seen: dict[str, str] = {}
    for job in jobs:
        other = seen.setdefault(job.target("frames"), job.name)
        if other != job.name:
            raise DataError(
                f"expected videos of different names, but the frames of {other} and {job.name} would be mixed"
            )


def _copy_lists(root: str, out: str) -> None:
    """Copy split lists and labels, which lie within three folders of the root."""
    for folder, inner, names in os.walk(root):
        rel = os.path.relpath(folder, root)
        inner[:] = [n for n in inner if rel.count(os.sep) < 2 and not n.startswith(".")]
        for name in names:
            target = os.path.join(out, rel, name)
            if PurePath(name).suffix.lower() in LISTS and name != JOURNAL and not os.path.exists(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(os.path.join(folder, name), target)
