from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def test_results_are_flat_and_numbers_of_other_benchmarks_are_kept(benchmarks, tmp_path):
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


def test_a_benchmark_that_fails_leaves_what_was_measured(benchmarks, tmp_path):
    main, results = benchmarks("__main__"), tmp_path / "results.json"
    with pytest.raises(ZeroDivisionError):
        main.run(["one", "two"], results, {"one": lambda: {"a": 1.0}, "two": lambda: {"b": 1 / 0}})
    assert json.loads(results.read_text())["a"] == 1.0


def test_an_unknown_benchmark_is_wrong_usage(benchmarks, capsys):
    with pytest.raises(SystemExit) as stopped:
        benchmarks("__main__").main(["--only", "nothing"])
    assert stopped.value.code == 2
    assert "forward" in capsys.readouterr().err


def test_the_fit_is_measured_in_a_process_of_its_own(benchmarks):
    found = benchmarks("fit").fit_cost(rows=400, width=64, epochs=2)
    assert found["fit_valid_auc"] > 0.6  # the fakes are moved: the head must see it
    assert 0.05 < found["fit_peak_gb"] < 2
    assert found["fit_seconds"] > 0


def test_both_kinds_of_photographs_give_views(benchmarks):
    found = benchmarks("path").views_per_second(3)
    assert set(found) == {"views_per_second_face", "views_per_second_scene"}
    assert min(found.values()) > 0


def test_extraction_of_repeated_pictures_is_complete(benchmarks, tmp_path):
    assert benchmarks("memory").measure(tmp_path, 70)["peak_gb"] > 0.05
    assert len(list((tmp_path / "store-70").glob("*.arrow"))) == 1
