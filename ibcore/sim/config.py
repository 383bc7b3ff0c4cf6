"""What a simulated gateway is told at start, and the clock it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ibcore import clock as wall
from ibcore.sim import farms, limits, permissions, schedule, wire
from ibcore.sim.catalogue import CATALOGUE, DEFAULT_SYMBOLS
from ibcore.sim.historypacing import MODES


class Clock(Protocol):
    """What the simulator needs of a clock; the module `ibcore.clock` is one."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def utcnow(self) -> datetime:
        """Return the wall clock, aware."""

    def unix_ns(self) -> int:
        """Return the wall clock in nanoseconds since 1970."""


def _wall_clock() -> Clock:
    return wall


@dataclass(frozen=True)
class SimConfig:
    """Settings of one simulated gateway."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one, read it from Gateway.port
    control_port: int | None = None  # None: no control port; 0: any free one
    seed: int = 7
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    account: str = "DU1234567"
    lines: int | None = 100  # market-data lines of the user, over all sessions
    cadence_scale: float = 1.0  # 0.1: ten times as fast as IB sends
    snapshot_s: float = 11.0  # how long IB takes to end a snapshot; scaled as the cadence is
    tape: Path | str | None = None
    speed: float = 1.0
    tape_symbol: str = "TAPE"  # who a recorded-ticks tape is served as
    tape_start: str = "09:30"  # New York time at which a day's tape begins
    tape_loop: bool = False  # False: hold the last values
    time: str = "now"  # what clients are told the time is: now, or the tape's ("tape")
    rate: float | None = None  # messages a second in all, every one a change; for benches
    ledger_limit: int | None = None  # ticks and requests kept; None: all
    messages_per_second: float | None = limits.MESSAGES_A_SECOND  # a connection's; None: no limit
    server_version: int = wire.SERVER_VERSION  # claimed at most; an old one is refused by clients
    farm_wake_s: float = farms.WAKE_S  # how long a market-data farm takes to wake; 0: never sleeps
    nightly: str | None = None  # New York time of a nightly reset, every day
    trading_hours: bool = False  # True: orders wait for 09:30 in New York (399)
    cancel_s: float = 0.0  # how long a cancel takes; until then the order may fill
    master_client_id: int | None = None  # hears of every client's orders
    tif_preset: bool = True  # an order without time in force is told that it is for the day (10349)
    write_limit: int = 1 << 20  # bytes unsent at which a slow client's lines are conflated
    # By symbol, "*" for the rest: live, partial, additional, delayed or none (module permissions).
    permissions: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False  # the market is closed: nothing moves, and only frozen data has quotes
    history_pacing: str = "small"  # what IB's pacing is held to: small (bars <= 30 s), all, off
    clock: Clock = field(default_factory=_wall_clock)

    def __post_init__(self) -> None:
        unknown = [
            symbol for symbol in (*self.symbols, self.tape_symbol) if symbol not in CATALOGUE
        ]
        if unknown:
            raise ValueError(
                f"The simulator does not know {', '.join(unknown)};"
                f" it knows {', '.join(CATALOGUE)}."
            )
        if self.time not in ("now", "tape") or (self.time == "tape" and self.tape is None):
            raise ValueError(f"time must be now, or tape if there is one, not {self.time!r}.")
        permissions.check(self.permissions)
        if self.history_pacing not in MODES:
            raise ValueError(f"history_pacing must be one of {', '.join(MODES)}.")
        for name in ("speed", "cadence_scale", "snapshot_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}.")
        if self.nightly is not None:
            schedule.parse(self.nightly)
        if not wire.OLDEST_VERSION <= self.server_version <= wire.SERVER_VERSION:
            raise ValueError(
                f"server_version must be {wire.OLDEST_VERSION} to {wire.SERVER_VERSION},"
                f" not {self.server_version}."
            )
        if self.rate is not None and self.rate <= 0:
            raise ValueError(f"rate must be above 0, not {self.rate}.")
        if self.rate is not None and self.tape is not None:
            raise ValueError("A tape has its own pace: give either rate or tape.")
