"""Looks at the running parts of the sidecar. Memory only: it works while the database is away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, NoReturn

import anyio

from ibcore.clock import monotonic, utcnow
from ibcore.config import Settings
from ibcore.domain import Provider
from ibcore.liveness.health import LineHealth
from sidecar.heartbeat import Heartbeat, own_version
from sidecar.journal import Entry
from sidecar.providers.switch_journal import Switched
from sidecar.session import Session
from sidecar.web import trace
from sidecar.web.live import (
    BackupNow,
    DatabaseNow,
    FeedNow,
    LineNow,
    Live,
    ProviderView,
    SessionNow,
    SpoolNow,
)
from sidecar.web.trace import Counted, Trace

if TYPE_CHECKING:
    from ib_async import Contract

    from sidecar.app import Parts

# A heartbeat comes every second; rows are committed within hundredths of one.
SILENT_S: Final = 5.0


class Eyes:
    """Sees the parts of one sidecar."""

    def __init__(self, settings: Settings, parts: Parts, heartbeat: Heartbeat) -> None:
        self.started_at = utcnow()
        self.trace = Trace()
        self._settings = settings
        self._parts = parts
        self._heartbeat = heartbeat
        self._silent_s = max(SILENT_S, 3 * settings.sidecar.heartbeat_s)
        self._names = sorted(parts.workers() | parts.keepers())

    async def run(self) -> NoReturn:
        """Look at the counters once a second, until cancelled."""
        while True:
            stats = self._parts.recorder.stats()
            p50, p99 = stats.latency_p50_ms, stats.latency_p99_ms
            counted = Counted(stats.ticks_total, stats.rows_total, p50, p99)
            self.trace.look(monotonic(), utcnow(), counted)
            await anyio.sleep(trace.EVERY_S)

    def running(self) -> dict[str, bool]:
        """Return which parts run."""
        tasks = {task.get_name() for task in asyncio.all_tasks()}
        return {name: name in tasks for name in self._names}

    def steps(self) -> tuple[Entry, ...]:
        """Return the newest steps of all sessions, oldest first."""
        return tuple(self._parts.journal.recent)

    def switches(self) -> tuple[Switched, ...]:
        """Return the newest switches of providers, oldest first."""
        journal = self._parts.backing.switches
        return () if journal is None else tuple(journal.recent)

    def names(self) -> dict[int, str]:
        """Return what a person calls the instruments of the lines."""
        wanted = self._parts.watcher.lines.wanted().values()
        return {one.line.instrument_id: name_of(one.contract) for one in wanted}

    def look(self) -> Live:
        """Return what is so now."""
        parts = self._parts
        lines = tuple(sorted(self._lines(), key=lambda line: (not line.is_out, line.name)))
        return Live(
            at=utcnow(),
            sidecar=self._settings.sidecar.name,
            version=own_version(),
            started_at=self.started_at,
            state=self._heartbeat.state,
            sessions=tuple(self._sessions()),
            lines=lines,
            providers=self._providers(lines),
            feed=self._feed(),
            rates=self.trace.rates(),
            spool=self._spool(),
            database=self._database(),
            lines_used=parts.budget.used,
            lines_limit=parts.budget.limit,
        )

    def _sessions(self) -> Iterator[SessionNow]:
        parts = self._parts
        newest = {entry.step.role: entry for entry in parts.journal.recent}
        sessions = [parts.stream, *parts.sweep.sessions]
        sessions += [parts.orders.session] if parts.orders else []
        sessions += [parts.backing.standby.session] if parts.backing.standby else []
        for session in sessions:
            yield _session(session, newest.get(session.role), self._entered(session))

    def _entered(self, session: Session) -> datetime | None:
        """Return when it came to the state it is in: notices are steps too, but none of that."""
        since = None
        for entry in reversed(self._parts.journal.recent):
            step = entry.step
            if step.role == session.role:
                if step.new_state is not session.state:
                    break
                since = step.at
        return since

    def _lines(self) -> Iterator[LineNow]:
        wanted = {w.line.instrument_id: w for w in self._parts.watcher.lines.wanted().values()}
        for health in self._parts.streaming.liveness.health():
            one = wanted.get(health.instrument_id)
            if one is not None:
                yield self._line(health, one.contract, one.line.sec_type)

    def _line(self, health: LineHealth, contract: Contract, sec_type: str) -> LineNow:
        number, backing = health.instrument_id, self._parts.backing
        seen = [(backup.provider, backup.rung(number).health) for backup in backing.backups]
        return LineNow(
            instrument_id=number,
            name=name_of(contract),
            sec_type=sec_type,
            cause=health.cause,
            since=health.since,
            provider=backing.active(number),
            age_s=health.age_s,
            expected_s=health.expected_s,
            rate_per_min=health.rate_per_min,
            backups={one: health.cause for one, health in seen if health is not None},
        )

    def _providers(self, lines: tuple[LineNow, ...]) -> ProviderView:
        backing = self._parts.backing
        counted: Mapping[Provider, int] = Counter(line.provider for line in lines)
        return ProviderView(
            {one: counted.get(one, 0) for one in (Provider.ib, *_backups(backing.gates))},
            tuple(BackupNow(one.provider, one.backup.is_ready) for one in backing.backups),
            0 if backing.router is None else backing.router.switches,
        )

    def _feed(self) -> FeedNow:
        recorder = self._parts.recorder
        stats = recorder.stats()
        return FeedNow(
            ticks_total=stats.ticks_total,
            rows_total=recorder.seq,
            committed_total=stats.rows_total,
            waiting_rows=stats.backlog_rows,
            lost_rows=stats.dropped_rows,
            oldest_s=recorder.oldest_s(),
            p50_ms=stats.latency_p50_ms,
            p99_ms=stats.latency_p99_ms,
            max_ms=stats.latency_max_ms,
        )

    def _spool(self) -> SpoolNow:
        depth, gauge = self._parts.recorder.depth, self._parts.recorder.gauge
        limit = self._settings.recorder.spool_mib * 2**20
        return SpoolNow(depth.bytes, depth.rows, limit, gauge.room.name)

    def _database(self) -> DatabaseNow:
        silent_s = monotonic() - self._heartbeat.beaten_at
        oldest_s = self._parts.recorder.oldest_s()
        why = self._heartbeat.away
        if why is None and silent_s > self._silent_s:
            why = f"The database has not answered for {silent_s:.0f} s."
        elif why is None and oldest_s > self._silent_s:
            why = f"The oldest row has waited for {oldest_s:.0f} s."
        return DatabaseNow(why is None, silent_s, why)


def _backups(gates: Mapping[Provider, object]) -> Iterator[Provider]:
    return (provider for provider in gates if provider is not Provider.ib)


def _session(session: Session, newest: Entry | None, since: datetime | None) -> SessionNow:
    step = None if newest is None else newest.step
    attempt = None if newest is None else newest.attempt
    return SessionNow(
        role=session.role,
        provider="ib" if attempt is None else attempt.provider,
        state=session.state,
        link=session.link,
        endpoint=f"{session.endpoint.host}:{session.endpoint.port}",
        failures=session.failures,
        connects=session.connects,
        since=since,
        retry_s=None if step is None else step.backoff_s,
        reason=None if step is None else step.reason,
    )


def name_of(contract: Contract) -> str:
    """Return what a person calls a contract: SPY, or SPY 18Dec26 600 C."""
    day = contract.lastTradeDateOrContractMonth[:8]
    if not contract.right or len(day) != 8:
        return contract.localSymbol or contract.symbol
    expiry = f"{datetime.strptime(day, '%Y%m%d'):%d%b%y}"  # noqa: DTZ007 (a day)
    return f"{contract.symbol} {expiry} {contract.strike:g} {contract.right}"
