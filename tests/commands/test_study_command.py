"""`corit study`: options become a plan, and a record names no folder of the machine."""

from __future__ import annotations

import pytest

from corit import cli
from corit.commands.exit_codes import WRONG_USAGE
from corit.commands.study import PartsSize, Size, _command
from corit.studies.parts.plan import PartsPlan
from corit.studies.parts.plan import quick_plan as quick_parts
from corit.studies.real.plan import RealPlan, quick_plan


def test_sizes_that_are_not_given_are_the_plans():
    assert Size().plan("clip-vit-b16", "auto") == RealPlan()
    assert Size(quick=True).plan("clip-vit-b16", "auto") == quick_plan()


def test_given_sizes_replace_the_plans():
    plan = Size(pairs=7, generated=0, blended=3, seeds=2, draws=50).plan("miniature", "packaged")
    assert (plan.pairs, plan.generated, plan.blends, plan.seeds, plan.draws) == (7, 0, 3, (0, 1), 50)
    assert (plan.backbone, plan.weights) == ("miniature", "packaged")


def test_sizes_of_parts_are_the_plans_where_not_given():
    assert PartsSize().plan("clip-vit-b16", "auto") == PartsPlan()
    assert PartsSize(quick=True).plan("clip-vit-b16", "auto") == quick_parts()
    plan = PartsSize(pairs=7, blended=3, measured=4, scenes=0, compared=5, seeds=2, draws=50).plan("miniature", "")
    assert (plan.pairs, plan.blends, plan.measured, plan.scenes, plan.compared) == (7, 3, 4, 0, 5)
    assert (plan.seeds, plan.draws, plan.backbone) == ((0, 1), 50, "miniature")


def test_parts_without_pairs_is_wrong_usage(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["study", "parts", "--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert ended.value.code == WRONG_USAGE
    assert "expected the folder dfdc-crops" in capsys.readouterr().err


def test_the_recorded_command_names_no_folder():
    words = ["study", "real", "--data", "/home/me/pictures", "--pairs", "250", "--out", "/tmp/x", "--parts", "layers"]
    assert _command(words) == "corit study real --data DIR --pairs 250 --out DIR --parts layers"


def test_folders_without_the_sets_are_wrong_usage(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["study", "real", "--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert ended.value.code == WRONG_USAGE
    assert "expected at least one of the folders dfdc-crops" in capsys.readouterr().err


def test_a_store_that_is_none_is_wrong_usage(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["study", "mechanism", "--store", str(tmp_path), "--out", str(tmp_path / "out")])
    assert ended.value.code == WRONG_USAGE
    assert "store" in capsys.readouterr().err
