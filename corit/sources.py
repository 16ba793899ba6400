"""Data sets by name: a table of constructors, none of which is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from corit.data.adapters import ADAPTERS
from corit.data.missing import ORIGINS
from corit.data.sample import Source
from corit.data.spec import Kind, Named, source
from corit.errors import DataError

Takes = Mapping[str, Kind]

COMPRESSION: Takes = {"compression": "text"}

FOUR: Takes = {"manipulations": "words", **COMPRESSION}

FORTY: Takes = {"names": "words", "faceforensics": "text", "celebdf": "text", **COMPRESSION}

ACTORS: Takes = {"versions": "words", "faceforensics": "text", **COMPRESSION}

SUBSETS: Takes = {"subsets": "words", "classes": "words", "sampling": "text", "key": "number"}

PLAIN: Takes = {"aligned": "flag", "landmarks": "text"}

FOLDERS: Takes = {"root": "text", "real": "texts", "fake": "texts", "by_folder": "flag", **PLAIN}

WORLD: Takes = {"seed": "number", "people": "number", "pictures": "number", "kinds": "words"}


def _videos(adapter: str, family: str, marks: str, takes: Takes | None = None, required: str = "") -> Named:
    """A data set of videos below a root; marks and required are words with spaces between them."""
    origin, needed = ORIGINS[family], ("root", *required.split())
    options: Takes = {"root": "text", **(takes or {})}
    return Named(ADAPTERS[adapter], options, needed, True, tuple(marks.split()), origin.layout, origin.where)


def _pictures(adapter: str, family: str, marks: str, takes: Takes) -> Named:
    """A data set of single pictures below a root."""
    options: Takes = {**takes, "splits": "words", "partial": "flag"}
    return replace(_videos(adapter, family, marks, options), video=False)


def _world(**options: Any) -> Source:
    from corit.world.miniature import SPLITS, Miniature, world_of

    return Miniature(world_of(**options), SPLITS)


SOURCES: dict[str, Named] = {
    "faceforensics": _videos("faceforensics", "faceforensics", "original_sequences/youtube", FOUR),
    "faceshifter": _videos("faceshifter", "faceforensics", "manipulated_sequences/FaceShifter", COMPRESSION),
    "deepfakedetection": _videos(
        "deepfakedetection", "deepfakedetection", "manipulated_sequences/DeepFakeDetection", COMPRESSION
    ),
    "celeb-df-v1": _videos("celeb-df-v1", "celebdf", "List_of_testing_videos.txt"),
    "celeb-df-v2": _videos("celeb-df-v2", "celebdf", "List_of_testing_videos.txt"),
    "dfdc": _videos("dfdc", "dfdc", "test/labels.csv dfdc_train_part_*/metadata.json train/*/metadata.json"),
    "dfdcp": _videos("dfdcp", "dfdcp", "dataset.json"),
    "df40": _videos("df40", "df40", "*/ff/frames */cdf/frames */ff/*/*.png */cdf/*/*.png", FORTY, "names"),
    "uadfv": _videos("uadfv", "uadfv", "fake/*_fake fake/*_fake.mp4 fake/*/*_fake fake/*/*_fake.mp4"),
    "deeperforensics": _videos("deeperforensics", "deeperforensics", "lists/splits/test.txt", ACTORS),
    "unifd": _pictures("unifd", "forensynths", "test/progan diffusion_datasets train/progan", SUBSETS),
    "genimage": _pictures("genimage", "genimage", "*/val/nature */imagenet*/val/nature", {"generators": "words"}),
    "deepfakebench": replace(
        _videos("deepfakebench", "deepfakebench", ""),
        takes={"json": "text", "root": "texts", **COMPRESSION},
        required=("json",),
    ),
    "folder": Named(
        ADAPTERS["folder"],
        FOLDERS,
        marks=("real", "0_real", "train/real", "train/0_real"),
        needs="real/ and fake/ (or 0_real/ and 1_fake/) with pictures, or both in each of train/, val/ and test/",
    ),
    "csv": Named(
        ADAPTERS["csv"],
        {"file": "text", "root": "text", **PLAIN},
        ("file",),
        needs="a CSV file with a column path and any of label, split, manipulation, dataset, group, video, frame, id",
    ),
    "miniature": Named(_world, WORLD, needs="nothing: its pictures are drawn"),
}


def open_source(*specs: str, root: str = "", missed: Callable[[str], None] | None = None) -> Source:
    """The source that one text names, or several as one: "celeb-df-v2:/data/celeb,frames=8" (see `named.source`).

    root: the place, for texts that have none. missed: see there. Nothing is read until samples are asked for. Raises
    DataError.
    """
    if not specs:
        raise DataError(f"expected a data set, one of {', '.join(SOURCES)}; got none")
    found = tuple(source(spec, SOURCES, root, missed) for spec in specs)
    if len(found) == 1:
        return found[0]
    from corit.data.chosen import Joined

    return Joined(found)
