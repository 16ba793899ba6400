"""Detectors of others, measured as functions of pictures: what they are given, and what they may answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from corit import catalog
from corit.data.sample import Sample
from corit.errors import DetectorError, UnreadableError
from corit.images.media import Picture
from corit.judge import Outside, Trained, load


class Source:
    """Grey pictures of known brightness; one cannot be read."""

    samples = tuple(Sample(f"{k}", f"/{k}.png", k % 2) for k in range(5))

    def load(self, sample):
        if sample.id == "3":
            raise UnreadableError("3.png is damaged")
        return Picture(np.full((20 + int(sample.id), 30, 3), 10 * int(sample.id), np.uint8))


def test_a_function_is_given_whole_pictures_and_its_answers_become_rows():
    sizes = []

    def bright(pictures):
        sizes.append([p.shape for p in pictures])
        return [p.mean() / 255 for p in pictures]

    reports = list(Outside(bright, threshold=0.05).scan(Source(), Source.samples, batch=2))
    assert sizes == [[(20, 30, 3), (21, 30, 3)], [(22, 30, 3)], [(24, 30, 3)]]
    rows = [r for report in reports for r in report.rows]
    assert [r.path for r in rows] == [s.path for s in Source.samples]
    assert [r.status for r in rows] == ["ok", "ok", "ok", "unreadable", "ok"]
    assert [r.score for r in rows] == [0, 10 / 255, 20 / 255, None, 40 / 255]
    assert [r.verdict for r in rows] == ["real", "real", "fake", None, "fake"]


def test_a_batch_without_a_readable_picture_asks_nothing_of_it():
    never = Outside(lambda pictures: 1 / 0)
    assert [r.rows[0].status for r in never.scan(Source(), Source.samples[3:4])] == ["unreadable"]


def test_a_function_of_faces_is_given_the_aligned_crops():
    source = catalog.data("miniature:people=2,pictures=1,kinds=DF")
    shapes = []
    own = Outside(lambda pictures: [shapes.append(p.shape) or 0.5 for p in pictures], domain="face", side=48)
    reports = list(own.scan(source, source.samples[:3]))
    assert shapes == [(48, 48, 3)] * 3
    assert [r.score for r in reports] == [0.5] * 3


ANSWERS = {
    "too few": lambda pictures: [0.5],
    "a table": lambda pictures: [[0.5, 0.5] for _ in pictures],
    "a logit": lambda pictures: [3.0 for _ in pictures],
    "no number": lambda pictures: [float("nan") for _ in pictures],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_no_probability_is_refused(name):
    with pytest.raises(DetectorError, match=r"probability in \[0, 1\] for each of 2 pictures"):
        list(Outside(ANSWERS[name]).scan(Source(), Source.samples[:2]))


@pytest.mark.parametrize("wrong", [{"threshold": 1.5}, {"domain": "video"}, {"side": 0}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(DetectorError, match="threshold of 0 to 1, domain scene or face"):
        Outside(len, **wrong)


def test_another_text_of_the_file_is_another_detector(tmp_path):
    text = "from corit.judge import Outside\nDETECTOR = Outside(len, version={!r})\n"
    found = []
    for version in ("1", "1", "2"):
        (tmp_path / "own.py").write_text(text.format(version))
        found.append(load(str(tmp_path / "own.py")).identity)
    assert found[0] == found[1] != found[2]
    assert Outside(len).identity == replace(Outside(len), note="said").identity != Outside(len, threshold=0.4).identity


def test_files_that_hold_no_detector_are_refused(tmp_path):
    (tmp_path / "empty.py").write_text("DETECTOR = 3\n")
    with pytest.raises(DetectorError, match=r"to define DETECTOR = corit.judge.Outside\(...\), got 3"):
        load(str(tmp_path / "empty.py"))
    with pytest.raises(DetectorError, match="cannot be read: No such file"):
        load(str(tmp_path / "none.py"))
    with pytest.raises(DetectorError, match="expected a detector folder"):
        load(str(tmp_path))


def test_a_trained_detector_says_what_it_is():
    from test_assess import detector

    backbone = catalog.backbone("miniature")
    one, two = (Trained(detector(backbone, seed)) for seed in (0, 1))
    assert one.identity != two.identity
    assert one.threshold == 0.6
    assert one.about["validation"] == "10 reals, 10 fakes, threshold 0.600"
    assert "note" not in one.about
