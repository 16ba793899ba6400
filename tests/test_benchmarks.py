from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from corit.heads.select import auc

ROOT = Path(__file__).parent.parent


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def test_results_are_flat_and_keep_other_benchmarks(benchmarks, tmp_path):
    main, results = benchmarks("__main__"), tmp_path / "results.json"
    table = {"one": lambda: {"a": 1.0, "b": 2}, "two": lambda: {"c": 3.00001}}
    main.run(["one", "two"], results, table)
    main.run(["one"], results, {"one": lambda: {"a": 5.0}})
    assert json.loads(results.read_text()) == {"a": 5.0, "b": 2.0, "c": 3.0, **main.machine()}
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_numbers_of_another_machine_are_dropped(benchmarks, tmp_path):
    main, results = benchmarks("__main__"), tmp_path / "results.json"
    results.write_text(json.dumps({"old": 1.0, **main.machine(), "machine_cpu": "another"}))
    main.run(["one"], results, {"one": lambda: {"a": 1.0}})
    assert "old" not in json.loads(results.read_text())


def test_a_failed_benchmark_keeps_earlier_numbers(benchmarks, tmp_path):
    main, results = benchmarks("__main__"), tmp_path / "results.json"
    with pytest.raises(ZeroDivisionError):
        main.run(["one", "two"], results, {"one": lambda: {"a": 1.0}, "two": lambda: {"b": 1 / 0}})
    assert json.loads(results.read_text())["a"] == 1.0


def test_an_unknown_benchmark_is_wrong_usage(benchmarks, capsys):
    with pytest.raises(SystemExit) as stopped:
        benchmarks("__main__").main(["--only", "nothing"])
    assert stopped.value.code == 2
    assert "forward" in capsys.readouterr().err


def test_the_fit_is_measured_in_a_fresh_process(benchmarks):
    found = benchmarks("fit").fit_cost(rows=400, width=64, epochs=2)
    assert found["fit_valid_auc"] > 0.6  # the fakes are moved: the head must see it
    assert 0.05 < found["fit_peak_gb"] < 2
    assert found["fit_seconds"] > 0


def test_both_kinds_of_photographs_give_views(benchmarks):
    found = benchmarks("extraction").views_per_second(3)
    assert set(found) == {"views_per_second_face", "views_per_second_scene"}
    assert min(found.values()) > 0


def test_extraction_of_repeated_pictures_is_complete(benchmarks, tmp_path):
    assert benchmarks("memory").measure(tmp_path, 70)["peak_gb"] > 0.05
    assert len(list((tmp_path / "store-70").glob("*.arrow"))) == 1


def test_every_documented_benchmark_exists(benchmarks):
    documented = {"forward", "path", "views", "fit", "memory", "heads", "observe", "atlas", "index"}
    assert documented | {"rehearsal", "paper", "training"} == set(benchmarks("__main__").BENCHMARKS)


def test_heads_are_compared_with_loop_floor_and_product(benchmarks):
    found = benchmarks("heads").heads_speedup(1, steps=4, scale=10)
    assert set(found) == {
        "heads_linear_speedup", "heads_linear_per_second", "heads_linear_loop_per_second", "heads_linear_floor_share",
        "heads_mlp_speedup", "heads_mlp_per_second", "heads_mlp_loop_per_second", "heads_mlp_gemm_share",
    }  # fmt: skip
    assert min(found.values()) > 0
    for kind in ("linear", "mlp"):
        ratio = found[f"heads_{kind}_per_second"] / found[f"heads_{kind}_loop_per_second"]
        assert found[f"heads_{kind}_speedup"] == pytest.approx(ratio)


def test_the_loop_learns_as_the_heads_do(benchmarks):
    """What is compared must be the same work: the loop's two passes a step train a head that tells the kinds apart."""
    heads = benchmarks("heads")
    trained = heads._loop(heads.problems(1)[0], heads.LINEAR, 60)
    p = heads.problems(1)[0]
    logits = trained(p.valid.values)[:, 0].detach()
    assert auc(logits, torch.from_numpy(p.valid_labels)) > 0.6


def test_operations_are_counted_and_the_floor_takes_time(benchmarks):
    heads = benchmarks("heads")
    assert heads.flops(heads.LINEAR, 20) == 4 * 20 * 1024 + 2 * 400 * 1024 / 20 + 2 * 400
    assert heads.floor(heads.LINEAR, (1, 2, 3), 2) > 0


def test_observing_is_compared_with_training_alone(benchmarks):
    found = benchmarks("observe").observe_ratio(1, steps=20, number=1)
    assert set(found) == {"observe_ratio", "observe_mlp_ratio", "observe_rows", "observe_mlp_rows"}
    assert found["observe_ratio"] > 0
    assert found["observe_mlp_ratio"] > 0


def test_the_heads_of_a_small_sweep_learn(benchmarks):
    found = benchmarks("atlas").atlas(layers=2, seeds=2, steps=150, rows=120, width=24)
    assert found["atlas_heads"] == 2 * 4 * 19 * 2
    assert found["atlas_best_auc"] > 0.8
    assert 0.05 < found["atlas_peak_gb"] < 2
    assert found["atlas_head_steps_per_second"] == pytest.approx(found["atlas_heads"] * 150 / found["atlas_seconds"])


def test_a_generated_index_is_listed_checked_and_sampled(benchmarks):
    found = benchmarks("index").index_cost(700)
    assert set(found) == {"index_load_seconds", "index_check_seconds", "index_sample_seconds", "index_peak_gb"}
    assert min(found.values()) > 0


def test_the_rehearsal_makes_tables_from_folders(benchmarks):
    found = benchmarks("rehearsal").rehearsal("miniature", ["table2"])
    # four recipes; one row of each split, label and manipulation: of FaceForensics++ three splits of reals and four
    # manipulations, of Celeb-DF and DFDC the test split of two labels, of DFDCP that of reals and two methods
    assert found["rehearsal_pictures"] == 4 * (3 * (1 + 4) + 2 + 2 + (1 + 2))
    assert found["rehearsal_seconds"] > 0
    assert 0.05 < found["rehearsal_peak_gb"] < 4


@pytest.mark.slow
def test_table_ii_is_made_at_full_size(benchmarks):
    found = benchmarks("rehearsal").rehearsal("clip-vit-l14", ["table2"])
    assert found["rehearsal_peak_gb"] < 5


def test_all_artefacts_are_made_again_from_features(benchmarks):
    small = ["--people", "6", "--pictures", "1", "--seeds", "1", "--draws", "5", "--workers", "0"]
    found = benchmarks("paper_run").paper_run(["table1", "figure4"], *small)
    assert set(found) == {"paper_seconds", "paper_peak_gb", "paper_again_seconds"}


def test_training_memory_is_measured_in_a_fresh_process(benchmarks):
    (found,) = benchmarks("training").training_memory("miniature", batch=4).items()
    name, value = found
    assert (name, value < 50) == (("training_gpu_mb" if torch.cuda.is_available() else "training_cpu_peak_gb"), True)
    assert value > 0.05


def test_the_training_step_uses_the_logistic_gradient(benchmarks):
    generator = torch.Generator().manual_seed(0)
    z, w = torch.randn(5, 3, generator=generator), torch.randn(1, 3, generator=generator).requires_grad_()
    b, y = torch.zeros(1, requires_grad=True), torch.tensor([0.0, 1, 1, 0, 1])
    torch.nn.functional.binary_cross_entropy_with_logits((z @ w.T + b)[:, 0], y).backward()
    found = benchmarks("training").gradient(z, y, w.detach(), b.detach())
    torch.testing.assert_close(list(found), [w.grad, b.grad])


def test_unfamiliar_kinds_are_counted(benchmarks, tmp_path, capsys):
    from corit.backbones.load import load_backbone
    from corit.model.encode import Encoder
    from corit.recipe import BackboneRecipe, Recipe
    from corit.train.heads import measure_features
    from corit.world.miniature import Miniature, MiniatureSpec

    backbone = load_backbone("miniature")
    world = Miniature(MiniatureSpec(train=12, val=6, test=3, pictures=1, kinds=("DF",)))
    measure_features(world, Encoder(backbone, Recipe(BackboneRecipe("miniature", backbone.digest))), tmp_path / "s")
    (tmp_path / "own").mkdir()
    from PIL import Image

    Image.fromarray(benchmarks("kinds").science(5).pixels).save(tmp_path / "own" / "a.png")
    arguments = [str(tmp_path / "s"), str(tmp_path / "k"), "--count", "2", "--pictures", str(tmp_path / "own")]
    benchmarks("familiarity").main([*arguments, "--altered"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| pictures | count | mahalanobis | neighbours |")
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "test",
        *benchmarks("kinds").KINDS,
        "own",
        "own painted",
        "own sketched",
    ]
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["6"] + ["2"] * 11


def test_pictures_of_every_kind_are_made_alike_each_time(benchmarks):
    for make in benchmarks("kinds").KINDS.values():
        one, again, other = make(1), make(1), make(2)
        assert np.array_equal(one.pixels, again.pixels)
        assert not np.array_equal(one.pixels, other.pixels)
