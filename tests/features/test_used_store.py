"""A run into a used folder gives what a run into an empty one gives, and measures only what has changed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from corit.backbones.load import load_backbone
from corit.data.folders import FolderSource
from corit.data.landmarks import read_landmarks
from corit.data.sample import Sample
from corit.data.stamp import CurrentVersion, Version, current_version
from corit.features.extract import extract
from corit.features.store import FeatureStore
from corit.features.targets import StoreTarget
from corit.heads.head import HeadRecipe
from corit.images.face_shape import mean_face
from corit.model.encode import Encoder
from corit.recipe import BackboneRecipe, Recipe
from corit.train.heads import recipe_for, split_source, train_detector
from corit.world.miniature import Miniature, MiniatureSpec

HEAD = HeadRecipe(learning_rate=0.1, epochs=2)
SIDE = 64


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("miniature")


def draw(folder, kind, count=12):
    """Pictures 00.png, 01.png, ...; `kind` decides what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        rng = np.random.default_rng([kind, i])
        small = rng.integers(0, 256, (8 * (1 + kind % 2), 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{i:02d}.png"), cv2.resize(small, (SIDE, SIDE)))


def points(folder, shift):
    """A file of landmarks for the pictures of a folder: a mean face, moved."""
    outline = SIDE * mean_face() + (shift, 0)
    file = folder.parent / f"landmarks-{shift}.json"
    file.write_text(json.dumps({f"{folder.name}/{i:02d}.png": outline.tolist() for i in range(12)}))
    return read_landmarks(file)


class Run:
    """Folders of pictures, and what one run makes of them in a store."""

    def __init__(self, backbone, folder: Path) -> None:
        self.backbone, self.folder = backbone, folder
        self.real, self.fake = folder / "one" / "photos", folder / "one" / "swaps"
        draw(self.real, 0)
        draw(self.fake, 1)

    def source(self, real=None, fake=None, landmarks=None):
        fakes = () if fake is False else (str(fake or self.fake),)
        reals = (str(real or self.real),)
        return split_source(FolderSource(reals, fakes, aligned=landmarks is not None, landmarks=landmarks))

    def __call__(self, store, forge=0, **given):
        domain = "face" if given.get("landmarks") else "scene"
        encoder = Encoder(self.backbone, recipe_for(self.backbone, domain))
        return extract(self.source(**given), [StoreTarget(encoder, self.folder / store)], forge=forge, batch=24)

    def trained(self, store):
        """What must not depend on what the folder held before."""
        held = FeatureStore.open(self.folder / store)
        found = train_detector(held, self.backbone, HEAD, seeds=(0, 1), draws=20)
        rows = sorted(held.table.drop_columns(["stamp"]).to_pylist(), key=lambda r: (r["id"], r["face"]))
        return held.features().data_digest, rows, found.counts, found.per_seed, found.detector.head.weight.tolist()


def exchanged(run):
    for i in range(12):
        one, other = run.real / f"{i:02d}.png", run.fake / f"{i:02d}.png"
        held = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(held)
    return {}


def exchanged_unseen(run):
    """As `exchanged`, by moving the files, so that every size and time of change is one that was there."""
    for i in range(12):
        one, other, spare = run.real / f"{i:02d}.png", run.fake / f"{i:02d}.png", run.folder / "spare"
        for path in (one, other):
            path.write_bytes(path.read_bytes().ljust(20_000, b"\0"))
            os.utime(path, ns=(10**18, 10**18))
        one.rename(spare)
        other.rename(one)
        spare.rename(other)
    return {}


def another_folder_of_the_name(run):
    draw(run.folder / "two" / "photos", 2)
    return {"real": run.folder / "two" / "photos"}


def removed(run):
    for i in range(0, 12, 4):
        (run.real / f"{i:02d}.png").unlink()
    return {}


def real_and_fake_exchanged(run):
    return {"real": run.fake, "fake": run.real}


def other_landmarks(run):
    return {"landmarks": points(run.real, 6), "fake": False, "forge": 1}


def fakes_after_self_blends(run):
    return {}


CHANGES = {
    exchanged: {},
    exchanged_unseen: {},
    another_folder_of_the_name: {},
    removed: {},
    real_and_fake_exchanged: {},
    fakes_after_self_blends: {"fake": False, "forge": 1},
    other_landmarks: {"fake": False, "forge": 1},
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_a_run_into_a_used_folder_equals_one_into_an_empty_one(backbone, tmp_path, change):
    run, before = Run(backbone, tmp_path), dict(CHANGES[change])
    if change is other_landmarks:
        before["landmarks"] = points(run.real, 0)
    if change is exchanged_unseen:
        exchanged_unseen(run)
    run("used", **before)
    first = FeatureStore.open(tmp_path / "used").features().data_digest
    asked = change(run)
    run("used", **asked)
    run("empty", **asked)
    assert run.trained("used") == run.trained("empty")
    assert run.trained("used")[0] != first
    assert run("used", **asked).rows == 0


def test_unchanged_pictures_are_not_measured_again(backbone, tmp_path):
    run = Run(backbone, tmp_path)
    assert run("store").rows == 24
    assert run("store").rows == 0
    for path in run.real.iterdir():
        os.utime(path)
    assert run("store").rows == 0
    moved = tmp_path / "moved" / "photos"
    shutil.copytree(run.real, moved)
    assert run("store", real=moved).rows == 0
    paths = FeatureStore.open(tmp_path / "store").table["path"].to_pylist()
    assert sum(p.startswith(str(moved)) for p in paths) == 12


def test_a_file_that_was_only_touched_is_read_once(backbone, tmp_path, monkeypatch):
    run, read = Run(backbone, tmp_path), []
    run("store")
    for path in run.real.iterdir():
        os.utime(path)
    whole = CurrentVersion.content_with
    monkeypatch.setattr(
        CurrentVersion, "content_with", lambda self, digest: read.append(self.files[0]) or whole(self, digest)
    )
    run("store")
    assert len(read) == 12
    run("store")
    assert len(read) == 12


def test_only_what_has_changed_is_measured(backbone, tmp_path):
    run = Run(backbone, tmp_path)
    run("store")
    draw(run.real, 3, count=5)
    assert run("store").rows == 5


def test_rows_of_an_earlier_run_serve_a_later_one(backbone, tmp_path):
    run = Run(backbone, tmp_path)
    run("store", fake=False, forge=1)
    run("store")
    assert run("store", fake=False, forge=1).rows == 0
    table = FeatureStore.open(tmp_path / "store").table
    assert set(table["manipulation"].to_pylist()) == {"", "self-blended"}


def test_a_file_that_comes_back_is_measured(backbone, tmp_path):
    run = Run(backbone, tmp_path)
    source, away = run.source(), run.folder / "away.png"
    path = run.real / "03.png"
    path.rename(away)
    encoder = Encoder(backbone, recipe_for(backbone, "scene"))
    listed = split_source(FolderSource((str(run.real),), (str(run.fake),)))
    assert len(listed.samples) == len(source.samples) - 1
    path.write_bytes(b"no picture")
    done = extract(source, [StoreTarget(encoder, tmp_path / "s")], batch=24)
    assert done.counts == {"ok": 23, "unreadable": 1}
    away.rename(path)
    assert extract(source, [StoreTarget(encoder, tmp_path / "s")], batch=24).counts == {"ok": 1}
    assert FeatureStore.open(tmp_path / "s").counts() == {"ok": 24}


def test_a_file_that_could_not_be_read_is_tried_again(backbone, tmp_path, monkeypatch):
    run = Run(backbone, tmp_path)
    monkeypatch.setattr(CurrentVersion, "content_with", lambda self, digest: "")
    assert run("store").rows == 24
    assert run("store").rows == 24
    monkeypatch.undo()
    assert run("store").rows == 24
    assert run("store").rows == 0
    assert len(FeatureStore.open(tmp_path / "store")) == 24


def test_a_picture_that_changes_while_it_is_read_is_read_again(backbone, tmp_path, monkeypatch):
    run = Run(backbone, tmp_path)
    load, late = FolderSource.load, []

    def slow(self, sample):
        picture = load(self, sample)
        if sample.id.endswith("photos/05.png") and not late:
            late.append(cv2.imwrite(sample.path, np.zeros((SIDE, SIDE, 3), np.uint8)))
        return picture

    monkeypatch.setattr(FolderSource, "load", slow)
    run("store")
    assert run("store").rows == 1
    run("empty")
    assert run.trained("store") == run.trained("empty")


def test_pictures_that_are_read_in_another_way_are_measured_again(backbone, tmp_path, monkeypatch):
    run = Run(backbone, tmp_path)
    run("store")
    monkeypatch.setattr("corit.data.stamp.READING", 99)
    assert run("store").rows == 24
    assert run("store").rows == 0


def test_another_world_of_the_same_seed_is_drawn_anew(backbone, tmp_path):
    recipe = Recipe(BackboneRecipe("miniature"))
    encoder = Encoder(backbone, recipe)
    digests = {}
    for store, traces in (("used", "overlapping"), ("used", "disjoint"), ("empty", "disjoint")):
        world = Miniature(MiniatureSpec(train=2, val=2, test=2, pictures=1, kinds=("F2F", "NT"), traces=traces))
        extract(world, [StoreTarget(encoder, tmp_path / store)], batch=12)
        digests[store, traces] = FeatureStore.open(tmp_path / store).features().data_digest
    assert digests["used", "disjoint"] == digests["empty", "disjoint"] != digests["used", "overlapping"]


def test_an_interrupted_run_leaves_no_rows_of_the_run_before(backbone, tmp_path, monkeypatch):
    run = Run(backbone, tmp_path)
    run("store")
    draw(run.real, 3)

    def gone(self, sample):
        raise ZeroDivisionError("a bug, not an input")

    monkeypatch.setattr(FolderSource, "load", gone)
    with pytest.raises(ZeroDivisionError):
        run("store")
    held = FeatureStore.open(tmp_path / "store")
    assert set(held.table["label"].to_pylist()) == {1}
    assert len(held) == 12


def test_a_damaged_listing_or_a_missing_shard_is_an_error(backbone, tmp_path):
    from corit.errors import StoreError

    run = Run(backbone, tmp_path)
    run("store")
    shard = next((tmp_path / "store").glob("part-*"))
    held = shard.read_bytes()
    shard.unlink()
    (tmp_path / "store" / "part-000007.arrow").write_bytes(held)
    with pytest.raises(StoreError, match=r"part-000000\.arrow is gone; extract again"):
        FeatureStore.open(tmp_path / "store")
    assert run("store").rows == 0
    (tmp_path / "store" / "rows.ipc").write_bytes(b"ARROW1 and no more")
    with pytest.raises(StoreError, match=r"rows\.ipc is damaged.*delete it and extract again"):
        FeatureStore.open(tmp_path / "store")


def test_an_interrupt_behind_a_shard_does_not_write_it_twice(backbone, tmp_path, monkeypatch):
    run = Run(backbone, tmp_path)

    def stopped(folder):
        if any(folder.glob("part-*")):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("corit.files._sync_folder", stopped)
        with pytest.raises(KeyboardInterrupt):
            run("used")
    assert run("used").rows == 0
    run("empty")
    assert run.trained("used") == run.trained("empty")


def test_a_shard_that_was_copied_within_its_store_is_no_harm(backbone, tmp_path):
    run = Run(backbone, tmp_path)
    run("used")
    shutil.copy(tmp_path / "used" / "part-000000.arrow", tmp_path / "used" / "part-000005.arrow")
    assert run("used").rows == 0
    run("empty")
    assert run.trained("used") == run.trained("empty")


def test_a_version_is_none_where_a_file_changed_since(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    now = CurrentVersion([str(path)])
    assert now.version().content == CurrentVersion([str(path)]).content
    path.write_bytes(b"two")
    assert now.version() == Version(now.stamp, "")
    assert not CurrentVersion([str(path)]).same(now.version())


def test_a_folder_of_landmarks_counts_also_without_a_file_in_it(tmp_path):
    frame = tmp_path / "frames" / "a" / "000.png"
    frame.parent.mkdir(parents=True)
    frame.write_bytes(b"a frame")
    bare = current_version(Sample("x", str(frame), 0))
    (tmp_path / "landmarks").mkdir()
    marked = current_version(Sample("x", str(frame), 0))
    assert marked.content != bare.content
    assert not marked.same(bare.version())
