"""The device that a name stands for, checked to be usable."""

from __future__ import annotations

import torch

from corit.errors import DeviceError


def device_of(name: str) -> torch.device:
    """Return the device of a name such as cpu, cuda or cuda:1.

    Raises:
        DeviceError: when the device is not available on this machine.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # torch may list a device that its driver cannot use
    except (RuntimeError, AssertionError, NotImplementedError) as err:
        reason = str(err).partition("\n")[0]
        raise DeviceError(f"device {name!r} is not available ({reason}); use cpu, or cuda with a GPU") from err
    return device
