"""One comparison helper for all tests: it raises, and shows which entries differ."""

from __future__ import annotations

import numpy as np
import pytest


def _agree(fast, slow, *, rtol=1e-9, atol=1e-12):
    fast, slow = np.asarray(fast, dtype=np.float64), np.asarray(slow, dtype=np.float64)
    np.testing.assert_allclose(fast, slow, rtol=rtol, atol=atol)


@pytest.fixture
def agree():
    return _agree
