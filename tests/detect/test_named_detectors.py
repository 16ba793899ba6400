"""Detectors by name: each gives features of its own, and the published one scores as its formula says."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
import torch

from corit.backbones.load import load_backbone
from corit.detect.named import DETECTORS, head_of, load_detector, published, recipe_of
from corit.errors import DetectorError
from corit.heads import published as file
from corit.heads.head import Head, HeadRecipe
from corit.model import unifd
from corit.model.encode import Encoder
from corit.recipe import BackboneRecipe, Recipe
from corit.seeding import torch_generator
from corit.world.miniature import Miniature, MiniatureSpec

WORLD = Miniature(MiniatureSpec(train=2, val=2, test=2, pictures=1, kinds=("DF",)))


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("miniature")


def features(backbone, name):
    encoder = Encoder(backbone, recipe_of(name, Recipe(BackboneRecipe("miniature"))))
    preparer = encoder.preparer()
    z = encoder([v for s in WORLD.samples[:3] for v in preparer(WORLD.load(s))]).z
    assert z.shape == (3, encoder.width)
    return z


def test_every_detector_has_features_of_its_own(backbone):
    known = {n: features(backbone, n).numpy() for n in DETECTORS if "768" not in n}
    assert {n: z.shape[1] // backbone.width for n, z in known.items()} == {
        "corit": 8,
        "regions": 8,
        "unifd": 1,
        "pooled": 1,
        "both": 2,
    }
    assert not np.allclose(known["corit"], known["regions"], atol=1e-3)


def test_the_pooled_token_is_the_mean_of_the_last_layers_patches(backbone):
    pixels = np.stack([WORLD.load(s).pixels for s in WORLD.samples[:2]])
    x = backbone.normalise(pixels)
    with torch.inference_mode():
        found = unifd.forward(backbone, x, read="pooled", keep_patches=True)
    rows = found.patches[:, -1].double().numpy()
    slow = [[sum(v[d] for v in row) / len(row) for d in range(row.shape[1])] for row in rows]
    np.testing.assert_allclose(found.z.numpy(), slow, atol=1e-5)


def test_without_injection_the_class_token_is_unifds(backbone):
    alone, base = features(backbone, "regions"), features(backbone, "unifd")
    width = backbone.width
    assert torch.allclose(alone[:, 4 * width : 5 * width], base, atol=1e-5)  # C of F_L


def test_heads_by_name():
    base = HeadRecipe(rho=0.1)
    assert head_of("pooled", base) == base
    with pytest.raises(DetectorError, match="no detector .xception.; there are corit, .*, unifd-768-trained$"):
        head_of("xception", base)


class Projecting:
    """The miniature's backbone with a projection of 768, which only CLIP has."""

    def __init__(self, inner, matrix):
        self.inner, self.matrix = inner, matrix

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def to(self, device):
        return self

    def project(self, tokens):
        return tokens @ self.matrix


def test_the_published_detector_is_sigmoid_of_its_head_on_the_centre_crop(backbone, tmp_path, monkeypatch):
    weight = torch.randn(1, 768, generator=torch_generator("w")) * 0.05
    held = io.BytesIO()
    torch.save({"weight": weight, "bias": torch.tensor([-0.5])}, held)
    (tmp_path / "h.pth").write_bytes(held.getvalue())
    monkeypatch.setattr(file, "SHA256", hashlib.sha256(held.getvalue()).hexdigest())
    matrix = torch.randn(backbone.width, 768, generator=torch_generator("p")) * 0.1
    detector = published(Projecting(backbone, matrix), "hub", head=tmp_path / "h.pth")
    assert isinstance(head_of("unifd-768", HeadRecipe(), tmp_path / "h.pth"), Head)
    pixels = np.random.default_rng(0).integers(0, 256, (100, 120, 3)).astype(np.uint8)
    side = backbone.side
    y, x = (100 - side) // 2, (120 - side) // 2
    with torch.inference_mode():
        z = unifd.forward(backbone, backbone.normalise(pixels[None, y : y + side, x : x + side])).z
    logit = float((z @ matrix @ weight.T)[0, 0]) - 0.5
    assert detector(pixels).score == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
    assert detector(pixels).rows[0].verdict == ("fake" if logit >= 0 else "real")


def test_detectors_that_must_be_trained_say_so(tmp_path):
    with pytest.raises(DetectorError, match="corit train --model pooled"):
        load_detector("pooled")
    with pytest.raises(DetectorError, match="expected a detector folder"):
        load_detector(str(tmp_path))


def test_every_change_of_a_detector_has_its_usual_value_in_the_others():
    base = Recipe().replace(**{"model.kind": "pooled", "model.inject": False, "model.rrm": False, "model.tau": 0.5})
    for name, entry in DETECTORS.items():
        assert recipe_of(name, base) == Recipe().replace(**{"model.tau": 0.5, **entry.changes})
