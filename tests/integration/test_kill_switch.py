"""The kill switch: any of row, file and signal stops and cancels; only a name and a reason lift."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from psycopg import sql

from ibcore import authority, db, kill_file
from ibcore.authority import Word
from ibcore.clock import monotonic
from sidecar.kill_switch import KillSwitch
from tests.integration.gateways import eventually
from tests.integration.lateness import lateness

pytestmark = pytest.mark.anyio
DEAD_URL = "postgresql://nobody@127.0.0.1:1/none"


class Desk:
    """Counts what it is told to cancel."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []

    async def cancel_all(self, why: str) -> int:
        self.told.append((monotonic(), why))
        return 1


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def switch(db_url: str, tmp_path: Path, desk: Desk) -> AsyncIterator[KillSwitch]:
    """Run a switch on a real database and wait until it lets orders go."""
    made = KillSwitch(db_url, home=tmp_path, sidecar="main", cancel_all=desk.cancel_all)
    assert made.why() is not None  # nothing was read yet
    async with anyio.create_task_group() as group:
        group.start_soon(made.run)
        await eventually(lambda: made.why() is None)
        yield made
        group.cancel_scope.cancel()


def rows(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        found = conn.execute("SELECT engaged, source, set_by FROM ibkeeper.kill_switch ORDER BY id")
        return found.fetchall()


async def say(url: str, engaged: bool, word: Word) -> None:
    async with db.opened(url, application="test") as conn:
        await authority.set_kill_switch(conn, engaged, word)


async def test_a_row_stops_and_cancels_within_a_second_and_a_named_row_lifts(
    db_url: str, switch: KillSwitch, desk: Desk
) -> None:
    async with lateness() as late_s:
        began = monotonic()
        await say(db_url, True, Word("ann", "flood"))
        await eventually(lambda: desk.told)
    assert switch.why() == "row: flood (ann)"
    assert desk.told[0][0] - began < 1.0 + max(late_s)
    await say(db_url, False, Word("bob", "all is well"))
    await eventually(lambda: switch.why() is None)


async def test_a_file_stops_within_a_second_and_becomes_a_row(
    db_url: str, switch: KillSwitch, desk: Desk, tmp_path: Path
) -> None:
    async with lateness() as late_s:
        began = monotonic()
        kill_file.path(tmp_path).touch()
        await eventually(lambda: desk.told)
    assert desk.told[0][0] - began < 1.0 + max(late_s)
    await eventually(lambda: rows(db_url) == [(True, "file", "sidecar main")])
    # The row alone is lifted: what still stops here says so again.
    await say(db_url, False, Word("bob", "from afar"))
    await eventually(lambda: len(rows(db_url)) == 3)
    assert switch.why() is not None
    assert kill_file.lift(tmp_path)
    await say(db_url, False, Word("bob", "on the spot"))
    await eventually(lambda: switch.why() is None)
    assert len(rows(db_url)) == 4


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
async def test_a_signal_stops_and_leaves_the_file_for_the_next_start(
    switch: KillSwitch, desk: Desk, tmp_path: Path, number: signal.Signals
) -> None:
    async with lateness() as late_s:
        began = monotonic()
        os.kill(os.getpid(), number)
        await eventually(lambda: desk.told)
    assert desk.told[0][0] - began < 1.0 + max(late_s)
    assert number.name in str(kill_file.read(tmp_path))
    assert switch.why() is not None


@pytest.mark.parametrize("how", ["file", "signal"])
async def test_file_and_signal_work_with_the_database_down(
    desk: Desk, tmp_path: Path, how: str
) -> None:
    made = KillSwitch(DEAD_URL, home=tmp_path, sidecar="main", cancel_all=desk.cancel_all)
    async with lateness() as late_s, anyio.create_task_group() as group:
        group.start_soon(made.run)
        await eventually(lambda: made.why() == "its row cannot be read")
        assert desk.told == []  # fails closed, but nobody asked for a cancel
        began = monotonic()
        if how == "file":
            kill_file.path(tmp_path).touch()
        else:
            os.kill(os.getpid(), signal.SIGUSR1)
        await eventually(lambda: desk.told)
        assert desk.told[0][0] - began < 1.0 + max(late_s)
        group.cancel_scope.cancel()


async def test_it_survives_a_restart(db_url: str, tmp_path: Path, desk: Desk) -> None:
    await say(db_url, True, Word("ann", "flood"))
    made = KillSwitch(db_url, home=tmp_path, sidecar="main", cancel_all=desk.cancel_all)
    async with anyio.create_task_group() as group:
        group.start_soon(made.run)
        await eventually(lambda: made.why() == "row: flood (ann)")
        await eventually(lambda: desk.told)
        group.cancel_scope.cancel()


async def test_a_frozen_database_is_no_permission(
    db_url: str, switch: KillSwitch, desk: Desk
) -> None:
    with psycopg.connect(db_url) as conn:
        conn.execute("LOCK TABLE ibkeeper.kill_switch IN ACCESS EXCLUSIVE MODE")
        await eventually(lambda: switch.why() == "its row cannot be read")
        assert desk.told == []
    await eventually(lambda: switch.why() is None)


async def test_what_is_no_readable_file_stops_as_well(switch: KillSwitch, tmp_path: Path) -> None:
    kill_file.path(tmp_path).mkdir()
    await eventually(lambda: switch.why() is not None)
    assert "cannot be read" in str(switch.why())


async def test_whoever_commits_last_has_the_last_word(db_url: str) -> None:
    """An `on` that was begun before an `off` and commits after it must win."""
    with psycopg.connect(db_url) as first:
        first.execute(
            "INSERT INTO ibkeeper.kill_switch (engaged, set_by, reason) VALUES (false, 'a', 'b')"
        )
        async with anyio.create_task_group() as group:
            group.start_soon(say, db_url, True, Word("ann", "flood"))
            await eventually(lambda: _waits(db_url))
            first.commit()
    assert [engaged for engaged, *_ in rows(db_url)] == [False, True]


def _waits(url: str) -> bool:
    with psycopg.connect(url) as conn:
        found = conn.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
        return found is not None and found[0] > 0


@pytest.mark.parametrize(
    "values",
    [
        (True, "row", "", "why"),
        (False, "row", "ann", " "),
        (False, "file", "ann", "why"),
        (True, "rumour", "ann", "why"),
    ],
)
def test_the_table_takes_no_nameless_or_causeless_word(
    db_url: str, values: tuple[bool, str, str, str]
) -> None:
    statement = (
        "INSERT INTO ibkeeper.kill_switch (engaged, source, set_by, reason) VALUES (%s, %s, %s, %s)"
    )
    with psycopg.connect(db_url) as conn, pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(statement, values)


ROWS = {
    "kill_switch": "(engaged, set_by, reason) VALUES (true, 'a', 'b')",
    "risk_limit": "(name, value, set_by) VALUES ('max_quantity', '1', 'a')",
    "arming": "(account, armed_until, set_by) VALUES ('U1', now(), 'a')",
}


@pytest.mark.parametrize("verb", ["UPDATE {} SET set_by = 'z'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ROWS)
def test_nothing_of_it_is_ever_changed(db_url: str, table: str, verb: str) -> None:
    name = sql.Identifier("ibkeeper", table)
    with psycopg.connect(db_url, autocommit=True) as conn:
        conn.execute(sql.SQL("INSERT INTO {} " + ROWS[table]).format(name))
        with pytest.raises(psycopg.errors.RestrictViolation):
            conn.execute(sql.SQL(verb).format(name))
