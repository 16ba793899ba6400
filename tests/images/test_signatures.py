"""The table of first bytes: pictures, videos and raw files are told apart by it, whoever asks."""

from __future__ import annotations

import pytest

from corit.images.file_kind import kind_of
from corit.images.signatures import SIGNATURES, container_of_head, description_of, starts_as_picture
from corit.images.video_container import is_video_file

BOX = b"\0\0\0\x18ftyp"
HEADS = {  # first bytes -> (what `kind_of` says, the video decoder's container)
    b"\xff\xd8\xff\xe0": ("picture", ""),
    b"GIF89a": ("picture", "gif"),
    b"II*\0\x08\0\0\0": ("picture", ""),
    b"II*\0\x10\0\0\0CR\x02": ("", ""),
    BOX + b"heic": ("picture", ""),
    BOX + b"avif": ("picture", ""),
    BOX + b"avis": ("picture", "mov"),
    BOX + b"crx ": ("", ""),
    BOX + b"isom": ("video", "mov"),
    b"RIFF\0\0\0\0AVI ": ("video", "avi"),
    b"RIFF\0\0\0\0WEBP": ("picture", ""),
    b"\x1aE\xdf\xa3": ("video", "matroska"),
    b"PK\x03\x04": ("", ""),
}


@pytest.mark.parametrize("head", HEADS)
def test_first_bytes_decide_the_kind_and_the_container(head, tmp_path):
    kind, container = HEADS[head]
    place = tmp_path / "without a suffix"
    place.write_bytes(head + bytes(64))
    assert container_of_head(head) == container
    assert is_video_file(str(place)) == bool(container)
    assert kind_of(str(place)) == kind


def test_every_row_is_found_by_its_own_bytes():
    for row in SIGNATURES:
        head = bytes(row.offset) + row.magic
        if row.description:
            assert description_of(head, row.kind) == row.description
        if row.container:
            assert container_of_head(head) == row.container
        if row.kind == "picture":
            assert starts_as_picture(head)
