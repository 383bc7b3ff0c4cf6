"""The flows' only door to the database: ask the sidecar for something, and wait for its answer.

A request is a row; the sidecar claims it and ends it. NOTIFY tells when to look, the poll makes
sure. Whoever waits learns in every case how it ended: answered, refused, out of time, or that no
sidecar is there to answer. What nobody waits for any more is withdrawn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from psycopg.rows import dict_row

from ibcore import config, db, roles, upkeep
from ibcore.config import MaintenanceSettings
from ibcore.domain import RequestState
from ibcore.errors import NotReady, RequestFailed, RequestTimedOut

CHANNEL: Final = "ibkeeper_request_done"
POLL_S: Final = 1.0
# The sidecar says every second that it lives.
DOWN_AFTER_S: Final = 10.0
# The sidecar ends a request at its deadline by itself; after this long it will not.
GRACE_S: Final = 5.0

OnProgress = Callable[[int, int], Awaitable[None]]


class Ask(NamedTuple):
    """What is asked of the sidecar. `sidecar` None: any."""

    kind: str
    payload: Mapping[str, Any]
    deadline_s: float
    requested_by: str
    sidecar: str | None = None


async def _ignore(_done: int, _total: int) -> None:
    return


class Client:
    """Asks the sidecar through rows of `request`."""

    def __init__(self, url: str, *, grace_s: float = GRACE_S) -> None:
        self._url = url
        self._grace_s = grace_s

    @classmethod
    def from_settings(cls) -> Client:
        """Return a client of the configured database, or raise DatabaseUnavailable."""
        return cls(roles.url_as(db.resolve_url(config.load()), "flows"))

    async def ask(self, what: Ask, *, on_progress: OnProgress = _ignore) -> dict[str, Any]:
        """Return the sidecar's answer, or raise why there is none."""
        async with self.opened() as conn:
            await _require_sidecar(conn, what.sidecar, "Nothing was asked.")
            request_id = await _insert(conn, what)
            try:
                return await self._answer(conn, request_id, what, on_progress=on_progress)
            except NotReady:
                await _withdraw(conn, what.requested_by, "The sidecar is down.")
                raise

    async def withdraw(self, requested_by: str) -> int:
        """End what `requested_by` still asks for; return how many requests that were."""
        async with self.opened() as conn:
            return await _withdraw(conn, requested_by, "Withdrawn: nobody waits for it any more.")

    async def chain(self, snapshot_id: UUID | str) -> list[dict[str, Any]]:
        """Return the quotes of a snapshot, by expiry, strike and right."""
        async with self.opened() as conn:
            return await _rows(conn, "chain_quotes", {"snapshot_id": snapshot_id})

    async def gap_fills(self, request_id: UUID | str) -> list[dict[str, Any]]:
        """Return what became of each instrument of the gaps that a request asked for."""
        async with self.opened() as conn:
            return await _rows(conn, "gap_fills", {"request_id": request_id})

    async def smile(self, snapshot_id: UUID | str) -> list[dict[str, Any]]:
        """Return the volatility by expiry and strike of a snapshot."""
        async with self.opened() as conn:
            return await _rows(conn, "chain_smile", {"snapshot_id": snapshot_id})

    async def chain_export(self, snapshot_id: UUID | str) -> list[dict[str, Any]]:
        """Return everything that is known of a snapshot's contracts."""
        async with self.opened() as conn:
            return await _rows(conn, "chain_export", {"snapshot_id": snapshot_id})

    async def upkeep(self, settings: MaintenanceSettings) -> list[upkeep.Done]:
        """Do the upkeep of the database that is due; return what was looked at."""
        async with self.opened() as conn:
            return await upkeep.run(conn, settings)

    async def _answer(
        self, conn: db.Connection, request_id: UUID, what: Ask, *, on_progress: OnProgress
    ) -> dict[str, Any]:
        said: tuple[int, int] | None = None
        async for row in self._looks(conn, request_id):
            progress = (row["progress_done"], row["progress_total"])
            if progress[1] and progress != said:
                said = progress
                await on_progress(*progress)
            if row["state"] not in _OPEN:
                return _result(row)
            if row["remaining_s"] < -self._grace_s:
                await _withdraw(conn, what.requested_by, _TOO_LATE)
                raise RequestTimedOut(_TOO_LATE)
            await _require_sidecar(conn, what.sidecar, "The request was withdrawn.")
        raise AssertionError("looking never ends by itself")

    async def _looks(self, conn: db.Connection, request_id: UUID) -> AsyncIterator[dict[str, Any]]:
        async with self.opened() as listener:
            async for about in db.listen_or_poll(listener, CHANNEL, poll_s=POLL_S):
                if about is None or about == str(request_id):
                    yield (await _rows(conn, "request_look", {"id": request_id}))[0]

    def opened(self) -> AbstractAsyncContextManager[db.Connection]:
        """Open a connection for the length of a block."""
        return db.opened(self._url, application="flow")


_OPEN: Final = frozenset({RequestState.requested, RequestState.claimed})
_TOO_LATE: Final = (
    "The deadline passed and the sidecar did not end the request. It was withdrawn; look at the "
    "sidecar's log, then run again."
)


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    match RequestState(row["state"]):
        case RequestState.completed:
            return dict(row["result"] or {})
        case RequestState.expired:
            raise RequestTimedOut(row["error"])
        case _:
            raise RequestFailed(row["error"])


async def _insert(conn: db.Connection, what: Ask) -> UUID:
    values = what._asdict() | {"payload": orjson.dumps(what.payload).decode()}
    (row,) = await _rows(conn, "request_insert", values)
    request_id: UUID = row["id"]
    return request_id


async def _withdraw(conn: db.Connection, requested_by: str, why: str) -> int:
    values = {"requested_by": requested_by, "error": why, "error_kind": "withdrawn"}
    return len(await _rows(conn, "request_withdraw", values))


async def _require_sidecar(conn: db.Connection, name: str | None, safe: str) -> None:
    found = await _rows(conn, "sidecar_pulse", {"name": name})
    called = f"The sidecar {name}" if name else "The sidecar"
    if not found:
        what = f"{called} has never run on this database."
    elif found[0]["state"] == "stopped":
        what = f"{called} is stopped."
    elif found[0]["age_s"] is None or found[0]["age_s"] > DOWN_AFTER_S:
        age = "" if found[0]["age_s"] is None else f" for {found[0]['age_s']:.0f} s"
        what = f"{called} is down: no heartbeat{age}."
    else:
        return
    raise NotReady(what, remedy=f"{safe} Start it with `ibkeeper up` or `python -m sidecar`.")


async def _rows(conn: db.Connection, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES[query], values)
            return await cursor.fetchall()
