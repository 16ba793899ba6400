"""`corit extract`: folders of pictures and videos measured into a feature store."""

from __future__ import annotations

from pathlib import Path

from corit.commands import exit_codes, options


def extract(
    *,
    out: Path,
    folders: options.LabelledFolders,
    encoding: options.Encoding = options.ENCODING,
    levels: bool = False,
    blends: int = 0,
    compute: options.Compute = options.COMPUTE,
) -> int:
    """Measure folders of pictures and videos once, into a feature store from which many heads can be trained.

    Args:
        out: folder of the store; run the same command again to resume
        levels: keep every layer's class and region tokens too
        blends: make this many self-blended fakes of each real picture
    """
    from corit.commands.feature_store import measure

    store = measure(folders.open(), encoding, out, compute, blends=blends, levels=levels).store
    print(f"{len(store)} rows x {store.width}: " + ", ".join(f"{n} {s}" for s, n in store.counts().items()))
    return exit_codes.DONE
