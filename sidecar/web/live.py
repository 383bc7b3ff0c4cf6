"""What is so at one moment, as frozen values: the sessions, the lines, the rows, the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ibcore.domain import Provider, SessionState
from ibcore.link_states import LinkState
from ibcore.liveness.health import OUTAGES, LineCause
from sidecar.web.trace import Rates


@dataclass(frozen=True, slots=True)
class SessionNow:
    """One connection."""

    role: str
    provider: str
    state: SessionState
    link: LinkState
    endpoint: str
    failures: int = 0
    connects: int = 0
    since: datetime | None = None
    retry_s: float | None = None
    reason: str | None = None

    @property
    def serves(self) -> bool:
        """Say whether it is up, and its gateway's link to IB too."""
        return self.state is SessionState.ready and self.link is not LinkState.lost


@dataclass(frozen=True, slots=True)
class LineNow:
    """One streamed line; `backups`: the cause of the same line at each backup provider."""

    instrument_id: int
    name: str
    sec_type: str
    cause: LineCause
    since: datetime
    provider: Provider = Provider.ib
    age_s: float | None = None
    expected_s: float | None = None
    rate_per_min: float | None = None
    backups: Mapping[Provider, LineCause] = field(default_factory=dict)

    @property
    def is_out(self) -> bool:
        """Say whether its silence is an outage."""
        return self.cause in OUTAGES


@dataclass(frozen=True, slots=True)
class BackupNow:
    """One backup provider."""

    provider: Provider
    ready: bool


@dataclass(frozen=True, slots=True)
class ProviderView:
    """Who the rows are taken from: instruments by provider; without a backup all from IB."""

    instruments: Mapping[Provider, int] = field(default_factory=dict)
    backups: tuple[BackupNow, ...] = ()
    switches_total: int = 0

    @property
    def away(self) -> dict[Provider, int]:
        """Return what is taken from a backup."""
        primary = Provider.ib
        return {one: count for one, count in self.instruments.items() if one is not primary}


@dataclass(frozen=True, slots=True)
class FeedNow:
    """Ticks that came and rows that were made of them, since the start."""

    ticks_total: int = 0
    rows_total: int = 0
    committed_total: int = 0
    waiting_rows: int = 0
    lost_rows: int = 0
    oldest_s: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None


@dataclass(frozen=True, slots=True)
class SpoolNow:
    """What the spool's file holds."""

    bytes: int = 0
    rows: int = 0
    limit_bytes: int = 0
    room: str = "enough"


@dataclass(frozen=True, slots=True)
class DatabaseNow:
    """Whether rows are being committed; `silent_s`: since the database last answered."""

    ok: bool
    silent_s: float = 0.0
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """Everything that the memory knows, at one moment."""

    at: datetime
    sidecar: str
    version: str
    started_at: datetime
    state: str
    sessions: tuple[SessionNow, ...]
    lines: tuple[LineNow, ...]
    providers: ProviderView
    feed: FeedNow
    rates: Rates
    spool: SpoolNow
    database: DatabaseNow
    lines_used: int = 0
    lines_limit: int = 0

    @property
    def stream(self) -> SessionNow:
        """Return the session that streams."""
        return next(one for one in self.sessions if one.role == "stream")
