"""The detectors that come with the package: which there are, where they lie, and what their cards say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corit.errors import DetectorError
from corit.recipe import Recipe

FOLDER = Path(__file__).parent / "packaged_detectors"
FOR_DOMAIN = {"face": "faces-b16", "scene": "scenes-b16"}  # which one `corit detect` uses without --detector
KEYS = ("name", "backbone", "training", "metrics", "thresholds", "licence", "digest")  # of a card


def packaged_names(folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of the packaged detectors, in order.

    Args:
        folder: that holds them; by default the package's.
    """
    return tuple(sorted(path.parent.name for path in (folder or FOLDER).glob("*/detector.json")))


def packaged_folder(name: str, folder: Path | None = None) -> Path:
    """Return the folder of a packaged detector.

    Args:
        name: of the detector.
        folder: that holds them; by default the package's.

    Raises:
        DetectorError: there is none of this name.
    """
    if name not in packaged_names(folder):
        raise DetectorError(f"no packaged detector {name!r}; {known(folder)}")
    return (folder or FOLDER) / name


def known(folder: Path | None = None) -> str:
    """Say which packaged detectors there are."""
    names = packaged_names(folder)
    return f"there are {', '.join(names)}" if names else "this installation comes with none"


def read_card(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Read the card of a packaged detector.

    Args:
        name: of the detector.
        folder: that holds them; by default the package's.

    Returns:
        What card.json holds: at least name, backbone, training, metrics, thresholds, licence and digest.

    Raises:
        DetectorError: there is no such detector, or its card is missing or damaged.
    """
    path = packaged_folder(name, folder) / "card.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise DetectorError(f"expected the card of {name} at {path}, but it cannot be read: {err}; {AGAIN}") from err
    missing = [k for k in KEYS if not isinstance(card, dict) or k not in card]
    if missing:
        raise DetectorError(f"expected {', '.join(KEYS)} in {path}, but {', '.join(missing)} are missing; {AGAIN}")
    return card


AGAIN = "install corit again"


def card_text(name: str, folder: Path | None = None) -> str:
    """Return the card of a packaged detector as Markdown.

    Args:
        name: of the detector.
        folder: that holds them; by default the package's.

    Raises:
        DetectorError: there is no such detector, or its card is missing.
    """
    path = packaged_folder(name, folder) / "card.md"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as err:
        raise DetectorError(f"expected the card of {name} at {path}, but it cannot be read: {err}; {AGAIN}") from err


def packaged_rows(folder: Path | None = None) -> list[dict[str, str]]:
    """Return one row for each packaged detector: what it scores, with what, what it knows, and its licence.

    Args:
        folder: that holds them; by default the package's.
    """
    return [_row((folder or FOLDER) / name) for name in packaged_names(folder)]


def _row(folder: Path) -> dict[str, str]:
    path = folder / "detector.json"
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        recipe = Recipe.from_toml(saved["recipe"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise DetectorError(f"{path} is damaged: {err!r}; {AGAIN}") from err
    return {
        "detector": folder.name,
        "scores": "faces" if recipe.views.domain == "face" else "whole pictures",
        "model": recipe.model.kind,
        "backbone": recipe.backbone.name,
        "trained_on": str(saved.get("domain", "")),
        "licence": str(saved.get("licence", "")),
    }
