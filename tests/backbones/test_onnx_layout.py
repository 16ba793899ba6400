from __future__ import annotations

import pytest
import torch
from backbones.onnx_towers import dequantised, write_tower
from backbones.tiny_clip import HALF, state_of, tiny, tower
from safetensors.torch import save_file

from corit.backbones.build import wrap
from corit.backbones.onnx_layout import read_onnx
from corit.backbones.stepped import check_stepping
from corit.backbones.weights import read_weights
from corit.errors import WeightsError


def embedding(backbone, image):
    tokens = backbone.embed(image)
    for l in range(1, backbone.depth + 1):
        tokens = backbone.block(l, tokens)
    return backbone.project(backbone.norm(tokens)[:, 0])


@pytest.mark.parametrize("style", ["float", "gemm"])
def test_float_towers_give_every_weight_back(style, tmp_path):
    model = tower()
    write_tower(tmp_path / "m.onnx", state_of(model), style)
    state = read_onnx(tmp_path / "m.onnx")
    assert state.keys() == state_of(model).keys()
    assert all(torch.equal(state[name], value) for name, value in state_of(model).items())
    ours = wrap(tiny(), "clip", str(tmp_path / "m.onnx"), HALF, HALF, "")
    check_stepping(ours)
    image = torch.randn(2, 3, 32, 32)
    expected = model(image).image_embeds.detach()
    assert float((embedding(ours, image) - expected).norm() / expected.norm()) < 1e-5


@pytest.mark.parametrize("style", ["int8", "uint8"])
def test_int8_towers_load_within_a_rounding_step(style, tmp_path):
    model = tower()
    arrays = write_tower(tmp_path / "m.onnx", state_of(model), style)
    state = read_onnx(tmp_path / "m.onnx")
    largest = max(float(a.max()) for name, a in arrays.items() if name.endswith("_scale"))
    assert state.keys() == state_of(model).keys()
    for name, value in state_of(model).items():
        assert state[name].shape == value.shape
        assert float((state[name] - value).abs().max()) <= 0.51 * largest
    ours = wrap(tiny(), "clip", str(tmp_path / "m.onnx"), HALF, HALF, "")
    image = torch.randn(2, 3, 32, 32)
    expected = model(image).image_embeds.detach()
    assert 0 < float((embedding(ours, image) - expected).norm() / expected.norm()) < 0.1


def test_int8_matrices_equal_an_independent_dequantisation(tmp_path, agree):
    write_tower(tmp_path / "m.onnx", state_of(tower()), "int8")
    state = read_onnx(tmp_path / "m.onnx")
    expected = dequantised(tmp_path / "m.onnx")
    assert len(expected) == 2 * 6 + 1
    for bias, value in expected.items():
        name = bias.removesuffix("bias") + "weight" if bias else "visual_projection.weight"
        agree(state[name], value, rtol=1e-6)


def test_int8_and_hand_dequantised_weights_have_one_digest(tmp_path):
    write_tower(tmp_path / "m.onnx", state_of(tower()), "int8")
    save_file(read_onnx(tmp_path / "m.onnx"), tmp_path / "m.safetensors")
    onnx, plain = (
        wrap(tiny(), "clip", str(tmp_path / f"m.{kind}"), HALF, HALF, "").digest for kind in ("onnx", "safetensors")
    )
    assert onnx == plain != wrap(tiny(), "clip", "random:0", HALF, HALF, "").digest


def damaged(path):
    write_tower(path, state_of(tower()), "int8")
    path.write_bytes(path.read_bytes()[:-500])


def other_network(path):
    write_tower(path, {"conv.weight": torch.zeros(3, 3, 3, 3)}, "float")


def without_scales(path):
    import onnx

    write_tower(path, state_of(tower()), "int8")
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        tensor.name = tensor.name.replace("_scale", "_step")
    onnx.save(model, path)


def weights_elsewhere(path):
    import onnx

    write_tower(path, state_of(tower()), "float")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="far.bin", size_threshold=0)
    path.with_name("far.bin").unlink()


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (damaged, "not a whole ONNX file"),
        (other_network, "expected an image tower of CLIP"),
        (without_scales, "only onnxruntime's quantisation"),
        (weights_elsewhere, "not a whole ONNX file"),
    ],
)
def test_other_onnx_files_are_refused_in_words(write, words, tmp_path):
    write(tmp_path / "m.onnx")
    with pytest.raises(WeightsError, match=words):
        read_weights(tmp_path / "m.onnx")


def test_weights_in_a_second_file_are_read_too(tmp_path):
    import onnx

    model = tower()
    write_tower(tmp_path / "a.onnx", state_of(model), "float")
    onnx.save(onnx.load(tmp_path / "a.onnx"), tmp_path / "b.onnx", save_as_external_data=True, size_threshold=0)
    state = read_onnx(tmp_path / "b.onnx")
    assert all(torch.equal(state[name], value) for name, value in state_of(model).items())
