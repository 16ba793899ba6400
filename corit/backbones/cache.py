"""The user's cache of converted weights: a safetensors file for each backbone, with a JSON record beside it."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from torch import Tensor

from corit.errors import WeightsError
from corit.files import atomic_file, cache_folder, file_sha256, write_text
from corit.serialise import json_text

CONVERTER = 1  # raise it when a conversion gives other tensors


def weights_file(name: str) -> Path:
    """Where the converted weights of a backbone are, or would be."""
    return cache_folder() / "weights" / f"{name}.safetensors"


def record_file(name: str) -> Path:
    """Where the record of a backbone's converted weights is, or would be."""
    return weights_file(name).with_suffix(".json")


def read_record(name: str) -> dict[str, Any]:
    """Read what the cache says about the weights of a backbone; empty where it holds none, or a damaged record."""
    try:
        record = json.loads(record_file(name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and weights_file(name).is_file() else {}


def find_weights(name: str, source: Mapping[str, str]) -> Path | None:
    """Find the weights of a backbone in the cache, and check every byte.

    Args:
        name: of the backbone.
        source: what the record must say about where the weights come from.

    Returns:
        The file; None where there is none, or it is damaged, of another source, or made by an older converter.
    """
    record, path = read_record(name), weights_file(name)
    if record.get("source") != dict(source) or record.get("converter") != CONVERTER:
        return None
    try:
        return path if file_sha256(path) == record.get("sha256") else None
    except OSError:
        return None


def keep_weights(name: str, tensors: Mapping[str, Tensor], source: Mapping[str, str], **about: str) -> Path:
    """Write converted weights and their record into the cache; each appears whole or not at all.

    Args:
        name: of the backbone.
        tensors: under timm's names.
        source: where the weights come from: package, version, file and checksums.
        about: more to record, as the licence.

    Returns:
        The safetensors file.

    Raises:
        WeightsError: when the cache cannot be written.
    """
    from safetensors.torch import save_file

    path = weights_file(name)
    with _writable():
        record_file(name).unlink(missing_ok=True)  # it describes the file that is about to go
        with atomic_file(path) as staged:
            save_file({key: value.contiguous() for key, value in tensors.items()}, staged)
        record = {
            "backbone": name,
            "sha256": file_sha256(path),
            "converter": CONVERTER,
            "source": dict(source),
            **about,
        }
        write_text(record_file(name), json_text(record))
    return path


@contextmanager
def lock_weights(name: str) -> Generator[None]:
    """Wait until no other process writes the weights of a backbone, and keep others waiting meanwhile."""
    with _writable():
        weights_file(name).parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(weights_file(name).with_suffix(".lock"))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writable() -> Generator[None]:
    try:
        yield
    except OSError as err:
        raise WeightsError(
            f"expected to write to the cache {cache_folder()}, but {err.strerror or err}; set CORIT_CACHE to a folder "
            "that can be written"
        ) from err
