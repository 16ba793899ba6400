"""Which rows a protocol means, and the proof that those which decide are not those which are tested."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench.stores import RECIPE, people, sample, store

from corit.bench.protocols import MINIATURE, Selection
from corit.bench.rows import SideBySide, Stacked, require_disjoint, require_recipe, select_rows
from corit.data.sets.forensynths import ForenSynths
from corit.errors import DataError, StoreError
from corit.features.store import FeatureStore

PROTOCOL = MINIATURE.replace(
    name="made", train=(Selection("a", "train"),), select=(Selection("a", "val"),), test=(Selection("a", "test"),)
)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return {n: store(folder / n, people(data=n, count=3)) for n in ("a", "b")}


def test_selection_by_split_type_and_data_set_keeps_reals(stores):
    found = select_rows(PROTOCOL, [Selection("a", "val", ("NT",))], stores)
    assert set(found.column("split")) == {"val"}
    assert set(found.column("manipulation")) == {"", "NT"}
    assert (found.y.sum(), len(found)) == (6, 12)
    assert len(select_rows(PROTOCOL, [Selection("a", "")], stores)) == 54
    with pytest.raises(DataError, match="no row of Selection"):
        select_rows(PROTOCOL, [Selection("a", "val", datasets=("elsewhere",))], stores)


def test_rows_of_several_data_sets_are_stacked(stores):
    found = select_rows(PROTOCOL, [Selection("a", "val"), Selection("b", "test")], stores)
    apart = [select_rows(PROTOCOL, [s], stores) for s in (Selection("a", "val"), Selection("b", "test"))]
    assert isinstance(found.rows, Stacked)
    index = np.array([20, 3, 17, 18, 0])
    whole = np.concatenate([p.rows.gather(np.arange(len(p))).numpy() for p in apart])
    assert np.array_equal(found.rows.gather(index).numpy(), whole[index])
    assert found.column("id").tolist() == [i for p in apart for i in p.column("id")]
    assert len(np.unique(found.units("video"))) == 18
    assert len(np.unique(found.units("source"))) == 6


def test_units_are_video_then_source_then_picture(tmp_path):
    rows = [sample("x", 0, video="v", group="g"), sample("y", 1, group="g"), sample("z", 1)]
    found = select_rows(PROTOCOL, [Selection("a")], {"a": store(tmp_path / "s", [(r, 0, np.ones(4)) for r in rows])})
    assert [u.partition("\0")[2] for u in found.units("video")] == ["v", "g", "z"]
    assert [u.partition("\0")[2] for u in found.units("source")] == ["g", "g", "z"]


@pytest.mark.parametrize(
    ("frames", "choice", "kept"),
    [(None, "even", [0, 1, 2, 3, 4, 5, 6]), (3, "even", [0, 3, 6]), (3, "first", [0, 1, 2]), (9, "even", range(7))],
)
def test_frames_of_a_video_are_chosen_by_index(frames, choice, kept, tmp_path):
    rows = [
        (sample(f"v/{k:03d}", 0, video="v", frame=k), face, np.ones(4))
        for k in (3, 0, 6, 1, 5, 2, 4)
        for face in (0, 1)
    ]
    rows += [(sample(f"lone{k}", 1), 0, np.ones(4)) for k in range(5)]
    held = {"a": store(tmp_path / "s", rows)}
    found = select_rows(PROTOCOL.replace(frames=frames, choice=choice), [Selection("a")], held)
    ids = found.column("id").tolist()
    assert sorted(i for i in ids if i[0] == "v") == sorted([f"v/{k:03d}" for k in kept] * 2)  # both faces
    assert ids.count("lone0") == 1
    assert sum(i.startswith("lone") for i in ids) == 5  # pictures of no video are not frames of one


def empty(folder, count):
    """Files that have nothing but names, which is all that a listing reads."""
    folder.mkdir(parents=True)
    for k in range(count):
        (folder / f"{k}.png").touch()  # 10.png is listed before 2.png


def test_the_cut_of_subsets_equals_the_data_sets_own(tmp_path):
    """Of SAN, of CycleGAN, whose pictures lie in a folder for each class of things, and of no training row."""
    for things in ("train/progan/cat", "test/san", "test/cyclegan/horse", "test/cyclegan/horse2zebra"):
        for side, count in (("0_real", 130), ("1_fake", 120)):
            empty(tmp_path / "unifd" / things / side, count)
    options = {"subsets": ("san", "cyclegan"), "splits": ("train", "test")}
    listed = ForenSynths(str(tmp_path / "unifd"), **options)
    own = [sample(f"own{k}", k % 2, dataset="own") for k in range(3)]
    held = {"a": store(tmp_path / "s", [(s, 0, np.ones(4)) for s in (*listed.samples, *own)])}
    cutting = PROTOCOL.replace(sampling="unifd-max1000")
    full, less = (select_rows(p, [Selection("a")], held) for p in (PROTOCOL, cutting))
    assert (len(full), len(less)) == (250 + 500 + 3, 200 + 200 + 3)
    expected = {s.id for s in replace(listed, sampling="unifd-max1000").samples if s.split == "test"}
    assert {i for i in less.column("id") if not i.startswith("own")} == expected
    assert len(select_rows(cutting, [Selection("a", "train")], held)) == 250


def test_rows_that_could_not_be_measured_are_counted(tmp_path):
    rows = [(sample(f"p{k}", k % 2), 0, np.ones(4)) for k in range(8)]
    held = {"a": store(tmp_path / "s", rows, status={"p3": "no_face", "p4": "no_face", "p5": "unreadable"})}
    found = select_rows(PROTOCOL, [Selection("a")], held)
    assert (len(found), dict(found.unscored)) == (5, {"no_face": 2, "unreadable": 1})


def test_features_of_several_layers_are_concatenated(tmp_path):
    rows = [(sample(f"p{k}", k % 2), 0, np.full(4, float(k))) for k in range(4)]
    held = {"a": store(tmp_path / "s", rows, levels=(3, 2, 2))}
    found = select_rows(PROTOCOL, [Selection("a")], held, layers=(0, 2))
    assert isinstance(found.rows, SideBySide)
    assert found.rows.width == 8
    assert found.rows.gather(np.array([3, 1])).tolist() == [[3.0] * 4 + [23.0] * 4, [1.0] * 4 + [21.0] * 4]
    with pytest.raises(StoreError, match="level from 0 to 2"):
        select_rows(PROTOCOL, [Selection("a")], held, layers=(3,))


def test_missing_stores_and_other_widths_are_errors(stores, tmp_path):
    with pytest.raises(DataError, match="made needs features of a, but there are none of a"):
        select_rows(PROTOCOL, PROTOCOL.test, {})
    narrow = {"c": store(tmp_path / "c", [(sample(f"c{k}", k % 2), 0, np.ones(3)) for k in range(4)])}
    with pytest.raises(DataError, match=r"one width, got \[3, 6\]"):
        select_rows(PROTOCOL, [Selection("a"), Selection("c")], {**stores, **narrow})


LEAKS = {
    "id": ({}, {"id": "train0"}),
    "path": ({"path": "/same.png"}, {"path": "/there/../same.png"}),
    "group": ({"group": "one person"}, {"group": "one person"}),
    "video": ({"video": "one video"}, {"video": "one video"}),
}


@pytest.mark.parametrize("what", LEAKS)
def test_rows_shared_with_test_rows_are_refused(what, tmp_path):
    first, second = LEAKS[what]
    mine = [sample(f"train{k}", k % 2) for k in range(4)]
    theirs = [sample(f"test{k}", k % 2) for k in range(4)]
    clean = [_part(tmp_path / f"clean{i}", rows) for i, rows in enumerate((mine, theirs))]
    require_disjoint(PROTOCOL, clean[0], clean[1], "select by")
    dirty = [[replace(mine[0], **first), *mine[1:]], [replace(theirs[0], **second), *theirs[1:]]]
    leaked = [_part(tmp_path / f"dirty{i}", rows) for i, rows in enumerate(dirty)]
    with pytest.raises(DataError, match=f"the rows to select by share 1 {what}s with the test rows"):
        require_disjoint(PROTOCOL, leaked[0], leaked[1], "select by")


def _part(folder, rows):
    store(folder, [(r, 0, np.ones(4)) for r in rows])
    return select_rows(PROTOCOL, [Selection("a", "")], {"a": FeatureStore.open(folder)})


def test_equal_source_names_in_two_data_sets_do_not_clash(tmp_path):
    rows = [(sample(f"{n}{k}", k % 2, group="actor 01"), 0, np.ones(4)) for n in "ab" for k in range(2)]
    held = {n: store(tmp_path / n, [r for r in rows if r[0].id[0] == n]) for n in "ab"}
    a, b = (select_rows(PROTOCOL, [Selection(n)], held) for n in "ab")
    require_disjoint(PROTOCOL, a, b, "train on")


def test_features_of_another_recipe_or_transform_are_refused(stores, tmp_path):
    require_recipe(PROTOCOL, stores)
    both = PROTOCOL.replace(test=(Selection("a", "test"), Selection("other", "test", name="other")))
    rows = [(sample(f"c{k}", k % 2), 0, np.ones(6)) for k in range(4)]
    other = store(tmp_path / "c", rows, recipe=RECIPE.replace(**{"model.tau": 0.5}))
    with pytest.raises(DataError, match="expected features of one recipe, got"):
        require_recipe(both, {**stores, "other": other})
    demanding = PROTOCOL.replace(transform=(("views.domain", "scene"), ("model.tau", 0.1)))
    with pytest.raises(DataError, match="requires views.domain = 'scene', but the features of a"):
        require_recipe(demanding, stores)
