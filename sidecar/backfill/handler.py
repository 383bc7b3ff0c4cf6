"""The handler of requests of kind `gap_backfill`: fills what it may ask for, leaves the rest.

    v_gap x watch list -> holes nobody asked for yet -> ticks or bars from IB, on the sweep session
    -> gap_fill and its rows, and the incident, in the transaction that completes the request

Running it again goes on where the last run stopped: a hole is asked for once.
"""

from __future__ import annotations

from typing import Final, Protocol

import anyio
from ib_async import IB
from psycopg.rows import dict_row
from pydantic import ValidationError

from ibcore import db
from ibcore.backfill import BackfillRequest
from ibcore.errors import NotReady, RequestTimedOut, SessionLost
from ibcore.policy import Pacer
from sidecar.backfill.fill import fill, source_of
from sidecar.backfill.history import History, OutOfQuestions
from sidecar.backfill.hole import Fill, Hole
from sidecar.backfill.pacing import HistoryPacer
from sidecar.backfill.store import Haul
from sidecar.job import Done, Job
from sidecar.refusal import Refused

SESSION_S: Final = 10.0
# Kept for the transaction that stores what was found.
STORE_S: Final = 5.0
MOST_ROWS: Final = 500_000


class ReadySession(Protocol):
    """A supervised session."""

    async def ready(self) -> IB:
        """Wait until the session is ready and return its client."""


class GapBackfill:
    """Fills the gaps of one sidecar; one run at a time."""

    def __init__(self, url: str, session: ReadySession, *, sidecar: str, pacer: Pacer) -> None:
        self._url = url
        self._session = session
        self._sidecar = sidecar
        self._pacer = pacer
        self._history_pacer = HistoryPacer()
        self._one_at_a_time = anyio.Lock()

    async def __call__(self, job: Job) -> Done:
        """Do what `job` asks for."""
        wanted = _wanted(job)
        async with self._one_at_a_time:
            holes = await self._holes(wanted)
            fills, why_left = await self._fill(job, wanted, holes) if holes else ([], None)
        left = len(holes) - len(fills)
        return Done(Haul(job.id, self._sidecar, fills, left, why_left).write)

    async def _holes(self, wanted: BackfillRequest) -> list[Hole]:
        values = {
            "sidecar": self._sidecar,
            "shortest_s": wanted.shortest_s,
            "lookback_days": wanted.lookback_days,
        }
        async with db.opened(self._url, application="backfill") as conn:
            with db.translated():
                async with conn.cursor(row_factory=dict_row) as cursor:
                    await cursor.execute(db.QUERIES["gaps_to_fill"], values)
                    rows = await cursor.fetchall()
        # Several lines of one contract are one hole.
        return list({(row["instrument_id"], row["from_ts"], row["to_ts"]): Hole.of(row)
                     for row in rows}.values())  # fmt: skip

    async def _fill(
        self, job: Job, wanted: BackfillRequest, holes: list[Hole]
    ) -> tuple[list[Fill], str | None]:
        ib = await self._client()
        ends_at = job.ends_at - STORE_S
        history = History(ib, self._pacer, self._history_pacer, ends_at, wanted.questions)
        fills: list[Fill] = []
        job.progress.report(0, len(holes))
        for hole in holes:
            if sum(one.rows for one in fills) > MOST_ROWS:
                return fills, f"{MOST_ROWS:,} rows are enough for one transaction"
            try:
                fills.append(await fill(history, hole, source_of(wanted, hole)))
            except (OutOfQuestions, RequestTimedOut, SessionLost, NotReady) as stop:
                return fills, str(stop)
            job.progress.report(len(fills))
        return fills, None

    async def _client(self) -> IB:
        with anyio.move_on_after(SESSION_S):
            return await self._session.ready()
        raise NotReady(
            f"The sweep session was not ready within {SESSION_S:g} s.",
            remedy="Nothing was stored. The sidecar reconnects by itself; run again.",
        )


def _wanted(job: Job) -> BackfillRequest:
    try:
        return BackfillRequest.model_validate(job.payload)
    except ValidationError as invalid:
        wrong = "; ".join(
            f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors()
        )
        raise Refused("invalid_request", f"{wrong}.", remedy="Nothing was stored.") from None
