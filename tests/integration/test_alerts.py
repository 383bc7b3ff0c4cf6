"""Alerts: from the row to the people, over real HTTP and SMTP; outages, storms, secrets."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
from psycopg.rows import dict_row

from ibcore import clock, db
from ibcore.alerts import message
from ibcore.alerts.office import Office
from ibcore.clock import monotonic
from ibcore.config import AlertSettings
from ibcore.errors import ConfigRefused
from ibcore.incidents import Incident, IncidentKind, Severity
from sidecar.alarm import PrefectMind
from sidecar.incident_board import IncidentBoard
from tests.canary import PASSWORD as CANARY
from tests.integration.gateways import eventually, refusing
from tests.integration.inboxes import Inbox, http_inbox, smtp_inbox
from tests.integration.test_sidecar import started
from tests.ports import free_port

pytestmark = pytest.mark.anyio
LOST, FILLING = IncidentKind.rows_lost, IncidentKind.spool_filling
ROOT = Path(__file__).resolve().parents[2]


class Clock:
    """The wall clock of its making, put forward by hand."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._made_at = clock.utcnow()

    def __call__(self) -> datetime:
        return self._made_at + timedelta(seconds=self.ahead_s)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with http_inbox() as made:
        yield made


@pytest.fixture
async def conn(db_url: str) -> AsyncIterator[db.Connection]:
    async with db.opened(db_url, application="test") as made:
        yield made


def office(*urls: str, now: Any = clock.utcnow, **settings: Any) -> Office:
    given = {"targets": " ".join(urls), "gather_s": 0.0} | settings
    return Office(AlertSettings.model_validate(given), now=now)


def open_one(url: str, kind: IncidentKind = LOST, about: str = "main", **more: Any) -> None:
    incident = Incident(kind, about, f"Something about {about}.", "test", **more)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(db.QUERIES["open_incident"], incident.row())


def close_one(url: str, kind: IncidentKind = LOST, about: str = "main") -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        over = {"key": f"{kind}:{about}", "reason": "it came back"}
        conn.execute(db.QUERIES["close_incident"], over)


def alerts(url: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        return conn.execute("SELECT * FROM ibkeeper.alert ORDER BY id").fetchall()


def all_delivered(url: str, count: int) -> bool:
    states = [row["state"] for row in alerts(url)]
    return states == ["delivered"] * count


@asynccontextmanager
async def running(office: Office, url: str) -> AsyncIterator[None]:
    task = asyncio.create_task(office.run(url), name="office")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_critical_incident_is_out_within_ten_seconds_and_its_end_is_told(
    db_url: str, inbox: Inbox
) -> None:
    settings = AlertSettings.model_validate({"targets": inbox.url})
    async with running(Office(settings), db_url):
        began = monotonic()
        open_one(db_url)
        await eventually(lambda: len(inbox.messages) == 1, within_s=10)
        took_s = monotonic() - began
        open_one(db_url, FILLING, severity=Severity.critical)
        await eventually(lambda: all_delivered(db_url, 2), within_s=10)
    assert took_s < 10
    first = inbox.messages[0]
    assert first["title"] == "[CRITICAL] rows_lost:main"
    assert "Something about main." in first["message"]
    assert "docs/runbook.md#rows_lost" in first["message"]
    close_one(db_url)
    now = Clock()
    now.ahead_s = 600
    async with db.opened(db_url, application="test") as conn:
        await office(f"target1={inbox.url}", now=now).deliver_overdue(conn, 0)
    assert inbox.messages[2]["title"] == "[recovered] rows_lost:main"
    assert re.search(r"Recovered after \d+ s: it came back", inbox.messages[2]["message"])


async def test_what_is_over_before_it_was_told_is_one_message(
    db_url: str, conn: db.Connection, inbox: Inbox
) -> None:
    open_one(db_url)
    close_one(db_url)
    assert await office(inbox.url).deliver_overdue(conn, 0) == 2
    (told,) = inbox.messages
    assert told["title"] == "[recovered] rows_lost:main"
    assert {row["state"] for row in alerts(db_url)} == {"delivered"}


async def test_each_target_is_tried_until_it_takes_it_and_the_others_do_not_hear_it_twice(
    db_url: str, conn: db.Connection, inbox: Inbox
) -> None:
    now = Clock()
    with http_inbox() as broken:
        broken.status = 500
        people = office(f"good={inbox.url}", f"bad={broken.url}", now=now)
        open_one(db_url)
        await people.deliver_overdue(conn, 0)
        await people.deliver_overdue(conn, 0)
        assert (broken.tries, len(inbox.messages)) == (1, 1)  # it rests
        broken.status = 200
        now.ahead_s = 1.1
        await people.deliver_overdue(conn, 0)
    assert (len(broken.messages), len(inbox.messages)) == (1, 1)
    assert [(row["target"], row["state"], row["attempts"]) for row in alerts(db_url)] == [
        ("good", "delivered", 1),
        ("bad", "delivered", 2),
    ]


async def test_an_hour_without_the_target_loses_nothing_and_a_second_one_hears_of_it(
    db_url: str, conn: db.Connection, inbox: Inbox
) -> None:
    now = Clock()
    with http_inbox() as second:
        people = office(f"first={inbox.url}", escalation=f"boss={second.url}", now=now)
        inbox.status = 500
        for number in range(20):
            open_one(db_url, about=f"n{number}")
        while now.ahead_s < 3600:
            await people.deliver_overdue(conn, 0)
            now.ahead_s += 20
        told = {row["title"] for row in second.messages}
        assert "[CRITICAL] 20 incidents: rows_lost 20" in told
        assert "[CRITICAL] alert_target_down:first" in told
        assert "Escalated: the target first did not take it." in second.messages[0]["message"]
        assert inbox.tries < 60
        inbox.status = 200
        back, total = now.ahead_s, 0
        while any(row["state"] == "waiting" for row in alerts(db_url)):
            total += await people.deliver_overdue(conn, 0)
            now.ahead_s += 20
            assert now.ahead_s - back < 600
    states = Counter((row["target"], row["state"]) for row in alerts(db_url))
    assert set(states) == {("first", "delivered"), ("boss", "delivered")}
    assert states["first", "delivered"] >= 20
    assert inbox.messages[0]["title"].startswith("[CRITICAL] 21 incidents")


async def test_what_nobody_takes_in_its_time_expires(
    db_url: str, conn: db.Connection, inbox: Inbox
) -> None:
    now = Clock()
    people = office(inbox.url, now=now, expire_h=1)
    inbox.status = 500
    open_one(db_url)
    await people.deliver_overdue(conn, 0)
    now.ahead_s = 3601
    await people.deliver_overdue(conn, 0)
    (row,) = alerts(db_url)
    assert (row["state"], row["delivered_at"]) == ("expired", None)
    assert "500" in row["error"]


async def test_a_thousand_events_are_at_most_five_messages(
    db_url: str, conn: db.Connection, inbox: Inbox
) -> None:
    now = Clock()
    people = office(inbox.url, now=now)
    for number in range(1_000):
        storm = Incident(IncidentKind.order_rejected, f"n{number}", "Refused.", "test")
        await conn.execute(db.QUERIES["open_incident"], storm.row())
        if number % 20 == 0:
            await people.deliver_overdue(conn, 0)
            now.ahead_s += 2
    while any(row["state"] == "waiting" for row in alerts(db_url)):
        await people.deliver_overdue(conn, 0)
        now.ahead_s += 10
    assert now.ahead_s < 1_000
    assert 1 < len(inbox.messages) <= 5
    assert len(alerts(db_url)) == 1_000
    assert all("runbook.md#order_rejected" in each["message"] for each in inbox.messages)


async def test_a_new_critical_kind_does_not_wait_for_a_storm_to_pass(
    db_url: str, conn: db.Connection, inbox: Inbox
) -> None:
    people = office(inbox.url)
    for number in range(3):
        open_one(db_url, FILLING, f"n{number}")
        await people.deliver_overdue(conn, 0)
    assert len(inbox.messages) == 1
    open_one(db_url)
    await people.deliver_overdue(conn, 0)
    assert inbox.messages[1]["title"] == "[CRITICAL] 3 incidents: spool_filling 2, rows_lost 1"


async def test_one_that_gets_worse_is_told_again_and_one_seen_again_is_not(
    db_url: str, conn: db.Connection, inbox: Inbox
) -> None:
    people = office(inbox.url)
    for severity in (Severity.warning, Severity.warning, Severity.critical, Severity.critical):
        open_one(db_url, FILLING, severity=severity)
        await people.deliver_overdue(conn, 0)
    assert [row["event"] for row in alerts(db_url)] == ["opened", "worse"]
    close_one(db_url, FILLING)
    await people.share_out(conn)
    assert [row["event"] for row in alerts(db_url)] == ["opened", "worse", "closed"]


def fail_again(url: str, *, after: str = "0 s", about: str = "moody") -> None:
    """Tell of a failed run; `after`: this long after the last news."""
    incident = Incident(IncidentKind.flow_failed, about, "The run failed: no luck.", "prefect")
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "UPDATE ibkeeper.incident SET opened_at = opened_at - %(after)s::interval,"
            " news_at = news_at - %(after)s::interval",
            {"after": after},
        )
        conn.execute(db.QUERIES["retell_incident"], incident.row())


async def test_a_second_failure_while_the_first_is_open_is_told_again(
    db_url: str, inbox: Inbox
) -> None:
    now = Clock()
    people = office(inbox.url, now=now)
    async with running(people, db_url):
        fail_again(db_url)
        await eventually(lambda: all_delivered(db_url, 1), within_s=10)
        now.ahead_s = 60
        fail_again(db_url, after="60 s")
        await eventually(lambda: all_delivered(db_url, 2), within_s=10)
    assert [told["title"] for told in inbox.messages] == [
        "[WARNING] flow_failed:moody",
        "[WARNING] again: flow_failed:moody",
    ]
    assert "Seen 2 times." in inbox.messages[1]["message"]
    close_one(db_url, IncidentKind.flow_failed, "moody")
    async with db.opened(db_url, application="test") as conn:
        now.ahead_s = 600
        await people.deliver_overdue(conn, 0)
    assert [row["event"] for row in alerts(db_url)] == ["opened", "again", "closed"]


async def test_what_fails_every_two_minutes_is_told_in_growing_intervals(
    db_url: str, conn: db.Connection, inbox: Inbox
) -> None:
    now = Clock()
    people = office(inbox.url, now=now)
    told_at = []
    for minute in range(0, 6 * 60, 2):
        now.ahead_s = minute * 60.0
        before = len(alerts(db_url))
        fail_again(db_url, after="0 s" if minute == 0 else "2 minutes")
        await people.deliver_overdue(conn, 0)
        told_at += [minute] if len(alerts(db_url)) > before else []
    assert told_at[:2] == [0, 2]
    gaps = [later - earlier for earlier, later in pairwise(told_at)]
    assert gaps == sorted(gaps)
    assert max(gaps) in (30, 32)  # the moments that the statements take decide
    assert len(told_at) < 20
    assert len(inbox.messages) == len(told_at)


async def test_two_failing_runs_at_once_are_told_again_once(db_url: str, inbox: Inbox) -> None:
    fail_again(db_url)
    people = office(inbox.url)
    async with db.opened(db_url, application="test") as conn:
        await people.share_out(conn)
    await asyncio.gather(*[asyncio.to_thread(fail_again, db_url) for _ in range(10)])
    connections = [await db.connect(db_url, application="test") for _ in range(3)]
    await asyncio.gather(*[people.share_out(each) for each in connections])
    for each in connections:
        await each.close()
    events = [row["event"] for row in alerts(db_url)]
    assert (events[0], set(events[1:])) == ("opened", {"again"})
    assert len(events) <= 3


async def test_two_that_deliver_at_once_send_it_once(db_url: str, inbox: Inbox) -> None:
    open_one(db_url)

    async def deliver() -> None:
        async with db.opened(db_url, application="test") as own:
            await office(inbox.url).deliver_overdue(own, 0)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(deliver)
    assert len(inbox.messages) == 1


async def test_mail_arrives_and_says_what_to_do(db_url: str, conn: db.Connection) -> None:
    with smtp_inbox(port := free_port()) as mails:
        url = (
            f"mailto://127.0.0.1:{port}?from=ibkeeper@example.org&to=desk@example.org&mode=insecure"
        )
        open_one(db_url)
        assert await office(f"{url}&format=text").deliver_overdue(conn, 0) == 1
    (mail,) = mails.texts
    assert "Subject: [CRITICAL] rows_lost:main" in mail
    assert "docs/runbook.md#rows_lost" in mail


async def test_at_night_only_what_is_critical_is_told(
    db_url: str, conn: db.Connection, inbox: Inbox
) -> None:
    people = office(inbox.url, quiet="00:00-23:59, 23:59-00:00")
    open_one(db_url, FILLING)
    assert await people.deliver_overdue(conn, 0) == 0
    open_one(db_url)
    assert await people.deliver_overdue(conn, 0) == 1
    assert await office(inbox.url).deliver_overdue(conn, 0) == 0  # the gap after the first


@pytest.mark.sings  # in the incident that it opens, to hear it masked in the message
async def test_a_secret_of_a_target_is_in_no_row_no_message_and_no_log(
    db_url: str, conn: db.Connection, inbox: Inbox, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"json://user:{CANARY}@127.0.0.1:{inbox.port}/{CANARY}?+X-Key={CANARY}"
    inbox.status = 500
    open_one(db_url, about=CANARY, detail={"said": CANARY})
    await office(url).deliver_overdue(conn, 0)
    inbox.status = 200
    now = Clock()
    now.ahead_s = 60
    await office(url, now=now).deliver_overdue(conn, 0)
    (told,) = inbox.messages
    assert "**********" in told["title"]
    assert CANARY not in told["title"] + told["message"]
    assert CANARY not in str(alerts(db_url))
    assert CANARY not in "".join(capfd.readouterr())


@pytest.mark.parametrize("text", ["nonsense", "nothing://x y://z", f"a=b {CANARY}://x"])
def test_a_target_that_can_be_none_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ConfigRefused, match="no URL that Apprise knows") as refused:
        office(text)
    assert CANARY not in str(refused.value)


@pytest.mark.paired
async def test_the_sidecar_delivers_and_pings_outside(
    db_url: str, inbox: Inbox, tmp_path: Path
) -> None:
    given = {
        "DATABASE_URL": db_url,
        "ALERTS__TARGETS": f"json://u:{CANARY}@127.0.0.1:{inbox.port}/hook",
    }
    with http_inbox() as outside:
        given["ALERTS__HEARTBEAT_URL"] = f"http://127.0.0.1:{outside.port}/ping/{CANARY}"
        given["ALERTS__HEARTBEAT_S"] = "0.2"
        async with refusing() as port, started(tmp_path, GATEWAY__PORT=port, **given) as sidecar:
            await eventually(lambda: outside.tries >= 2, within_s=20)
            open_one(db_url)
            began = monotonic()
            await eventually(lambda: len(inbox.messages) == 1, within_s=10)
            assert monotonic() - began < 10
            outside.status, tries = 500, outside.tries
            await eventually(lambda: all_delivered(db_url, 1), within_s=5)
            # One ping after the other: at the second, the first has failed and is told of.
            await eventually(lambda: outside.tries >= tries + 2, within_s=20)
            sidecar.child.send_signal(signal.SIGTERM)
            assert await sidecar.ended() == 0
    assert "outside_heartbeat_failed" in sidecar.said
    assert CANARY not in sidecar.said


async def test_the_sidecar_misses_connection_sla_after_ten_minutes(
    db_url: str, conn: db.Connection
) -> None:
    board = IncidentBoard(db_url)
    mind = PrefectMind(db_url, board, sidecar="main")
    await mind.look(conn)
    mind._since -= 10_000
    await mind.look(conn)
    assert board._open == set()  # it never ran here: nobody misses it
    await looked(conn, ago_s=590)
    await mind.look(conn)
    assert board._open == set()
    await conn.execute("UPDATE ibkeeper.sla_report SET reported_at = now() - interval '601 s'")
    await mind.look(conn)
    assert board._open == {"sla_check_silent:prefect"}
    fresh = PrefectMind(db_url, IncidentBoard(db_url), sidecar="main")
    await fresh.look(conn)
    assert fresh._board._open == set()  # it may have been silent with us
    await looked(conn, ago_s=1)
    await mind.look(conn)
    assert board._open == set()


async def looked(conn: db.Connection, *, ago_s: float) -> None:
    await conn.execute(
        "INSERT INTO ibkeeper.sla_report (kind, from_ts, to_ts, breaches, figures, reported_at)"
        " VALUES ('check', now(), now(), 0, '{}', now() - make_interval(secs => %s))",
        [ago_s],
    )


async def tried(tmp_path: Path, targets: str) -> tuple[int | None, str]:
    environ = {"IBKEEPER_ALERTS__TARGETS": targets, "IBKEEPER_HOME": str(tmp_path), "PATH": ""}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ibcore.cli", "alerts", "test"),
        env=environ | {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await child.communicate()
    return child.returncode, said.decode()


async def test_the_command_tries_every_target_and_says_which_took_it(
    tmp_path: Path, inbox: Inbox
) -> None:
    good, bad = f"good={inbox.url}", f"bad=json://u:{CANARY}@127.0.0.1:1/"
    assert await tried(tmp_path, good) == (0, "good: taken\n")
    assert inbox.messages[0]["title"] == message.trial("", "").title
    code, said = await tried(tmp_path, f"{good} {bad}")
    assert (code, CANARY in said) == (1, False)
    assert "bad did not take it." in said
    assert (await tried(tmp_path, ""))[0] == 3
