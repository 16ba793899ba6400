"""The option --device of every command that has one, checked before any work."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter


def _there(_: Any, name: str) -> None:
    from corit.backbones.device import device_of

    device_of(name)


Device = Annotated[str, Parameter(validator=_there)]
