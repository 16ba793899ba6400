from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from corit.backbones.load import load_backbone
from corit.errors import DataError, WeightsError
from corit.images.faces import five_points, template
from corit.seeding import generator
from corit.world import encoder
from corit.world.faces import draw_face, draw_look, landmarks, neutral_look
from corit.world.forgeries import KINDS, TRACES
from corit.world.miniature import Miniature, MiniatureSpec
from corit.world.pretrain import photo_pool, pretrain

SPEC = MiniatureSpec(train=3, val=2, test=6, pictures=2)


def test_every_split_has_every_kind_and_identities_never_cross():
    samples = Miniature(SPEC).samples
    assert len(samples) == 5 * 2 * (3 + 2 + 6)
    assert len({s.id for s in samples}) == len(samples)
    sides = {}
    for s in samples:
        sides.setdefault(s.group, set()).add(s.split)
        assert s.label == int(bool(s.manipulation))
    assert all(len(v) == 1 for v in sides.values())


def test_a_picture_is_the_same_in_another_process_and_order():
    world = Miniature(SPEC)
    sample = world.samples[-1]
    code = (
        "from corit.world.miniature import *; import hashlib;"
        "w = Miniature(MiniatureSpec(train=3, val=2, test=6, pictures=2));"
        "print(hashlib.sha256(w.load(w.samples[-1]).pixels.tobytes()).hexdigest())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    import hashlib

    assert found.stdout.strip() == hashlib.sha256(world.load(sample).pixels.tobytes()).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_forgery_changes_its_region_and_leaves_the_rest(kind):
    world = Miniature(SPEC, splits=["test"])
    by_id = {s.id: s for s in world.samples}
    change = []
    for s in (s for s in world.samples if s.manipulation == kind):
        real = world.load(by_id[s.id.replace(f"/{kind}/", "/real/")])
        fake = world.load(s)
        assert np.array_equal(real.landmarks, fake.landmarks)
        difference = np.abs(fake.pixels.astype(int) - real.pixels).mean(2)
        # A block of JPEG spreads a change over 16 px at most: the picture's top rows lie beyond any face.
        assert difference[:6].mean() < 1.0
        change.append(difference.mean())
    low, high = {"DF": (1.2, 8), "FS": (1.5, 9), "F2F": (0.3, 2.0), "NT": (0.1, 1.2)}[kind]
    assert low < np.mean(change) < high


@pytest.mark.parametrize(("sharing", "shared"), [("overlapping", {4.0}), ("disjoint", set())])
def test_the_subtle_types_leave_traces_of_other_periods(sharing, shared):
    f2f, nt = (set(TRACES[sharing][k].periods) for k in ("F2F", "NT"))
    assert f2f & nt == shared
    assert f2f != nt


def test_disjoint_traces_change_reenactments_alone():
    one, other = (Miniature(replace(SPEC, traces=t), splits=["test"]) for t in ("overlapping", "disjoint"))
    for kind in ("F2F", "FS", ""):
        sample = next(s for s in one.samples if s.manipulation == kind)
        assert np.array_equal(one.load(sample).pixels, other.load(sample).pixels) == (kind != "F2F")


def test_a_neutral_face_stands_in_the_template(agree):
    points = []
    for i in range(30):
        face = replace(draw_face(generator("t", i)), eye_gap=0.0, nose_length=0.0, mouth_width=0.115)
        points.append(five_points(landmarks(face, neutral_look(draw_look(generator("l", i))))) * 256)
    assert np.abs(np.mean(points, 0) - template()).max() < 10


def test_bad_worlds_are_refused_in_words():
    with pytest.raises(DataError, match="at least two identities"):
        MiniatureSpec(test=1)
    with pytest.raises(DataError, match="no such forgery: XX"):
        MiniatureSpec(kinds=("XX",))
    other = Miniature(replace(SPEC, seed=9)).samples[0]
    with pytest.raises(DataError, match="miniature with seed 0"):
        Miniature(SPEC).load(other)
    with pytest.raises(WeightsError, match="Train them"):
        encoder.load(encoder.weights_path().with_name("absent.safetensors"))


def test_the_packaged_encoder_is_small_trained_and_loads():
    state, card = encoder.load(encoder.weights_path())
    assert encoder.weights_path().stat().st_size < 6e6
    assert card["attribute_mse"] < 0.6
    assert card["photo_top1"] > 0.2
    backbone = load_backbone("miniature")
    assert (backbone.depth, backbone.width, backbone.grid) == (8, 96, (8, 8))
    assert torch.equal(backbone.model.cls_token, state["cls_token"])


@pytest.mark.parametrize("target", ["semantic", "pixels"])
def test_pretraining_runs_and_resumes_to_the_same_weights(tmp_path, target):
    options = {"target": target, "steps": 4, "batch": 8, "faces": 40, "save_every": 2}
    whole = pretrain(tmp_path / "a.safetensors", **options)

    class Stop(Exception):
        pass

    def stop(done, total):
        if (done, total) == (3, options["steps"]):
            raise Stop

    with pytest.raises(Stop):
        pretrain(tmp_path / "b.safetensors", **options, progress=stop)
    again = pretrain(tmp_path / "b.safetensors", **options)
    assert whole["steps"] == again["steps"] == 4
    assert whole["target"] == target
    a, b = (encoder.load(tmp_path / f"{n}.safetensors")[0] for n in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not list(tmp_path.glob("*.checkpoint"))


def test_photographs_of_another_layout_are_refused_in_words(tmp_path):
    with pytest.raises(DataError, match="Tiny ImageNet's layout"):
        photo_pool(tmp_path)
