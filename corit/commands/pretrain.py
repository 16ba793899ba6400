"""`corit pretrain`: the miniature's tiny ViT trained from random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from corit.commands import exit_codes, options


def pretrain(
    *,
    out: Path,
    seed: int = 0,
    target: Literal["semantic", "pixels"] = "semantic",
    steps: int = 6000,
    batch: int = 128,
    faces: int = 30_000,
    photos: options.Photos = None,
    device: options.Device = "cpu",
) -> int:
    """Train the miniature's tiny ViT on the world's real faces, and on photographs if there are any.

    Args:
        out: safetensors file to write
        seed: seed of the faces, the weights and the batches
        target: semantic learns what is shown, pixels fills in masked patches
        steps: optimiser steps
        batch: pictures in one step
        faces: number of faces to draw
    """
    from corit.progress import progress_bar
    from corit.world.pretrain import pretrain as run

    with progress_bar("pretraining") as progress:
        card = run(
            out,
            seed=seed,
            target=target,
            steps=steps,
            batch=batch,
            faces=faces,
            photos=photos,
            device=device,
            progress=progress,
        )
    print(card)
    return exit_codes.DONE
