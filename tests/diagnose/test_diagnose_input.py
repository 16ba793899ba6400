"""How features are read, split and grouped; wrong input is a clear error before any head is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diagnose.handmade import LAYERS, QUICK, D, N, arrays, npz
from features import stand_ins

from corit.diagnose.diagnosis import diagnose_stores
from corit.diagnose.features import FINAL, default_layers
from corit.diagnose.groups import group_rows, usable_groups
from corit.diagnose.plan import DiagnosisPlan, parse_layers, parse_names, parse_radii
from corit.diagnose.stores import read_stores
from corit.errors import CoritError, DataError, FitError, StoreError
from corit.features.extract import extract
from corit.features.store import FeatureStore
from corit.features.targets import StoreTarget
from corit.theory import sweep as sweeping


def one(folder, **changes):
    (found,) = read_stores([npz(folder, **changes)])
    return found


def broken(name, value=np.nan):
    made = arrays()[name].copy()
    made[(7, *[0] * (made.ndim - 1))] = value
    return {name: made}


FILES = {
    "one class": ({"y": np.zeros(N, int)}, "expected reals (label 0) and fakes (label 1), got the labels [0]"),
    "other labels": ({"y": np.arange(N) % 3}, "expected y of integers, 0 for real and 1 for fake"),
    "labels of floats": ({"y": np.arange(N) % 2 * 1.0}, "expected y of integers"),
    "NaN in z": (broken("z"), "got NaN or infinity in 1 of 96 rows of z"),
    "infinity in a level": (broken("levels", np.inf), "got NaN or infinity in 1 of 96 rows of levels[:, 0]"),
    "no features": ({"z": None, "levels": None}, "expected features z (n, D) or levels (n, L, D), got y, manipulation"),
    "no labels": ({"y": None}, "expected an array y (n), got only"),
    "another length": ({"z": np.zeros((5, 2), np.float32)}, "expected z (96, D) of floats"),
    "integers": ({"z": np.zeros((N, 2), int)}, "of floats, a row for each y; got (96, 2), int64"),
    "flat levels": ({"levels": np.zeros((N, 2), np.float32)}, "expected levels (n, L, D), got (96, 2)"),
    "layers that do not fit": ({"layers": np.array([1, 2])}, "expected a number from 0 for each of 3 levels"),
    "a column of another length": ({"split": np.array(["train"])}, "expected split for each of 96 rows, got 1"),
    "objects": ({"manipulation": np.array([None] * N)}, "expected an .npz file of plain arrays"),
    "splits of other names": ({"split": np.array(["training"] * N)}, "expected the splits train, val, test, got train"),
    "no train": ({"split": np.array(["test"] * N)}, "expected rows in train, got only test"),
    "a source on two sides": ({"group": np.array(["same"] * N)}, "expected the pictures of one source on one side"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_diagnosed_is_refused_in_words(name, tmp_path):
    changes, words = FILES[name]
    with pytest.raises(DataError) as caught:
        one(tmp_path, **changes)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("stored", "held"),
    [("<f2", "float32"), ("<f4", "float32"), (">f4", "float32"), ("<f8", "float64"), (">f8", "float64")],
)
def test_features_keep_what_their_type_holds(stored, held, tmp_path):
    z = arrays()["z"].astype(stored)
    rows = one(tmp_path, z=z).layers[FINAL].gather(np.arange(N))
    assert str(rows.dtype) == f"torch.{held}"
    assert np.array_equal(rows.numpy(), z)


def only_train_fakes():
    held = arrays()
    return {"y": held["y"] * (held["split"] == "train")}


PLANS = {
    "an unknown layer": ({"layers": (2, 9)}, {}, StoreError, "f has no layer 9; it has 1, 2, 3, z. Extract with --lev"),
    "an unknown group": ({"groups": ("A", "C")}, {}, DataError, "f has no manipulation C; it has A, B"),
    "an unknown data set": ({"by": "dataset", "groups": ("A",)}, {}, DataError, "f has no dataset A; it has one, two"),
    "a batch that is too large": ({"batch": 50}, {}, DataError, "at least one mini-batch of 50 training rows in A"),
    "no fakes to test on": ({}, only_train_fakes(), DataError, "reals and fakes in A's val rows, but there is no fake"),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_that_does_not_fit_the_rows_is_refused_before_any_work(name, tmp_path, monkeypatch):
    asked, changes, error, words = PLANS[name]
    monkeypatch.setattr(sweeping, "fit", None)  # whoever trains before looking fails here
    with pytest.raises(error) as caught:
        diagnose_stores([one(tmp_path, **changes)], replace(QUICK, **asked), tmp_path)
    assert words in str(caught.value)


def test_features_that_are_not_finite_stop_it_before_any_work(tmp_path, monkeypatch):
    """As in a folder of features, which is not read when it is opened."""
    monkeypatch.setattr(sweeping, "fit", None)
    good, bad = one(tmp_path), replace(one(tmp_path), name="late")
    bad.layers[2].values[-1, 0] = np.nan
    with pytest.raises(DataError, match="late: expected finite features, got NaN or infinity in 1 of 96 rows of layer"):
        diagnose_stores([good, bad], QUICK, tmp_path)
    diagnosed = replace(QUICK, layers=(1,), groups=("A",), heads=("linear",))
    monkeypatch.undo()
    assert len(diagnose_stores([bad], diagnosed, tmp_path).cells) == 1  # what is not asked for is not in the way


WRONG = {
    "negative radii": ({"rhos": (-0.1, 0.1)}, "expected finite radii rho >= 0, got [-0.1, 0.1]"),
    "an infinite radius": ({"rhos": (0.1, np.inf)}, "expected finite radii"),
    "no radii": ({"rhos": ()}, "expected a list of radii rho"),
    "only zero": ({"rhos": (0.0,)}, "expected a radius above 0"),
    "falling radii": ({"rhos": (0.2, 0.1)}, "increasing radii"),
    "a negative reference": ({"reference": -1.0}, "finite radii rho >= 0"),
    "a negative shown radius": ({"shown": -1.0}, "finite radii rho >= 0"),
    "no seeds": ({"seeds": ()}, "distinct seeds, at least one"),
    "a seed twice": ({"seeds": (1, 1)}, "distinct seeds"),
    "an unknown head": ({"heads": ("forest",)}, "expected heads among linear, mlp, each once, got ['forest']"),
    "no heads": ({"heads": ()}, "expected heads among"),
    "no steps": ({"steps": 0}, "expected steps >= 1"),
    "too few observations": ({"steps": 70, "every": 10}, "at least 8 observations of a course"),
    "no batch": ({"batch": 0}, "expected batch >= 1"),
    "negative refinement": ({"refine": -1}, "expected refine >= 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_plan_that_cannot_be_measured_is_refused_in_words(name):
    asked, words = WRONG[name]
    with pytest.raises(FitError) as caught:
        replace(DiagnosisPlan(), **asked)
    assert words in str(caught.value)


def test_lists_are_read_as_they_are_written():
    assert parse_radii("1, 0,0.05") == (0.0, 0.05, 1.0)
    assert parse_layers("5,10-12,z,5") == (5, 10, 11, 12, FINAL)
    assert parse_names(" DF, NT,") == ("DF", "NT")
    assert parse_radii("") == parse_layers("") == ()
    for read_list, wrong in ((parse_radii, "0,x"), (parse_layers, "1-"), (parse_layers, "a"), (parse_layers, "-3")):
        with pytest.raises(CoritError, match="such as"):
            read_list(wrong)


def test_a_group_is_its_fakes_and_all_reals(tmp_path):
    found = one(tmp_path)
    for part, index in group_rows(found, "manipulation", "A").items():
        chosen = (found.split == part) & ((found.y == 0) | (found.manipulation == "A"))
        assert index.tolist() == np.flatnonzero(chosen).tolist()


def test_a_data_set_with_reals_of_its_own_is_set_against_those(tmp_path):
    held = arrays()
    found = one(tmp_path)
    index = np.concatenate(list(group_rows(found, "dataset", "two").values()))
    assert set(found.dataset[index]) == {"two"}
    borrowed = one(tmp_path, dataset=np.where(held["y"] == 1, held["dataset"], "reals"))
    index = np.concatenate(list(group_rows(borrowed, "dataset", "two").values()))
    assert set(borrowed.dataset[index]) == {"two", "reals"}


def test_small_groups_are_left_out_and_named_unless_requested(tmp_path):
    held = arrays()
    kind = held["manipulation"].copy()
    kind[np.flatnonzero((kind == "B") & (held["split"] == "test"))] = "A"
    found = one(tmp_path, manipulation=kind)
    groups, reasons = usable_groups(found, "manipulation", (), 8)
    assert groups == ("A",)
    assert reasons == ("expected reals and fakes in B's test rows, but there is no fake row",)
    assert diagnose_stores([found], replace(QUICK, layers=(1,), heads=("linear",)), tmp_path).notes == (
        f"f: {reasons[0]}",
    )
    with pytest.raises(DataError, match="f: expected reals and fakes in B's test rows"):
        usable_groups(found, "manipulation", ("B",), 8)


def test_fakes_without_a_name_are_a_group_too(tmp_path):
    found = one(tmp_path, manipulation=None)
    assert usable_groups(found, "manipulation", (), 8)[0] == ("fake",)


def test_rows_without_splits_are_split_by_their_source(tmp_path):
    group = np.array([f"g{i // 4}" for i in range(N)])
    found = one(tmp_path, split=None, group=group)
    assert {p: (found.split == p).sum() for p in ("train", "val", "test")} == {"train": 56, "val": 20, "test": 20}
    assert all(len(set(found.split[group == g])) == 1 for g in set(group))


def test_a_missing_validation_part_is_taken_from_train_alone(tmp_path):
    split = np.where(arrays()["split"] == "val", "train", arrays()["split"])
    found = one(tmp_path, split=split)
    assert ((found.split == "test") == (split == "test")).all()
    assert set(found.split[split == "train"]) == {"train", "val"}


def test_without_z_the_last_level_stands_for_it(tmp_path):
    found = one(tmp_path, z=None)
    assert found.layers[FINAL] is found.layers[LAYERS]
    assert default_layers(found) == (1, 2, 3)


def test_layers_have_the_numbers_that_the_file_gives(tmp_path):
    found = one(tmp_path, layers=np.array([0, 6, 12]))
    assert default_layers(found) == (6, 12, FINAL)
    assert found.layers[12].values[:, 0].tolist() == arrays()["levels"][:, 2, 0].tolist()


def test_five_layers_are_looked_at_by_default_as_in_the_papers_table(tmp_path):
    found = one(tmp_path, levels=np.zeros((N, 24, D), np.float32))
    assert default_layers(found) == (5, 10, 15, 20, 24, FINAL)
    assert default_layers(one(tmp_path, levels=None)) == (FINAL,)


class Apart(stand_ins.Pictures):
    """Each picture is a source of its own."""

    @property
    def samples(self):
        return [replace(s, group=s.id) for s in super().samples]


def test_a_store_is_read_with_all_its_levels(tmp_path):
    extract(Apart(60), [StoreTarget(stand_ins.StandIn(), tmp_path / "s", True, stand_ins.Preparing())])
    (found,) = read_stores([tmp_path / "s"])
    rows = FeatureStore.open(tmp_path / "s").features(level=2, label=(0, 1))
    assert sorted(found.layers) == [FINAL, 0, 1, 2]
    index = np.arange(len(found.y))
    assert found.layers[2].gather(index).tolist() == rows.gather(index).tolist()
    assert found.y.tolist() == rows.y.tolist()
    assert set(found.manipulation) == {"", "DF"}
    assert found.caption.startswith("stand-in; corit features of stand-in, weights dddddddddddd")
    made = diagnose_stores([found], replace(QUICK, groups=("DF",), heads=("linear",), batch=4), tmp_path)
    assert made.layers == {"s": (1, 2, FINAL)}


def test_paths_are_refused_in_words(tmp_path):
    file = npz(tmp_path)
    (tmp_path / "no.npz").write_text("words")
    asked = {
        "got none; or give --demo": [],
        "expected each store once": [file, file],
        "expected a feature-store folder or an .npz file at": [tmp_path / "nowhere"],
        "expected an .npz file of plain arrays": [tmp_path / "no.npz"],
    }
    for words, paths in asked.items():
        with pytest.raises(DataError, match=words):
            read_stores(paths)
    with pytest.raises(StoreError, match="holds no shards"):
        read_stores([tmp_path])


def test_stores_of_one_name_are_told_apart_by_their_paths(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    paths = [npz(tmp_path / "a"), npz(tmp_path / "b")]
    assert [m.name for m in read_stores(paths)] == [str(p) for p in paths]
