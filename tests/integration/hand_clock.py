"""Clocks of another day: one that moves by hand, one that runs; gateways that follow them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ibcore import clock as wall
from ibcore.sim.server import Gateway
from tests.integration.sim_client import eventually

_NOON = datetime(2026, 11, 23, 17, 0, tzinfo=timezone.utc)


class HandClock:
    """One Monday at noon in New York; every reading follows `now`."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def utcnow(self) -> datetime:
        return _NOON + timedelta(seconds=self.now - 1_000.0)

    def unix_ns(self) -> int:
        return int(_NOON.timestamp()) * 1_000_000_000 + int((self.now - 1_000.0) * 1e6) * 1_000


class OnMonday:
    """The wall clock, moved to a Monday at noon in New York when it is made."""

    def __init__(self) -> None:
        self._shift = _NOON - wall.utcnow()

    def monotonic(self) -> float:
        return wall.monotonic()

    def utcnow(self) -> datetime:
        return wall.utcnow() + self._shift

    def unix_ns(self) -> int:
        """Return the true time: the ledger's stamps are compared with arrivals."""
        return wall.unix_ns()


async def passes(gateway: Gateway, clock: HandClock, seconds: float) -> None:
    """Let time pass; return when the gateway has done all that was due."""
    clock.now += seconds
    await eventually(lambda: gateway.turned_at == clock.now)
