"""Detectors of others, measured as functions of pictures: what they are given, and what they may answer."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from detect.test_detector import detector

import corit
from corit import judge
from corit.backbones.load import load_backbone
from corit.data.sample import Sample
from corit.errors import DetectorError, UnreadableError
from corit.evaluate.detectors import ExternalDetector, TrainedDetector, load_scoring_detector
from corit.images.picture import Picture
from corit.sources import open_source


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

    reports = list(ExternalDetector(bright, threshold=0.05).scan(Source(), Source.samples, batch=2))
    assert sizes == [[(20, 30, 3), (21, 30, 3)], [(22, 30, 3)], [(24, 30, 3)]]
    rows = [r for report in reports for r in report.rows]
    assert [r.path for r in rows] == [s.path for s in Source.samples]
    assert [r.status for r in rows] == ["ok", "ok", "ok", "unreadable", "ok"]
    assert [r.score for r in rows] == [0, 10 / 255, 20 / 255, None, 40 / 255]
    assert [r.verdict for r in rows] == ["real", "real", "fake", None, "fake"]


def test_a_score_at_the_threshold_is_called_fake():
    near = iter([0.5, np.nextafter(0.5, 0), np.nextafter(0.5, 1)])
    made = ExternalDetector(lambda pictures: [next(near) for _ in pictures])
    rows = [r.rows[0] for r in made.scan(Source(), Source.samples[:3])]
    assert [r.verdict for r in rows] == ["fake", "real", "fake"]


def test_a_batch_without_a_readable_picture_asks_nothing_of_it():
    never = ExternalDetector(lambda pictures: 1 / 0)
    assert [r.rows[0].status for r in never.scan(Source(), Source.samples[3:4])] == ["unreadable"]


def test_a_function_of_faces_is_given_the_aligned_crops():
    source = open_source("miniature:people=2,pictures=1,kinds=DF")
    shapes = []
    own = ExternalDetector(lambda pictures: [shapes.append(p.shape) or 0.5 for p in pictures], domain="face", side=48)
    reports = list(own.scan(source, source.samples[:3]))
    assert shapes == [(48, 48, 3)] * 3
    assert [r.score for r in reports] == [0.5] * 3


ANSWERS = {
    "too few": lambda pictures: [0.5],
    "a table": lambda pictures: [[0.5, 0.5] for _ in pictures],
    "a logit": lambda pictures: [3.0 for _ in pictures],
    "no number": lambda pictures: [float("nan") for _ in pictures],
    "nothing": lambda pictures: None,
    "texts": lambda pictures: ["fake" for _ in pictures],
    "uneven": lambda pictures: [[0.5] * k for k, _ in enumerate(pictures)],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_no_probability_is_refused(name):
    with pytest.raises(DetectorError, match=r"probability in \[0, 1\] for each of 2 pictures.*, got (\[|None)"):
        list(ExternalDetector(ANSWERS[name]).scan(Source(), Source.samples[:2]))


@pytest.mark.parametrize("wrong", [{"threshold": 1.5}, {"domain": "video"}, {"side": 0}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(DetectorError, match="threshold of 0 to 1, domain scene or face"):
        ExternalDetector(len, **wrong)


def test_another_text_of_the_file_is_another_detector(tmp_path):
    text = "from corit.evaluate.detectors import ExternalDetector\nDETECTOR = ExternalDetector(len, version={!r})\n"
    found = []
    for version in ("1", "1", "2"):
        (tmp_path / "own.py").write_text(text.format(version))
        found.append(load_scoring_detector(str(tmp_path / "own.py")).identity)
    assert found[0] == found[1] != found[2]
    assert (
        ExternalDetector(len).identity
        == replace(ExternalDetector(len), note="said").identity
        != ExternalDetector(len, threshold=0.4).identity
    )


def test_files_that_hold_no_detector_are_refused(tmp_path):
    (tmp_path / "empty.py").write_text("DETECTOR = 3\n")
    with pytest.raises(DetectorError, match=r"to define DETECTOR = corit.ExternalDetector\(...\), got 3"):
        load_scoring_detector(str(tmp_path / "empty.py"))
    with pytest.raises(DetectorError, match="cannot be read: No such file"):
        load_scoring_detector(str(tmp_path / "none.py"))
    with pytest.raises(DetectorError, match="expected a detector folder"):
        load_scoring_detector(str(tmp_path))


def test_a_trained_detector_says_what_it_is():
    from evaluate.test_evaluate_run import detector

    backbone = load_backbone("miniature")
    one, two = (TrainedDetector(detector(backbone, seed)) for seed in (0, 1))
    assert one.identity != two.identity
    assert one.threshold == 0.6
    assert one.about["validation"] == "10 reals, 10 fakes, threshold 0.600"
    assert "note" not in one.about


HELPED = """
from __future__ import annotations
from dataclasses import dataclass
import numbers_of_mine
from corit.evaluate.detectors import ExternalDetector

@dataclass
class Model:
    gain: float = numbers_of_mine.GAIN

def score(pictures):
    return [Model().gain for _ in pictures]

DETECTOR = ExternalDetector(score)
"""


def test_a_file_may_hold_dataclasses_and_import_what_lies_beside_it(tmp_path):
    found = []
    for folder, gain in (("a", 0.25), ("b", 0.75), ("b", 0.5)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "own.py").write_text(HELPED)
        (tmp_path / folder / "numbers_of_mine.py").write_text(f"GAIN = {gain}  # {'x' * int(100 * gain)}")
        found.append(load_scoring_detector(str(tmp_path / folder / "own.py")))
    scores = [next(f.scan(Source(), Source.samples[:1])).score for f in found]
    assert scores == [0.25, 0.75, 0.5]  # each its own helper, though they have one name
    assert len({f.identity for f in found}) == 3  # and a helper's text is part of what it is
    assert not {str(tmp_path / f) for f in "ab"} & set(sys.path)
    assert "numbers_of_mine" not in sys.modules


FAULTS = {
    "syntax": ("x = 1\ndef score(:\n", "own.py, line 2: invalid syntax"),
    "import": ("x = 1\nimport no_such_library\n", "own.py, line 2: ModuleNotFoundError: No module named"),
    "text": ("x = 1\n\nraise RuntimeError('of mine')\n", "own.py, line 3: RuntimeError: of mine"),
    "exit": ("import sys\nsys.exit()\n", "own.py, line 2: SystemExit"),
    "NUL": ("x = 1\0\n", "source code .*null bytes; mend it"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_a_file_is_an_error_that_names_its_line(name, tmp_path):
    text, said = FAULTS[name]
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(DetectorError, match=f"to define DETECTOR, but (?!None).*{said}") as found:
        load_scoring_detector(str(tmp_path / "own.py"))
    assert found.value.__cause__ is not None


def test_a_fault_in_the_function_is_an_error_that_names_its_line(tmp_path):
    imported = "from corit.evaluate.detectors import ExternalDetector"
    text = f"{imported}\n\ndef score(pictures):\n    return 1 / 0\n\nDETECTOR = ExternalDetector(score)\n"
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(DetectorError, match=r"score pictures, but .*own\.py, line 4: ZeroDivisionError") as found:
        list(load_scoring_detector(str(tmp_path / "own.py")).scan(Source(), Source.samples))
    assert isinstance(found.value.__cause__, ZeroDivisionError)
    with pytest.raises(DetectorError, match="score pictures, but .*test_detectors.*TypeError"):
        list(ExternalDetector(lambda pictures: (p + None for p in pictures)).scan(Source(), Source.samples))
    with pytest.raises(DetectorError, match="score pictures, but .*test_detectors.*SystemExit: 0"):
        list(ExternalDetector(lambda pictures: sys.exit(0)).scan(Source(), Source.samples))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_tensors_with_gradients_are_scores(kind):
    weight = torch.tensor(0.5, dtype=kind, requires_grad=True)
    answers = (lambda pictures: weight * torch.ones(len(pictures)), lambda pictures: [weight for _ in pictures])
    for answer in answers:
        reports = list(ExternalDetector(answer).scan(Source(), Source.samples[:2]))
        assert [r.score for r in reports] == [0.5, 0.5]


def test_the_earlier_name_of_an_external_detector_still_works(tmp_path):
    (tmp_path / "old.py").write_text("from corit.judge import Outside\nDETECTOR = Outside(len)\n")
    with pytest.warns(DeprecationWarning, match=r"Outside is now called corit.ExternalDetector"):
        loaded = load_scoring_detector(str(tmp_path / "old.py"))
    assert isinstance(loaded, corit.ExternalDetector)
    with pytest.raises(AttributeError, match="no attribute 'Inside'"):
        _ = judge.Inside


def test_a_detectors_identity_is_that_of_recipe_head_and_calibration():
    """One digest for detect and evaluate; what does not decide a score is not part of it."""
    made = detector()
    assert TrainedDetector(made).identity == made.identity == detector().identity
    others = [detector("unifd"), detector(), detector(), detector()]
    others[1].card = replace(made.card, calibration=replace(made.card.calibration, slope=1.5))
    others[2].head = replace(made.head, bias=made.head.bias + 1)
    others[3].card = replace(made.card, note="another note")
    assert [other.identity == made.identity for other in others] == [False, False, False, True]
