"""One run of everything in a tiny miniature, and one on a tiny tree of the real layout, for all tests."""

from __future__ import annotations

import pytest
from paper.paper_runs import REAL, WORLD, command
from trees.paint import miniature
from trees.paper import paper
from trees.write import Hand

from corit.paper import diagnosis, tables
from corit.world.miniature import Miniature, MiniatureSpec


@pytest.fixture(scope="session")
def small():
    """Theory instruments that take seconds, and backbones that need no download."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnosis, "RHOS", (0.0, 0.05, 1.0))
        patch.setattr(diagnosis, "STEPS", 16)
        patch.setattr(diagnosis, "SEEDS", 2)
        patch.setattr(tables, "BACKBONE_TITLES", {"packaged": "miniature"})
        yield


@pytest.fixture(scope="session")
def everything(tmp_path_factory, small):
    """The folder that `corit paper all --world miniature` leaves."""
    out = tmp_path_factory.mktemp("everything")
    assert command("all", *WORLD, "--out", out) == 0
    return out


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """Every data set of the paper as a tiny tree, painted with the miniature's faces."""
    root = tmp_path_factory.mktemp("sets")
    world = Miniature(MiniatureSpec(0, 6, 4, 6, 1))
    paper(root, Hand(miniature(world), 1), people=4, each=2)
    return root


@pytest.fixture(scope="session")
def on_tree(tmp_path_factory, tree, small):
    """The folder that `corit paper all --root` leaves, with the miniature's backbone."""
    out = tmp_path_factory.mktemp("on tree")
    assert command("all", "--root", tree, *REAL, "--out", out) == 0
    return out
