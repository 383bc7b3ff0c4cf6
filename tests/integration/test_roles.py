"""Roles: who may do what to every table, tried out, and who may call upkeep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from flows.client import Client
from ibcore import db, roles
from ibcore.embedded import Server
from ibcore.models import METADATA
from tests.integration.test_sidecar import started

NAMES = ("writer", "orders", "flows", "reader")
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
I, IU, IUD = {"INSERT"}, {"INSERT", "UPDATE"}, {"INSERT", "UPDATE", "DELETE"}  # noqa: E741
# Everybody reads everything; the owner, who cannot log in, may do everything.
WRITER = {
    "quote": I,
    "trade": I,
    "greeks": I,
    "instrument_stat": I,
    "ingest_batch": I,
    "feed_gap": IU,
    "gap_fill": I,
    "backfill_quote": I,
    "backfill_trade": I,
    "backfill_bar": I,
    "feed_minute": IU,
    "rejected_tick": IUD,
    "quote_latest": {*IUD, "TRUNCATE"},
    "instrument": IU,
    "watch": {"UPDATE"},
    "sidecar": IU,
    "sink": IU,
    "alert": IU,
    "drill": I,
    "drill_step": I,
    "session": IU,
    "line_state": IUD,
    "line_cure": IU,
    "provider_switch": I,
    "session_event": I,
    "request": {"UPDATE"},
    "chain_snapshot": I,
    "chain_quote": I,
    "chain_expiry": I,
    "chain_listing": IU,
    "kill_switch": I,
    "account_state": IU,
    "order_intent": {"UPDATE"},
    "order_event": I,
    "order_id_high": IU,
    "execution": I,
    "commission": IU,
    "position": IUD,
}
FLOWS = {
    "request": IU,
    "watch": IUD,
    "kill_switch": I,
    "order_batch": IU,
    "order_intent": IU,
    "order_event": I,
    "position_baseline": IU,
    "alert": IU,
    "sla_report": I,
}
ORDERS = {
    name: WRITER[name]
    for name in (
        *("kill_switch", "account_state", "order_intent", "order_event", "order_id_high"),
        *("execution", "commission", "position"),
    )
}
NOBODYS = {
    "incident",
    "risk_limit",
    "arming",
    "bar_quote_kept",
    "bar_trade_kept",
    "bar_day",
    "state_transition",
    "ingest_order",
}
MATRIX: dict[str, dict[str, set[str]]] = {
    "writer": WRITER,
    "flows": FLOWS,
    "orders": ORDERS,
    "reader": {},
}
TABLES = sorted(table.name for table in METADATA.sorted_tables)
# Rows that no statement touches: only the privilege is tried.
TRIALS = {
    "SELECT": "SELECT FROM {table} LIMIT 0",
    "INSERT": "INSERT INTO {table} SELECT * FROM {table} LIMIT 0",
    "UPDATE": "UPDATE {table} SET {column} = {column} WHERE false",
    "DELETE": "DELETE FROM {table} WHERE false",
    "TRUNCATE": "TRUNCATE {table} CASCADE",
}
UPKEEP = (
    "ibkeeper.settle_strays('quote', '2000-01-01')",
    "ibkeeper.close_day('2000-01-01')",
    "ibkeeper.drop_day('quote', '2000-01-01', 30)",
    "ibkeeper.prune_ledger(30)",
    "ibkeeper.prune_backfill(30)",
    "ibkeeper.apply_policies(2, 30)",
)


@pytest.fixture
def conn(db_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Return a superuser's connection whose every change is taken back."""
    with psycopg.connect(db_url) as connection:
        yield connection
        connection.rollback()


def test_every_table_is_in_the_matrix() -> None:
    unnamed = set(TABLES) - set(WRITER) - set(FLOWS) - NOBODYS
    assert not unnamed, f"say in migrations/roles.sql and here who may write {unnamed}"


@pytest.mark.parametrize("role", NAMES)
def test_a_role_may_do_to_each_table_what_the_matrix_says(
    conn: psycopg.Connection[Any], role: str
) -> None:
    allowed = {table: {verb for verb in VERBS if _may(conn, role, table, verb)} for table in TABLES}

    assert allowed == {table: {"SELECT"} | MATRIX[role].get(table, set()) for table in TABLES}


def _may(conn: psycopg.Connection[Any], role: str, table: str, verb: str) -> bool:
    column = list(METADATA.tables[f"ibkeeper.{table}"].columns)[-1].name
    text: Any = TRIALS[verb]
    statement = sql.SQL(text).format(
        table=sql.Identifier("ibkeeper", table), column=sql.Identifier(column)
    )
    with conn.transaction(force_rollback=True):
        conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(f"ibkeeper_{role}")))
        try:
            with conn.transaction():
                conn.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return False
        except psycopg.errors.FeatureNotSupported:  # GENERATED columns and the like
            return True
    return True


@pytest.mark.parametrize("role", NAMES)
def test_a_partition_is_nobodys_but_the_owners(conn: psycopg.Connection[Any], role: str) -> None:
    (found,) = conn.execute(
        "SELECT bool_or(has_table_privilege(%s, inhrelid, 'INSERT, UPDATE, DELETE, TRUNCATE'))"
        "  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relkind = 'r'",
        [f"ibkeeper_{role}"],
    ).fetchone() or (True,)
    assert found is False


def test_everything_belongs_to_an_owner_that_cannot_log_in(
    conn: psycopg.Connection[Any],
) -> None:
    owners = conn.execute(
        "SELECT DISTINCT relowner::regrole::text FROM pg_class"
        " WHERE relnamespace = 'ibkeeper'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')"
        " UNION SELECT DISTINCT proowner::regrole::text FROM pg_proc"
        " WHERE pronamespace = 'ibkeeper'::regnamespace"
    ).fetchall()
    logins = conn.execute(
        "SELECT rolname, rolcanlogin, rolsuper FROM pg_roles WHERE rolname LIKE 'ibkeeper%'"
    ).fetchall()

    assert owners == [("ibkeeper_owner",)]
    assert set(logins) == {
        ("ibkeeper_owner", False, False),
        *((f"ibkeeper_{name}", True, False) for name in NAMES),
    }


@pytest.mark.parametrize("call", UPKEEP)
@pytest.mark.parametrize("role", NAMES)
def test_only_flows_may_do_upkeep(conn: psycopg.Connection[Any], role: str, call: str) -> None:
    (may,) = conn.execute(
        "SELECT has_function_privilege(%s, p.oid, 'EXECUTE') FROM pg_proc p"
        " WHERE p.proname = split_part(split_part(%s, '.', 2), '(', 1)",
        [f"ibkeeper_{role}", call],
    ).fetchone() or (None,)
    assert may is (role == "flows")


@pytest.mark.parametrize("role", ["writer", "flows"])
def test_who_may_not_create_tables_still_gets_days_made(
    conn: psycopg.Connection[Any], role: str
) -> None:
    conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(f"ibkeeper_{role}")))
    made = conn.execute("SELECT outcome FROM ibkeeper.ensure_partitions(50)").fetchall()

    assert ("created",) in made or set(made) == {("exists",)}


def test_a_reader_reads_every_view_and_is_stopped_after_its_time(db_url: str) -> None:
    with psycopg.connect(roles.login_url(db_url, "reader"), autocommit=True) as reader:
        views = reader.execute(
            "SELECT relname FROM pg_class"
            " WHERE relnamespace = 'ibkeeper'::regnamespace AND relkind = 'v'"
        ).fetchall()
        for (view,) in views:
            reader.execute(sql.SQL("SELECT * FROM {} LIMIT 1").format(sql.Identifier(view)))
        assert reader.execute("SHOW statement_timeout").fetchone() == ("30s",)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("CREATE TEMP TABLE t ()")
        reader.execute("SET statement_timeout = '50ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            reader.execute("SELECT pg_sleep(10)")
    assert len(views) >= 12


def test_a_url_that_names_a_role_itself_keeps_it(db_url: str) -> None:
    plain: dict[str, Any] = conninfo_to_dict(db_url)
    url = make_conninfo(**plain | {"options": "-c role=none"})

    assert roles.url_as(url, "writer") == url


@pytest.mark.parametrize("role", NAMES)
def test_a_url_taken_as_a_role_works_as_that_role(db_url: str, role: roles.Role) -> None:
    url = roles.url_as(db_url, role)
    with psycopg.connect(db.conninfo(url, application="test")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (f"ibkeeper_{role}",)
    assert roles.url_as(url, "reader") == url


def test_a_login_that_may_take_no_role_works_as_itself(
    db_url: str, postgres_server: Server
) -> None:
    with psycopg.connect(postgres_server.url(), autocommit=True) as superuser:
        superuser.execute("DROP ROLE IF EXISTS outsider")
        superuser.execute("CREATE ROLE outsider LOGIN")
    plain: dict[str, Any] = conninfo_to_dict(db_url)
    url = make_conninfo(**plain | {"user": "outsider"})

    assert roles.url_as(url, "writer") == url
    with (
        psycopg.connect(url) as outsider,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema ibkeeper"),
    ):
        outsider.execute("SELECT FROM ibkeeper.quote")


@pytest.mark.anyio
async def test_the_sidecar_works_as_the_writer(db_url: str, tmp_path: Path) -> None:
    with psycopg.connect(db_url, autocommit=True) as superuser:
        superuser.execute("REVOKE UPDATE ON ibkeeper.session FROM ibkeeper_writer")
        try:
            async with started(tmp_path, DATABASE_URL=db_url) as sidecar:
                assert await sidecar.ended(within_s=40) != 0
        finally:
            superuser.execute("GRANT UPDATE ON ibkeeper.session TO ibkeeper_writer")

    assert "permission denied for table session" in sidecar.said


@pytest.mark.anyio
async def test_flows_work_as_flows(db_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBKEEPER_DATABASE_URL", db_url)
    with psycopg.connect(db_url, autocommit=True) as superuser:
        superuser.execute("REVOKE SELECT ON ibkeeper.chain_quote FROM ibkeeper_flows")
        try:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="chain_quote"):
                await Client.from_settings().chain(uuid4())
        finally:
            superuser.execute("GRANT SELECT ON ibkeeper.chain_quote TO ibkeeper_flows")


@pytest.fixture
def owned_url(postgres_server: Server) -> Iterator[str]:
    """Return the URL of a database whose owner may create no roles and is in none of ours."""
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as superuser:
        superuser.execute("DROP DATABASE IF EXISTS hosted")
        superuser.execute("DROP ROLE IF EXISTS tenant")
        superuser.execute("CREATE ROLE tenant LOGIN")
        superuser.execute("CREATE DATABASE hosted OWNER tenant")
        plain: dict[str, Any] = conninfo_to_dict(postgres_server.url("hosted"))
        yield make_conninfo(**plain | {"user": "tenant"})
        superuser.execute("DROP DATABASE hosted WITH (FORCE)")
        superuser.execute("DROP ROLE tenant")


def test_a_database_whose_owner_may_create_no_roles_is_used_as_it_is(owned_url: str) -> None:
    db.migrate(owned_url)
    db.migrate(owned_url)

    assert roles.url_as(owned_url, "writer") == owned_url
    with psycopg.connect(owned_url, autocommit=True) as tenant:
        tenant.execute("SELECT * FROM ibkeeper.ensure_partitions(9)")
        tenant.execute("SELECT * FROM ibkeeper.bar_1d")
        owners = tenant.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class"
            " WHERE relnamespace = 'ibkeeper'::regnamespace AND relkind IN ('r', 'p', 'v')"
        ).fetchall()
    assert owners == [("tenant",)]


def test_a_login_that_may_create_roles_ends_up_in_them(postgres_server: Server) -> None:
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as superuser:
        superuser.execute("DROP DATABASE IF EXISTS managed")
        superuser.execute("DROP ROLE IF EXISTS manager")
        superuser.execute("CREATE ROLE manager LOGIN CREATEROLE")
        superuser.execute("GRANT ibkeeper_owner, ibkeeper_writer, ibkeeper_flows TO manager")
        superuser.execute("CREATE DATABASE managed OWNER manager")
        plain: dict[str, Any] = conninfo_to_dict(postgres_server.url("managed"))
        url = make_conninfo(**plain | {"user": "manager"})
        db.migrate(url)
        db.migrate(url, to="base")
        db.migrate(url)
        written = roles.url_as(url, "writer")
        superuser.execute("DROP DATABASE managed WITH (FORCE)")
        superuser.execute("DROP ROLE manager")
    assert "role=ibkeeper_writer" in written
