"""Write samples as a JSON file of DeepfakeBench, in the nesting that its readers expect of the data set."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

from corit.data.frames import VIDEO_SUFFIXES, path_beside
from corit.data.sample import Sample
from corit.data.sets.deeperforensics import VERSIONS
from corit.data.sets.deepfakebench import label_of
from corit.data.sets.faceforensics import COMPRESSIONS, require_compression
from corit.errors import DataError
from corit.files import write_text

# Names of files whose entries lie one level deeper, below the compression.
NESTED = frozenset(("FaceForensics++", "FF-DF", "FF-F2F", "FF-FS", "FF-NT", "DeepFakeDetection", "FaceShifter"))
# (data set, manipulation) -> the benchmark's label; "" is the real one. Others are <set>_Real, <manipulation>_Fake.
LABELS: dict[str, dict[str, str]] = {
    "FaceForensics++": {
        "": "FF-real",
        "DF": "FF-DF",
        "F2F": "FF-F2F",
        "FS": "FF-FS",
        "NT": "FF-NT",
        "FaceShifter": "FF-FH",
    },
    "DeepFakeDetection": {"": "DFD_real", "DFD": "DFD_fake"},
    "Celeb-DF-v1": {"": "CelebDFv1_real", "Celeb-synthesis": "CelebDFv1_fake"},
    "Celeb-DF-v2": {"": "CelebDFv2_real", "Celeb-synthesis": "CelebDFv2_fake"},
    "DFDCP": {"": "DFDCP_Real", "method_A": "DFDCP_FakeA", "method_B": "DFDCP_FakeB"},
    "DeeperForensics-1.0": {"": "DF_real", **dict.fromkeys(VERSIONS, "DF_fake")},
}
# GenImage's generators as forks of the benchmark label them, which is otherwise in small letters.
GENERATORS = {"stable_diffusion_v_1_4": "sdv4", "stable_diffusion_v_1_5": "sdv5"}
# The benchmark's reader puts its rgb_dir and a Windows separator before paths that have no dot in front.
PREFIX = "./"
DOMAIN = re.compile("_(ff|cdf)$")  # DF40 names its reals by the method alone
Entry = dict[str, Any]


def benchmark_label(sample: Sample) -> str:
    """Return the benchmark's label of a sample.

    Raises:
        DataError: the sample has no label, or the benchmark's name of its manipulation tells another one.
    """
    if sample.label is None:
        raise DataError(f"expected a label of every sample, but {sample.id} has none; leave it out")
    known = LABELS.get(sample.dataset, LABELS["FaceForensics++"] if sample.dataset.startswith("FF-") else {})
    bare = sample.manipulation or DOMAIN.sub("", sample.dataset) or "set"
    if sample.dataset.startswith("GenImage/"):
        bare = sample.dataset.rpartition("/")[2].lower()
        bare = GENERATORS.get(bare, bare)
    usual = f"{bare}_{'Fake' if sample.label else 'Real'}"
    name = known.get(sample.manipulation, usual)
    if label_of(name)[0] != sample.label:
        raise DataError(f"expected a manipulation of fakes and none of reals, but {sample.id} would be called {name}")
    return name


def benchmark_json(
    samples: Iterable[Sample], name: str, root: str | os.PathLike[str], compression: str = "", prefix: str = PREFIX
) -> Entry:
    """Return the JSON object of a data set.

    It is {name: {label: {split: {video: {"label", "frames", "masks"}}}}}, with the compression between split and video
    where the benchmark's readers expect it. A picture of no video is a video of one frame.

    Args:
        samples: the rows.
        name: the data set's name.
        root: the folder of the files.
        compression: by default c40 for a name that ends in it, or else that of the frames' folders.
        prefix: what the paths, which are relative to the root, begin with.

    Raises:
        DataError: a sample has no label or split, lies outside the root, is a video file, or is of another compression.
    """
    samples = tuple(samples)
    bare = name.removesuffix("_c40")
    own = _compressions(samples) if bare in NESTED else set[str]()
    usual = "c40" if bare != name else "c23" if len(own) != 1 else min(own)
    compression = require_compression(compression or usual)
    if own - {compression}:
        raise DataError(
            f"expected frames of compression {compression}, as {name} or what was asked for says, got some in folders "
            f"{', '.join(sorted(own))}; name the compression of the data set and of the file alike"
        )
    if prefix and not prefix.endswith("/"):
        raise DataError(f"expected a prefix of paths that ends in /, such as ./datasets/rgb/, or none, got {prefix!r}")
    rows = [(s, benchmark_label(s), _split(s)) for s in samples]
    out: Entry = {}
    for (sample, label, split), key in zip(rows, _keys(rows), strict=True):
        side = out.setdefault(label, {}).setdefault(split, {})
        entries = side.setdefault(compression, {}) if bare in NESTED else side
        entry = entries.setdefault(key, {"label": label, "frames": []})
        entry["frames"].append(prefix + _inside(sample, sample.path, root))
        mask = path_beside(sample.path, "masks", ".png")
        if mask and sample.label == 1 and os.path.isfile(mask):
            entry.setdefault("masks", []).append(prefix + _inside(sample, mask, root))
    if not out:
        raise DataError("expected samples to export, got none")
    return {bare: out}


def export_json(
    samples: Iterable[Sample],
    path: str | os.PathLike[str],
    root: str | os.PathLike[str],
    compression: str = "",
    prefix: str = PREFIX,
) -> None:
    """Write the JSON file of a data set, whole or not at all.

    Args:
        samples: the rows.
        path: the file; its name without .json is the data set's name.
        root: the folder of the files.
        compression: see `benchmark_json`.
        prefix: what the paths begin with: the way to `root` from the folder in which the benchmark runs.

    Raises:
        DataError: as `benchmark_json` raises it, or the file cannot be written.
    """
    target = Path(path)
    if target.suffix != ".json":
        raise DataError(f"expected a file <data set>.json, got {target.name}; readers find the data set by that name")
    table = benchmark_json(samples, target.stem, root, compression, prefix)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, json.dumps(table))
    except OSError as err:
        raise DataError(f"expected to write {target}, but {err.strerror}; choose another place") from err


def above_frames(folder: str) -> str:
    """Return the folder that holds the innermost frames/ of a path, or the path itself: landmarks lie there."""
    parts = PurePath(folder).parts
    at = max((i for i, p in enumerate(parts) if p == "frames"), default=len(parts))
    return str(PurePath(*parts[:at]))


def unnumbered_paths(samples: Iterable[Sample]) -> tuple[str, ...]:
    """Return the paths whose file name is no number: the benchmark's readers sort by it, and fail."""
    return tuple(s.path for s in samples if not PurePath(s.path).name.partition(".")[0].isdecimal())


def _keys(rows: list[tuple[Sample, str, str]]) -> list[str]:
    """The name of each sample's video: its last part where no two videos of one label and split share it."""
    whole = [(label, split, s.video or os.path.splitext(s.id)[0]) for s, label, split in rows]
    short = [(label, split, video.rpartition("/")[2]) for label, split, video in whole]
    counts = Counter(dict(zip(whole, short, strict=True)).values())
    return [w[2] if counts[n] > 1 else n[2] for w, n in zip(whole, short, strict=True)]


def _compressions(samples: Iterable[Sample]) -> set[str]:
    """The compressions that folders of the samples' paths are called by."""
    folders = {os.path.dirname(s.path) for s in samples}
    return {part for f in folders for part in PurePath(f).parts if part in COMPRESSIONS}


def _split(sample: Sample) -> str:
    if not sample.split:
        raise DataError(f"expected a split of every sample, but {sample.id} is in none; split them first")
    return sample.split


def _inside(sample: Sample, path: str, root: str | os.PathLike[str]) -> str:
    inside = os.path.relpath(path, root).replace(os.sep, "/")
    if inside.startswith("../"):
        raise DataError(f"expected files below {os.fspath(root)}, got {path}; give the folder that all of them lie in")
    if PurePath(path).suffix.lower() in VIDEO_SUFFIXES:
        raise DataError(f"expected frames, but {sample.id} is a video file; prepare the videos first")
    return inside
