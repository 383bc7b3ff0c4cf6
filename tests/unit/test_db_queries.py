"""The statements file, the connection string and where the URL comes from: no server needed."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from ibcore import db, log
from ibcore.config import Settings
from ibcore.errors import ConfigRefused, DatabaseUnavailable, SchemaMismatch
from tests.canary import PASSWORD


def test_a_named_block_becomes_a_statement_without_its_comment() -> None:
    queries = db.parse_queries("-- one --\n-- 100 % why\nSELECT 1;\n\n-- two --\n-- w\nSELECT 2\n")

    assert queries == {"one": b"SELECT 1", "two": b"SELECT 2"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- one --\n-- a\nSELECT 1;\n-- one --\n-- b\nSELECT 2;", "one is there twice"),
        ("-- one --\nSELECT 1;", "one needs a comment and a statement"),
        ("-- one --\n-- only words\n", "one needs a comment and a statement"),
    ],
)
def test_a_careless_block_stops_the_import(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        db.parse_queries(text)


def test_every_statement_names_its_tables_with_the_schema() -> None:
    for name, statement in db.QUERIES.items():
        assert b"ibkeeper" in statement or b"FROM pg_" in statement, name


def test_what_the_url_says_wins_over_our_timeouts() -> None:
    text = db.conninfo("postgresql://h/d?connect_timeout=9", application="test")

    given = psycopg.conninfo.conninfo_to_dict(text)
    assert given["connect_timeout"] == "9"
    assert given["keepalives_idle"] == "10"
    assert given["application_name"] == "ibkeeper test"


def test_an_unreadable_url_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigRefused) as refused:
        db.conninfo(f"postgres//u:{PASSWORD}@h/d", application="test")

    assert "IBKEEPER_DATABASE_URL" in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_driver_error_loses_its_line_breaks_and_its_password() -> None:
    with pytest.raises(DatabaseUnavailable) as raised, db.translated():
        raise psycopg.OperationalError(f"no route to\npostgresql://u:{PASSWORD}@h/d\n")

    assert "no route to; postgresql://u:**********@h/d" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.retryable


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.errors.UndefinedTable, SchemaMismatch),
        (psycopg.errors.UndefinedColumn, SchemaMismatch),
        (psycopg.errors.InvalidPassword, DatabaseUnavailable),
        (psycopg.errors.InvalidCatalogName, DatabaseUnavailable),
        (psycopg.errors.ReadOnlySqlTransaction, DatabaseUnavailable),
        (psycopg.errors.AdminShutdown, DatabaseUnavailable),
        (psycopg.errors.DeadlockDetected, DatabaseUnavailable),
        (psycopg.errors.DiskFull, DatabaseUnavailable),
        (psycopg.errors.CheckViolation, psycopg.errors.CheckViolation),
        (psycopg.errors.SyntaxError, psycopg.errors.SyntaxError),
    ],
)
def test_the_sqlstate_decides_which_error_it_is(
    error: type[psycopg.Error], expected: type[Exception]
) -> None:
    with pytest.raises(Exception) as raised, db.translated():  # noqa: PT011
        raise error("what the server said")

    assert type(raised.value) is expected


def test_the_setting_wins_over_the_running_stack(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"database_url": "postgresql:///b"}))

    assert db.resolve_url(_settings(tmp_path, url="postgresql:///a")) == "postgresql:///a"
    assert db.resolve_url(_settings(tmp_path)) == "postgresql:///b"


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_no_database_at_all_is_refused_with_both_remedies(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)

    with pytest.raises(ConfigRefused, match=r"ibkeeper up.*IBKEEPER_DATABASE_URL"):
        db.resolve_url(_settings(tmp_path))


def test_the_password_of_the_url_is_hidden_from_then_on(tmp_path: Path) -> None:
    db.resolve_url(_settings(tmp_path, url=f"postgresql://u:{PASSWORD}@h/d"))

    assert PASSWORD not in log.mask(f"password {PASSWORD} was refused")


def _settings(home: Path, *, url: str | None = None) -> Settings:
    return Settings.model_validate({"home": home, "database_url": url})
