"""The flow `connection-sla` in Prefect: looks, reports, and runs that end badly are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import psycopg
import pytest
from psycopg.rows import dict_row

from tests.acceptance.prefect_runs import MARKS, artifact
from tests.integration.inboxes import Inbox, http_inbox

pytestmark = [*MARKS, pytest.mark.usefixtures("leave_nothing_to_collect")]

SIDECAR = """
INSERT INTO ibkeeper.sidecar (name, epoch, state, started_at, heartbeat_at)
VALUES ('main', 1, 'running', now() - interval '1 hour', now() - make_interval(secs => %s))"""


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with http_inbox() as made:
        monkeypatch.setenv("IBKEEPER_ALERTS__TARGETS", made.url)
        monkeypatch.setenv("IBKEEPER_ALERTS__GATHER_S", "0.1")
        yield made


def run_flow(**request: Any) -> Any:
    from flows.connection_sla import ConnectionSlaParameters, connection_sla

    asked = ConnectionSlaParameters(**request)
    return anyio.run(partial(connection_sla, asked, return_state=True))


def ask(url: str, query: str, *values: Any) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as conn:
        cursor = conn.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_look_tells_that_the_sidecar_is_silent_and_delivers_it_itself(
    db_url: str, inbox: Inbox
) -> None:
    ask(db_url, SIDECAR, 20)
    state = run_flow()
    assert state.is_completed(), state.message
    (told,) = inbox.messages
    assert told["title"] == "[CRITICAL] sidecar_silent:main"
    assert "docs/runbook.md#sidecar_silent" in told["message"]
    (look,) = ask(db_url, "SELECT * FROM ibkeeper.sla_report")
    assert (look["kind"], look["breaches"]) == ("check", 2)
    assert "| main | heartbeat age |" in artifact("connection-sla")["data"]
    ask(db_url, "UPDATE ibkeeper.sidecar SET heartbeat_at = now()")
    run_flow()
    (incident,) = ask(db_url, "SELECT * FROM ibkeeper.incident")
    assert incident["closed_because"] == "the heartbeat is back"


@pytest.mark.usefixtures("prefect_server", "settings", "inbox")
def test_a_report_is_an_artifact_with_a_picture_and_a_row(db_url: str) -> None:
    ask(db_url, SIDECAR, 0)
    state = run_flow(report="weekly")
    assert state.is_completed(), state.message
    shown = artifact("connection-sla-weekly-main")["data"]
    assert "| availability |" in shown
    assert "](data:image/png;base64," in shown
    assert (
        "| instrument | minutes with a quote | commit latency p50 | p99 | rows sampled |" in shown
    )
    (row,) = ask(db_url, "SELECT * FROM ibkeeper.sla_report")
    assert (row["kind"], (row["to_ts"] - row["from_ts"]).days) == ("weekly", 7)


def test_the_table_of_instruments_has_the_worst_first_and_says_what_it_is_a_sample_of() -> None:
    from flows.sla_report import instruments

    slow = {"sampled": 1500, "p50_ms": 30.0, "p99_ms": 1234.5}
    quick = {"sampled": 2, "p50_ms": 1.0, "p99_ms": 2.0}
    made = {"coverage": {"B": 0.0, "A": 0.5, "C": 1.0}, "latency": {"C": slow, "A": quick}}
    rows = instruments(made).splitlines()
    assert rows[2:5] == [
        "| B | 0.0% | none | none | 0 |",
        "| C | 100.0% | 30.0 ms | 1,234.5 ms | 1,500 |",
        "| A | 50.0% | 1.0 ms | 2.0 ms | 2 |",
    ]
    assert "of the first 5 quotes and 5 trades in each of 200 slices" in rows[-1]


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_run_that_fails_is_an_incident_until_the_flow_completes(
    db_url: str, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect import flow

    from flows.telling import told, well

    ends = iter([RuntimeError("no luck"), RuntimeError("none again"), None])

    @flow(name="moody", on_failure=[told], on_crashed=[told], on_completion=[well])
    async def moody() -> None:
        if end := next(ends):
            raise end

    anyio.run(partial(moody, return_state=True))
    (opened,) = ask(db_url, "SELECT * FROM ibkeeper.incident")
    assert opened["key"] == "flow_failed:moody"
    assert "no luck" in opened["summary"]
    anyio.run(partial(moody, return_state=True))
    (again,) = ask(db_url, "SELECT * FROM ibkeeper.incident")
    assert (again["id"], again["news"], len(again["detail"])) == (opened["id"], 2, 2)
    assert "none again" in again["summary"]
    anyio.run(partial(moody, return_state=True))
    (closed,) = ask(db_url, "SELECT * FROM ibkeeper.incident")
    assert closed["closed_because"].endswith("ended as Completed")


async def crash_one() -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Crashed, Running

    async with get_client() as client:
        run = await client.create_flow_run(flow(name="killed")(lambda: None))
        await client.set_flow_run_state(run.id, Running(), force=True)
        await client.set_flow_run_state(run.id, Crashed(message="gone"), force=True)


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_run_that_prefect_crashed_without_a_hook_is_told_of_once(
    db_url: str, inbox: Inbox
) -> None:
    ask(db_url, SIDECAR, 0)
    run_flow()
    ask(db_url, "DELETE FROM ibkeeper.alert")
    ask(db_url, "DELETE FROM ibkeeper.incident")
    anyio.run(crash_one)
    run_flow()
    run_flow()
    (opened,) = ask(db_url, "SELECT * FROM ibkeeper.incident WHERE key = 'flow_failed:killed'")
    assert (opened["times_seen"], opened["severity"]) == (1, "warning")
    assert "gone" in opened["summary"]


@pytest.mark.usefixtures("prefect_server")
def test_the_automation_that_crashes_killed_runs_is_made_once() -> None:
    from prefect.automations import Automation
    from prefect.client.orchestration import get_client

    from flows.automations import NAME, ensure

    async def made() -> list[Automation]:
        await ensure()
        await ensure()
        async with get_client() as client:
            return await client.read_automations_by_name(NAME)

    (automation,) = anyio.run(made)
    assert automation.trigger.within == timedelta(seconds=90)
    assert automation.actions[0].state == "CRASHED"
