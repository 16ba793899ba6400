"""Verdicts under mild re-encoding: against re-encodings made by hand, and the score never changes."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest
from data import faces
from detect.packaged_stand_ins import stand_in
from detect.test_detector import Held
from PIL import Image

from corit.detect.by_domain import FaceOrScene
from corit.detect.files import detect_files
from corit.detect.row import Row
from corit.detect.stability import RE_ENCODINGS, StablePreparer, re_encode, settle
from corit.images.face_shape import mean_face
from corit.images.picture import Picture
from corit.world.miniature import Miniature

NAMES = ["JPEG 90", "resize 0.9", "crop 2 %"]


@pytest.fixture(scope="module")
def scene():
    return stand_in("scenes-b16")


def photograph(seed, size=(120, 160)):
    grain = np.random.default_rng(seed).integers(0, 256, (15, 20, 3)).astype(np.uint8)
    return cv2.resize(grain, size[::-1], interpolation=cv2.INTER_CUBIC)


def by_hand(pixels):
    """The three re-encodings, written out."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=90)
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (round(0.9 * width), round(0.9 * height)), interpolation=cv2.INTER_AREA)
    y, x = max(1, round(height / 100)), max(1, round(width / 100))
    return [np.array(Image.open(data)), small, pixels[y : height - y, x : width - x]]


def with_threshold(detector, threshold):
    calibration = replace(detector.card.calibration, fake=threshold, real=threshold)
    detector.card = replace(detector.card, calibration=calibration)
    return detector


def test_re_encodings_are_those_made_by_hand():
    pixels = photograph(0)
    assert list(RE_ENCODINGS) == NAMES
    for name, expected in zip(NAMES, by_hand(pixels), strict=True):
        np.testing.assert_array_equal(re_encode(Picture(pixels), name).pixels, expected)


@pytest.mark.parametrize("seed", range(4))
def test_a_verdict_that_flips_is_unsure_and_the_score_stays(seed):
    detector, pixels = stand_in("scenes-b16"), photograph(seed)
    score = detector(pixels).score
    others = [detector(again).score for again in by_hand(pixels)]
    farthest = max(others, key=lambda s: abs(s - score))
    threshold = (score + farthest) / 2
    with_threshold(detector, threshold)
    flipped = [n for n, s in zip(NAMES, others, strict=True) if (s >= threshold) != (score >= threshold)]
    (before,), (after,) = detector(pixels).rows, detector(pixels, stable=True).rows
    assert flipped
    assert before.verdict in ("real", "fake")
    assert after.verdict == "unsure"
    assert after.reason == f"the verdict changes under mild re-encoding ({', '.join(flipped)})"
    assert replace(after, verdict=before.verdict, reason="") == before
    with_threshold(detector, 0.0)
    assert detector(pixels, stable=True).rows == detector(pixels).rows


@pytest.mark.parametrize("kind", ["found", "landmarks", "aligned"])
def test_faces_move_along(kind):
    """The same face under each re-encoding, without another search: its score is that of the moved landmarks."""
    detector = stand_in("faces-b16")
    pixels = faces.disc(0)
    (face,) = faces.find_discs(pixels)
    searches = []

    def finder(shown):
        searches.append(shown.shape)
        return faces.find_discs(shown)

    preparer = StablePreparer(replace(detector.preparer(), finder=finder))
    if kind == "aligned":
        world = Miniature(splits=["val"])
        picture = world.load(world.samples[0])
    else:
        picture = Picture(pixels, landmarks=face.landmarks if kind == "landmarks" else None)
    (crop,) = preparer.crops(picture)
    views = preparer.views(crop)
    assert list(views.variants) == NAMES
    assert len(searches) == (kind == "found")
    height, width = picture.pixels.shape[:2]
    points = face.landmarks if picture.landmarks is None else picture.landmarks
    scale = np.array([round(0.9 * width) / width, round(0.9 * height) / height])
    shift = np.array([max(1, round(width / 100)), max(1, round(height / 100))])
    moved = [points, points * scale, points - shift]
    for again, landmarks, view in zip(by_hand(picture.pixels), moved, views.variants.values(), strict=True):
        alone = Picture(again, landmarks=landmarks.astype(np.float32), aligned=picture.aligned)
        (expected,) = detector.preparer()(alone)
        np.testing.assert_array_equal(view.image, expected.image)
        np.testing.assert_array_equal(view.regions, expected.regions)


def test_masks_move_along():
    mask = np.zeros((120, 160), bool)
    mask[:60] = True
    for name in NAMES:
        again = re_encode(Picture(photograph(1), mask=mask), name)
        assert again.mask.shape == again.pixels.shape[:2]
        assert again.mask.mean() == pytest.approx(0.5, abs=0.02)


def test_small_faces_and_pictures_stay_comparable():
    """A face that is just large enough is so under each re-encoding too."""
    detector = stand_in("faces-b16")
    pixels = faces.disc(0, radius=16)
    preparer = StablePreparer(replace(detector.preparer(), finder=faces.find_discs))
    (crop,) = preparer.crops(Picture(pixels))
    assert crop.box[2] - crop.box[0] < 32 / 0.9
    assert list(crop.variants) == NAMES
    least = StablePreparer(stand_in("scenes-b16").preparer())
    (crop,) = least.crops(Picture(photograph(2, (32, 32))))
    assert list(crop.variants) == NAMES


def test_a_face_that_the_cut_takes_is_not_compared_there():
    """Landmarks that a re-encoding pushes out of the picture leave that one re-encoding out."""
    detector = stand_in("faces-b16")
    points = (mean_face(1.0) * 100).astype(np.float32)
    points -= points.min(0)
    picture = Picture(photograph(3, (104, 104)), landmarks=points)
    crops = StablePreparer(detector.preparer()).crops(picture)
    assert set(crops[0].variants) <= set(NAMES)
    assert detector(picture, stable=True).rows[0].status == "ok"


def test_unscorable_pictures_stay_so(scene):
    (row,) = scene(np.zeros((8, 8, 3), np.uint8), stable=True).rows
    assert (row.status, row.score) == ("too_small", None)


def test_only_a_turn_from_real_to_fake_counts():
    fake = Row("x", None, 0.9, None, "fake", reason="a note")
    assert settle(fake, {"JPEG 90": "unsure", "resize 0.9": "fake"}) == fake
    turned = settle(fake, {"JPEG 90": "real", "crop 2 %": "real"})
    assert (turned.verdict, turned.score) == ("unsure", 0.9)
    assert turned.reason == "a note; the verdict changes under mild re-encoding (JPEG 90, crop 2 %)"
    unsure = replace(fake, verdict="unsure")
    assert settle(unsure, {"JPEG 90": "real"}) == unsure


def test_two_detectors_are_stable_too():
    pair = FaceOrScene(stand_in("faces-b16"), stand_in("scenes-b16"), finder=faces.find_discs)
    pixels = photograph(0) // 2  # the finder takes what is bright for a face
    for picture in (Picture(faces.disc(0)), Picture(pixels)):
        (plain,), (row,) = pair(picture).rows, pair(picture, stable=True).rows
        assert (row.score, row.detector) == (plain.score, plain.detector)
    score = pair.scene(pixels).score
    others = [pair.scene(again).score for again in by_hand(pixels)]
    with_threshold(pair.scene, (score + max(others, key=lambda s: abs(s - score))) / 2)
    (row,) = pair(Picture(pixels), stable=True).rows
    assert row.verdict == "unsure"
    assert row.reason.startswith("the whole picture was scored: no face was found; the verdict changes under")


def test_files_and_streams_take_the_option(tmp_path):
    detector, pixels = stand_in("scenes-b16"), photograph(0)
    score = detector(pixels).score
    others = [detector(again).score for again in by_hand(pixels)]
    with_threshold(detector, (score + max(others, key=lambda s: abs(s - score))) / 2)
    cv2.imwrite(str(tmp_path / "a.png"), pixels[..., ::-1])
    (plain,), (stable,) = detect_files(detector, tmp_path), detect_files(detector, tmp_path, stable=True)
    assert (plain.verdict in ("real", "fake"), stable.verdict) == (True, "unsure")
    assert stable.score == pytest.approx(plain.score, abs=1e-6)
    held = Held([Picture(pixels)])
    (again,) = detector.scan(held, held.samples, stable=True)
    assert again.rows[0].reason == stable.reason


def test_faces_of_a_picture_are_encoded_together_and_scored_as_alone(monkeypatch):
    """One pass for the faces and one for their re-encodings, with the scores of each face by itself."""
    detector = stand_in("faces-b16")
    preparer = StablePreparer(replace(detector.preparer(), finder=faces.find_discs))
    views = [preparer.views(c) for seed in range(3) for c in preparer.crops(Picture(faces.disc(seed)))]
    assert len(views) == 3
    alone = [detector.readings([v])[0] for v in views]
    scores = np.array([[detector.report("x", [w]).score for w in v.variants.values()] for v in views])
    threshold = float(np.median(scores))
    with_threshold(detector, threshold)
    passes, encode = [], type(detector.encoder).__call__
    counted = lambda encoder, some, **more: passes.append(len(some)) or encode(encoder, some, **more)
    monkeypatch.setattr(type(detector.encoder), "__call__", counted)
    together = detector.readings(views)
    assert passes == [3, 8, 1]
    for one, many, own in zip(alone, together, scores, strict=True):
        np.testing.assert_allclose(many.logits, one.logits, atol=1e-6)
        near = np.abs(own - threshold) < 1e-6
        called = dict(zip(NAMES, np.where(own >= threshold, "fake", "real"), strict=True))
        assert all(many.variants[n] == called[n] for n, close in zip(NAMES, near, strict=True) if not close)


def test_re_encodings_of_what_is_unsure_anyway_are_not_encoded(monkeypatch):
    detector = stand_in("faces-b16")
    preparer = StablePreparer(replace(detector.preparer(), finder=faces.find_discs))
    views = [preparer.views(c) for c in preparer.crops(Picture(faces.disc(0)))]
    calibration = replace(detector.card.calibration, real=0.0, fake=2.0)
    detector.card = replace(detector.card, calibration=calibration)
    assert detector.readings(views)[0].variants == {}


def test_the_preparation_travels_to_workers():
    pair = FaceOrScene(stand_in("faces-b16"), stand_in("scenes-b16"), finder=faces.find_discs)
    preparer = pickle.loads(pickle.dumps(StablePreparer(pair.preparer())))
    (crop,) = preparer.crops(Picture(faces.disc(0)))
    assert list(preparer.views(crop).variants) == NAMES
