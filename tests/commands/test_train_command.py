"""`corit train` and `corit extract` on data by name, and the options that do not go together."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from trees.paint import Subject, miniature
from trees.uadfv import uadfv
from trees.write import Hand

from corit import Detector, cli
from corit.features.store import FeatureStore
from corit.images.picture import DRAWN
from corit.world.miniature import Miniature, MiniatureSpec

QUICK = ("--backbone", "miniature", "--workers", "0", "--seeds", "1", "--epochs", "1")


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(w) for w in words])
    caught = capsys.readouterr()
    return stop.value.code, caught.out, caught.err


def card(folder):
    return json.loads((folder / "detector.json").read_text())


@pytest.fixture(scope="module")
def painter():
    return miniature(Miniature(MiniatureSpec(0, 4, 4, 8, 1)))


@pytest.fixture(scope="module")
def crops(painter, tmp_path_factory):
    """Face crops without landmarks, whose fakes have other names than their reals; pairs.csv tells them."""
    root = tmp_path_factory.mktemp("crops")
    lines = ["real,fake,correlation"]
    for i in range(6):
        for kind, name in (("real", f"r{i}"), ("fake", f"f{i}")):
            shown = painter(Subject("test", f"person {i}", "DF" if kind == "fake" else ""))
            (root / kind).mkdir(exist_ok=True)
            Image.fromarray(shown.pixels).save(root / kind / f"{name}.png")
        lines.append(f"r{i},f{i},0.9")
    (root / "pairs.csv").write_text("\n".join(lines))
    return root


def test_pairs_of_crops_without_landmarks_stay_in_one_part(crops, capsys, tmp_path):
    words = ("train", "--real", crops / "real", "--fake", crops / "fake", "--aligned", "--groups", crops / "pairs.csv")
    code, out, err = run(capsys, *words, *QUICK, "--out", tmp_path / "d")
    assert code == 0, err
    assert "pairs.csv names 12 of 12 pictures" in err
    assert "rows: 4 train real, 4 train fake" in out
    table = FeatureStore.open(tmp_path / "d.features").table.to_pylist()
    side = {r["id"]: r["split"] for r in table}
    assert all(side[f"real/r{i}.png"] == side[f"fake/f{i}.png"] for i in range(6))
    (data,) = card(tmp_path / "d")["data"]
    assert data == {
        "name": "real, fake",
        "parts": "dealt by group",
        "real": {"train": 4, "val": 1, "test": 1},
        "fake": {"train": 4, "val": 1, "test": 1},
    }


def test_a_data_set_by_name_is_on_the_card(painter, capsys, tmp_path):
    uadfv(tmp_path / "uadfv", Hand(painter, 1), videos=4)
    code, out, err = run(
        capsys, "train", "--data", "uadfv", "--root", tmp_path / "uadfv", *QUICK, "--out", tmp_path / "d"
    )
    assert code == 0, err
    assert "data: UADFV: 8 of 98 videos; 4 real, 4 fake; dealt by group" in out
    assert card(tmp_path / "d")["data"][0]["name"] == "UADFV: 8 of 98 videos"
    assert card(tmp_path / "d")["domain"] == "faces of UADFV"


def test_the_drawn_world_stays_drawn(capsys, tmp_path):
    code, _, err = run(capsys, "train", "--data", "miniature:people=4,pictures=1", *QUICK, "--out", tmp_path / "d")
    assert code == 0, err
    assert card(tmp_path / "d")["domain"].startswith(DRAWN)


@pytest.mark.parametrize(
    ("words", "features", "warned"),
    [
        ((), "features: centred by the training mean (standard scaling); before it ||E x|| ", False),
        (("--scaling", "centre"), "features: centred by the training mean (centre scaling); before it ||E x|| ", False),
        (("--scaling", "none", "--rho", "0"), "features: raw, not centred; ||E x|| ", False),
        (("--scaling", "raw", "--rho", "0.1"), "features: raw, not centred; ||E x|| ", True),
    ],
)
def test_a_training_says_how_features_are_centred(words, features, warned, crops, capsys, tmp_path):
    command = ("train", "--data", crops, "--aligned", "--groups", crops / "pairs.csv", *QUICK, *words)
    code, out, err = run(capsys, *command, "--out", tmp_path / "d")
    assert code == 0, err
    saved = card(tmp_path / "d")
    units, head = saved["units"], saved["head"]
    assert features + f"{units['mean_norm']:.3g}" in out
    relative = f"{head['rho'] * units['scaled_rms_norm']:.3g} in units of the features' norm"
    assert f"head: linear, SAM rho {head['rho']:g} ({relative}), {head['scaling']} scaling" in out
    warning = f"warning: {units['common']:.0%} of the raw features' squared norm is a mean that reals and fakes have"
    radius = f"about 2 to 3 / ||E x||, here {2 / units['mean_norm']:.3g} to {3 / units['mean_norm']:.3g}"
    assert [warning in out, radius in out] == [warned, warned]
    again = Detector.load(tmp_path / "d").card
    assert (dict(again.units), again.head_text in out) == (units, True)


@pytest.mark.parametrize(("words", "forged"), [((), 1), (("--blends", "2"), 2)])
def test_reals_alone_get_self_blends(words, forged, crops, capsys, tmp_path):
    spec = f"folder:real={crops}/real"
    code, _, err = run(capsys, "train", "--data", spec, "--aligned", *QUICK, *words, "--out", tmp_path / "d")
    assert code == 0, err
    counts = card(tmp_path / "d")["metrics"]["counts"]
    assert counts["train fake"] == forged * counts["train real"]
    assert card(tmp_path / "d")["note"].startswith("trained on self-blended fakes")


def test_self_blends_join_fakes_where_they_are_asked_for(crops, capsys, tmp_path):
    words = ("train", "--data", crops, "--aligned", "--groups", crops / "pairs.csv", "--blends", "1")
    code, _, err = run(capsys, *words, *QUICK, "--out", tmp_path / "d")
    assert code == 0, err
    counts = card(tmp_path / "d")["metrics"]["counts"]
    assert counts["train fake"] == 2 * counts["train real"]
    assert card(tmp_path / "d")["note"] == ""


def test_a_store_of_a_data_set_is_extracted(crops, capsys, tmp_path):
    words = ("extract", "--data", crops, "--aligned", "--backbone", "miniature", "--workers", "0")
    code, out, err = run(capsys, *words, "--out", tmp_path / "s")
    assert code == 0, err
    assert out.startswith("12 rows")
    assert set(FeatureStore.open(tmp_path / "s").table["split"].to_pylist()) == {"train", "val", "test"}


@pytest.mark.parametrize("command", ["train", "extract"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "expected either --real (and --fake) or --data, got neither"),
        (("--real", "a", "--data", "b"), "got both --real and --data"),
        (("--fake", "a", "--data", "b"), "got both --fake and --data"),
        (("--fake", "a"), "expected --real with --fake, got --fake alone"),
        (("--real", "a", "--partial"), "expected no --partial with --real; give them with --data"),
        (("--real", "a", "--root", "b"), "expected no --root with --real"),
        (("--data", "a", "--by-folder"), "expected no --by-folder with --data; write folder:PLACE,by_folder=true"),
        (("--data", "nope"), "no data set 'nope' in 'nope'"),
        (("--data", "absent.csv"), "expected a CSV file with a column path at absent.csv"),
        (("--data", "folder:absent"), "expected folders real, 0_real"),
        (("--data", "miniature:people=4", "--groups", "absent.csv"), "columns path and group, or real and fake"),
        (("--data", "miniature:kinds=DF", "--landmarks", "a.json"), "expected --landmarks with folders and CSV files"),
    ],
)
def test_options_that_do_not_go_together_are_refused(command, words, message, capsys, tmp_path):
    code, _, err = run(capsys, command, *words, "--out", tmp_path / "d", "--backbone", "miniature")
    assert code == 2
    assert message in " ".join(err.split())
    assert not (tmp_path / "d").exists()


def test_reals_alone_without_blends_are_refused(crops, capsys, tmp_path):
    spec = f"folder:real={crops}/real"
    code, _, err = run(capsys, "train", "--data", spec, "--aligned", *QUICK, "--blends", 0, "--out", tmp_path / "d")
    assert code == 2
    assert "expected fakes or at least one self-blend of each real picture, got --blends 0" in err
    assert not (tmp_path / "d.features").exists()
