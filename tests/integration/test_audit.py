"""The audit trail as a chain: whoever changes a row behind the triggers is found, and where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import psycopg
import pytest

from ibcore import audit, db
from ibcore.audit import Chain
from ibcore.batch import report
from ibcore.doctor import database
from ibcore.embedded import Server
from tests.integration.test_authority_cli import ibkeeper

pytestmark = pytest.mark.anyio

LIMIT = (
    "INSERT INTO ibkeeper.risk_limit (name, value, set_by, reason)"
    " VALUES ('max_quantity', %s, 'ann', E'say \"so\"\\n\\tgrüße \\\\ \\u0001')"
)
OTHERS = (
    "INSERT INTO ibkeeper.kill_switch (engaged, set_by, reason) VALUES (true, 'ann', 'flood')",
    "INSERT INTO ibkeeper.kill_switch (engaged, set_by, reason) VALUES (false, 'bob', 'over')",
    "INSERT INTO ibkeeper.arming (account, armed_until, set_by) VALUES ('U1', now(), 'ann')",
)
# A superuser needs no more than this to get past every trigger.
UNGUARDED = "SET session_replication_role = replica"


@pytest.fixture
def written(db_url: str) -> str:
    """Write five limits, a stop and its lifting, and an arming."""
    with psycopg.connect(db_url, autocommit=True) as conn:
        for value in ("1", "2", None, "4", "5"):
            conn.execute(LIMIT, (value,))
        for statement in OTHERS:
            conn.execute(statement)
    return db_url


async def look(url: str) -> dict[str, Chain]:
    async with db.opened(url, application="test") as conn:
        return {chain.trail: chain for chain in await audit.look(conn)}


def behind_the_triggers(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in (UNGUARDED, *statements):
            conn.execute(statement.encode())


async def test_what_was_written_is_whole_in_every_time_zone(written: str) -> None:
    with psycopg.connect(written, autocommit=True) as conn:
        conn.execute("SET timezone = 'Asia/Kolkata'")
        conn.execute(OTHERS[2])
    found = await look(written)
    assert {trail: len(chain.hashes) for trail, chain in found.items()} == {
        "risk_limit": 5, "kill_switch": 2, "arming": 2,
    }  # fmt: skip
    assert not any(chain.broken for chain in found.values())
    assert len({each for chain in found.values() for each in chain.hashes}) == 9


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("UPDATE ibkeeper.risk_limit SET value = '900' WHERE id = 2", "row 2 is not as it was"),
        ("UPDATE ibkeeper.risk_limit SET set_by = 'bob' WHERE id = 5", "row 5 is not as it was"),
        ("UPDATE ibkeeper.risk_limit SET at = at - interval '1 s' WHERE id = 1", "row 1 is not"),
        ("DELETE FROM ibkeeper.risk_limit WHERE id = 3", "row 4 does not follow row 2"),
        ("DELETE FROM ibkeeper.risk_limit WHERE id = 1", "row 2 is the first, and is not"),
        ("UPDATE ibkeeper.risk_limit SET row_hash = repeat('0', 64) WHERE id = 2", "row 2 is not"),
        (
            "UPDATE ibkeeper.risk_limit SET id = CASE id WHEN 2 THEN 93 WHEN 3 THEN 2 END"
            " WHERE id IN (2, 3)",
            "row 2 does not follow row 1",
        ),
    ],
)
async def test_a_superuser_who_changes_a_row_is_found_and_where(
    written: str, deed: str, said: str
) -> None:
    behind_the_triggers(written, deed)
    found = await look(written)
    assert found["risk_limit"].broken.startswith(said)
    assert not found["kill_switch"].broken


@pytest.mark.parametrize(
    ("trail", "deed"),
    [
        ("kill_switch", "UPDATE ibkeeper.kill_switch SET engaged = false WHERE id = 1"),
        ("arming", "UPDATE ibkeeper.arming SET armed_until = 'tomorrow', at = now() WHERE id = 1"),
    ],
)
async def test_every_trail_is_a_chain_of_its_own(written: str, trail: str, deed: str) -> None:
    behind_the_triggers(written, deed)
    found = await look(written)
    assert [name for name, chain in found.items() if chain.broken] == [trail]


async def test_a_row_that_is_hashed_anew_leaves_the_next_one_apart(written: str) -> None:
    # The trigger itself makes the new hash, as somebody would who knows how it is done.
    behind_the_triggers(
        written,
        "SET session_replication_role = origin",
        "DROP TRIGGER risk_limit_append_only ON ibkeeper.risk_limit",
        "CREATE TRIGGER again BEFORE UPDATE ON ibkeeper.risk_limit FOR EACH ROW"
        " EXECUTE FUNCTION ibkeeper.seal_audit_row()",
        "UPDATE ibkeeper.risk_limit SET value = '900' WHERE id = 2",
        "DROP TRIGGER again ON ibkeeper.risk_limit",
        "CREATE TRIGGER risk_limit_append_only BEFORE UPDATE OR DELETE ON ibkeeper.risk_limit"
        " FOR EACH ROW EXECUTE FUNCTION ibkeeper.guard_written_once()",
    )
    found = await look(written)
    assert found["risk_limit"].broken.startswith("row 3 does not follow row 2")


async def test_rows_cut_off_at_the_end_are_missed_by_a_head_noted_before(
    written: str, tmp_path: Path
) -> None:
    head = (await look(written))["risk_limit"].head
    at = {"url": written, "home": tmp_path}
    assert ibkeeper("authority", "verify", "--noted", head, **at).returncode == 0
    behind_the_triggers(written, "DELETE FROM ibkeeper.risk_limit WHERE id = 5")
    assert not (await look(written))["risk_limit"].broken  # a chain does not know how long it was
    done = ibkeeper("authority", "verify", "--noted", head, "--json", **at)
    told = json.loads(done.stdout)
    assert (done.returncode, told["whole"], told["lost"]) == (1, False, [head])


async def test_the_command_and_the_doctor_name_the_row(written: str, tmp_path: Path) -> None:
    at = {"url": written, "home": tmp_path}
    well = ibkeeper("authority", "verify", **at)
    assert well.returncode == 0, well.stderr
    assert "risk_limit: 5 rows, unbroken  head " in well.stdout
    behind_the_triggers(written, "UPDATE ibkeeper.risk_limit SET value = '900' WHERE id = 4")
    broken = ibkeeper("authority", "verify", **at)
    assert (broken.returncode, "row 4 is not as it was written" in broken.stdout) == (1, True)
    finding = {each.name: each for each in await database.look(written)}["audit trail"]
    assert finding.verdict == "failed"
    assert finding.seen == "risk_limit: row 4 is not as it was written"


async def test_writers_at_once_make_one_chain(db_url: str) -> None:
    def write(writer: int) -> None:
        with psycopg.connect(db_url, autocommit=True) as conn:
            for number in range(20):
                conn.execute(LIMIT, (str(writer * 100 + number),))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    found = await look(db_url)
    assert (len(found["risk_limit"].hashes), found["risk_limit"].broken) == (160, "")
    fork = (
        "INSERT INTO ibkeeper.risk_limit (id, name, value, set_by, previous_hash, row_hash) SELECT"
        " 999, name, value, set_by, previous_hash, 'x' FROM ibkeeper.risk_limit WHERE id = 80"
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        behind_the_triggers(db_url, fork)


async def test_the_report_of_the_day_notes_the_heads_and_finds_a_broken_trail(written: str) -> None:
    async with db.opened(written, application="test") as conn:
        well = await report.report(conn, date(2026, 11, 27))
        behind_the_triggers(written, "DELETE FROM ibkeeper.kill_switch WHERE id = 1")
        broken = await report.report(conn, date(2026, 11, 27))
    assert all(chain.head in well.heads for chain in well.trail)
    assert well.breaks == ()
    assert [(each.kind, each.subject) for each in broken.breaks] == [("audit trail", "kill_switch")]


@pytest.fixture
def old_url(postgres_server: Server) -> Iterator[str]:
    """Return a database of the schema before, with rows in it."""
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as conn:
        conn.execute("DROP DATABASE IF EXISTS unchained")
        conn.execute("CREATE DATABASE unchained")
        url = postgres_server.url("unchained")
        db.migrate(url, to="0024")
        with psycopg.connect(url, autocommit=True) as old:
            for value in ("1", "2", "3"):
                old.execute(LIMIT, (value,))
            for statement in OTHERS:
                old.execute(statement)
        yield url
        conn.execute("DROP DATABASE unchained WITH (FORCE)")


async def test_rows_from_before_are_chained_as_they_stand_and_stay_unchangeable(
    old_url: str,
) -> None:
    db.migrate(old_url)
    with psycopg.connect(old_url, autocommit=True) as conn:
        conn.execute(LIMIT, ("4",))
        with pytest.raises(psycopg.errors.RestrictViolation):
            conn.execute("UPDATE ibkeeper.risk_limit SET value = '9' WHERE id = 1")
    found = await look(old_url)
    assert {trail: len(chain.hashes) for trail, chain in found.items()} == {
        "risk_limit": 4, "kill_switch": 2, "arming": 1,
    }  # fmt: skip
    assert not any(chain.broken for chain in found.values())
