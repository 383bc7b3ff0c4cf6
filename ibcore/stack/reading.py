"""What the database says about the running system, read once into one frozen value.

The live view and `ibkeeper status` both stand on it: what a person sees is what SQL says, never
a counter of the process that draws. Rates are differences between two readings of the
sidecar's own totals, divided by the time between its heartbeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

_T = TypeVar("_T")

_SIDECAR: Final = """
SELECT name, state, pid, host, epoch, started_at, heartbeat_at,
       extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS heartbeat_age_s,
       lines_used, lines_limit, ticks_total, rows_total, backlog_rows, dropped_rows,
       latency_p50_ms, latency_p99_ms
  FROM ibkeeper.sidecar WHERE name = %(sidecar)s
"""

# The newest event, not the newest session: between two attempts there is no session at all.
_SESSIONS: Final = """
SELECT DISTINCT ON (e.role) e.role, e.new_state AS state, e.at AS since, e.attempt, e.backoff_s,
       e.reason, s.host, s.port, s.client_id
  FROM ibkeeper.session_event e LEFT JOIN ibkeeper.session s ON s.id = e.session_id
 WHERE e.sidecar = %(sidecar)s ORDER BY e.role, e.id DESC
"""

_QUOTES: Final = """
SELECT symbol, sec_type, expiry, strike::float8 AS strike, "right",
       bid, bid_size, ask, ask_size, last, age_s::float8 AS age_s,
       coalesce(model_iv, implied_volatility) AS iv, model_delta AS delta
  FROM ibkeeper.v_quote_latest
 ORDER BY sec_type = 'OPT', symbol, expiry, strike, "right" LIMIT %(limit)s
"""

# `quote` is by day and instrument; its newest row overall is the newest of the cache.
_NEWEST: Final = """
SELECT extract(epoch FROM clock_timestamp() - max(recv_ts))::float8 FROM ibkeeper.quote_latest
"""

_WATCH: Final = """
SELECT coalesce(jsonb_object_agg(state, n), '{}') FROM (
  SELECT state, count(*) AS n FROM ibkeeper.watch WHERE sidecar = %(sidecar)s GROUP BY state) AS c
"""

_PROVIDERS: Final = """
SELECT coalesce(jsonb_object_agg(provider, n), '{}') FROM (
  SELECT provider, count(*) AS n FROM ibkeeper.v_provider
   WHERE sidecar = %(sidecar)s GROUP BY provider) AS c
"""

_INCIDENTS: Final = """
SELECT kind, severity, summary, opened_at, times_seen FROM ibkeeper.incident
 WHERE closed_at IS NULL ORDER BY severity = 'critical' DESC, opened_at
"""

_SINKS: Final = """
SELECT name, published, error, newest_ts,
       extract(epoch FROM clock_timestamp() - noted_at)::float8 AS silent_s
  FROM ibkeeper.sink ORDER BY name
"""


# A heartbeat comes every second; one this old is a process that hangs or is gone.
HEARTBEAT_OLD_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class SidecarRow:
    """The heartbeat row of one sidecar."""

    name: str
    state: str
    pid: int | None
    host: str | None
    epoch: int
    started_at: datetime
    heartbeat_at: datetime | None
    heartbeat_age_s: float | None
    lines_used: int | None
    lines_limit: int | None
    ticks_total: int | None
    rows_total: int | None
    backlog_rows: int | None
    dropped_rows: int | None
    latency_p50_ms: float | None
    latency_p99_ms: float | None

    @property
    def is_silent(self) -> bool:
        """Say that the row tells of the past: its process has not written for too long."""
        return self.heartbeat_age_s is None or self.heartbeat_age_s > HEARTBEAT_OLD_S


@dataclass(frozen=True, slots=True)
class SessionRow:
    """Where one API connection stands."""

    role: str
    state: str
    since: datetime
    attempt: int | None
    backoff_s: float | None
    reason: str | None
    host: str | None
    port: int | None
    client_id: int | None


@dataclass(frozen=True, slots=True)
class QuoteRow:
    """The current values of one instrument."""

    symbol: str
    sec_type: str
    expiry: date | None
    strike: float | None
    right: str | None
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    last: float | None
    age_s: float | None
    iv: float | None
    delta: float | None

    @property
    def label(self) -> str:
        """Return what a person calls the instrument."""
        if not self.right or self.expiry is None:
            return self.symbol
        return f"{self.symbol} {self.expiry:%d%b%y} {self.strike:g} {self.right}"


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """Something a person has to know, and that is not over."""

    kind: str
    severity: str
    summary: str
    opened_at: datetime
    times_seen: int


@dataclass(frozen=True, slots=True)
class SinkRow:
    """A place that rows are published to beside the database."""

    name: str
    published: int
    error: str | None
    newest_ts: datetime | None
    silent_s: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages and rows a second between two heartbeats."""

    ticks_per_s: float
    rows_per_s: float


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything the view and the status need, of one moment."""

    sidecar: SidecarRow | None = None
    sessions: tuple[SessionRow, ...] = ()
    quotes: tuple[QuoteRow, ...] = ()
    watch: Mapping[str, int] = field(default_factory=dict)
    newest_quote_age_s: float | None = None
    incidents: tuple[IncidentRow, ...] = ()
    sinks: tuple[SinkRow, ...] = ()
    providers: Mapping[str, int] = field(default_factory=dict)

    def session(self, role: str) -> SessionRow | None:
        """Return the connection of a role."""
        return next((session for session in self.sessions if session.role == role), None)


async def take(conn: AsyncConnection[Any], sidecar: str, *, quotes: int = 60) -> Reading:
    """Read everything once."""
    wanted = {"sidecar": sidecar, "limit": quotes}
    heartbeats = await _rows(conn, _SIDECAR, wanted, SidecarRow)
    return Reading(
        heartbeats[0] if heartbeats else None,
        await _rows(conn, _SESSIONS, wanted, SessionRow),
        await _rows(conn, _QUOTES, wanted, QuoteRow),
        await _scalar(conn, _WATCH, wanted) or {},
        await _scalar(conn, _NEWEST, wanted),
        await _rows(conn, _INCIDENTS, wanted, IncidentRow),
        await _rows(conn, _SINKS, wanted, SinkRow),
        await _scalar(conn, _PROVIDERS, wanted) or {},
    )


def rates(older: Reading | None, newer: Reading) -> Rates | None:
    """Return the rates between two readings; None until two heartbeats of one run are known."""
    before, now = (older.sidecar if older else None), newer.sidecar
    if before is None or now is None or before.epoch != now.epoch:
        return None
    if before.heartbeat_at is None or now.heartbeat_at is None:
        return None
    seconds = (now.heartbeat_at - before.heartbeat_at).total_seconds()
    if seconds <= 0:
        return None
    return Rates(
        ((now.ticks_total or 0) - (before.ticks_total or 0)) / seconds,
        ((now.rows_total or 0) - (before.rows_total or 0)) / seconds,
    )


async def _scalar(conn: AsyncConnection[Any], query: Any, parameters: Mapping[str, Any]) -> Any:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        return await (await cursor.execute(query, parameters)).fetchone()


async def _rows(
    conn: AsyncConnection[Any], query: Any, parameters: Mapping[str, Any], kind: type[_T]
) -> tuple[_T, ...]:
    async with conn.cursor(row_factory=class_row(kind)) as cursor:
        return tuple(await (await cursor.execute(query, parameters)).fetchall())
