"""What a file says before it is decoded, against the files that wrote it."""

from __future__ import annotations

import numpy as np
import pytest
from images import video_files
from PIL import Image

from corit.images.header import Header, frames_in, jpeg_quality, read_header

PIXELS = np.arange(40 * 50 * 3, dtype=np.uint32).reshape(40, 50, 3).astype(np.uint8)


@pytest.mark.parametrize("quality", [5, 10, 30, 49, 50, 51, 75, 90, 95, 100])
def test_the_quality_that_a_jpeg_was_saved_with_is_read_back(quality, tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", quality=quality)
    assert read_header(str(tmp_path / "a.jpg")) == Header(50, 40, "jpeg", quality)


def test_tables_of_other_programs_get_the_nearest_quality():
    assert jpeg_quality([1] * 64) == 100
    assert jpeg_quality([255] * 64) == 1
    assert 70 < jpeg_quality([20] * 64) < 90


@pytest.mark.parametrize("kind", ["png", "webp", "bmp"])
def test_other_kinds_have_no_quality(kind, tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / f"a.{kind}")
    assert read_header(str(tmp_path / f"a.{kind}")) == Header(50, 40, kind)


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_pictures_that_move_have_frames(kind, tmp_path):
    moving = [Image.fromarray(np.roll(PIXELS, k, 0)) for k in range(3)]
    moving[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=moving[1:])
    moving[0].save(tmp_path / f"b.{kind}")
    moving[0].save(tmp_path / "pages.tif", save_all=True, append_images=moving[1:])
    (tmp_path / "text.gif").write_text("no picture")
    names = (f"a.{kind}", f"b.{kind}", "pages.tif", "text.gif")
    assert [frames_in(str(tmp_path / name)) for name in names] == [3, 1, 1, 1]


def test_what_is_no_picture_has_no_header(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    assert read_header(str(tmp_path / "a.jpg")) is None
    assert read_header(str(tmp_path / "absent.jpg")) is None


def test_a_videos_kind_is_its_suffix(tmp_path):
    assert read_header(str(video_files.write(tmp_path / "a.avi", frames=2))) == Header(64, 48, "avi")
    (tmp_path / "b.avi").write_bytes((tmp_path / "a.avi").read_bytes()[:40])
    assert read_header(str(tmp_path / "b.avi")) is None
