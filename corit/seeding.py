"""Random generators seeded by integers, texts and arrays: the only source of randomness in the package."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

Key = int | str | bytes | np.ndarray


def seed(*keys: Key) -> int:
    """Return a 63-bit seed of a sequence of keys; an array counts with its shape, dtype and bytes.

    The same keys give the same seed on every machine and in every process; (1, 23) and (12, 3) differ.

    Raises:
        TypeError: a key of another type.
    """
    h = hashlib.sha256()
    for key in keys:
        if isinstance(key, np.ndarray):
            tag, data = f"a{key.dtype.str}{key.shape}", np.ascontiguousarray(key).tobytes()
        elif isinstance(key, bytes):
            tag, data = "b", key
        elif isinstance(key, str):
            tag, data = "s", key.encode()
        elif isinstance(key, (int, np.integer)):
            tag, data = "i", str(int(key)).encode()
        else:
            raise TypeError(f"a seed key must be an int, str, bytes or array, got {type(key).__name__}")
        h.update(f"{tag}:{len(data)}:".encode())
        h.update(data)
    return int.from_bytes(h.digest()[:8], "little") >> 1


def generator(*keys: Key) -> np.random.Generator:
    """Return a NumPy generator that `keys` seed; see `seed`."""
    return np.random.Generator(np.random.PCG64(seed(*keys)))


def torch_generator(*keys: Key) -> torch.Generator:
    """Return a torch generator that `keys` seed; see `seed`. It draws on the CPU, so that devices agree."""
    import torch

    return torch.Generator(device="cpu").manual_seed(seed(*keys))
