"""UniFD's published head, one linear layer on CLIP's projected class token: read from a file or fetched, checked."""

from __future__ import annotations

import hashlib
import http.client
import io
import urllib.request
from collections.abc import Callable
from pathlib import Path

import torch

from corit.errors import WeightsError
from corit.files import cache_folder, write_bytes
from corit.heads.head import Head, HeadRecipe
from corit.heads.rows import Standardiser

# The 4 kB file of the publication's repository (MIT licence): weight (1, 768) and bias (1).
URL = "https://raw.githubusercontent.com/WisconsinAIVision/UniversalFakeDetect/main/pretrained_weights/fc_weights.pth"
SHA256 = "477100745713bcc957beb2b40859536859b6483fd6301b3b9293151b194c7847"
WIDTH = 768
NAME = "unifd_fc_weights.pth"
RECIPE = HeadRecipe(scaling="raw", rho=0.0)

Fetch = Callable[[str], bytes]


def fetch(url: str) -> bytes:
    """Download the bytes at a URL.

    Raises:
        WeightsError: when the download fails.
    """
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bytes(answer.read())
    except (OSError, http.client.HTTPException) as err:
        raise WeightsError(
            f"expected UniFD's head at {url}, but it cannot be fetched: {err}. Fetch the file elsewhere and name it "
            f"with --unifd-head FILE, or put it at {cache_folder() / NAME}"
        ) from err


def unifd_head(path: str | Path | None = None, *, get: Fetch = fetch) -> Head:
    """Load UniFD's published head, whose features are CLIP ViT-L/14's projected class tokens (n, 768), not normalised.

    Args:
        path: a file; None for the cache, into which the head is fetched on first use, and again if it is damaged.
        get: downloads a URL.

    Raises:
        WeightsError: when the file cannot be read or fetched, or is not byte for byte the published one.
    """
    place = Path(path) if path is not None else cache_folder() / NAME
    if path is None and not _is_cached(place):
        _keep(_checked(get(URL), URL), place)
    try:
        data = place.read_bytes()
    except OSError as err:
        raise WeightsError(
            f"expected UniFD's head at {place}, but it cannot be read: {err.strerror}; name it with --unifd-head FILE, "
            "or name none to fetch it"
        ) from err
    state = torch.load(io.BytesIO(_checked(data, str(place))), map_location="cpu", weights_only=True)
    nothing = Standardiser(torch.zeros(WIDTH), torch.ones(WIDTH))
    return Head(state["weight"], state["bias"], nothing, RECIPE)


def _checked(data: bytes, origin: str) -> bytes:
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise WeightsError(
            f"expected UniFD's published head, sha256 {SHA256[:12]}..., at {origin}, got {len(data)} bytes with "
            f"{digest[:12]}...; fetch it again from {URL}"
        )
    return data


def _is_cached(place: Path) -> bool:
    """Whether the published file is in the cache."""
    try:
        return hashlib.sha256(place.read_bytes()).hexdigest() == SHA256
    except OSError:
        return False


def _keep(data: bytes, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(place, data)
    except OSError as err:
        raise WeightsError(
            f"expected to keep UniFD's head at {place}, but {err.strerror}; set CORIT_CACHE to a folder that can be "
            f"written, or fetch {URL} and name it with --unifd-head FILE"
        ) from err
