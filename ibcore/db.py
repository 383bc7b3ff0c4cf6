"""The door to PostgreSQL: connections, named statements, LISTEN with a poll, the schema version.

Whatever the server or the network does arrives here as an `ibcore.errors` class with one line
and no password. NOTIFY is a hint, the poll is the guarantee: `listen_or_poll` gives both.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from ibcore import log
from ibcore.config import Settings
from ibcore.errors import (
    ConfigRefused,
    DatabaseUnavailable,
    IbkeeperError,
    InstanceConflict,
    SchemaMismatch,
)

CONNECT_TIMEOUT_S: Final = 5
RUN_FILE: Final = "run.json"
Connection = psycopg.AsyncConnection[Any]

_MIGRATIONS: Final = Path(__file__).resolve().parent.parent / "migrations"
_KEEPALIVE: Final[Mapping[str, Any]] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # A dead peer that still holds our unsent bytes is not seen by keepalives.
    "tcp_user_timeout": 20_000,
}
_CHECK_SERVER: Final = (
    "Nothing was changed. Check that the server runs and that IBKEEPER_DATABASE_URL names it."
)
_BLOCK: Final = re.compile(r"^-- ([a-z][a-z0-9_]*) --$", re.MULTILINE)


def parse_queries(text: str) -> Mapping[str, bytes]:
    """Return the named statements of `text`; refuse a doubled name or a missing comment."""
    _, *parts = _BLOCK.split(text)
    queries: dict[str, bytes] = {}
    for name, block in zip(parts[::2], parts[1::2], strict=True):
        lines = block.strip().splitlines()
        statement = [line for line in lines if not line.startswith("--")]
        if name in queries:
            raise ValueError(f"queries.sql: {name} is there twice")
        if len(statement) == len(lines) or not statement:
            raise ValueError(f"queries.sql: {name} needs a comment and a statement")
        queries[name] = "\n".join(statement).rstrip("; \n").encode()
    return MappingProxyType(queries)


def _all_queries() -> Mapping[str, bytes]:
    here = Path(__file__).parent
    files = [here / "queries.sql", *sorted((here / "queries").glob("*.sql"))]
    return parse_queries("\n".join(file.read_text("utf-8") for file in files))


QUERIES: Final = _all_queries()


def conninfo(url: str, *, application: str) -> str:
    """Return `url` with our timeouts and name; what it says itself about those wins."""
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
        merged = {**_KEEPALIVE, "application_name": f"ibkeeper {application}"[:63], **given}
        return make_conninfo(**merged)
    except psycopg.ProgrammingError:
        # libpq repeats the text, password and all: its words are not passed on.
        raise ConfigRefused(
            "The database URL cannot be read.",
            remedy="Nothing was started. Write IBKEEPER_DATABASE_URL as "
            "postgresql://user@host:5432/database, with a password as user:password.",
        ) from None


async def connect(url: str, *, application: str, autocommit: bool = True) -> Connection:
    """Open one connection, or raise DatabaseUnavailable within the connect timeout."""
    text = conninfo(url, application=application)
    with translated():
        return await psycopg.AsyncConnection.connect(text, autocommit=autocommit)


@asynccontextmanager
async def opened(url: str, *, application: str) -> AsyncIterator[Connection]:
    """Open a connection for the length of a block; closed even when the block is cancelled."""
    conn = await connect(url, application=application)
    try:
        yield conn
    finally:
        # Not `async with conn`: its exit rolls back first, and when the task is cancelled that
        # await raises before the close (psycopg 3.3, connection_async.py:195).
        await conn.close()


def pool(
    url: str, *, application: str, min_size: int = 1, max_size: int = 4
) -> AsyncConnectionPool[Connection]:
    """Return a pool, not yet open: use it as `async with db.pool(…) as pool`."""
    return AsyncConnectionPool(
        conninfo(url, application=application),
        kwargs={"autocommit": True},
        min_size=min_size,
        max_size=max_size,
        timeout=CONNECT_TIMEOUT_S,
        open=False,
        name=application,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours; one that is a bug in our SQL passes unchanged."""
    try:
        yield
    except (psycopg.Error, PoolTimeout, PoolClosed) as error:
        named = _named(error)
        if named is None:
            raise
        raise named from None


def _named(error: Exception) -> IbkeeperError | None:
    code = getattr(error, "sqlstate", None) or ""
    line = _one_line(error)
    if code in {"3F000", "42P01", "42703", "42883"}:
        return SchemaMismatch(
            f"The database lacks something: {line}.",
            remedy="Nothing was changed. Run: ibkeeper db migrate.",
        )
    if code.startswith("28"):
        remedy = "Nothing was changed. Check user and password in IBKEEPER_DATABASE_URL."
        return DatabaseUnavailable(f"The database refused the login: {line}.", remedy=remedy)
    if code == "3D000":
        remedy = "Nothing was changed. Create it, or correct IBKEEPER_DATABASE_URL."
        return DatabaseUnavailable(f"The database does not exist: {line}.", remedy=remedy)
    if code == "25006":
        remedy = "Nothing was changed. Point IBKEEPER_DATABASE_URL at the primary."
        return DatabaseUnavailable(f"The database is read-only: {line}.", remedy=remedy)
    if code[:2] in {"40", "53", "55", "57", "58", "08"} or isinstance(
        error, psycopg.OperationalError | PoolTimeout | PoolClosed
    ):
        return DatabaseUnavailable(f"The database cannot be used: {line}.", remedy=_CHECK_SERVER)
    return None


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return log.mask("; ".join(lines)).rstrip(".?")


async def listen_or_poll(
    conn: Connection, channel: str, *, poll_s: float
) -> AsyncIterator[str | None]:
    """Yield each payload of `channel`, and None first and whenever `poll_s` passed in silence.

    The first None comes after LISTEN is in force: look at the table on every item, and a row
    written before, between or after is seen. The connection must be autocommit and used for
    nothing else.
    """
    with translated():
        await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
    yield None
    while True:
        with translated():
            arrived = [n.payload async for n in conn.notifies(timeout=poll_s, stop_after=1)]
        if not arrived:
            yield None
        for payload in arrived:
            yield payload


def resolve_url(settings: Settings) -> str:
    """Return the database URL: the setting, else what a running `ibkeeper up` wrote."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
    else:
        url = _url_of_running_stack(settings.home / RUN_FILE)
    with suppress(ConfigRefused):
        given = psycopg.conninfo.conninfo_to_dict(conninfo(url, application="url"))
        log.hide(str(given.get("password") or ""))
    return url


def _url_of_running_stack(file: Path) -> str:
    try:
        return str(json.loads(file.read_text("utf-8"))["database_url"])
    except FileNotFoundError:
        problem = f"There is no database: IBKEEPER_DATABASE_URL is not set and {file} is not there."
    except (OSError, ValueError, KeyError, TypeError) as broken:
        problem = f"{file} cannot be read: {type(broken).__name__}."
    raise ConfigRefused(
        problem, remedy="Nothing was started. Run `ibkeeper up`, or set IBKEEPER_DATABASE_URL."
    )


def head_revision() -> str:
    """Return the revision that this code was written for."""
    return max(file.name[:4] for file in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def migrate(url: str, *, to: str = "head", lock_timeout_s: float = 5.0) -> None:
    """Bring the schema to `to` ("head", "base" or a revision), in one transaction.

    Raises SchemaMismatch when the schema is newer than this code, DatabaseUnavailable when a
    table stays locked for longer than `lock_timeout_s`.
    """
    # Alembic and SQLAlchemy take a third of a second to import, and the sidecar needs neither.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    text = conninfo(url, application="migrate")
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    step = command.downgrade if to == "base" else command.upgrade
    with translated(), psycopg.connect(text) as driver:
        engine = create_engine("postgresql+psycopg://", creator=lambda: driver, poolclass=NullPool)
        with engine.connect() as connection:
            config.attributes |= {"connection": connection, "lock_timeout_s": lock_timeout_s}
            try:
                step(config, to)
            except CommandError as unknown:
                raise SchemaMismatch(
                    f"The database schema is not one that this program knows: {unknown}.",
                    remedy="Nothing was changed. Run the newer ibkeeper.",
                ) from None


async def check_schema(conn: Connection) -> None:
    """Raise SchemaMismatch unless the schema is the one this code was written for."""
    found, wanted = await _schema_version(conn), head_revision()
    if found == wanted:
        return
    if found is None or found < wanted:
        raise SchemaMismatch(
            f"The database schema is at {found or 'nothing'}, this program needs {wanted}.",
            remedy="Nothing was changed. Run: ibkeeper db migrate.",
        )
    raise SchemaMismatch(
        f"The database schema is at {found}, newer than this program ({wanted}).",
        remedy="Nothing was changed. Run the newer ibkeeper.",
    )


async def _schema_version(conn: Connection) -> str | None:
    with translated():
        try:
            row = await (await conn.execute(QUERIES["schema_version"])).fetchone()
        except psycopg.errors.UndefinedTable:
            return None
    return str(row[0]) if row else None


async def hold_instance_lock(conn: Connection, name: str) -> None:
    """Take the lock of sidecar `name` for as long as `conn` lives, or say who holds it."""
    with translated():
        cursor = await conn.execute(QUERIES["try_sidecar_lock"], {"name": name})
        row = await cursor.fetchone()
        if row is not None and row[0]:
            return
        holder = conn.cursor(row_factory=dict_row)
        await holder.execute(QUERIES["sidecar_lock_holder"], {"name": name})
        found = await holder.fetchone()
    raise InstanceConflict(
        f"Another sidecar named {name} is running: {_describe(found)}.",
        remedy="Nothing was started. Stop it, or choose another IBKEEPER_SIDECAR__NAME.",
    )


def _describe(holder: Mapping[str, Any] | None) -> str:
    if holder is None:
        return "it let go of the lock this moment"
    if holder["pid"] is None:
        return f"{holder['application'] or 'unknown'}, connected since {holder['backend_start']}"
    since = holder["backend_start"]  # NULL to a role that may not see other backends
    held = f", since {since:%Y-%m-%d %H:%M:%S %Z}" if since else ""
    beat = f"last heartbeat {holder['heartbeat_at']:%H:%M:%S}"
    return f"pid {holder['pid']} on {holder['host']}{held}, {beat}"
