"""DeepfakeBench's JSON of a preprocessed tree, in its two nestings, with the separators of the machine it ran on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trees.write import table

LABELS = {"Deepfakes": "FF-DF", "Face2Face": "FF-F2F", "FaceSwap": "FF-FS", "NeuralTextures": "FF-NT"}
Name = Callable[[Path], str]


def posix(prefix: str = "") -> Name:
    """Names as Linux writes them, after a prefix."""
    return lambda path: prefix + path.as_posix()


def windows(prefix: str = "") -> Name:
    """Names as Windows writes them, after a prefix."""
    return lambda path: prefix + path.as_posix().replace("/", "\\")


def faceforensics_json(
    file: Path, data: Path, pairs: dict[str, list[list[str]]], name: Name, level: str = "c23"
) -> None:
    """{DS: {LABEL: {split: {compression: {video: entry}}}}} of FaceForensics++ below data/FaceForensics++."""
    root = data / "FaceForensics++"
    labels: dict[str, Any] = {}
    for split, listed in pairs.items():
        reals = [v for pair in listed for v in pair]
        folder = root / "original_sequences" / "youtube" / level
        side = labels.setdefault("FF-real", {}).setdefault(split, {})
        side[level] = {v: entry(data, folder, v, "FF-real", name) for v in reals}
        for method, label in LABELS.items():
            folder = root / "manipulated_sequences" / method / level
            fakes = [f"{a}_{b}" for pair in listed for a, b in (pair, pair[::-1])]
            side = labels.setdefault(label, {}).setdefault(split, {})
            side[level] = {v: entry(data, folder, v, label, name, masks=True) for v in fakes}
    key = file.stem.removesuffix("_c40")
    table(file, {key: labels})


def flat_json(file: Path, data: Path, folders: dict[str, dict[str, list[str]]], name: Name) -> None:
    """{DS: {LABEL: {split: {video: entry}}}}; folders: LABEL -> split -> folders frames/<video> below data."""
    labels: dict[str, Any] = {}
    for label, sides in folders.items():
        for split, videos in sides.items():
            side = labels.setdefault(label, {}).setdefault(split, {})
            for video in videos:
                where = Path(video)
                side[where.name] = entry(data, data / where.parent.parent, where.name, label, name)
    table(file, {file.stem: labels})


def entry(data: Path, folder: Path, video: str, label: str, name: Name, masks: bool = False) -> dict[str, Any]:
    """A video's entry: its label, and the names of its frames and masks."""
    found: dict[str, Any] = {"label": label, "frames": _names(data, folder / "frames" / video, name)}
    if masks:
        found["masks"] = _names(data, folder / "masks" / video, name)
    return found


def _names(data: Path, folder: Path, name: Name) -> list[str]:
    # Directory order is nobody's order: the file's lists need not be sorted.
    return [name(p.relative_to(data)) for p in sorted(folder.glob("*.png"), reverse=True)]
