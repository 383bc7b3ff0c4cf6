"""A canary in every secret setting: it sings in no log, row, artifact, traceback or parameter.

The settings are found in the model, so a new secret cannot be forgotten: one that needs a form of
its own (a URL) fails here until it has one in `FORMS`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ibcore.config import secret_names
from ibcore.embedded import Server
from tests.acceptance.prefect_runs import asked, everything_of
from tests.acceptance.up import Up
from tests.canary import SONG, files_with_it, tables_with_it
from tests.integration.inboxes import Inbox, http_inbox
from tests.ports import free_port

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(420)]

TABLES = """
SELECT table_schema, table_name FROM information_schema.tables
 WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"""


def canary(name: tuple[str, ...]) -> str:
    return "-".join((SONG, *name)).replace("_", "-")


class Forms:
    """How each secret is written; what is not here is taken as a plain word."""

    def __init__(self, database_url: str, outside: Inbox) -> None:
        self.closed = free_port()
        self._database_url = database_url
        self._outside = outside

    def settings(self) -> dict[str, str]:
        """Return the environment: every secret setting there is, with its canary."""
        return {
            "IBKEEPER_" + "__".join(name).upper(): self.form(name, canary(name))
            for name in secret_names()
        }

    def form(self, name: tuple[str, ...], bird: str) -> str:
        """Return the value of a setting, with its canary wherever a secret may stand."""
        nowhere = f"127.0.0.1:{self.closed}"
        forms: dict[str, str] = {
            "database_url": self._database_url.replace("postgres@", f"postgres:{bird}@"),
            "alerts.targets": f"desk=json://ann:{bird}@{nowhere}/{bird}?+X-Token={bird}",
            "alerts.escalation": f"boss=json://{nowhere}/{bird}",
            "alerts.heartbeat_url": f"http://127.0.0.1:{self._outside.port}/{bird}",
            "sinks.redis_url": f"redis://ann:{bird}@{nowhere}/0",
            "sinks.nats_url": f"nats://ann:{bird}@{nowhere}",
        }
        return forms.get(".".join(name), bird)


@contextmanager
def databases(server: Server, ours: str, prefects: str) -> Iterator[str]:
    with psycopg.connect(server.url("postgres"), autocommit=True) as conn:
        for name in (ours, prefects):
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield server.url(ours)
        finally:
            for name in (ours, prefects):
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
                conn.execute(drop.format(sql.Identifier(name)))


@pytest.fixture
def up(tmp_path: Path, postgres_server: Server) -> Iterator[Up]:
    made = Up(tmp_path / "home")
    own = postgres_server.url("canary_prefect", scheme="postgresql+asyncpg")
    with databases(postgres_server, "canary", "canary_prefect") as url, http_inbox() as outside:
        made.settings = Forms(url, outside).settings() | {
            # Not SQLite, which `up` takes beside a database of somebody else: it locks under load.
            "PREFECT_API_DATABASE_CONNECTION_URL": own.replace("postgres@", f"postgres:{SONG}@"),
            "IBKEEPER_ALERTS__HEARTBEAT_S": "1",
            "IBKEEPER_ALERTS__ESCALATE_AFTER_S": "2",
            "IBKEEPER_LOG__LEVEL": "debug",
        }
        try:
            yield made
        finally:
            made.clean_up()


def api(up: Up) -> str:
    return f"http://127.0.0.1:{up.ports['IBKEEPER_PREFECT__PORT']}/api"


def prefect(up: Up, path: str, body: Any = None) -> Any:
    return asked(api(up), path, body)


def run_to_its_end(up: Up, name: str, **request: Any) -> str:
    """Run a deployment; return the type of the state it ended in."""
    deployment = prefect(up, f"deployments/name/{name}/{name}")["id"]
    given = {"parameters": {"request": request}} if request else {}
    run = prefect(up, f"deployments/{deployment}/create_flow_run", given)["id"]

    def ended() -> bool:
        state = prefect(up, f"flow_runs/{run}")["state"]["type"]
        return state in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

    up.wait_for(ended, within_s=120, what=f"the end of {name}")
    return str(prefect(up, f"flow_runs/{run}")["state"]["type"])


def rows_with_it(url: str) -> list[str]:
    """Return the tables that have the canary in any column of any row."""
    found = []
    with psycopg.connect(url, autocommit=True) as conn:
        for schema, name in conn.execute(TABLES).fetchall():
            table = sql.Identifier(schema, name)
            asked = sql.SQL("SELECT count(*) FROM {} AS t WHERE t::text LIKE %s").format(table)
            row = conn.execute(asked, (f"%{SONG}%",)).fetchone()
            found += [name] if row and row[0] else []
    return found


def command_lines_with_it(up: Up) -> list[str]:
    # Not of every process: other tests give the canary to theirs on the command line.
    return [line for line in up.processes() if SONG in line]


def cut_every_connection(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def commands(up: Up) -> str:
    """Run what people run, well and badly; return all that it said."""
    said = [up.command(*words) for words in (("status",), ("doctor",), ("alerts", "test"))]
    good = up.settings["IBKEEPER_DATABASE_URL"]
    for bad in (good.replace("postgres:", "nobody:"), good.replace("host=", "host=/nowhere")):
        up.settings["IBKEEPER_DATABASE_URL"] = bad
        said += [up.command("db", "migrate"), sidecar(up)]
        assert all(each.returncode != 0 for each in said[-2:])
    up.settings["IBKEEPER_DATABASE_URL"] = good
    return "\n".join(each.stdout + each.stderr for each in said)


def sidecar(up: Up) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sidecar"],
        env=up.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.mark.sings
def test_the_scan_hears_a_canary_that_sings(db_url: str, tmp_path: Path) -> None:
    with psycopg.connect(db_url, autocommit=True) as conn:
        detail = json.dumps({"why": canary(("sinks", "redis_url"))})
        conn.execute("SELECT ibkeeper.open_incident('k', 'k', 'info', 's', 'o', %s)", (detail,))
        assert tables_with_it(conn) == ["incident"]
    assert rows_with_it(db_url) == ["incident"]
    (tmp_path / "run.json").write_text(SONG)
    (tmp_path / "run.json").chmod(0o600)
    (tmp_path / "x.log").write_text(f"a {SONG} b")
    assert files_with_it(tmp_path) == ["x.log"]
    (tmp_path / "run.json").chmod(0o640)
    assert sorted(files_with_it(tmp_path)) == ["run.json", "x.log"]


def test_no_secret_setting_is_ever_seen(up: Up, tmp_path: Path) -> None:
    assert all(SONG in value for value in list(up.settings.values())[: len(secret_names())])
    up.start()
    up.wait_for(lambda: "ready after" in up.said(), within_s=200.0, what="ready")
    url = json.loads((up.home / "run.json").read_text())["database_url"]
    assert SONG in url  # the scan below looks for what is really in use

    assert run_to_its_end(up, "chain-snapshot", underlying="NOSUCH") == "FAILED"
    assert run_to_its_end(up, "connection-sla", report="daily") == "COMPLETED"
    tried = "SELECT count(*) FROM ibkeeper.alert WHERE target = 'boss' AND attempts > 0"
    up.wait_for(lambda: up.value(tried), within_s=60, what="an alert that nobody takes")
    cut_every_connection(url)
    assert run_to_its_end(up, "connection-sla") == "COMPLETED"
    said = commands(up)
    heard: Callable[[], Any] = lambda: up.value("SELECT count(*) FROM ibkeeper.quote")  # noqa: E731
    up.wait_for(heard, within_s=30, what="quotes after the cut")

    assert SONG not in said, said
    told = everything_of(api(up))
    assert "NOSUCH" in told
    assert SONG not in told
    assert rows_with_it(url) == []
    assert rows_with_it(url.replace("/canary?", "/canary_prefect?")) == []
    assert files_with_it(tmp_path) == []
    assert command_lines_with_it(up) == []
    up.interrupt()
    assert up.ended() == 0, up.story()
    assert files_with_it(tmp_path) == []
    assert up.processes() == []
