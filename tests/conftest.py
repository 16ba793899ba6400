"""For all tests: a comparison that shows which entries differ, and skipping what needs CLIP's weights."""

from __future__ import annotations

import numpy as np
import pytest


def _agree(fast, slow, *, rtol=1e-9, atol=1e-12):
    fast, slow = np.asarray(fast, dtype=np.float64), np.asarray(slow, dtype=np.float64)
    np.testing.assert_allclose(fast, slow, rtol=rtol, atol=atol)


@pytest.fixture
def agree():
    return _agree


def pytest_runtest_setup(item):
    if item.get_closest_marker("clip") is not None:
        from corit.backbones.cache import read_record

        if not read_record("clip-vit-b16"):
            pytest.skip("the cache has no weights of CLIP ViT-B/16; corit weights fetch clip-vit-b16 --source carrier")
