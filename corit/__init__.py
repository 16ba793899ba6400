"""CoRIT: tell manipulated and AI-made pictures from real ones, and measure why detectors fail.

Glossary, used in every file: B batch, N patches, D width, K regions, L blocks, S side of the square input in pixels;
x image, x~ its self-blended twin, V patch tokens (N, D), T region tokens (K, D), C class token (D), g contrastive
gradient proxy (N, D), m refinement mask (K, N), z the integrated feature, w the head's parameters, rho the SAM radius.
Labels: 0 real, 1 fake. Equation numbers are those of arXiv 2603.24057.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Name -> the module that defines it. Resolved on first use, so that `import corit` is instant and loads no torch.
_PUBLIC = {
    "Detector": "corit.detect.detector",
    "Recipe": "corit.recipe",
    "CoritError": "corit.errors",
}

__all__ = ["CoritError", "Detector", "Recipe", "__version__"]

if TYPE_CHECKING:
    from corit.detect.detector import Detector
    from corit.errors import CoritError
    from corit.recipe import Recipe


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'corit' has no attribute {name!r}; public names: {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)
