"""Data sets by name: a table of constructors, none of which is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from corit.data.sample import Source
from corit.errors import DataError


def _adapter(module: str, name: str, *names: str, **fixed: Any) -> Callable[..., Source]:
    """A constructor that imports its module when it is called; `names` are its first arguments, the root among them."""

    def build(*arguments: Any, **options: Any) -> Source:
        made: Source = getattr(import_module(f"corit.data.{module}"), name)(*arguments, **fixed, **options)
        return made

    build.__doc__ = f"{name}({', '.join(names or ('root',))}, ...): see corit.data.{module}."
    return build


# The first argument is the root folder, but for DeepfakeBench and CSV, where a file comes before it.
ADAPTERS: dict[str, Callable[..., Source]] = {
    "faceforensics": _adapter("sets.faceforensics", "FaceForensics"),
    "faceshifter": _adapter("sets.faceforensics", "FaceForensics", manipulations=("FaceShifter",)),
    "deepfakedetection": _adapter("sets.faceforensics", "DeepFakeDetection"),
    "celeb-df-v1": _adapter("sets.celebdf", "CelebDF", version=1),
    "celeb-df-v2": _adapter("sets.celebdf", "CelebDF", version=2),
    "dfdc": _adapter("sets.dfdc", "DFDC"),
    "dfdcp": _adapter("sets.dfdc", "DFDCP"),
    "df40": _adapter("sets.df40", "DF40", "root", "names"),
    "uadfv": _adapter("sets.uadfv", "UADFV"),
    "deeperforensics": _adapter("sets.deeperforensics", "DeeperForensics"),
    "unifd": _adapter("sets.forensynths", "ForenSynths"),
    "genimage": _adapter("sets.genimage", "GenImage"),
    "deepfakebench": _adapter("sets.deepfakebench", "DeepfakeBench", "json", "root"),
    "folder": _adapter("folders", "classes", "root", "real", "fake"),
    "csv": _adapter("index", "index", "file", "root"),
}


def adapter(name: str, *arguments: Any, **options: Any) -> Source:
    """The data set of a name, listed when its samples are first asked for. Raises DataError for an unknown name."""
    if name not in ADAPTERS:
        raise DataError(f"no data set {name!r}; there are {', '.join(ADAPTERS)}")
    return ADAPTERS[name](*arguments, **options)
