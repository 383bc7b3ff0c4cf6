"""The request worker on a real database: claims, deadlines, endings, restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import anyio
import psycopg
import pytest
from psycopg.rows import dict_row

from flows.client import Ask, Client
from ibcore import db
from ibcore.errors import NotReady, RequestFailed, RequestTimedOut, SessionLost
from sidecar.job import Done, Handler, Job
from sidecar.refusal import Refused
from sidecar.requests import RequestWorker

pytestmark = pytest.mark.anyio

EPOCH = 7
ALIVE = (
    "INSERT INTO ibkeeper.sidecar"
    " (name, epoch, pid, host, version, state, started_at, heartbeat_at) VALUES"
    " ('main', 7, 1, 'here', '0', 'running', now(), now())"
)


async def answer_42(job: Job) -> Done:
    async def store(_conn: db.Connection) -> dict[str, Any]:
        return {"answer": 42, "asked": job.payload}

    job.progress.report(2, 2)
    return Done(store)


async def never(job: Job) -> Done:
    job.progress.report(3, 10)
    await anyio.sleep_forever()
    raise AssertionError


async def refuse(_job: Job) -> Done:
    raise Refused("unknown_underlying", "IB knows no contract NOPE.", remedy="Check it.")


async def lose(_job: Job) -> Done:
    raise SessionLost("The session was lost with 3 of 10 contracts taken.")


async def crash(_job: Job) -> Done:
    raise ZeroDivisionError


async def misfit(_job: Job) -> Done:
    async def store(conn: db.Connection) -> dict[str, Any]:
        await conn.execute("INSERT INTO ibkeeper.feed_minute (minute) VALUES (now())")
        return {}

    return Done(store)


HANDLERS: dict[str, Handler] = {
    "answer": answer_42,
    "never": never,
    "refuse": refuse,
    "lose": lose,
    "crash": crash,
    "misfit": misfit,
}


def worker_on(db_url: str, *, epoch: int = EPOCH, **more: Any) -> RequestWorker:
    """Return a worker of sidecar `main` that polls fast."""
    options: dict[str, Any] = {"handlers": HANDLERS, "poll_s": 0.1} | more
    return RequestWorker(db_url, sidecar="main", epoch=epoch, **options)


@asynccontextmanager
async def working(worker: RequestWorker) -> AsyncIterator[None]:
    """Run the worker for the length of the block."""
    async with anyio.create_task_group() as group:
        group.start_soon(worker.run)
        yield
        group.cancel_scope.cancel()


@pytest.fixture
def live_url(db_url: str) -> str:
    """Return the database with a sidecar whose heart beats (just now)."""
    with psycopg.connect(db_url, autocommit=True) as conn:
        conn.execute(ALIVE)
    return db_url


def ask(kind: str, *, deadline_s: float = 20.0, payload: Mapping[str, Any] | None = None) -> Ask:
    """Return a question to any sidecar."""
    return Ask(kind, payload or {}, deadline_s, "a test")


def rows_of(url: str) -> list[dict[str, Any]]:
    """Return the requests, oldest first."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn:
        return conn.execute("SELECT * FROM ibkeeper.request ORDER BY requested_at").fetchall()


async def until_state(url: str, state: str) -> dict[str, Any]:
    """Wait until the newest request is in `state`."""
    async with db.opened(url, application="test") as conn:
        async for _ in db.listen_or_poll(conn, "ibkeeper_request_done", poll_s=0.05):
            row = rows_of(url)[-1:]
            if row and row[0]["state"] == state:
                return row[0]
    raise AssertionError


async def test_a_request_is_done_and_answered(live_url: str) -> None:
    seen: list[tuple[int, int]] = []

    async def on_progress(done: int, total: int) -> None:
        seen.append((done, total))

    async with working(worker_on(live_url)):
        result = await Client(live_url).ask(
            ask("answer", payload={"x": 1}), on_progress=on_progress
        )
    assert result == {"answer": 42, "asked": {"x": 1}}
    assert seen[-1] == (2, 2)
    (row,) = rows_of(live_url)
    assert (row["state"], row["claimed_by"], row["claimed_epoch"]) == ("completed", "main", EPOCH)


async def test_without_notify_the_poll_finds_the_request(live_url: str) -> None:
    with psycopg.connect(live_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE ibkeeper.request DISABLE TRIGGER USER")
    try:
        async with working(worker_on(live_url)):
            assert (await Client(live_url).ask(ask("answer")))["answer"] == 42
    finally:
        with psycopg.connect(live_url, autocommit=True) as conn:
            conn.execute("ALTER TABLE ibkeeper.request ENABLE TRIGGER USER")


@pytest.mark.parametrize(
    ("kind", "error_kind", "text"),
    [
        ("refuse", "unknown_underlying", "IB knows no contract NOPE. Check it."),
        ("lose", "session_lost", "lost with 3 of 10 contracts"),
        ("crash", "internal", "ZeroDivisionError"),
        ("misfit", "internal", "does not fit: NotNullViolation"),
        ("sing", "unknown_kind", "knows no request of kind 'sing'"),
    ],
)
async def test_a_failure_says_what_it_is_and_ends_only_its_own_request(
    live_url: str, kind: str, error_kind: str, text: str
) -> None:
    async with working(worker_on(live_url)):
        with pytest.raises(RequestFailed, match=text):
            await Client(live_url).ask(ask(kind))
        assert (await Client(live_url).ask(ask("answer")))["answer"] == 42
    assert rows_of(live_url)[0]["error_kind"] == error_kind


async def test_the_deadline_ends_the_work_and_says_how_far_it_was(live_url: str) -> None:
    async with working(worker_on(live_url)):
        with pytest.raises(RequestTimedOut, match="with 3 of 10 done"):
            await Client(live_url).ask(ask("never", deadline_s=2.0))
    (row,) = rows_of(live_url)
    assert (row["state"], row["error_kind"]) == ("expired", "deadline")
    assert (row["progress_done"], row["progress_total"]) == (3, 10)


async def test_what_nobody_takes_in_time_expires(live_url: str) -> None:
    async with working(worker_on(live_url, at_once=1)), anyio.create_task_group() as group:
        group.start_soon(_ask_and_lose, live_url)
        await until_state(live_url, "claimed")
        with pytest.raises(RequestTimedOut, match="before the sidecar came to it"):
            await Client(live_url).ask(ask("answer", deadline_s=0.3))
        await Client(live_url).withdraw("a test")


async def _ask_and_lose(url: str) -> None:
    with pytest.raises(RequestTimedOut, match="nobody waits"):
        await Client(url).ask(ask("never"))


async def test_a_withdrawn_request_stops_the_work(live_url: str) -> None:
    stopped = anyio.Event()

    async def until_stopped(job: Job) -> Done:
        try:
            return await never(job)
        finally:
            stopped.set()

    async with working(worker_on(live_url, handlers={"never": until_stopped})):
        async with anyio.create_task_group() as group:
            group.start_soon(_ask_and_lose, live_url)
            await until_state(live_url, "claimed")
            assert await Client(live_url).withdraw("a test") == 1
        with anyio.fail_after(5):
            await stopped.wait()
    assert rows_of(live_url)[0]["state"] == "expired"


async def test_two_workers_never_do_the_same_request(live_url: str) -> None:
    done: list[UUID] = []

    async def note(job: Job) -> Done:
        done.append(job.id)
        return await answer_42(job)

    handlers = {"answer": note}
    first, second = (worker_on(live_url, handlers=handlers, at_once=4) for _ in range(2))
    async with working(first), working(second), anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(Client(live_url).ask, ask("answer"), name=f"ask {number}")
    assert len(done) == len(set(done)) == 20


async def test_a_restart_fails_what_the_earlier_start_had_claimed(live_url: str) -> None:
    with psycopg.connect(live_url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO ibkeeper.request (kind, deadline_at) VALUES ('never', now() + '1 minute')"
        )
        conn.execute(
            "UPDATE ibkeeper.request SET state = 'claimed', claimed_by = 'main', claimed_epoch = 6,"
            " claimed_at = now()"
        )
    async with working(worker_on(live_url)):
        await until_state(live_url, "failed")
    (row,) = rows_of(live_url)
    assert row["error_kind"] == "sidecar_restarted"
    assert "restarted while it worked on this" in row["error"]


async def test_a_stopping_worker_says_so_on_what_it_was_doing(live_url: str) -> None:
    async with anyio.create_task_group() as group, working(worker_on(live_url)):
        group.start_soon(_ask_a_stopping_one, live_url)
        await until_state(live_url, "claimed")
    assert rows_of(live_url)[0]["error_kind"] == "sidecar_stopped"


async def _ask_a_stopping_one(url: str) -> None:
    with pytest.raises(RequestFailed, match="was stopped while it worked on this"):
        await Client(url).ask(ask("never"))


async def test_a_request_for_another_sidecar_is_left_alone(live_url: str) -> None:
    with psycopg.connect(live_url, autocommit=True) as conn:
        conn.execute(ALIVE.replace("'main'", "'other'"))
    async with working(worker_on(live_url)):
        client = Client(live_url, grace_s=0.5)
        with pytest.raises(RequestTimedOut):
            await client.ask(ask("answer", deadline_s=0.5)._replace(sidecar="other"))
    assert rows_of(live_url)[0]["claimed_by"] is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("DELETE FROM ibkeeper.sidecar", "has never run on this database"),
        (
            "UPDATE ibkeeper.sidecar SET heartbeat_at = now() - '90 s'::interval",
            "no heartbeat for 9",
        ),
        (
            "UPDATE ibkeeper.sidecar SET state = 'stopped', stopped_at = now()",
            "The sidecar is stopped",
        ),
    ],
)
async def test_without_a_living_sidecar_nothing_is_asked(
    live_url: str, change: str, text: str
) -> None:
    with psycopg.connect(live_url, autocommit=True) as conn:
        conn.execute(change)
    with pytest.raises(NotReady, match=text) as refusal:
        await Client(live_url).ask(ask("answer"))
    assert "ibkeeper up" in str(refusal.value)
    assert rows_of(live_url) == []


async def test_a_sidecar_that_dies_meanwhile_is_noticed_and_the_request_withdrawn(
    live_url: str,
) -> None:
    async def die() -> None:
        await until_state(live_url, "requested")
        with psycopg.connect(live_url, autocommit=True) as conn:
            conn.execute("UPDATE ibkeeper.sidecar SET heartbeat_at = now() - '11 s'::interval")

    async with anyio.create_task_group() as group:
        group.start_soon(die)
        with pytest.raises(NotReady, match=r"down: no heartbeat for 1\d s. The request was with"):
            await Client(live_url).ask(ask("answer"))
    assert rows_of(live_url)[0]["error_kind"] == "withdrawn"


async def test_connections_that_break_are_opened_again_and_work_in_hand_is_finished(
    live_url: str,
) -> None:
    cut = anyio.Event()

    async def answer_after_the_cut(job: Job) -> Done:
        await cut.wait()
        return await answer_42(job)

    handlers = {"answer": answer_42, "slow": answer_after_the_cut}
    answers: list[dict[str, Any]] = []

    async def ask_slowly() -> None:
        answers.append(await Client(live_url).ask(ask("slow")))

    async with working(worker_on(live_url, handlers=handlers)):
        async with anyio.create_task_group() as group:
            group.start_soon(ask_slowly)
            await until_state(live_url, "claimed")
            with psycopg.connect(live_url, autocommit=True) as conn:
                conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'ibkeeper requests%'"
                )
            cut.set()
        assert (await Client(live_url).ask(ask("answer")))["answer"] == 42
    assert [answer["answer"] for answer in answers] == [42]
