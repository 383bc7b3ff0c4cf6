"""Which of the database's roles a process works as.

The migrations make the roles where they may. A login that may take one takes it with every
connection (`-c role=…`), so that a mistake of ours is refused by the database; a login that may
not, or a server without the roles, is used as it is.
"""

from __future__ import annotations

from typing import Any, Final, Literal
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ibcore import db

PREFIX: Final = "ibkeeper_"
Role = Literal["writer", "orders", "flows", "reader"]


def url_as(url: str, role: Role) -> str:
    """Return `url` such that its connections work as `role`, where its login may.

    Blocking, one connection; raises DatabaseUnavailable. A URL whose options name a role
    already keeps it.
    """
    given = conninfo_to_dict(db.conninfo(url, application=role))
    options = str(given.get("options") or "")
    if "role=" in options or not _may_take(url, PREFIX + role):
        return url
    plain: dict[str, Any] = conninfo_to_dict(url)
    return make_conninfo(**plain | {"options": f"{options} -c role={PREFIX}{role}".strip()})


def _may_take(url: str, name: str) -> bool:
    with (
        db.translated(),
        psycopg.connect(db.conninfo(url, application="roles"), autocommit=True) as conn,
    ):
        row = conn.execute(db.QUERIES["may_take_role"], {"role": name}).fetchone()
    return row is not None and bool(row[0])


def login_url(url: str, role: Role) -> str:
    """Return `url` with the login of `role` and no password: for dashboards and people."""
    if "://" in url:
        parts = urlsplit(url)
        return parts._replace(netloc=f"{PREFIX}{role}@{parts.netloc.rpartition('@')[2]}").geturl()
    plain: dict[str, Any] = conninfo_to_dict(url)
    return make_conninfo(**plain | {"user": PREFIX + role, "password": None})
