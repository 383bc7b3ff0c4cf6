"""Incidents in SQL: told once, seen again, over once; and a dead database delays them only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from ibcore import db
from ibcore.incidents import SEVERITY, Incident, IncidentKind, Severity
from sidecar.incident_board import IncidentBoard
from sidecar.room import Room
from sidecar.spool_alarm import spool_told
from tests.integration.gateways import refusing

pytestmark = pytest.mark.anyio
FILLING = IncidentKind.spool_filling


def incident(about: str = "main", summary: str = "it is filling", **more: Any) -> Incident:
    return Incident(FILLING, about, summary, "sidecar main", **more)


def incidents(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        return conn.execute("SELECT * FROM ibkeeper.incident ORDER BY opened_at").fetchall()


def tell(url: str, query: str, row: dict[str, Any]) -> Any:
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute(db.QUERIES[query], row).fetchone()


@asynccontextmanager
async def writing(board: IncidentBoard) -> AsyncIterator[None]:
    task = asyncio.create_task(board.run(), name="incidents")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_an_open_incident_is_seen_again_and_only_gets_worse(db_url: str) -> None:
    for severity in (None, Severity.critical, Severity.info):
        tell(db_url, "open_incident", incident(severity=severity, detail={"n": 1}).row())
    (row,) = incidents(db_url)
    assert (row["times_seen"], row["severity"], row["closed_at"]) == (3, "critical", None)
    assert row["last_seen_at"] > row["opened_at"]
    assert row["kind"] in SEVERITY


def test_one_that_is_over_is_told_anew_when_it_happens_again(db_url: str) -> None:
    over = {"key": incident().key, "reason": "there is room"}
    tell(db_url, "open_incident", incident().row())
    assert tell(db_url, "close_incident", over) == (1,)
    assert tell(db_url, "close_incident", over) == (0,)
    tell(db_url, "open_incident", incident().row())
    first, second = incidents(db_url)
    assert (first["closed_because"], second["closed_because"]) == ("there is room", None)


def test_two_that_notice_at_once_open_one(db_url: str) -> None:
    with psycopg.connect(db_url) as one, psycopg.connect(db_url, autocommit=True) as other:
        one.execute(db.QUERIES["open_incident"], incident().row())
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(db.QUERIES["open_incident"], incident().row())
        one.commit()
        other.execute(db.QUERIES["open_incident"], incident().row())
    assert [row["times_seen"] for row in incidents(db_url)] == [2]


async def test_the_board_tells_in_order(db_url: str) -> None:
    board = IncidentBoard(db_url)
    async with writing(board):
        board.open(incident())
        assert await board.drain(5)
        board.close(FILLING, "main", "there is room")
        board.open(incident(summary="again"))
        assert await board.drain(5)
    assert [(row["summary"], row["closed_because"]) for row in incidents(db_url)] == [
        ("it is filling", "there is room"),
        ("again", None),
    ]


async def test_what_happens_while_the_database_is_away_is_one_word_a_thing(db_url: str) -> None:
    port = conninfo_to_dict(db_url)["port"]
    async with refusing() as dead_port:
        board = IncidentBoard(db_url.replace(f"port={port}", f"port={dead_port}"), limit=2)
        async with writing(board):
            for number in range(500):
                board.open(incident(detail={"n": number}))
            board.open(incident("other"))
            board.open(incident("one too many"))
            board.close(FILLING, "other", "there is room")
            assert not await board.drain(0.1)
            assert board.dropped == 1
    board._outbox.url = db_url
    async with writing(board):
        assert await board.drain(5)
    told = {row["key"]: row for row in incidents(db_url)}
    assert set(told) == {"spool_filling:main", "spool_filling:other"}
    assert told["spool_filling:main"]["detail"] == {"n": 499}
    assert told["spool_filling:other"]["closed_because"] == "there is room"


async def test_the_spools_level_is_an_incident_until_there_is_room(db_url: str) -> None:
    board = IncidentBoard(db_url)
    tells = spool_told(board, "main", cap_mib=100)
    severities: list[Sequence[Any]] = []
    async with writing(board):
        for room in (Room.low, Room.full, Room.low, Room.enough):
            tells(room, 85 << 20)
            assert await board.drain(5)
            severities.append([row["severity"] for row in incidents(db_url)])
    assert severities == [["warning"], ["critical"], ["critical"], ["critical"]]
    (row,) = incidents(db_url)
    assert row["closed_because"] == "85 of 100 MiB are in use"
    assert "holds 85 of 100 MiB" in row["summary"]
