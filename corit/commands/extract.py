"""`corit extract`: pictures and videos measured into a feature store."""

from __future__ import annotations

from pathlib import Path

from corit.commands import exit_codes, options
from corit.commands.training_pictures import TRAINING_PICTURES, TrainingPictures


def extract(
    *,
    out: Path,
    pictures: TrainingPictures = TRAINING_PICTURES,
    encoding: options.Encoding = options.ENCODING,
    levels: bool = False,
    blends: int = 0,
    compute: options.Compute = options.COMPUTE,
) -> int:
    """Measure pictures and videos once, into a feature store from which many heads can be trained.

    Args:
        out: folder of the store; run the same command again to resume
        levels: keep every layer's class and region tokens too
        blends: make this many self-blended fakes of each real picture
    """
    from corit.commands.feature_store import measure

    store = measure(pictures.divide().split, encoding, out, compute, blends=blends, levels=levels).store
    print(f"{len(store)} rows x {store.width}: " + ", ".join(f"{n} {s}" for s, n in store.counts().items()))
    return exit_codes.DONE
