"""UniFD's published head, one linear layer on CLIP's projected class token: read from a file or fetched, checked."""

from __future__ import annotations

import hashlib
import io
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path

import torch

from corit.errors import WeightsError
from corit.heads.head import Head, HeadRecipe
from corit.heads.rows import Standardiser
from corit.whole import whole

# The 4 kB file of the publication's repository (MIT licence): weight (1, 768) and bias (1).
URL = "https://raw.githubusercontent.com/WisconsinAIVision/UniversalFakeDetect/main/pretrained_weights/fc_weights.pth"
SHA256 = "477100745713bcc957beb2b40859536859b6483fd6301b3b9293151b194c7847"
WIDTH = 768
NAME = "unifd_fc_weights.pth"
RECIPE = HeadRecipe(scaling="none", rho=0.0)

Fetch = Callable[[str], bytes]


def cache() -> Path:
    """The folder in which fetched heads stay: CORIT_CACHE, or ~/.cache/corit."""
    return Path(os.environ.get("CORIT_CACHE") or Path.home() / ".cache" / "corit")


def fetch(url: str) -> bytes:
    """The bytes at a URL. Raises WeightsError when they cannot be had."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bytes(answer.read())
    except OSError as err:
        raise WeightsError(
            f"expected UniFD's head at {url}, but it cannot be fetched: {err}. Fetch the file elsewhere and name it"
        ) from err


def unifd_head(path: str | Path | None = None, *, get: Fetch = fetch) -> Head:
    """UniFD's head from a file, or from the cache into which it is fetched on first use.

    Features are CLIP ViT-L/14's projected class tokens (n, 768), not normalised. Raises WeightsError when the file
    cannot be had, or is not byte for byte the published one.
    """
    place = Path(path) if path is not None else cache() / NAME
    if path is None and not place.exists():
        _keep(_checked(get(URL), URL), place)
    try:
        data = place.read_bytes()
    except OSError as err:
        raise WeightsError(
            f"expected UniFD's head at {place}, but it cannot be read: {err.strerror}; give its path, or none to fetch"
        ) from err
    state = torch.load(io.BytesIO(_checked(data, str(place))), map_location="cpu", weights_only=True)
    nothing = Standardiser(torch.zeros(WIDTH), torch.ones(WIDTH))
    return Head(state["weight"], state["bias"], nothing, RECIPE)


def _checked(data: bytes, origin: str) -> bytes:
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise WeightsError(
            f"expected UniFD's published head, sha256 {SHA256[:12]}..., at {origin}, got {len(data)} bytes with "
            f"{found[:12]}...; fetch it again from {URL}"
        )
    return data


def _keep(data: bytes, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole(place) as staged:
        staged.write_bytes(data)
