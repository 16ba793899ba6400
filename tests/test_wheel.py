"""The wheel: what it holds, and that it works where there is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the tracked sources, so that no build folder is left in the checkout."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, copy]
    subprocess.run(command, check=True)
    (path,) = out.glob("corit-*.whl")
    return path


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Runs the installed program's command line in an empty folder, with nothing of the checkout on its path."""
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("work")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel]
    subprocess.run(install, check=True)
    check = "import corit, sys; assert corit.__file__.startswith(sys.argv[1])"
    code = f"{check}; from corit.cli import main; main(sys.argv[2:])"

    def run(*words):
        command = [sys.executable, "-c", code, str(site), *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": str(site)}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout

    run.folder = folder
    return run


def test_the_wheel_holds_the_package_and_nothing_of_the_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {n.split("/")[0] for n in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"corit"}
    rooms = {part for n in names for part in n.split("/")}
    assert rooms.isdisjoint({"tests", "trees", "benchmarks", "__pycache__"})
    assert not [part for part in rooms if part.startswith(("test_", "conftest"))]
    code = {str(p.relative_to(ROOT)) for p in (ROOT / "corit").rglob("*.py")}
    assert {n for n in names if n.endswith(".py")} == code


def test_the_wheel_holds_all_data_files(wheel):
    tracked = subprocess.run(["git", "ls-files", "corit"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    data = {n for n in tracked.split() if not n.endswith(".py") and (ROOT / n).is_file()}
    assert {n.rpartition(".")[2] for n in data} >= {"csv", "html", "safetensors", "typed"}
    assert data <= set(zipfile.ZipFile(wheel).namelist())


def test_the_installed_program_says_what_it_can_do(run):
    text = run("--help")
    assert all(command in text for command in ("detect", "train", "evaluate", "diagnose", "demo"))


def test_the_installed_program_runs_the_demo(run):
    run(
        "demo",
        "--no-photographs",
        "--out",
        "report",
        "--people",
        "6",
        "--pictures",
        "2",
        "--seeds",
        "1",
        "--workers",
        "0",
    )
    assert {p.name for p in (run.folder / "report").iterdir()} >= {"report.html", "results.json", "detector"}
