"""Keeps the lines that table `watch` asks this sidecar for.

    pending ─► active          docs/states.md has the table
       ├─────► failed          no such contract, refused, doubled
       └─────► over_budget     the allowance of lines is used up

NOTIFY is the hint, the poll the guarantee. The database is needed to learn what to watch and to
say what became of it; a reconnect subscribes from memory (`lines.Lines`) and needs none. What
failed is tried again with every new session, or when the row is set to pending or changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import anyio
from ib_async import IB

from ibcore import db
from ibcore.clock import monotonic
from ibcore.domain import ContractSpec, WatchState
from ibcore.errors import DatabaseUnavailable, NotReady, SessionFailed
from ibcore.log import get_logger
from ibcore.notices import Notice
from ibcore.policy import LineBudget, Pacer
from sidecar import instruments, watchlist
from sidecar.lines import Lines, LineSink
from sidecar.qualify import (
    MESSAGES_PER_S,
    Ambiguous,
    Failed,
    Outcome,
    Qualified,
    TimedOut,
    Unknown,
    qualify,
)
from sidecar.watchlist import Verdict, WatchRow

log = get_logger(__name__)

CHANNEL: Final = "ibkeeper_watch"
# So many are qualified before the first of them is subscribed.
CHUNK: Final = 20
# A line that streams is asked about again so long after its description could not be had.
RENEW_AGAIN_S: Final = 600.0


class Watcher:
    """Turns the watch list into lines, and tells the watch list what became of them."""

    def __init__(
        self,
        database_url: str,
        *,
        sidecar: str,
        sink: LineSink,
        budget: LineBudget,
        client: Callable[[], IB | None],
        market_data_type: int = 1,
        poll_s: float = 2.0,
    ) -> None:
        self._url = database_url
        self._sidecar = sidecar
        self._client = client
        self._poll_s = poll_s
        self._pacer = Pacer(MESSAGES_PER_S)
        self._wake = asyncio.Event()
        self._asked: dict[int, tuple[ContractSpec, str | None, int]] = {}
        self._given_up: dict[int, tuple[ContractSpec, str | None, int]] = {}
        self._verdicts: dict[int, Verdict] = {}
        self._renew_after: dict[int, float] = {}
        self.lines = Lines(sink, budget, market_data_type=market_data_type, report=self._report)

    # what the session calls

    def on_ready(self, ib: IB) -> None:
        """Subscribe everything on the new session, and give failed lines another chance."""
        self._given_up.clear()
        self.lines.connected(ib)
        self._wake.set()

    def on_lost(self, reason: str) -> None:
        """Note that no line is subscribed any more."""
        self.lines.lost(reason)

    def on_notice(self, req_id: int, notice: Notice, text: str) -> None:
        """Take what IB says about a line."""
        self.lines.notice(req_id, notice, text)

    # tasks

    async def run(self) -> None:
        """Follow the watch list until cancelled; a database that is away is waited for."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen, name="watch: listen")
            group.start_soon(self._follow, name="watch: follow")

    async def _listen(self) -> NoReturn:
        while True:
            try:
                async with db.opened(self._url, application="watch listen") as conn:
                    async for _ in db.listen_or_poll(conn, CHANNEL, poll_s=self._poll_s):
                        self._wake.set()
            except DatabaseUnavailable:
                await anyio.sleep(self._poll_s)  # the other task says so

    async def _follow(self) -> NoReturn:
        while True:
            try:
                async with db.opened(self._url, application="watch") as conn:
                    while True:
                        await self._wake.wait()
                        self._wake.clear()
                        await self._sync(conn)
            except DatabaseUnavailable as away:
                log.warning("watch_paused", why=str(away), lines=self.lines.active)
                self._wake.set()
                await anyio.sleep(self._poll_s)

    async def _sync(self, conn: db.Connection) -> None:
        silent: set[int] = set()
        while True:
            await self._write_verdicts(conn)
            rows = await watchlist.read(conn, self._sidecar)
            self._let_go(rows)
            waiting = [row for row in rows if self._is_worth_a_try(row)]
            for row in waiting:
                self._place(row)
            await self._write_verdicts(conn)
            # Also of lines that are held: IB's description, with its trading hours, is a day old.
            aged = [row for row in rows if row.watch_id in self.lines and not self._renewed(row)]
            unknown = [r for r in waiting + aged if r.wanted is None and r.watch_id not in silent]
            if not unknown or not await self._qualify(conn, unknown[:CHUNK], silent):
                return

    # steps

    def _let_go(self, rows: Sequence[WatchRow]) -> None:
        listed = {row.watch_id: row.asks_for for row in rows}
        for watch_id in self.lines.wanted():
            if listed.get(watch_id) != self._asked.get(watch_id):
                self.lines.release(watch_id)
        for watch_id in [gone for gone in self._given_up if gone not in listed]:
            del self._given_up[watch_id]
        self._asked = listed

    def _is_worth_a_try(self, row: WatchRow) -> bool:
        if row.watch_id in self.lines:
            return False
        given_up = self._given_up.get(row.watch_id) == row.asks_for
        return not (given_up and row.state is WatchState.failed)

    def _renewed(self, row: WatchRow) -> bool:
        if row.wanted is not None:
            self.lines.take_hours(row.watch_id, row.wanted.hours)
            return True
        return monotonic() < self._renew_after.get(row.watch_id, 0.0)

    def _place(self, row: WatchRow) -> None:
        if row.wanted is not None:
            self.lines.hold(row.wanted)
        elif self._client() is None:
            self._report(row.watch_id, WatchState.pending, "waits for the session")

    async def _qualify(
        self, conn: db.Connection, rows: Sequence[WatchRow], silent: set[int]
    ) -> bool:
        ib = self._client()
        if ib is None:
            return False
        try:
            outcomes = await qualify(ib, [row.spec for row in rows], pacer=self._pacer)
        except (NotReady, SessionFailed):
            return False
        known = {
            row.watch_id: outcome
            for row, outcome in zip(rows, outcomes, strict=True)
            if isinstance(outcome, Qualified)
        }
        with db.translated():
            ids = await instruments.upsert(conn, [one.details for one in known.values()])
        places = {watch_id: ids[one.contract.conId] for watch_id, one in known.items()}
        await watchlist.write_instruments(conn, places)
        for row, outcome in zip(rows, outcomes, strict=True):
            self._judge(row, outcome, silent)
        return True

    def _judge(self, row: WatchRow, outcome: Outcome, silent: set[int]) -> None:
        if isinstance(outcome, Qualified):
            return
        silent.add(row.watch_id)
        if row.watch_id in self.lines:  # it streams, whatever became of the question
            self._renew_after[row.watch_id] = monotonic() + RENEW_AGAIN_S
            return
        state = WatchState.failed
        if isinstance(outcome, TimedOut):
            state = WatchState.pending
        self._report(row.watch_id, state, explain(outcome))

    def _report(self, watch_id: int, state: WatchState, reason: str | None) -> None:
        self._verdicts[watch_id] = Verdict(state, reason)
        if state is WatchState.failed and watch_id in self._asked:
            self._given_up[watch_id] = self._asked[watch_id]
            log.warning("watch_failed", watch_id=watch_id, why=reason)
        self._wake.set()

    async def _write_verdicts(self, conn: db.Connection) -> None:
        verdicts = dict(self._verdicts)
        await watchlist.write_verdicts(conn, verdicts.items())
        for watch_id, written in verdicts.items():
            if self._verdicts.get(watch_id) == written:
                del self._verdicts[watch_id]


def explain(outcome: Outcome) -> str | None:
    """Say in words why an outcome is no contract."""
    match outcome:
        case Qualified():
            return None
        case Ambiguous(candidates):
            found = [one.contract for one in candidates[:3] if one.contract is not None]
            examples = ", ".join(f"{one.localSymbol} ({one.conId})" for one in found)
            return f"{len(candidates)} contracts match, e.g. {examples}; say which"
        case Unknown():
            return "IB knows no such contract"
        case Failed(code, text):
            return f"IB {code}: {text}"
        case TimedOut(timeout_s):
            return f"no answer to the contract question in {timeout_s:g} s; asked again"
