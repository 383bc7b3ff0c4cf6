"""The database: login, version, schema, roles, clock, TimescaleDB, the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from anyio import to_thread
from psycopg.rows import dict_row

from ibcore import audit, db, roles
from ibcore.audit import Chain
from ibcore.clock import utcnow
from ibcore.doctor import clocks
from ibcore.doctor.finding import Finding, failed, ok, skipped, warning
from ibcore.errors import DatabaseUnavailable, SchemaMismatch
from ibcore.roles import Role

NAMES: Final = (
    *("database", "database clock", "timescaledb", "schema", "audit trail"),
    *("role writer", "role flows"),
)
OLDEST: Final = 140_000
# What each must be able to do, of all that migrations/roles.sql grants: one verb a way through.
NEEDED: Final[dict[Role, tuple[tuple[str, str], ...]]] = {
    "writer": (
        ("quote", "INSERT"),
        ("ingest_batch", "INSERT"),
        ("sidecar", "UPDATE"),
        ("order_intent", "UPDATE"),
        ("alert", "UPDATE"),
    ),
    "flows": (("request", "INSERT"), ("watch", "INSERT"), ("sla_report", "INSERT")),
}
_ROLES: Final = "See docs/operations.md, roles: give the login its role, or use another login."


async def look(url: str) -> list[Finding]:
    """Return what was found; what needs the database is skipped without it."""
    try:
        async with db.opened(url, application="doctor") as conn:
            began = utcnow()
            (facts,) = await _rows(conn, "doctor_server")
            at = began + (utcnow() - began) / 2
            ahead = (facts["now"] - at) / timedelta(seconds=1)
            found = [server(facts)]
            found.append(clocks.judge(NAMES[1], ahead, unsure_s=0.5, whose="the database's"))
            found.append(timescale(facts))
            found.append(await _schema(conn))
            if found[-1].verdict != "ok":
                return [*found, *_skipped(NAMES[4:], "the schema is another one")]
            chains = await audit.look(conn)
    except DatabaseUnavailable as away:
        what, remedy = away.args[0], away.remedy
        return [failed(NAMES[0], str(what), remedy), *_skipped(NAMES[1:], "it is not reached")]
    return [*found, trail(chains), await _role(url, "writer"), await _role(url, "flows")]


def server(facts: dict[str, Any]) -> Finding:
    """Judge the server's version, and whether it takes writes."""
    seen = f"PostgreSQL {facts['version']}, as {facts['login']}"
    if facts["number"] < OLDEST:
        return failed(NAMES[0], seen, "Use PostgreSQL 14 or newer.")
    if facts["standby"]:
        return failed(NAMES[0], f"{seen}: a standby", "Point IBKEEPER_DATABASE_URL at the primary.")
    if facts["read_only"]:
        remedy = "Let IBKEEPER_DATABASE_URL name another login."
        return failed(NAMES[0], f"{seen}, which may only read", remedy)
    return ok(NAMES[0], seen)


def timescale(facts: dict[str, Any]) -> Finding:
    """Say which kind of tables there are; both are well."""
    if facts["installed"] is not None:
        return ok(NAMES[2], f"TimescaleDB {facts['installed']}: hypertables, compression")
    there = f"available ({facts['available']}), not created" if facts["available"] else "not there"
    return ok(NAMES[2], f"{there}: day partitions of plain PostgreSQL, the same views")


def trail(chains: Sequence[Chain]) -> Finding:
    """Judge whether limits, kill switch and arming are as they were written."""
    seen = "; ".join(str(chain) for chain in chains if chain.broken)
    if seen:
        return failed(NAMES[4], seen, "Compare with a backup; docs/orders.md, the audit trail.")
    rows = sum(len(chain.hashes) for chain in chains)
    return ok(NAMES[4], f"{rows} rows of limits, kill switch and arming, unbroken")


async def _schema(conn: db.Connection) -> Finding:
    try:
        await db.check_schema(conn)
    except SchemaMismatch as other:
        return failed(NAMES[3], str(other.args[0]), other.remedy)
    return ok(NAMES[3], f"at {db.head_revision()}, as this program")


async def _role(url: str, role: Role) -> Finding:
    name = f"role {role}"
    tables, verbs = zip(*NEEDED[role], strict=True)
    asked = {"tables": list(tables), "verbs": list(verbs)}
    try:
        taken = await to_thread.run_sync(roles.url_as, url, role)
        async with db.opened(taken, application="doctor") as conn:
            (found,) = await _rows(conn, "doctor_role", asked)
    except DatabaseUnavailable as refused:
        return failed(name, str(refused.args[0]), _ROLES)
    if found["missing"]:
        lacks = ", ".join(found["missing"])
        return failed(name, f"{found['who']} may not {lacks}", _ROLES)
    if found["who"] != roles.PREFIX + role:
        seen = f"{found['who']} does it: the login may not take {roles.PREFIX}{role}"
        return warning(name, seen, "It works. To have mistakes refused: docs/operations.md, roles.")
    return ok(name, found["who"])


def _skipped(names: tuple[str, ...], why: str) -> list[Finding]:
    return [skipped(name, why) for name in names]


async def _rows(conn: db.Connection, query: str, values: Any = None) -> list[dict[str, Any]]:
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES[query], values)
            return await cursor.fetchall()
