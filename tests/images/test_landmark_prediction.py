"""Face crops without landmarks: predicted where the detector's are, unsure in words, and never silently a mean face."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

from corit.errors import MissingLibraryError
from corit.images import landmark_prediction
from corit.images.face_shape import mean_face, misfit
from corit.images.faces import align, find_faces
from corit.images.landmark_prediction import Predicted, predict_landmarks
from corit.images.picture import Picture
from corit.recipe import ViewsRecipe
from corit.seeding import generator
from corit.views.foreground import face_hull
from corit.views.prepare import Preparer

SURE = "landmarks predicted in the crop, spread {} % of the face's width"
USUAL = "; a mean face in its usual place gives the regions"


@pytest.fixture(scope="module")
def photograph():
    pixels = pytest.importorskip("skimage.data").astronaut()
    return pixels, find_faces(pixels)[0].landmarks


def width(points):
    return np.ptp(points[:17, 0])


@pytest.mark.parametrize(("scale", "side"), [(1.3, 256), (1.3, 112), (1.0, 256), (0.85, 224), (1.6, 300)])
def test_predicted_landmarks_are_those_of_the_detector(photograph, scale, side):
    crop, known, _ = align(*photograph, side, scale)
    found = predict_landmarks(crop)
    assert found.landmarks.dtype == np.float32
    assert np.linalg.norm(found.landmarks - known, axis=1).mean() < 0.04 * width(known)
    a, b = face_hull(found.landmarks, side), face_hull(known, side)
    assert (a & b).sum() / (a | b).sum() > 0.93
    assert found.note in [SURE.format(n) for n in range(3)]


def test_landmarks_of_a_crop_that_is_not_square_are_in_its_pixels(photograph):
    crop, known, _ = align(*photograph, 256, 1.3)
    found = predict_landmarks(crop[:, 20:236])
    assert np.linalg.norm(found.landmarks + [20, 0] - known, axis=1).mean() < 0.04 * width(known)


def test_the_same_crop_has_the_same_landmarks(photograph):
    crop, _, _ = align(*photograph, 256, 1.0)
    one = predict_landmarks(crop)
    predict_landmarks(align(*photograph, 256, 1.3)[0])
    again = pickle.loads(pickle.dumps(predict_landmarks))(crop.copy())
    assert np.array_equal(one.landmarks, again.landmarks)
    assert one.note == again.note


def test_what_is_no_face_crop_is_unsure():
    noise = generator("noise").integers(0, 256, (128, 128, 3), dtype=np.uint8)
    assert predict_landmarks(noise).note.startswith("unsure landmarks: predicted in the crop, spread ")


def test_without_the_predictor_a_mean_face_stands_in_its_usual_place(monkeypatch):
    def missing():
        raise MissingLibraryError("none here")

    monkeypatch.setattr(landmark_prediction, "dlib_models", missing)
    found = predict_landmarks(np.zeros((100, 200, 3), np.uint8), 1.3)
    words = "without landmarks, and pip install 'corit[faces]' is needed to predict them"
    assert found.note == words + USUAL
    assert np.allclose(found.landmarks, mean_face(1.3) * [200, 100], atol=1e-4)
    assert misfit(predict_landmarks(np.zeros((90, 90, 3), np.uint8), 1.0).landmarks) == pytest.approx(0, abs=1e-6)


def test_predictions_that_outline_no_face_are_not_used(monkeypatch):
    class Heap:
        def run(self, pixels, upsample, least):
            return [], [], []

        def __call__(self, pixels, rectangle):
            return self

        def parts(self):
            return [type("Point", (), {"x": 7, "y": 9})] * 68

    monkeypatch.setattr(landmark_prediction, "dlib_models", lambda: (Heap(), Heap(), threading.Lock()))
    found = predict_landmarks(np.zeros((100, 100, 3), np.uint8), 1.3)
    assert found.note == "unsure landmarks: those predicted in the crop outline no face" + USUAL
    assert np.allclose(found.landmarks, mean_face(1.3) * 100, atol=1e-4)


@pytest.mark.parametrize(("away", "words"), [(2.9, SURE.format(3)), (3.2, "unsure landmarks: predicted in the crop, ")])
def test_predictions_that_do_not_agree_are_called_unsure(away, words, monkeypatch):
    """By the median distance from the one that is nearest to the others, as a share of the face's width."""
    points = mean_face(1.0) * 100 / np.ptp(mean_face(1.0)[:17, 0])
    others = [points + shift for shift in ([-away, 0], [0, 0], [away, 0], [0, 40])]
    monkeypatch.setattr(landmark_prediction, "_candidates", lambda *given: iter(others))
    found = predict_landmarks(np.zeros((256, 256, 3), np.uint8))
    assert np.allclose(found.landmarks, points, atol=1e-4)
    assert found.note.startswith(words)


def preparer(**given):
    return Preparer(ViewsRecipe(), 64, (8, 8), **given)


def test_a_crop_without_landmarks_uses_the_predicted_ones(photograph):
    crop, _, _ = align(*photograph)
    found = predict_landmarks(crop)
    (without,) = preparer()(Picture(crop, aligned=True, note="first of 3 pages"))
    (given,) = preparer()(Picture(crop, found.landmarks, aligned=True))
    assert np.array_equal(without.regions, given.regions)
    assert np.array_equal(without.twins, given.twins)
    assert np.array_equal(without.image, given.image)
    assert (without.note, given.note) == (f"first of 3 pages; {found.note}", "")


def test_the_mean_face_is_placed_by_the_recipes_scale():
    asked = []

    def stand_in(pixels, scale):
        asked.append(scale)
        return Predicted(np.float32(mean_face(scale) * pixels.shape[0]), "a note")

    crop = Picture(np.zeros((128, 128, 3), np.uint8), aligned=True)
    made = Preparer(ViewsRecipe(crop_scale=1.1), 64, (8, 8), predictor=stand_in)
    (one,) = made.crops(crop)
    assert asked == [1.1]
    assert np.array_equal(one.mask, face_hull(mean_face(1.1) * 64, 64))
    assert one.note == "a note"
    assert pickle.loads(pickle.dumps(preparer())) == preparer()


def test_a_mask_that_is_known_needs_no_landmarks():
    mask = np.zeros((64, 64), bool)
    mask[10:30, 20:50] = True
    (one,) = preparer().crops(Picture(np.zeros((64, 64, 3), np.uint8), mask=mask, aligned=True))
    assert np.array_equal(one.mask, mask)
    assert (one.landmarks, one.note) == (None, "")
