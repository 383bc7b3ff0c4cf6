"""Does what rows of `request` ask for: claim, work within the deadline, one terminal state.

    requested -> claimed -> completed | failed | expired      (requested -> expired: nobody came)

A claim is exclusive (SKIP LOCKED). The deadline is enforced here, so a flow that died cannot
keep lines busy; a row that somebody else ended (withdrawn, expired) stops the work. What the
work found and the terminal state are one transaction: no half-written answer, ever. NOTIFY is
the hint, the poll the guarantee. What an earlier start of this sidecar had claimed is failed
with that reason as soon as the worker is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import anyio
import anyio.abc
import orjson
import psycopg
from psycopg.rows import dict_row

from ibcore import db
from ibcore.clock import monotonic
from ibcore.domain import RequestState
from ibcore.errors import DatabaseUnavailable, IbkeeperError
from ibcore.log import get_logger
from sidecar.job import Ending, Handler, Job
from sidecar.refusal import kind_of

CHANNEL: Final = "ibkeeper_request"
PROGRESS_S: Final = 0.5
# After its deadline an ending is worth writing this long; then the asker has ended the row.
ENDING_GRACE_S: Final = 30.0
STOPPING_S: Final = 2.0

log = get_logger(__name__)


class RequestWorker:
    """Claims requests and runs their handlers, a bounded number at a time."""

    def __init__(
        self,
        db_url: str,
        *,
        sidecar: str,
        epoch: int,
        handlers: Mapping[str, Handler],
        poll_s: float = 2.0,
        at_once: int = 2,
    ) -> None:
        self._url = db_url
        self._me: dict[str, Any] = {"sidecar": sidecar, "epoch": epoch}
        self._handlers = handlers
        self._poll_s = poll_s
        self._free = at_once
        self._wake = anyio.Event()

    async def run(self) -> None:
        """Work until cancelled; a database that is away is waited for."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._listen, name="requests: listen")
                while True:
                    try:
                        await self._claim_loop(group)
                    except DatabaseUnavailable as away:
                        log.warning("requests_paused", reason=str(away))
                        await anyio.sleep(self._poll_s)
        finally:
            with anyio.move_on_after(STOPPING_S, shield=True):
                await self._give_up()

    async def _give_up(self) -> None:
        try:
            async with db.opened(self._url, application="requests stop") as conn:
                left = await _execute(conn, "request_give_up", self._me)
            log.info("requests_given_up", count=len(left))
        except DatabaseUnavailable as away:
            log.warning("requests_not_given_up", reason=str(away))  # the next start says so

    async def _listen(self) -> None:
        while True:
            try:
                async with db.opened(self._url, application="requests listen") as conn:
                    async for _ in db.listen_or_poll(conn, CHANNEL, poll_s=self._poll_s):
                        self._wake.set()
            except DatabaseUnavailable:
                await anyio.sleep(self._poll_s)  # the claim loop says so

    async def _claim_loop(self, group: anyio.abc.TaskGroup) -> None:
        async with db.opened(self._url, application="requests") as conn:
            orphans = await _execute(conn, "request_orphans", self._me)
            if orphans:
                log.warning("requests_orphaned", count=len(orphans))
            while True:
                await _execute(conn, "request_expire", self._me)
                while self._free > 0 and (job := await self._claim(conn)) is not None:
                    self._free -= 1
                    group.start_soon(self._do, job, name=f"request {job.kind} {job.id}")
                await self._wake.wait()
                self._wake = anyio.Event()

    async def _claim(self, conn: db.Connection) -> Job | None:
        rows = await _execute(conn, "request_claim", self._me)
        if not rows:
            return None
        row = rows[0]
        log.info("request_claimed", id=str(row["id"]), kind=row["kind"])
        ends_at = monotonic() + row["remaining_s"]
        return Job(row["id"], row["kind"], row["payload"], ends_at)

    async def _do(self, job: Job) -> None:
        try:
            ending = await self._work(job)
            if ending is None:
                log.info("request_withdrawn", id=str(job.id))
            else:
                await self._finish(job, ending)
        finally:
            self._free += 1
            self._wake.set()

    async def _work(self, job: Job) -> Ending | None:
        """Run the handler beside the progress reports; None: the row is no longer ours."""
        ending: Ending | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._report, job, group.cancel_scope, name=f"progress {job.id}")
            ending = await _outcome(job, self._handlers.get(job.kind))
            group.cancel_scope.cancel()
        return ending

    async def _report(self, job: Job, work: anyio.CancelScope) -> None:
        while True:
            try:
                async with db.opened(self._url, application="requests progress") as conn:
                    while await self._still_mine(conn, job):  # noqa: ASYNC110 (reports by clock)
                        await anyio.sleep(PROGRESS_S)
                    work.cancel()
                    return
            except DatabaseUnavailable:
                await anyio.sleep(self._poll_s)  # the work itself needs no database

    async def _still_mine(self, conn: db.Connection, job: Job) -> bool:
        values = {
            "id": job.id,
            "epoch": self._me["epoch"],
            "done": job.progress.done,
            "total": job.progress.total,
        }
        return bool(await _execute(conn, "request_progress", values))

    async def _finish(self, job: Job, ending: Ending) -> None:
        while True:
            try:
                written = await self._write(job, ending)
                log.info("request_ended", id=str(job.id), state=str(ending.state), kept=written)
                return
            except psycopg.Error as bug:
                log.exception("request_not_stored", id=str(job.id))
                ending = _failed("internal", f"The result does not fit: {type(bug).__name__}.")
            except DatabaseUnavailable as away:
                if monotonic() > job.ends_at + ENDING_GRACE_S:
                    log.error("request_ending_lost", id=str(job.id), reason=str(away))
                    return
                await anyio.sleep(self._poll_s)

    async def _write(self, job: Job, ending: Ending) -> bool:
        written = True
        async with db.opened(self._url, application="requests finish") as conn:
            with db.translated():
                async with conn.transaction() as transaction:
                    result = await ending.store(conn) if ending.store else None
                    values = {
                        "id": job.id,
                        "epoch": self._me["epoch"],
                        "state": str(ending.state),
                        "done": job.progress.done,
                        "total": job.progress.total,
                        "result": None if result is None else orjson.dumps(result).decode(),
                        "error": ending.error,
                        "error_kind": ending.error_kind,
                    }
                    if not await _execute(conn, "request_finish", values):
                        written = False
                        raise psycopg.Rollback(transaction)
        return written


async def _outcome(job: Job, handler: Handler | None) -> Ending:
    if handler is None:
        return _failed("unknown_kind", f"This sidecar knows no request of kind {job.kind!r}.")
    with anyio.move_on_after(max(0.0, job.ends_at - monotonic())):
        return await _guarded(job, handler)
    how_far = f"{job.progress.done} of {job.progress.total or 'an unknown number'}"
    return Ending(
        RequestState.expired,
        "deadline",
        f"The deadline passed with {how_far} done. Nothing was stored; give it more time or "
        "ask for less.",
    )


async def _guarded(job: Job, handler: Handler) -> Ending:
    try:
        done = await handler(job)
    except IbkeeperError as failure:
        return _failed(kind_of(failure), str(failure))
    except Exception as bug:
        # A handler's bug must end its own request and nothing else.
        log.exception("request_crashed", id=str(job.id), kind=job.kind)
        return _failed("internal", f"A bug in the sidecar: {type(bug).__name__}. See its log.")
    return Ending(RequestState.completed, store=done.store)


def _failed(kind: str, message: str) -> Ending:
    return Ending(RequestState.failed, kind, message)


async def _execute(
    conn: db.Connection, query: str, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES[query], values)
            return await cursor.fetchall() if cursor.description else []
