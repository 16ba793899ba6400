"""Cut aligned face crops with landmarks and masks out of videos, by DeepfakeBench's recipe and in its layout."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image

from corit.data.care.copies import copy_lists
from corit.data.frames import SIDE_FOLDERS, VIDEO_SUFFIXES
from corit.data.mask_video import MaskVideo, find_mask_video
from corit.data.pool import require_workers, run_tasks
from corit.data.stamp import CurrentVersion, Version, entry_is_current
from corit.data.walk import leads_nowhere, linked_folders, walk
from corit.errors import DataError, InputError, MachineError
from corit.failures import machine_failure
from corit.images.display import READING
from corit.images.face_crop import DEEPFAKEBENCH, Cropping, FaceCrop, crop_face
from corit.images.faces import FaceFinder
from corit.images.video import VideoFile
from corit.journal import Journal, lock_folder
from corit.progress import Progress, no_progress

JOURNAL = "prepared.jsonl"
STAGED = ".preparing"
SAVED = ("ok", "truncated")
OWN = (*SAVED, "moving")  # what lies at the targets is of this program
KINDS = ("landmarks", "masks", "frames")  # in the order in which they are moved: frames come last


@dataclass(frozen=True)
class PreparedVideo:
    """The result of preparing one video.

    Attributes:
        name: its path below the root.
        folder: where its frames are; empty for none.
        status: "ok"; "truncated", some frames are lost and the others are saved; "no_face"; "unreadable";
            "unsupported"; "exists", the folder holds frames of another program; "clash", the frames of another video
            belong in the same folder.
        reason: why the status is not "ok", or why masks are lacking.
        frames: the number of saved frames.
        masks: the number of saved masks.
        maskless: saved frames without a mask, of a video that has a video of masks.
        faceless: selected frames without a face.
        missing: selected frames that cannot be decoded.
    """

    name: str
    folder: str
    status: str
    reason: str = ""
    frames: int = 0
    masks: int = 0
    maskless: int = 0
    faceless: int = 0
    missing: int = 0


def _ignore(reason: str) -> None:
    """Default callback, which does nothing."""


def list_videos(root: str | os.PathLike[str], on_skipped: Callable[[str], None] = _ignore) -> Iterator[str]:
    """Yield the video files below a folder in a stable order, without hidden ones and videos of masks.

    Args:
        root: the folder.
        on_skipped: called with each folder that is not looked into, and why: it cannot be opened, or is a link. Links
            to folders are not followed, since crops of what lies elsewhere would be written below `out`.
    """
    walked = walk(
        root,
        links="never",
        enters=lambda folder, entry: entry.name not in SIDE_FOLDERS,
        on_closed=lambda path, err: on_skipped(f"{path}: {err.strerror}"),
    )
    for folder in walked:
        for link in linked_folders(folder):
            on_skipped(f"{link}: a link to a folder, which is not followed")
        for entry in folder.files:
            if PurePath(entry.name).suffix.lower() in VIDEO_SUFFIXES:
                yield entry.path
            elif leads_nowhere(entry):
                on_skipped(f"{entry.path}: a link that leads nowhere")


def prepare_videos(
    paths: Iterable[str],
    root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    cropping: Cropping = DEEPFAKEBENCH,
    *,
    finder: FaceFinder | None = None,
    workers: int = 0,
    progress: Progress = no_progress,
    on_skipped: Callable[[str], None] = _ignore,
) -> Generator[PreparedVideo]:
    """Cut the largest face out of the selected frames of each video below `root`, and write them below `out`.

    <folder>/videos/<video>.mp4 or <folder>/<video>.mp4 becomes <folder>/frames/<video>/000.png with landmarks/ beside
    it, numbered by the frame's index, and masks/ where a video of masks lies in masks/videos/ above the compression's
    folder. Lists (JSON, TXT, CSV) are copied, so that `out` can be read as `root` was; both may be one folder.
    prepared.jsonl in `out` records each finished video: a second run prepares it again only if its file has other
    contents, and repeats what failed. A video appears whole or not at all.

    Args:
        paths: the videos.
        root: the folder that holds them.
        out: where to write; it may be the root.
        cropping: how many frames, and how the face is cut out.
        finder: finds faces; by default dlib, with the settings of the cropping. With workers it must be a function of a
            module.
        workers: processes, 0 for none.
        progress: called with the number of videos that have a row, and of all.
        on_skipped: called with each list that cannot be copied, each folder that is not looked into, and why.

    Yields:
        A row for each video, in the order of `paths`.

    Raises:
        DataError: a video lies outside the root, another process prepares into `out`, or `out` cannot be written or was
            prepared with other settings.
    """
    root, out = os.fspath(root), os.fspath(out)
    require_workers(workers)
    if not os.path.isdir(root):
        raise DataError(f"expected a folder of videos at {root}; there is none")
    videos = {_name(p, root): p for p in paths}
    with lock_folder(out), _stage(out) as stage:
        jobs = [VideoTask(name, path, out, stage, cropping, finder) for name, path in videos.items()]
        journal = Journal(Path(out) / JOURNAL, asdict(cropping))
        with _writing(out):
            if not os.path.samefile(root, out):
                copy_lists(root, out, stage, on_skipped)
        with _writing(out):
            rows = _finished(jobs, journal)
        todo = [j for j in jobs if j.name not in rows]
        _require_writable(todo)
        progress(len(rows), len(jobs))
        with closing(run_tasks(_cut_out, todo, workers, lambda j, r: _settle(j, r, journal, rows))) as work:
            for job in jobs:
                while job.name not in rows:
                    next(work)
                    progress(len(rows), len(jobs))
                yield rows[job.name]
        with _writing(out):
            journal.close()


@dataclass(frozen=True)
class VideoTask:
    """One video to prepare, which is sent to a worker; `stage` is a folder of this run alone."""

    name: str
    path: str
    out: str
    stage: str
    cropping: Cropping
    finder: FaceFinder | None

    @property
    def current(self) -> CurrentVersion:
        """The current version of the video and of its video of masks."""
        return CurrentVersion([p for p in (self.path, find_mask_video(self.path)) if p], [f"reading {READING}"])

    @property
    def folder(self) -> str:
        """The folder of frames/, landmarks/ and masks/: the video's folder, or the one above videos/."""
        parts = self.name.split("/")
        at = len(parts) - 1 - parts[::-1].index("videos") if "videos" in parts[:-1] else len(parts) - 1
        return "/".join(parts[:at])

    @property
    def video(self) -> str:
        """The path of the video below frames/."""
        inside = self.name[len(self.folder) :].strip("/").removeprefix("videos/")
        return os.path.splitext(inside)[0]

    def target(self, kind: str) -> str:
        """Return the folder for the frames, landmarks or masks."""
        return os.path.join(self.out, self.folder, kind, self.video)

    @property
    def staged(self) -> str:
        """The folder in which the video's files are made."""
        return os.path.join(self.stage, self.name)


@contextmanager
def _writing(out: str) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        kind = MachineError if machine_failure(err) else DataError  # which comes back from a worker without its cause
        raise kind(f"expected to write below {out}, but {err.strerror or err}; mend that and go on") from err


@contextmanager
def _stage(out: str) -> Iterator[str]:
    """A folder of this run alone in which files are made; leftovers of killed runs are removed."""
    above = os.path.join(out, STAGED)
    shutil.rmtree(above, ignore_errors=True)
    with _writing(out):
        os.makedirs(above, exist_ok=True)
        stage = tempfile.mkdtemp(dir=above)
    try:
        yield stage
    finally:
        shutil.rmtree(above, ignore_errors=True)


def _finished(jobs: Sequence[VideoTask], journal: Journal) -> dict[str, PreparedVideo]:
    """The rows of videos that need no work."""
    rows, rivals = {}, _rivals(jobs)
    for job in jobs:
        entry = journal.entries.get(job.name, {})
        if _done(job, entry, journal):
            held = {f.name: entry[f.name] for f in fields(PreparedVideo) if f.name in entry}
            rows[job.name] = PreparedVideo(**{**held, "folder": job.target("frames")})
        elif job.name in rivals:
            reason = f"its frames and those of {rivals[job.name]} would lie in one folder; rename one of the two"
            rows[job.name] = PreparedVideo(job.name, "", "clash", reason)
        elif os.path.exists(job.target("frames")) and entry.get("status") not in OWN:
            reason = f"{job.target('frames')} is there and is not of this program; remove it or choose another folder"
            rows[job.name] = PreparedVideo(job.name, "", "exists", reason)
    return rows


def _done(job: VideoTask, entry: dict[str, Any], journal: Journal) -> bool:
    """Whether a video's frames exist and are of its current file; a file that no longer exists counts as unchanged."""
    if entry.get("status") not in SAVED or not os.path.isdir(job.target("frames")):
        return False
    if not os.path.exists(job.path):
        return True
    return entry_is_current(journal, job.name, job.current)


def _rivals(jobs: Sequence[VideoTask]) -> dict[str, str]:
    """Video -> another video whose frames belong in the same folder, or in a folder in it."""
    owners: dict[str, str] = {}
    rivals: dict[str, str] = {}
    for job in jobs:
        other = owners.setdefault(job.target("frames"), job.name)
        if other != job.name:
            rivals |= {job.name: other, other: job.name}
    for target, name in owners.items():
        for above in map(str, PurePath(target).parents):
            if above in owners:
                rivals |= {name: owners[above], owners[above]: name}
    return rivals


def _require_writable(jobs: Sequence[VideoTask]) -> None:
    """Raise DataError, before hours of work, where a folder cannot be made."""
    for folder in sorted({os.path.dirname(j.target(kind)) for j in jobs for kind in KINDS}):
        there = folder
        while not os.path.lexists(there):
            there = os.path.dirname(there)
        if not os.path.isdir(there):
            raise DataError(f"expected to make the folder {folder}, but {there} is none; remove it and go on")
        if not os.access(there, os.W_OK | os.X_OK):
            raise DataError(f"expected to write below {folder}, but nobody may write to {there}; change its rights")


def _cut_out(job: VideoTask) -> tuple[PreparedVideo, Version]:
    """Make a video's crops in its stage; return its row, and the version of the video that was read."""
    now = job.current
    return _row(job), now.version()


def _row(job: VideoTask) -> PreparedVideo:
    counts = {"frames": 0, "masks": 0, "maskless": 0, "faceless": 0}
    masks = MaskVideo(find_mask_video(job.path))
    try:
        video = VideoFile(job.path)
        for frame in video.frames(job.cropping.frames, job.cropping.choice):
            cut = crop_face(frame, job.cropping, job.finder, masks.mask_of(frame))
            counts["frames" if cut else "faceless"] += 1
            if cut:
                counts["maskless" if cut.mask is None else "masks"] += masks.path is not None
                with _writing(job.out):
                    _write(job.staged, cut)
    except InputError as err:
        return PreparedVideo(job.name, "", err.status, str(err), faceless=counts["faceless"])
    assert video.ending is not None
    end = video.ending
    if not counts["frames"]:
        reason = f"no face was found in {counts['faceless']} frames"
        return PreparedVideo(job.name, "", "no_face", reason, **counts, missing=end.missing)
    reasons = [end.reason] if end.reason else []
    if counts["maskless"]:
        reasons.append(f"{counts['maskless']} of {counts['frames']} frames have no mask: {masks.path}: {masks.problem}")
    return PreparedVideo(job.name, job.target("frames"), end.status, "; ".join(reasons), **counts, missing=end.missing)


def _write(staged: str, cut: FaceCrop) -> None:
    for kind in KINDS:
        if kind != "masks" or cut.mask is not None:
            os.makedirs(os.path.join(staged, kind), exist_ok=True)
    name = f"{cut.index:03d}"
    Path(staged, "frames", f"{name}.png").write_bytes(_png(cut.pixels))
    landmarks = io.BytesIO()
    np.save(landmarks, cut.landmarks)
    Path(staged, "landmarks", f"{name}.npy").write_bytes(landmarks.getvalue())
    if cut.mask is not None:
        Path(staged, "masks", f"{name}.png").write_bytes(_png(cut.mask.astype(np.uint8) * 255))


def _png(pixels: np.ndarray) -> bytes:
    """A picture as PNG bytes. Pillow's own writing does not report why a file is cut short."""
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def _settle(
    job: VideoTask, prepared: tuple[PreparedVideo, Version], journal: Journal, rows: dict[str, PreparedVideo]
) -> None:
    """Move a video's files to their place, remove those of an earlier file of its name, and record the row."""
    result, version = prepared
    with _writing(job.out):
        if not result.folder:
            shutil.rmtree(job.staged, ignore_errors=True)
        if result.folder or journal.entries.get(job.name, {}).get("status") in OWN:
            _require_whole(job, result)
            _move(job, journal)
        shutil.rmtree(job.staged, ignore_errors=True)
        journal.write(**asdict(replace(result, folder="")), **asdict(version))
    rows[job.name] = result


def _require_whole(job: VideoTask, result: PreparedVideo) -> None:
    for kind, expected in (("frames", result.frames), ("landmarks", result.frames), ("masks", result.masks)):
        folder = os.path.join(job.staged, kind)
        count = len(os.listdir(folder)) if os.path.isdir(folder) else 0
        if result.folder and count != expected:
            raise DataError(f"expected {expected} files in {folder}, got {count}; something removes them: run again")


def _move(job: VideoTask, journal: Journal) -> None:
    journal.write(job.name, status="moving")  # from here on, what lies at the targets is of this program
    for kind in KINDS:
        folder, target = os.path.join(job.staged, kind), job.target(kind)
        if os.path.exists(target):
            shutil.rmtree(target)
        if os.path.isdir(folder):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.replace(folder, target)


def _name(path: str, root: str) -> str:
    name = os.path.relpath(path, root).replace(os.sep, "/")
    if name.startswith("../") or os.path.isabs(name):
        raise DataError(f"expected videos below {root}, got {path}; give the folder that all of them lie in")
    return name
