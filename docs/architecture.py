"""Draw docs/architecture.svg: the rooms of the package by layer, and which of them import which.

    python docs/architecture.py

Layers are those of the import contract in pyproject.toml. An arrow is drawn where a room imports another one that it
cannot reach through a third, so that the picture shows the order of the rooms and stays readable.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"
WIDTH, ROW, BOX, HEIGHT, LEFT = 1180, 74, 132, 34, 20
SPACE = 26

Graph = dict[str, set[str]]


def layers(root: Path) -> list[list[str]]:
    """The rooms of each layer, the highest first."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = next(c["layers"] for c in contracts if c["type"] == "layers")
    return [[room.strip() for room in layer.replace(":", "|").split("|")] for layer in named]


def imports(root: Path) -> Graph:
    """Room -> the other rooms that it imports, at the top of a file or within a function."""
    graph: Graph = {}
    for file in sorted((root / "corit").glob("**/*.py")):
        room = file.relative_to(root / "corit").parts[0].removesuffix(".py")
        if room != "__init__":
            graph.setdefault(room, set()).update(n for n in _imported(file) if n != room)
    return graph


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "corit":
            yield from (a.name for a in node.names if (ROOT / "corit" / f"{a.name}.py").exists() or _is_room(a.name))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("corit."):
            yield (node.module or "").split(".")[1]


def _is_room(name: str) -> bool:
    return (ROOT / "corit" / name / "__init__.py").exists()


def reduced(graph: Mapping[str, set[str]]) -> Graph:
    """The imports of each room that no chain of others implies; the graph has no circle."""
    reach: Graph = {}

    def reached(room: str) -> set[str]:
        if room not in reach:
            reach[room] = {n for direct in graph.get(room, ()) for n in {direct, *reached(direct)}}
        return reach[room]

    return {r: {n for n in to if not any(n in reached(other) for other in to if other != n)} for r, to in graph.items()}


def places(rows: list[list[str]]) -> dict[str, tuple[float, float]]:
    """Room -> the upper left corner of its box; the boxes of a layer are centred."""
    corners = {}
    for level, row in enumerate(rows):
        start = (WIDTH - len(row) * BOX - (len(row) - 1) * SPACE) / 2
        # Layers of one room step aside in turn, so that arrows past them stay visible.
        shift = (level % 3 - 1) * 150 if len(row) == 1 else 0
        for column, room in enumerate(row):
            corners[room] = (start + shift + column * (BOX + SPACE), LEFT + level * ROW)
    return corners


def draw(root: Path) -> str:
    """The picture as SVG."""
    rows, arrows = layers(root), reduced(imports(root))
    corners = places(rows)
    parts = [_arrow(corners[room], corners[other]) for room in sorted(arrows) for other in sorted(arrows[room])]
    parts += [_box(room, *corners[room]) for row in rows for room in row]
    return HEAD.format(width=WIDTH, height=len(rows) * ROW + LEFT) + "\n".join(parts) + "\n</svg>\n"


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0, x1, y1 = start[0] + BOX / 2, start[1] + HEIGHT, end[0] + BOX / 2, end[1] - 5
    bend = (y1 - y0) / 2
    return f'<path d="M{x0:g} {y0:g}C{x0:g} {y0 + bend:g} {x1:g} {y1 - bend:g} {x1:g} {y1:g}"/>'


def _box(room: str, x: float, y: float) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{BOX}" height="{HEIGHT}" rx="5"/>'
        f'<text x="{x + BOX / 2:g}" y="{y + HEIGHT / 2 + 5:g}">{escape(room)}</text>'
    )


HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<title>The rooms of the package, by layer: arrows point to what a room imports</title>
<defs><marker id="a" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L8 4L0 8z"/></marker></defs>
<style>rect {{ fill: #eef1f8; stroke: #5b6b8c }} text {{ font: 15px sans-serif; text-anchor: middle; fill: #1d2740 }}
path {{ fill: none; stroke: #8a93a6; stroke-width: 1.3; marker-end: url(#a) }}
marker path {{ marker-end: none; fill: #8a93a6; stroke: none }}</style>
<rect width="100%" height="100%" style="fill: #ffffff; stroke: none"/>
"""


if __name__ == "__main__":
    PICTURE.write_text(draw(ROOT))
    print(PICTURE)
