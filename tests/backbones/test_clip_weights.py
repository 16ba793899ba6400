from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from backbones.neighbours import accuracies, drawn
from PIL import Image
from timm.layers import QuickGELU

from corit.backbones.load import load_backbone
from corit.backbones.stepped import check_stepping
from corit.backbones.wheels import CARRIERS

pytestmark = pytest.mark.clip
PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "data" / "tiny-imagenet-100.tar"
CLASSES, QUERIES = 20, 5


@pytest.fixture(scope="module")
def clip():
    return load_backbone("clip-vit-b16", "carrier")


def test_the_carried_weights_are_those_that_are_known(clip):
    carrier = CARRIERS["clip-vit-b16"]
    assert clip.digest == carrier.digest
    assert clip.label == carrier.label == "CLIP ViT-B/16, int8-rounded"
    assert (clip.depth, clip.width, clip.grid, clip.projection.out_features) == (12, 768, (14, 14), 512)


def test_stepping_the_carried_weights_equals_timm(clip):
    check_stepping(clip)


def test_every_block_has_quickgelu(clip):
    x = torch.linspace(-4, 4, 9)
    for block in clip.model.blocks:
        assert isinstance(block.mlp.act, QuickGELU)
        assert torch.allclose(block.mlp.act(x), x * torch.sigmoid(1.702 * x))


@pytest.mark.slow
def test_nearest_neighbours_tell_drawn_classes_apart(clip):
    shares = accuracies(clip, drawn(9 + 3, clip.side), [12])
    assert shares[12] > 0.75  # random weights: 0.38


def photographs(side, each):
    """Twenty classes of the data set in the order of its list, the first pictures of each, enlarged."""
    with tarfile.open(PHOTOGRAPHS) as archive:
        names = archive.getnames()
        listed = next(name for name in names if name.endswith("wnids.txt"))
        wnids = archive.extractfile(listed).read().decode().split()[:CLASSES]
        chosen = [sorted(n for n in names if f"/{w}/images/" in n and n.endswith(".JPEG"))[:each] for w in wnids]
        return np.array([[enlarged(archive.extractfile(name).read(), side) for name in row] for row in chosen])


def enlarged(data, side):
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOGRAPHS.is_file(), reason=f"no photographs at {PHOTOGRAPHS}")
def test_nearest_neighbours_tell_photographs_apart_in_late_layers(clip):
    shares = accuracies(clip, photographs(clip.side, 9 + QUERIES), [10, 11, 12])
    assert shares[12] > 0.6
    assert shares[12] > shares[11] + 0.1 > shares[10] + 0.1
