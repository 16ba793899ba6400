"""CoRIT: tell manipulated and AI-made pictures from real ones, and measure why detectors fail.

The names in `__all__` are the public interface: they keep their meaning from one version to the next. Everything else
may change. Each name is imported when it is first used, so that `import corit` is instant.

Glossary, used in every file: B batch, N patches, D width, K regions, L blocks, S side of the square input in pixels;
x image, x~ its self-blended twin, V patch tokens (N, D), T region tokens (K, D), C class token (D), g contrastive
gradient proxy (N, D), m refinement mask (K, N), z the integrated feature, w the head's parameters, rho the SAM radius.
Labels: 0 real, 1 fake. Equation numbers are those of arXiv 2603.24057.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from corit.backbones.load import load_backbone
    from corit.data.care.check import check_source
    from corit.data.sample import Sample
    from corit.detect.choice import choose_detector
    from corit.detect.detector import Detector
    from corit.detect.files import detect_files
    from corit.detect.named import load_detector
    from corit.detect.row import Row
    from corit.detect.video import VideoReport, score_video
    from corit.detect.video_score import VideoScore
    from corit.diagnose.diagnosis import diagnose_stores
    from corit.errors import CoritError
    from corit.evaluate.detectors import ExternalDetector
    from corit.evaluate.labelled import open_labelled
    from corit.evaluate.run import evaluate_detectors, load_detectors, measure_robustness
    from corit.features.store import FeatureStore
    from corit.heads.head import HeadRecipe
    from corit.images.picture import Picture, read_picture
    from corit.metrics.auc import auc
    from corit.metrics.bootstrap import bootstrap
    from corit.metrics.delong import delong
    from corit.model.encode import Encoder
    from corit.recipe import Recipe
    from corit.sources import open_source
    from corit.theory.collapse import collapses
    from corit.theory.cor import critical_radius
    from corit.theory.decomposition import decompose
    from corit.theory.landscape import landscape
    from corit.theory.likelihood import logistic
    from corit.theory.moments import moments
    from corit.theory.perceptron import perceptron
    from corit.theory.sweep import sweep
    from corit.train.calibrate import calibrate_detector
    from corit.train.heads import measure_features, train_detector
    from corit.train.update import training_features, update_detector

# Name -> the module that defines it, and what it is called there if that differs.
_PUBLIC = {
    # detect
    "Detector": "corit.detect.detector",
    "ExternalDetector": "corit.evaluate.detectors",
    "Row": "corit.detect.row",
    "VideoReport": "corit.detect.video",
    "VideoScore": "corit.detect.video_score",
    "choose_detector": "corit.detect.choice",
    "detect_files": "corit.detect.files",
    "load_detector": "corit.detect.named",
    "score_video": "corit.detect.video",
    # train
    "Encoder": "corit.model.encode",
    "FeatureStore": "corit.features.store",
    "HeadRecipe": "corit.heads.head",
    "Recipe": "corit.recipe",
    "calibrate_detector": "corit.train.calibrate",
    "load_backbone": "corit.backbones.load",
    "measure_features": "corit.train.heads",
    "train_detector": "corit.train.heads",
    "training_features": "corit.train.update",
    "update_detector": "corit.train.update",
    # evaluate
    "auc": "corit.metrics.auc",
    "bootstrap": "corit.metrics.bootstrap",
    "delong": "corit.metrics.delong",
    "evaluate_detectors": "corit.evaluate.run",
    "load_detectors": "corit.evaluate.run",
    "measure_robustness": "corit.evaluate.run",
    "open_labelled": "corit.evaluate.labelled",
    # theory
    "collapses": "corit.theory.collapse",
    "critical_radius": "corit.theory.cor",
    "decompose": "corit.theory.decomposition",
    "diagnose_stores": "corit.diagnose.diagnosis",
    "landscape": "corit.theory.landscape",
    "logistic": "corit.theory.likelihood",
    "moments": "corit.theory.moments",
    "perceptron": "corit.theory.perceptron",
    "sweep": "corit.theory.sweep",
    # data
    "Picture": "corit.images.picture",
    "Sample": "corit.data.sample",
    "check_source": "corit.data.care.check",
    "open_source": "corit.sources",
    "read_picture": "corit.images.picture",
    # errors
    "CoritError": "corit.errors",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'corit' has no attribute {name!r}; public names: {', '.join(__all__)}")
    from importlib import import_module

    module, _, inner = _PUBLIC[name].partition(":")
    return getattr(import_module(module), inner or name)


def __dir__() -> list[str]:
    return sorted(__all__)
