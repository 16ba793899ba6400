"""Files that appear whole or not at all: written beside their place, then moved there."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(target: Path) -> Generator[Path]:
    """The path to write to, which takes the target's place when the block ends without an error."""
    staged = target.with_name(target.name + ".part")
    yield staged
    os.replace(staged, target)


def write_whole(target: Path, text: str) -> None:
    """Write a text as UTF-8; names of files in it need not be text, and come out as the bytes that they are."""
    with whole(target) as staged:
        staged.write_text(text, encoding="utf-8", errors="surrogateescape")
