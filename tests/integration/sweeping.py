"""A real IB client on a simulated gateway, and gateways that keep silent about something."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ib_async import IB, StartupFetchNONE

from ibcore.config import TickDefaults
from ibcore.sim.contracts import Contract
from ibcore.sim.requests import MarketData, Request
from ibcore.sim.server import Gateway, SimConfig
from ibcore.sim.session import Session
from ibcore.sim.subscriptions import Subscriptions
from sidecar.ib_compat import make_ib, sever
from sidecar.tap import LineTap

Silent = Callable[[Contract], bool]
CONTRACT_DETAILS = 9


class SilentSubscriptions(Subscriptions):
    """Accepts lines on some contracts and never says a word about them."""

    def __init__(self, gateway: Gateway, silent: Silent) -> None:
        super().__init__(
            gateway.source,
            gateway.ledger,
            farms=gateway.farms,
            permissions=gateway.permissions,
            limit=gateway.config.lines,
        )
        self._silent = silent
        self._silenced: set[int] = set()

    def open(self, session: Session, request: MarketData, *, now: float, snapshot_s: float) -> None:
        found = self._source.universe.find(request.spec)
        if len(found) == 1 and self._silent(found[0]):
            self._silenced.add(request.req_id)
        else:
            super().open(session, request, now=now, snapshot_s=snapshot_s)

    def cancel(self, session: Session, req_id: int) -> None:
        if req_id not in self._silenced:
            super().cancel(session, req_id)


def silent_gateway(config: SimConfig, silent: Silent) -> Gateway:
    """Return a gateway that accepts lines on `silent` contracts and sends nothing for them."""
    gateway = Gateway(config)
    gateway.subscriptions = SilentSubscriptions(gateway, silent)
    return gateway


class DeafGateway(Gateway):
    """Never answers a question about contracts; does `on_details` instead."""

    def on_details(self) -> object:
        """Do nothing, as a gateway whose definition farm sleeps."""

    def answer(self, session: Session, request: Request) -> None:
        if request.msg_id == CONTRACT_DETAILS:
            self.on_details()
        else:
            super().answer(session, request)


def deaf_gateway() -> DeafGateway:
    """Return a gateway that takes every question about contracts and answers none."""
    return DeafGateway(SimConfig())


@asynccontextmanager
async def connected(gateway: Gateway, tap: LineTap, *, client_id: int = 11) -> AsyncIterator[IB]:
    """Connect as the sweep session does."""
    ib = make_ib(TickDefaults(), tap)
    await ib.connectAsync(
        "127.0.0.1", gateway.port, client_id, timeout=5, fetchFields=StartupFetchNONE
    )
    try:
        yield ib
    finally:
        await sever(ib)
