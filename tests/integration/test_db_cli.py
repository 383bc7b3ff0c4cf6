"""`ibkeeper db`, run as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest

from ibcore import db
from tests.canary import PASSWORD


def ibkeeper(*arguments: str, url: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IBKEEPER_")}
    if url is not None:
        environment["IBKEEPER_DATABASE_URL"] = url
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "ibcore.cli.__main__", *arguments],
        env={**environment, "IBKEEPER_HOME": "/nonexistent", "PGPASSWORD": "unused"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_url_prints_the_url_and_nothing_else(db_url: str) -> None:
    assert ibkeeper("db", "url", url=db_url).stdout == f"{db_url}\n"


def test_a_url_with_the_login_of_a_role_has_no_password(db_url: str) -> None:
    assert PASSWORD in db_url
    done = ibkeeper("db", "url", "--role", "reader", url=db_url)

    assert done.stdout.startswith("postgresql://ibkeeper_reader@")
    assert PASSWORD not in done.stdout
    with psycopg.connect(done.stdout.strip()) as reader:
        assert reader.execute("SELECT current_user").fetchone() == ("ibkeeper_reader",)


def test_a_role_that_does_not_exist_is_a_usage_error(db_url: str) -> None:
    done = ibkeeper("db", "url", "--role", "owner", url=db_url)

    assert done.returncode == 2
    assert "owner is none of writer, orders, flows, reader" in done.stderr


def test_maintain_says_what_it_did(db_url: str) -> None:
    done = ibkeeper("db", "maintain", url=db_url)

    assert done.returncode == 0, done.stderr
    assert "days ahead: quote_" in done.stdout
    assert "ledger: ingest_batch: 0 entries deleted" in done.stdout


def test_a_database_newer_than_the_program_is_refused_with_3(db_url: str) -> None:
    with psycopg.connect(db_url, autocommit=True) as conn:
        conn.execute("UPDATE ibkeeper.alembic_version SET version_num = '9999'")
        try:
            done = ibkeeper("db", "migrate", url=db_url)
        finally:
            conn.execute(
                "UPDATE ibkeeper.alembic_version SET version_num = %s", [db.head_revision()]
            )

    assert done.returncode == 3
    assert "at 9999, newer than this program" in done.stderr


def test_migrate_may_be_repeated(db_url: str) -> None:
    done = ibkeeper("db", "migrate", url=db_url)

    assert (done.returncode, done.stdout) == (0, f"The schema is at {db.head_revision()}.\n")


def test_the_shell_finds_the_tables_without_their_schema(db_url: str) -> None:
    done = ibkeeper("db", "shell", "--", "-Atc", "SELECT count(*) FROM v_quote_latest", url=db_url)

    assert (done.returncode, done.stdout) == (0, "0\n")


def test_the_shell_keeps_the_password_out_of_the_process_list(db_url: str) -> None:
    with psycopg.connect(db_url, autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS shell_user")
        conn.execute(f"CREATE ROLE shell_user LOGIN PASSWORD '{PASSWORD}'")
    url = db_url.replace("postgres:", "shell_user:")

    done = ibkeeper("db", "shell", "--", "-Atc", r"\! tr '\0' ' ' < /proc/$PPID/cmdline", url=url)

    assert "shell_user" in done.stdout
    assert PASSWORD not in done.stdout


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (None, 3, "ibkeeper up"),
        ("not a url", 3, "postgresql://user@host:5432/database"),
        (f"postgresql://u:{PASSWORD}@127.0.0.1:1/d", 1, "refused"),
        (f"postgres//u:{PASSWORD}@h/d", 3, "cannot be read"),
        (f"postgresql://u:{PASSWORD}@nowhere.invalid/d", 1, "nowhere.invalid"),
    ],
)
def test_a_wrong_url_is_one_line_with_the_remedy(url: str | None, code: int, words: str) -> None:
    done = ibkeeper("db", "migrate", url=url)

    assert done.returncode == code
    assert words in done.stderr
    assert PASSWORD not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
