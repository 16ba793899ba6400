"""Two detectors by domain: each picture has the rows of the one detector that fits it, in the order of the files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from data import faces
from detect.packaged_stand_ins import packaged, stand_in
from detect.test_detector import Held

from corit.detect import choice
from corit.detect.by_domain import FaceOrScene, score_video_by_domain
from corit.detect.choice import choose_detector
from corit.detect.files import detect_files
from corit.detect.video import score_video
from corit.errors import DetectorError, MissingLibraryError
from corit.images.picture import Picture

GRAIN = np.random.default_rng(0).integers(0, 120, (96, 96, 3), dtype=np.uint8)
WHOLE = "the whole picture was scored: no face was found"


@pytest.fixture(scope="module")
def pair():
    return FaceOrScene(stand_in("faces-b16"), stand_in("scenes-b16"), finder=faces.find_discs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Faces and scenes, pictures and videos."""
    root = tmp_path_factory.mktemp("mixed")
    for name, pixels in (("a", faces.disc(0)), ("b", GRAIN), ("c", faces.disc(9)), ("d", faces.disc(0, radius=8))):
        cv2.imwrite(str(root / f"{name}.png"), pixels[..., ::-1])
    (root / "e.png").write_bytes(b"no picture")
    faces.video(root / "face.avi", frames=6, faces=(1, 2, 4))
    faces.video(root / "wall.avi", frames=6, faces=())
    return root


def test_every_input_has_the_rows_of_its_detector_in_order(pair, folder):
    rows = list(detect_files(pair, folder, batch=3, per="video"))
    assert [(r.path[len(str(folder)) + 1 :], r.detector, r.status) for r in rows] == [
        ("a.png", "faces-b16", "ok"),
        ("b.png", "scenes-b16", "ok"),
        ("c.png", "faces-b16", "ok"),
        ("d.png", "scenes-b16", "ok"),
        ("e.png", None, "unreadable"),
        ("face.avi", "faces-b16", "ok"),
        ("wall.avi", "scenes-b16", "ok"),
    ]
    assert [bool(r.face) for r in rows[:4]] == [True, False, True, False]
    small = "the whole picture was scored: the largest face is 17 px wide; at least 32 are needed"
    assert [r.reason for r in rows[:4]] == ["", WHOLE, "", small]
    assert rows[6].reason == "whole frames were scored: no face was found that is large enough"


def test_scores_are_those_of_each_detector_alone(pair, folder):
    rows = {r.path[len(str(folder)) + 1 :]: r for r in detect_files(pair, folder, batch=3, per="video")}
    scene = pair.scene(folder / "b.png").rows[0]
    assert rows["b.png"].score == pytest.approx(scene.score, abs=1e-5)
    located = Picture(faces.disc(0), faces=faces.find_discs(faces.disc(0)))
    assert rows["a.png"].score == pytest.approx(pair.faces(located).score, abs=1e-5)
    face = score_video(pair.faces, folder / "face.avi", finder=faces.find_discs)
    assert rows["face.avi"].score == pytest.approx(face.score, abs=1e-5)
    assert rows["wall.avi"].score == pytest.approx(score_video(pair.scene, folder / "wall.avi").score, abs=1e-5)
    for name, row in rows.items():
        detector = pair.faces if row.detector == "faces-b16" else pair.scene
        assert row.score is None or row.verdict == detector.card.calibration.verdict(row.score), name


def test_all_rows_of_a_video_carry_the_detector(pair, folder):
    rows = list(detect_files(pair, folder / "face.avi", per="frame"))
    assert {(r.part, r.detector) for r in rows if r.score is not None} == {
        (part, "faces-b16") for part in ("video", "track", "frame")
    }
    assert {r.detector for r in rows if r.score is None} == {None}


def test_a_video_that_cannot_be_decoded_is_not_tried_twice(pair, tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"no video")
    report = score_video_by_domain(pair, tmp_path / "x.mp4")
    assert (report.status, report.row.detector) == ("unsupported", None)


def test_one_picture_is_scored_like_one_of_many(pair):
    pictures = [Picture(faces.disc(0)), Picture(GRAIN)]
    found = list(pair.scan(Held(pictures), Held(pictures).samples, evidence=True))
    for picture, report in zip(pictures, found, strict=True):
        alone = pair(picture, evidence=True)
        assert alone.rows[0].detector == report.rows[0].detector
        assert alone.score == pytest.approx(report.score, abs=1e-5)
        assert alone.evidence[0].heat.shape == report.evidence[0].heat.shape


def test_workers_and_aligned_crops_and_landmarks_keep_to_the_faces(pair, folder):
    alone = list(detect_files(pair, folder, per="video"))
    many = list(detect_files(pair, folder, per="video", workers=1))
    assert [(r.path, r.detector, r.status) for r in alone] == [(r.path, r.detector, r.status) for r in many]
    assert {r.detector for r in detect_files(pair, folder / "b.png", aligned=True)} == {"faces-b16"}
    (face,) = faces.find_discs(faces.disc(0))
    assert pair(Picture(faces.disc(0), landmarks=face.landmarks)).rows[0].detector == "faces-b16"


def test_the_backbone_is_loaded_once():
    pair = FaceOrScene(stand_in("faces-b16"), stand_in("scenes-b16"), finder=faces.find_discs)
    pair.ready()
    assert pair.scene.backbone is pair.faces.backbone


def test_a_pair_of_one_domain_is_refused():
    with pytest.raises(DetectorError, match="expected a detector of faces and one of scenes, got scene and scene"):
        FaceOrScene(stand_in("scenes-b16"), stand_in("scenes-b16"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return packaged(tmp_path_factory.mktemp("packaged"))


def test_the_domain_chooses_the_detector(place):
    both = choose_detector(packaged=place)
    assert isinstance(both.detector, FaceOrScene)
    assert both.note == ""
    assert choose_detector(domain="face", packaged=place).detector.name == "faces-b16"
    assert choose_detector(domain="scene", packaged=place).detector.name == "scenes-b16"
    assert choose_detector(crops=True, packaged=place).detector.name == "faces-b16"
    assert choose_detector("scenes-b16", "scene", packaged=place).detector.name == "scenes-b16"
    assert choose_detector(str(place / "faces-b16"), packaged=place).detector.name == ""


def test_without_a_face_finder_one_line_says_which_extra_brings_it(place, monkeypatch):
    def missing():
        raise MissingLibraryError("finding faces needs dlib: pip install 'corit[faces]'")

    monkeypatch.setattr("corit.images.faces.dlib_models", missing)
    chosen = choose_detector(packaged=place)
    assert chosen.detector.name == "scenes-b16"
    assert chosen.note == (
        "no face is looked for, scenes-b16 scores whole pictures: finding faces needs dlib: pip install 'corit[faces]'"
    )
    assert choose_detector(crops=True, packaged=place).note == ""
    assert isinstance(choose_detector(landmarks=True, packaged=place).detector, FaceOrScene)


def test_a_domain_that_the_detector_does_not_have_is_refused(place):
    with pytest.raises(DetectorError, match="of the domain face, but scenes-b16 is of the domain scene; leave"):
        choose_detector("scenes-b16", "face", packaged=place)


def test_an_installation_without_detectors_says_what_to_give(place, tmp_path):
    with pytest.raises(DetectorError, match="expected --detector, since no detector comes with this installation"):
        choose_detector(packaged=tmp_path)
    stand_in("faces-b16").save(tmp_path / "faces-b16")
    with pytest.raises(DetectorError, match="no packaged detector 'scenes-b16'; there are faces-b16"):
        choose_detector(packaged=tmp_path)


def test_the_choices_of_the_command_are_those_of_the_library():
    from typing import get_args

    from corit.commands import detect

    assert get_args(detect.DomainChoice) == get_args(choice.DomainChoice)
