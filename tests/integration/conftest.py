"""Fixtures of the integration tests."""

from __future__ import annotations

import random

import pytest

from ibcore.log import get_logger

log = get_logger(__name__)


@pytest.fixture
def dice() -> random.Random:
    """Return dice; pytest shows their seed when the test fails."""
    seed = random.randrange(1 << 32)
    log.warning("dice", seed=seed)
    return random.Random(seed)
