"""v_gap: every time in which nothing could be recorded, with its cause, from what sessions say."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest

GAPS = """SELECT cause, extract(epoch FROM %(now)s - from_ts)::int,
                 extract(epoch FROM %(now)s - to_ts)::int
            FROM ibkeeper.v_gap ORDER BY from_ts"""


class Story:
    """Sessions told in seconds before the moment the story begins."""

    def __init__(self, url: str) -> None:
        self._conn = psycopg.connect(url, autocommit=True)
        # Not at import: the heartbeat of 0 s ago is compared with the server's clock.
        self._now = datetime.now(timezone.utc).replace(microsecond=0)

    def close(self) -> None:
        self._conn.close()

    def session(self, epoch: int, ready: float, closed: float | None, **how: Any) -> None:
        state = "ready" if closed is None else "waiting"
        self._conn.execute(
            """INSERT INTO ibkeeper.session (sidecar, epoch, role, provider, host, port, client_id,
                   state, attempt, opened_at, ready_at, closed_at)
               VALUES ('main', %s, %s, 'ib', 'h', 1, 1, %s, 1, %s, %s, %s)""",
            [epoch, how.get("role", "stream"), state, *map(self.ago, (ready, ready, closed))],
        )

    def sidecar(self, epoch: int, beat: float, state: str = "running") -> None:
        self._conn.execute(
            """INSERT INTO ibkeeper.sidecar (name, epoch, state, started_at, heartbeat_at)
               VALUES ('main', %s, %s, %s, %s)""",
            [epoch, state, self.ago(9_000), self.ago(beat)],
        )

    def gaps(self) -> list[Any]:
        return self._conn.execute(GAPS, {"now": self._now}).fetchall()

    def ago(self, seconds: float | None) -> datetime | None:
        return None if seconds is None else self._now - timedelta(seconds=seconds)


@pytest.fixture
def story(db_url: str) -> Any:
    told = Story(db_url)
    yield told
    told.close()


def test_a_lost_session_is_a_gap_until_the_next_is_ready(story: Story) -> None:
    story.sidecar(1, 0)
    story.session(1, 900, 600)
    story.session(1, 540, None)
    assert story.gaps() == [("session_lost", 600, 540)]


def test_a_session_that_is_not_back_yet_is_an_open_gap(story: Story) -> None:
    story.sidecar(1, 0)
    story.session(1, 900, 600)
    assert story.gaps() == [("session_lost", 600, None)]


def test_between_two_starts_the_sidecar_was_down(story: Story) -> None:
    story.sidecar(2, 0)
    story.session(1, 900, 600)
    story.session(2, 300, None)
    assert story.gaps() == [("sidecar_down", 600, 300)]


def test_a_killed_sidecar_is_down_since_its_last_heartbeat(story: Story) -> None:
    story.sidecar(1, 120)
    story.session(1, 900, None)
    assert story.gaps() == [("sidecar_down", 120, None)]


def test_a_running_session_and_those_of_other_roles_are_no_gap(story: Story) -> None:
    story.sidecar(1, 0)
    story.session(1, 900, None)
    story.session(1, 900, 600, role="sweep")
    assert story.gaps() == []


def test_lost_rows_stand_beside_lost_time(story: Story, db_url: str) -> None:
    story.sidecar(1, 0)
    with psycopg.connect(db_url) as conn:
        conn.execute(
            """INSERT INTO ibkeeper.feed_gap (id, sidecar, epoch, cause, from_ts, to_ts, rows)
               VALUES (gen_random_uuid(), 'main', 1, 'spool_full', %s, %s, 5)""",
            [story.ago(50), story.ago(40)],
        )
    assert story.gaps() == [("spool_full", 50, 40)]
