"""Files of version 0.1.0 keep their meaning: a detector and a feature store that it wrote on drawn pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corit import Detector
from corit.data.folders import UnlabelledFiles
from corit.features.store import FeatureStore
from corit.features.writer import StoreWriter

FIXTURES = Path(__file__).parent / "fixtures"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text())


def picture():
    """A gradient under seeded noise, the same on every machine."""
    y, x = np.mgrid[:80, :80]
    noise = np.random.default_rng(0).integers(0, 16, (80, 80, 3))
    return (np.stack([3 * x, 3 * y, x + y], axis=2) + noise).clip(0, 255).astype(np.uint8)


def test_an_old_detector_gives_its_score(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "picture.png")
    detector = Detector.load(FIXTURES / "detector")
    source = UnlabelledFiles()
    (report,) = detector.scan(source, [source.sample(str(tmp_path / "picture.png"))])
    (row,) = report.rows
    assert row.score == pytest.approx(EXPECTED["score"], abs=1e-5)
    assert row.verdict == EXPECTED["verdict"]
    assert detector.card.recipe.digest == EXPECTED["recipe"]


def test_an_old_detector_is_saved_as_it_was(tmp_path):
    Detector.load(FIXTURES / "detector").save(tmp_path / "again")
    old = json.loads((FIXTURES / "detector" / "detector.json").read_text())
    new = json.loads((tmp_path / "again" / "detector.json").read_text())
    assert {k: new[k] for k in old if k != "versions"} == {k: old[k] for k in old if k != "versions"}
    weights = "head.safetensors"
    assert (tmp_path / "again" / weights).read_bytes() == (FIXTURES / "detector" / weights).read_bytes()


def test_an_old_store_has_its_rows():
    store = FeatureStore.open(FIXTURES / "store")
    features = store.features()
    assert (store.digest, store.width, store.counts()) == (EXPECTED["recipe"], 768, {"ok": 8})
    assert features.ids.tolist() == EXPECTED["ids"]
    assert features.y.tolist() == EXPECTED["labels"]
    np.testing.assert_array_equal(features.to_tensor().numpy()[:, :4], np.array(EXPECTED["features"], dtype=np.float32))


def test_an_old_store_takes_further_rows(tmp_path):
    folder = tmp_path / "store"
    shutil.copytree(FIXTURES / "store", folder)
    header = FeatureStore.open(folder).header
    with StoreWriter(folder, header) as writer:
        assert writer.header == header
    assert FeatureStore.open(folder).features().ids.tolist() == EXPECTED["ids"]
