"""Options that several commands share, and the heads that commands train by default."""

from __future__ import annotations

from dataclasses import replace

import pytest

from corit import cli
from corit.commands import exit_codes, options
from corit.commands.run_options import RunOptions
from corit.errors import DataError, DeviceError, FitError
from corit.heads.defaults import default_head, experiment_head

KINDS = ("linear", "mlp")


@pytest.mark.parametrize("kind", KINDS)
def test_training_uses_the_default_head_of_its_kind(kind):
    assert options.TrainedHead(kind).recipe == default_head(kind)
    assert options.TrainedHead(kind, rho=0.1, epochs=3).recipe == replace(default_head(kind), rho=0.1, epochs=3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [1e-6, 0.02, 7.0])
def test_an_explicit_learning_rate_wins(kind, rate):
    assert options.TrainedHead(kind, learning_rate=rate).recipe == replace(default_head(kind), learning_rate=rate)


def test_a_learning_rate_of_zero_is_refused():
    with pytest.raises(FitError, match="learning_rate > 0"):
        _ = options.TrainedHead(learning_rate=0.0).recipe


@pytest.mark.parametrize("kind", KINDS)
def test_a_protocol_run_uses_the_experiment_head_of_its_kind(kind, monkeypatch, tmp_path):
    heads = []

    def refuse(run_options, out, *, head):
        heads.append(head)
        raise DataError("no runner")

    monkeypatch.setattr(RunOptions, "runner", refuse)
    for words in ((), ("--rho", "0.1")):
        with pytest.raises(SystemExit) as stop:
            cli.main(["protocol", "run", "any", "--out", str(tmp_path), "--head", kind, *words])
        assert stop.value.code == exit_codes.WRONG_USAGE
    assert heads == [experiment_head(kind), replace(experiment_head(kind), rho=0.1)]


def test_zero_frames_are_all_frames():
    assert (options.Frames(0).limit, options.Frames(3).limit) == (None, 3)


def test_an_absent_device_ends_a_command_before_its_work(capsys, tmp_path):
    words = ("extract", "--real", str(tmp_path), "--out", str(tmp_path / "s"), "--device", "abacus")
    with pytest.raises(SystemExit) as stop:
        cli.main([*words])
    assert stop.value.code == exit_codes.WRONG_USAGE
    assert "abacus" in capsys.readouterr().err
    with pytest.raises(DeviceError, match="abacus"):
        options._require_device(str, "abacus")


@pytest.mark.parametrize(
    ("run_options", "words"),
    [
        (RunOptions(world="miniature", root="/data"), "got both"),
        (RunOptions(max=3), "--max with --root alone"),
    ],
)
def test_a_run_has_one_place_for_its_data(run_options, words):
    with pytest.raises(DataError, match=words):
        run_options.testbed()


def test_a_run_uses_the_backbone_of_its_data():
    assert RunOptions().backbone_name == "miniature"
    assert RunOptions(root="/data").backbone_name == "clip-vit-l14"
    assert RunOptions(root="/data", backbone="vit").backbone_name == "vit"
