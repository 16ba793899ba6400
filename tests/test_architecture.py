"""The picture of the layout is that of today's imports."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("architecture", ROOT / "docs" / "architecture.py")
architecture = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(architecture)


def test_the_committed_picture_is_up_to_date():
    drawn = architecture.draw(ROOT)
    assert architecture.PICTURE.read_text() == drawn, "run python docs/architecture.py and commit the picture"


def test_every_room_has_a_layer_and_a_line_in_the_page():
    rooms = {room for layer in architecture.layers(ROOT) for room in layer}
    assert rooms == set(architecture.imports(ROOT))
    page = (ROOT / "ARCHITECTURE.md").read_text()
    assert [room for room in sorted(rooms) if f"`{room}`" not in page] == []


def test_an_import_that_a_chain_implies_is_left_out():
    graph = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert architecture.reduced(graph) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}


def test_imports_inside_functions_count(tmp_path):
    package = tmp_path / "corit"
    (package / "heads").mkdir(parents=True)
    (package / "heads" / "fit.py").write_text("def fit():\n    from corit.metrics.auc import auc\n    return auc\n")
    assert architecture.imports(tmp_path) == {"heads": {"metrics"}}
