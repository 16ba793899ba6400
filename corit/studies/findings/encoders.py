"""The encoders: the packaged one for seed 0, and others that are pretrained into OUT/encoders, resumed and reused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corit.errors import DataError
from corit.progress import Progress, no_progress
from corit.studies.findings.plan import MAIN, FindingsPlan
from corit.world import encoder
from corit.world.pretrain import pretrain


def path_of(out: Path, target: str, seed: int) -> Path:
    """Return the path of an encoder, OUT/encoders/TARGET-SEED.safetensors."""
    return out / "encoders" / f"{target}-{seed}.safetensors"


def weights_of(out: Path, target: str, seed: int) -> str:
    """Return the weights of an encoder as `corit.backbones.load.load_backbone` takes them."""
    if target == "random":
        return f"random:{seed + 100}"  # the trained ones start from random:0
    return "packaged" if (target, seed) == (MAIN, 0) else str(path_of(out, target, seed))


def ensure_encoder(
    out: Path, plan: FindingsPlan, target: str, seed: int, photos: Path | None, progress: Progress = no_progress
) -> None:
    """Pretrain an encoder unless its file exists; an interrupted pretraining resumes.

    Args:
        out: folder of the study.
        plan: its plan.
        target: the pretraining target.
        seed: the encoder seed.
        photos: folder of photographs, None without.
        progress: called with pretraining steps done and in all.

    Raises:
        DataError: when photographs are needed and no folder is given.
    """
    place = path_of(out, target, seed)
    if weights_of(out, target, seed) != str(place) or place.exists():
        return
    if target != "attributes" and photos is None and plan.photographs:
        raise DataError(
            f"expected the encoder {place}, or photographs to train it with: give --photos a folder in Tiny ImageNet's "
            "layout"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    pretrain(
        place,
        seed=seed,
        target="pixels" if target == "pixels" else "semantic",
        steps=plan.steps if target == MAIN else plan.extra_steps,
        batch=plan.batch,
        faces=plan.faces,
        photos=None if target == "attributes" else photos,
        progress=progress,
    )


def card_of(out: Path, target: str, seed: int) -> dict[str, Any]:
    """Return how an encoder was pretrained, from its own card."""
    if target == "random":
        return {"target": "random", "steps": 0, "seed": seed}
    weights = weights_of(out, target, seed)
    card = encoder.load(encoder.weights_path() if weights == "packaged" else Path(weights))[1]
    kept = ("steps", "planned_steps", "batch", "faces", "photographs", "attribute_mse", "photo_top1", "pixel_error")
    return {"target": target, "seed": seed, **{k: card[k] for k in kept if k in card}}
