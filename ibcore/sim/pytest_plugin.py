"""The fixture `ib_gateway` for anybody's tests: a simulated gateway on a free loopback port.

    def test_my_client_connects(ib_gateway):
        ib = IB()
        ib.connect("127.0.0.1", ib_gateway.port, clientId=1)
        ...
        assert ib_gateway.ledger.requests

    @pytest.mark.ib_gateway(seed=3, lines=5)      # any field of SimConfig
    async def test_my_client_stays_within_five_lines(ib_gateway): ...

The gateway runs on a thread with an event loop of its own, so synchronous and asynchronous tests
use it alike. pytest loads this module by itself when ibkeeper is installed; it imports the
simulator when the fixture is first used, and nothing before that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ibcore.sim.threaded import ThreadedGateway


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "ib_gateway(**settings): fields of SimConfig for the fixture ib_gateway"
    )


@pytest.fixture
def start_ib_gateway() -> Iterator[Callable[..., ThreadedGateway]]:
    """Return a function that starts one more gateway; all are stopped after the test."""
    from ibcore.sim.config import SimConfig
    from ibcore.sim.threaded import ThreadedGateway

    with ExitStack() as stack:

        def start(**settings: Any) -> ThreadedGateway:
            return stack.enter_context(ThreadedGateway(SimConfig(**settings)))

        yield start


@pytest.fixture
def ib_gateway(
    request: pytest.FixtureRequest, start_ib_gateway: Callable[..., ThreadedGateway]
) -> ThreadedGateway:
    """Run a simulated gateway: `.port`, `.ledger`, `.fault(name, for_s)`."""
    marker = request.node.get_closest_marker("ib_gateway")
    return start_ib_gateway(**(marker.kwargs if marker else {}))
