"""The trails of limits, kill switch and arming as chains: is every row what was written?

    row 1: hash(words, "") ─► row 2: hash(words, hash of 1) ─► row 3 …    head: the last hash

A row that was changed does not give its hash; one that was taken out or put in leaves its
neighbours apart. Whoever may change rows may also chain them anew, or cut off the last ones: that
is found by holding a head that somebody noted elsewhere against the rows (`noted`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from psycopg.rows import class_row

from ibcore import db

TRAILS: Final = ("risk_limit", "kill_switch", "arming")


class Link(NamedTuple):
    """One row: what it says it is, and the words that its hash is made of."""

    id: int
    previous_hash: str
    row_hash: str
    said: str


class Chain(NamedTuple):
    """One trail as it was found. `broken`: where and how, for a person; "" where it is whole."""

    trail: str
    hashes: tuple[str, ...]
    broken: str = ""

    @property
    def head(self) -> str:
        """Return the hash of the newest row; "" where there is none."""
        return self.hashes[-1] if self.hashes else ""

    def __str__(self) -> str:
        rows = f"{len(self.hashes)} rows" if len(self.hashes) != 1 else "1 row"
        return f"{self.trail}: {self.broken or rows + ', unbroken'}"


def check(trail: str, links: Iterable[Link]) -> Chain:
    """Return the chain of the rows in their order, or where it breaks first."""
    hashes: list[str] = []
    before: Link | None = None
    for link in links:
        if link.previous_hash != (before.row_hash if before else ""):
            return Chain(trail, tuple(hashes), _apart(before, link))
        if hashlib.sha256(link.said.encode()).hexdigest() != link.row_hash:
            why = f"row {link.id} is not as it was written"
            return Chain(trail, tuple(hashes), why)
        hashes.append(link.row_hash)
        before = link
    return Chain(trail, tuple(hashes))


def _apart(before: Link | None, link: Link) -> str:
    if before is None:
        return f"row {link.id} is the first, and is not the first that was written"
    return (
        f"row {link.id} does not follow row {before.id}: a row between them is gone or was put"
        f" in, or row {before.id} was changed"
    )


def without(chains: Sequence[Chain], noted: Iterable[str]) -> list[str]:
    """Return those noted heads that no row has any more."""
    there = {each for chain in chains for each in chain.hashes}
    return [head for head in noted if head not in there]


async def look(conn: db.Connection) -> list[Chain]:
    """Read every trail and check it; nothing of it is the database's own word."""
    return [check(trail, await _links(conn, trail)) for trail in TRAILS]


async def _links(conn: db.Connection, trail: str) -> list[Link]:
    with db.translated():
        async with conn.cursor(row_factory=class_row(Link)) as cursor:
            await cursor.execute(db.QUERIES[f"audit_{trail}"])
            return await cursor.fetchall()
