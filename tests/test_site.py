"""The site of the documentation builds without a warning, is complete, and needs no network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import corit

ROOT = Path(__file__).parent.parent
PAGES = sorted(p.relative_to(ROOT / "docs") for p in (ROOT / "docs").glob("**/*.md"))
# Where a page loads scripts, styles, fonts and pictures from; plain links to other sites are no loads.
LOADS = re.compile(
    r"<(?:script|img|source|iframe)\b[^>]*?\ssrc=[\"']?([^\"'\s>]+)|<link\b[^>]*?\shref=[\"']?([^\"'\s>]+)"
)
NETWORK = re.compile(r"^(https?:)?//")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    call = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_page_is_built_and_in_the_navigation(site, page):
    assert (site / page.with_suffix(".html")).is_file()
    assert str(page) in (ROOT / "mkdocs.yml").read_text()


def test_the_search_index_knows_every_page_and_works_from_files(site):
    index = json.loads((site / "search" / "search_index.json").read_text())
    assert {d["location"].partition("#")[0] for d in index["docs"]} >= {str(p.with_suffix(".html")) for p in PAGES}
    assert (site / "search" / "search_index.js").is_file()
    assert "javascripts/iframe-worker.js" in (site / "index.html").read_text()


def test_no_page_loads_anything_from_the_network(site):
    loads = {(p.name, a or b) for p in site.glob("**/*.html") for a, b in LOADS.findall(p.read_text())}
    assert len(loads) > len(PAGES)
    assert [(page, target) for page, target in loads if NETWORK.match(target)] == []
    styles = "".join(p.read_text() for p in site.glob("**/*.css"))
    assert not re.search(r"url\([\"']?(https?:)?//|@import", styles)


def test_every_public_name_has_an_entry_in_the_reference(site):
    reference = "".join(p.read_text() for p in (site / "reference" / "python").glob("*.html"))
    names = [n for n in corit.__all__ if n != "__version__"]
    assert [n for n in names if not re.search(rf'id="?corit\.{n}["\s>]', reference)] == []


def test_every_command_is_in_the_reference(site):
    from corit.cli import app

    page = (site / "reference" / "command-line.html").read_text()
    names = [n for n in app if not n.startswith("-")]
    assert len(names) > 10
    assert [n for n in names if f'id="corit-{n}"' not in page and f"id=corit-{n}" not in page] == []
