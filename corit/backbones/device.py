"""The processor that a name stands for, proved to be there."""

from __future__ import annotations

import torch

from corit.errors import DeviceError


def device_of(name: str) -> torch.device:
    """The processor of a name, such as cpu, cuda or cuda:1. Raises DeviceError where it is not to be had."""
    try:
        found = torch.device(name)
        torch.zeros(1, device=found).item()  # what torch says it has, a driver may still lack
    except (RuntimeError, AssertionError, NotImplementedError) as err:
        told = str(err).partition("\n")[0]
        raise DeviceError(f"expected a device that is here, as cpu or cuda, got {name!r} ({told}); use cpu") from err
    return found
