"""The public interface: which names there are, that each is documented, and that asking for none costs nothing."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import corit

PUBLIC = [
    "CoritError",
    "Detector",
    "Encoder",
    "ExternalDetector",
    "FeatureStore",
    "HeadRecipe",
    "Picture",
    "Recipe",
    "Row",
    "Sample",
    "VideoReport",
    "VideoScore",
    "__version__",
    "auc",
    "bootstrap",
    "calibrate_detector",
    "check_source",
    "choose_detector",
    "collapses",
    "critical_radius",
    "decompose",
    "delong",
    "detect_files",
    "diagnose_stores",
    "evaluate_detectors",
    "landscape",
    "load_backbone",
    "load_detector",
    "load_detectors",
    "logistic",
    "measure_features",
    "measure_robustness",
    "moments",
    "open_labelled",
    "open_source",
    "perceptron",
    "read_picture",
    "score_video",
    "sweep",
    "train_detector",
    "training_features",
    "update_detector",
]


def test_the_public_names_are_these():
    assert sorted(corit.__all__) == sorted(PUBLIC)
    assert dir(corit) == sorted(PUBLIC)


@pytest.mark.parametrize("name", [n for n in PUBLIC if n != "__version__"])
def test_every_public_name_is_documented(name):
    found = getattr(corit, name)
    assert inspect.getdoc(found)
    assert found.__module__.startswith("corit.")


@pytest.mark.parametrize("name", [n for n in PUBLIC if n != "__version__"])
def test_every_public_name_has_its_line_in_the_reference(name):
    pages = Path(__file__).parent.parent / "docs" / "reference" / "python"
    entries = [p.name for p in pages.glob("*.md") if re.search(rf"^::: corit\.{name}$", p.read_text(), re.MULTILINE)]
    assert len(entries) == 1
    assert f"[`{name}`]({entries[0]}#corit.{name})" in (pages / "index.md").read_text()


def test_another_name_is_refused_with_the_list_of_names():
    with pytest.raises(AttributeError, match="'detect_all'; public names: .*Detector"):
        _ = corit.detect_all


def test_importing_corit_loads_nothing_else():
    code = "import sys; before = set(sys.modules); import corit; print(sorted(set(sys.modules) - before))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert [m for m in eval(out) if m.startswith(("corit.", "torch", "numpy", "PIL"))] == []
