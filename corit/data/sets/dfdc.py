"""The Deepfake Detection Challenge (DFDC) and its preview (DFDCP)."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from typing import Any

from corit.data.dataset import DataSet
from corit.data.frames import READ_ALL, Reading, find_videos, frame_samples, read_frame, require_videos
from corit.data.origin import Origin
from corit.data.sample import Sample, Split
from corit.data.text_files import read_json, read_text
from corit.data.walk import list_entries
from corit.errors import DataError, examples
from corit.images.picture import Picture

ORIGIN = Origin(
    "DFDC",
    "test/labels.csv with the test videos beside it, dfdc_train_part_*/metadata.json with the train videos",
    "https://ai.meta.com/datasets/dfdc/ (train parts also at kaggle.com/c/deepfake-detection-challenge)",
)
PREVIEW_ORIGIN = Origin(
    "DFDC preview",
    "dataset.json, original_videos/, method_A/, method_B/",
    "https://ai.meta.com/datasets/dfdc/ (the preview release)",
)
LABELS = {"real": 0, "fake": 1}


@dataclass(frozen=True)
class DFDC:
    """DFDC: the test videos of test/labels.csv, and the train videos of each part's metadata.json.

    Either may be absent, but not both. The group of a fake for training is its original; the test set does not name the
    originals. There is no official validation split.

    Attributes:
        root: the data set's folder.
        reading: what to read of the videos.

    Raises:
        DataError: when rows are listed: listed videos are missing.
    """

    root: str
    reading: Reading = READ_ALL

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The train parts in order, then the test set."""
        listed = [p for p in (*self._parts(), *self._tests()) if self._complete(p)]
        tests = [p for p in listed if p.endswith(".csv")]
        parts = [os.path.dirname(p) for p in listed if p not in tests]
        if not parts and not tests:
            looked = ["test/labels.csv", "dfdc_train_part_*/metadata.json", "train/dfdc_train_part_*/metadata.json"]
            raise ORIGIN.missing(self.root, "expected a list of videos, found none", looked)
        train = (s for part in parts for s in self._train(part))
        return (*train, *(s for path in tests for s in self._test(path)))

    def _parts(self) -> list[str]:
        """The metadata.json that each train part has: folders below the root or below train/, or train/ itself."""
        if "train" not in self.reading.splits:
            return []
        train = os.path.join(self.root, "train")
        entries = [*list_entries(self.root), *list_entries(train)]
        parts = sorted(e.path for e in entries if e.name.startswith("dfdc_train_part") and e.is_dir())
        alone = [train] if os.path.isfile(os.path.join(train, "metadata.json")) else []
        return [os.path.join(p, "metadata.json") for p in sorted(parts + alone)]

    def _tests(self) -> list[str]:
        """The labels.csv of the test folder, where there is one."""
        test = os.path.join(self.root, "test")
        return [os.path.join(test, "labels.csv")] if "test" in self.reading.splits and os.path.isdir(test) else []

    def _complete(self, path: str) -> bool:
        """Whether a list is there; if not, it is reported or passed over. Raises DataError where it is required."""
        if os.path.isfile(path):
            return True
        inside = os.path.relpath(path, self.root).replace(os.sep, "/")
        if self.reading.on_missing:
            self.reading.on_missing(inside)
        elif not self.reading.partial:
            problem = f"expected {inside}, which names the videos beside it, but it is not there"
            raise ORIGIN.missing(self.root, f"{problem}; add it, or ask for a partial reading", [inside])
        return False

    def _train(self, part: str) -> Iterator[Sample]:
        table = _object(os.path.join(part, "metadata.json"))
        known = {os.path.splitext(name)[0]: entry for name, entry in table.items()}
        name = os.path.relpath(part, self.root).replace(os.sep, "/")
        for video, entry in require_videos(ORIGIN, self.root, part, self.reading, known, "metadata.json").items():
            label = _label(known[video], video, part)
            original = os.path.splitext(str(known[video].get("original") or video))[0]
            yield from frame_samples(
                entry,
                self.reading,
                video=f"DFDC/{name}/{video}",
                label=label,
                split="train",
                dataset="DFDC",
                manipulation="DFDC" if label else "",
                group=original,
            )

    def _test(self, path: str) -> Iterator[Sample]:
        labels = _read_labels(path)
        for video, entry in require_videos(
            ORIGIN, self.root, os.path.dirname(path), self.reading, labels, "labels.csv"
        ).items():
            label = labels[video]
            yield from frame_samples(
                entry,
                self.reading,
                video=f"DFDC/test/{video}",
                label=label,
                split="test",
                dataset="DFDC",
                manipulation="DFDC" if label else "",
                group=video,
            )

    def load(self, sample: Sample) -> Picture:
        """Read one frame. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


@dataclass(frozen=True)
class DFDCP:
    """The DFDC preview: the videos of dataset.json, which has the label and the split, train or test, of each.

    There is no official validation split, and the test set is not used as one. A sample's group is the actor in the
    video, the first folder of its path below the method's.

    Attributes:
        root: the data set's folder.
        reading: what to read of the videos.

    Raises:
        DataError: when rows are listed: listed videos are missing.
    """

    root: str
    reading: Reading = READ_ALL

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """By folder: the originals, then each method."""
        path = os.path.join(self.root, "dataset.json")
        if not os.path.isfile(path):
            raise PREVIEW_ORIGIN.missing(self.root, "expected dataset.json, but it is not there", ["dataset.json"])
        folders: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for key, entry in _object(path).items():
            folder, _, video = os.path.splitext(key.replace("\\", "/"))[0].partition("/")
            if _split(entry, key, path) in self.reading.splits:
                folders[folder][video] = entry
        ordered = sorted(folders, key=lambda f: (f != "original_videos", f))
        return tuple(s for folder in ordered for s in self._rows(folder, folders[folder]))

    def _rows(self, folder: str, table: dict[str, dict[str, Any]]) -> Iterator[Sample]:
        where = os.path.join(self.root, folder)
        # Extracted frames lie in frames/<video>/, the videos themselves in <actor>/<video>.mp4.
        nested = any("/" in key for key in find_videos(where, self.reading.media))
        names = {video if nested else video.rpartition("/")[2]: video for video in table}
        if len(names) < len(table):
            raise DataError(f"expected videos of different names in {where}/frames, but dataset.json repeats some")
        for name, entry in require_videos(
            PREVIEW_ORIGIN, self.root, where, self.reading, names, "dataset.json"
        ).items():
            video = names[name]
            label = _label(table[video], video, self.root)
            yield from frame_samples(
                entry,
                self.reading,
                video=f"DFDCP/{folder}/{video}",
                label=label,
                split=_split(table[video], video, self.root),
                dataset="DFDCP",
                manipulation=folder if label else "",
                group=actor_group(video),
            )

    def load(self, sample: Sample) -> Picture:
        """Read one frame. Raises InputError's kinds."""
        return read_frame(sample, self.reading)


def actor_group(video: str) -> str:
    """Return the group of a video of the preview: the actor, whose number its folder or its name begins with."""
    return f"actor {video.partition('/')[0].partition('_')[0]}"


def _object(path: str) -> dict[str, dict[str, Any]]:
    """A JSON object of objects. Raises DataError."""
    table = read_json(path, "a JSON object of videos")
    if not isinstance(table, dict) or not table or not all(isinstance(v, dict) for v in table.values()):
        expected = 'an object {video: {"label": ...}} of one video or more'
        raise DataError(f"expected {expected} in {path}, got something else; download it again")
    return table


def _label(entry: dict[str, Any], video: str, where: str) -> int:
    label = str(entry.get("label", "")).lower()
    if label not in LABELS:
        raise DataError(f"expected the label of {video} in {where} to be real or fake, got {label or 'none'}")
    return LABELS[label]


def _split(entry: dict[str, Any], video: str, where: str) -> Split:
    split = entry.get("set")
    if split not in ("train", "test"):
        raise DataError(f'expected the "set" of {video} in {where} to be train or test, got {split!r}')
    return split


def _read_labels(path: str) -> dict[str, int]:
    """Video -> label of test/labels.csv (columns filename, label; 1 is fake). Raises DataError."""
    table = list(csv.DictReader(StringIO(read_text(path, "rows filename,label"))))
    wrong = [str(r) for r in table if r.get("label") not in ("0", "1") or not r.get("filename")]
    if wrong or not table:
        raise DataError(f"expected rows filename,label with 0 or 1 in {path}, got {examples(wrong, 2) or 'no rows'}")
    pairs = {(os.path.splitext(r["filename"])[0], int(r["label"])) for r in table}
    labels = dict(pairs)
    if len(labels) < len(pairs):
        both = sorted(video for video, label in pairs if label != labels[video])
        raise DataError(f"expected one label of each video in {path}, but {examples(both)} has both; download it again")
    return {name: labels[name] for r in table if (name := os.path.splitext(r["filename"])[0])}


DATASETS = (
    DataSet(
        "dfdc",
        DFDC,
        ORIGIN,
        video=True,
        marks=("test/labels.csv", "dfdc_train_part_*/metadata.json", "train/*/metadata.json"),
    ),
    DataSet("dfdcp", DFDCP, PREVIEW_ORIGIN, video=True, marks=("dataset.json",)),
)
