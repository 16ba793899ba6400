"""Every example in README.md and docs/ is executed: Python in one namespace a page, `$ corit ...` as commands."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import page_inputs
import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md"))]
FENCE = re.compile(r"^ {0,3}```(\w*)[^\n`]*$")
SKIPPED = re.compile(r"^\s*<!-- not executed: \S.* -->\s*$")
SECONDS = 300
CORIT = Path(sys.executable).with_name("corit")


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    line: int  # of its first line, from 1
    executed: bool = True


def blocks(text):
    """The fenced blocks of a page. A comment `<!-- not executed: reason -->` on the line before exempts a block."""
    lines, found, at = text.splitlines(), [], 0
    while at < len(lines):
        opened = FENCE.match(lines[at])
        if not opened:
            at += 1
            continue
        end = next((i for i in range(at + 1, len(lines)) if lines[i].strip() == "```"), None)
        if end is None:
            raise ValueError(f"the block that opens in line {at + 1} is never closed")
        exempt = at > 0 and bool(SKIPPED.match(lines[at - 1]))
        found.append(Block(opened[1], "\n".join(lines[at + 1 : end]), at + 2, not exempt))
        at = end + 1
    return found


def commands(code):
    """The commands of a console block: lines after "$ ", continued after a backslash; the rest is their output."""
    joined = code.replace("\\\n", " ")
    return [line[2:].strip() for line in joined.splitlines() if line.startswith("$ ")]


def execute(page, folder, corit=CORIT):
    """Run all blocks of a page in a folder; raises what a block raises, AssertionError for a command that fails."""
    namespace = {"__name__": "page"}
    for block in blocks(page.read_text()):
        if not block.executed:
            continue
        if block.language == "python":
            # Empty lines before the code, so that a traceback names the line of the page.
            exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), namespace)
        elif block.language == "console":
            for command in commands(block.code):
                run(corit, command, folder, f"{page.name}:{block.line}")


def run(corit, command, folder, where):
    program, *arguments = shlex.split(command, comments=True)
    assert program == "corit", (
        f"{where}: only corit is run, got {command!r}; say above the block why it is not executed"
    )
    call = [str(corit), *arguments]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{where}: {command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"


def prose(text):
    """The lines of a page outside code, tables, links on their own and comments, without comments inside them."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line) or (inside and line.strip() == "```"):
            inside = not inside
        elif not inside and not line.startswith("    ") and not line.lstrip().startswith(("|", "![", "<!--")):
            yield number, re.sub(r"<!--.*?-->", "", line)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_example_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page_inputs.prepare("\n".join(b.code for b in blocks(page.read_text()) if b.executed), tmp_path)
    execute(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_into_the_repository_leads_somewhere(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    local = [t.partition("#")[0] for t in targets if not re.match(r"[a-z]+:|#", t)]
    assert [t for t in local if not (page.parent / t).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_prose_is_wrapped_at_100_columns(page):
    assert [(n, line) for n, line in prose(page.read_text()) if len(line) > 100] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_code_that_a_page_names_exists(page):
    text = "\n".join(line for _, line in prose(page.read_text()))
    files = re.findall(r"`((?:corit|tests|docs|benchmarks)/[\w./-]+)`", text)
    assert [f for f in files if page.name != "CHANGELOG.md" and not (ROOT / f).exists() and "NAME" not in f] == []
    assert missing(text) == []


def test_code_that_a_docstring_names_exists():
    stale = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "corit").rglob("*.py")
        for name in missing("\n".join(docstrings(path.read_text())))
    }
    assert stale == set()


def test_a_stale_name_in_a_docstring_is_reported():
    code = 'class A:\n    def f(self):\n        """See `corit.errors.CoritError` and `corit.errors.gone`."""'
    assert missing("\n".join(docstrings(code))) == ["corit.errors.gone"]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_examples_use_public_names_but_on_pages_about_internals(page):
    code = "\n".join(b.code for b in blocks(page.read_text()) if b.language == "python")
    inner = re.findall(r"^\s*(?:from|import) corit\..*$", code, re.MULTILINE)
    assert not inner or "explanation" in page.parts or "internals" in page.read_text()


def docstrings(code):
    """The docstrings of a module and of the classes and functions in it."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(code)) if isinstance(node, documented)]


def missing(text):
    """The dotted names of `corit` in backticks that do not exist."""
    return [n for n in re.findall(r"`(corit(?:\.\w+)+)`", text) if not exists(n)]


def exists(name):
    """Whether a dotted name is a module, or something in one."""
    module, _, inner = name.rpartition(".")
    if importlib.util.find_spec(module or name) is None:
        return False
    if not module or hasattr(importlib.import_module(module), inner):
        return True
    return hasattr(importlib.import_module(module), "__path__") and importlib.util.find_spec(name) is not None


@pytest.fixture
def corit(tmp_path):
    """A command that succeeds when it is asked for help, and fails otherwise."""
    path = tmp_path / "corit"
    path.write_text('#!/bin/sh\n[ "$1" = --help ]\n')
    path.chmod(0o755)
    return path


PAGE = """# A page
```python
x = 1
```
text
```python
y = x + {add}
assert y == 2
```
{marker}
```console
$ {command}
some output
```
"""


@pytest.mark.parametrize(
    ("add", "marker", "command", "error"),
    [
        ("1", "", "corit --help", None),
        ("2", "", "corit --help", AssertionError),
        ("z", "", "corit --help", NameError),
        ("1", "", "corit no-such-command", AssertionError),
        ("1", "", "make demo", AssertionError),
        ("1", "<!-- not executed: takes hours -->", "make demo", None),
        ("1", "<!-- not executed: -->", "make demo", AssertionError),
    ],
)
def test_a_page_fails_exactly_when_one_of_its_examples_does(add, marker, command, error, tmp_path, corit):
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(add=add, marker=marker, command=command))
    if error is None:
        execute(page, tmp_path, corit)
    else:
        with pytest.raises(error):
            execute(page, tmp_path, corit)


def test_an_error_names_the_line_of_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(add="z", marker="", command="corit --help"))
    with pytest.raises(NameError) as found:
        execute(page, tmp_path)
    assert found.traceback[-1].lineno + 1 == 7
    assert str(found.traceback[-1].path) == str(page)


def test_a_command_may_go_on_after_a_backslash():
    assert commands("$ corit detect \\\n    a.jpg\nout\n$ corit info") == ["corit detect      a.jpg", "corit info"]


def test_a_block_that_is_never_closed_is_an_error():
    with pytest.raises(ValueError, match="line 2"):
        blocks("text\n```python\nx = 1\n")
