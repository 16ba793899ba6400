"""Small stand-ins for the packaged detectors: random heads on the miniature's backbone, with cards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from detect.test_detector import detector

CARD = {
    "backbone": "miniature",
    "training": [{"data": "drawn faces", "reals": 3, "fakes": 3}],
    "metrics": {"auc": 0.5},
    "thresholds": {"fpr 0.05": 0.7},
    "licence": "Apache-2.0",
}
KINDS = {"faces-b16": ("corit", "face"), "scenes-b16": ("unifd", "scene")}


def stand_in(name):
    """A detector of faces or of whole pictures, with thresholds of its own."""
    kind, domain = KINDS[name]
    made = detector(kind)
    fake = 0.7 if domain == "face" else 0.6
    calibration = replace(made.card.calibration, fake=fake)
    made.card = replace(made.card, recipe=made.card.recipe.replace(**{"views.domain": domain}), calibration=calibration)
    made.name = name
    return made


def packaged(folder: Path) -> Path:
    """Write both stand-ins and their cards into a folder."""
    for name in KINDS:
        made = stand_in(name)
        place = made.save(folder / name)
        card = {"name": name, **CARD, "digest": made.identity}
        (place / "card.json").write_text(json.dumps(card))
        (place / "card.md").write_text(f"# {name}\n\nKnows nothing.\n")
    return folder
