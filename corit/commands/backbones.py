"""`corit backbones`: the names of the backbones."""

from __future__ import annotations

from corit.commands import exit_codes


def backbones() -> int:
    """List the backbones by name, with where their weights come from."""
    from corit.backbones.names import BACKBONES, default_weights

    for name in BACKBONES:
        print(f"{name:20} {default_weights(name)}")
    print("timm:NAME[@SIDE]     auto   (any timm ViT with a class token, or one pooled by attention)")
    return exit_codes.DONE
