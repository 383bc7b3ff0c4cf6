"""What a recipe's plan really did: indexes used, days opened, large tables read from end to end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from tests.sqlbook import story
from tests.sqlbook.book import Recipe

MARKET = set(story.MARKET)
LARGE = 2_500_000
_CHUNK = re.compile(r"^_hyper_\d+_\d+_chunk_")
_Node = dict[str, Any]


class Plan(NamedTuple):
    """Parts of it that were executed; partitions and chunks under the name of their table."""

    indexes: set[str]
    days: int
    scanned: list[str]
    small: set[str]

    def lacks(self, recipe: Recipe) -> set[str]:
        """Return the promised indexes that were not used and should have been."""
        missing = recipe.indexes - self.indexes
        return {name for name in missing if not name.startswith(tuple(self.small))}


def plan_of(conn: psycopg.Connection[Any], recipe: Recipe) -> Plan:
    """Run a recipe and return how it was done."""
    explain = b"EXPLAIN (ANALYZE, FORMAT JSON) " + recipe.sql.encode()
    (answer,) = conn.execute(explain).fetchone() or ([],)
    nodes = [node for node in _nodes(answer[0]["Plan"]) if node["Actual Loops"] > 0]
    parents = _parents(conn)
    opened = {node["Relation Name"] for node in nodes if "Relation Name" in node}
    market = {name: parents[name] for name in opened if parents.get(name) in MARKET}
    days = Counter(parent for name, parent in market.items() if _size(conn, name) > 0)
    read = [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"]
    return Plan(
        {_index(node["Index Name"], parents) for node in nodes if "Index Name" in node},
        max(days.values(), default=0),
        [name for name in read if name in market and _size(conn, name) > LARGE],
        # Just after midnight the table of today is small, and reading all of it is right.
        {f"{market[name]}_" for name in read if name in market and 0 < _size(conn, name) <= LARGE},
    )


def _nodes(plan: _Node) -> Iterator[_Node]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _index(name: str, parents: dict[str, str]) -> str:
    return parents.get(name) or _CHUNK.sub("", name)


def _size(conn: psycopg.Connection[Any], table: str) -> int:
    question = sql.SQL(
        "SELECT pg_relation_size(oid) FROM pg_class WHERE relname = %s AND relkind = 'r'"
    )
    (size,) = conn.execute(question, [table]).fetchone() or (0,)
    return int(size)


def _parents(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Return the table or index of which each partition's or chunk's one is a part."""
    found = conn.execute(
        "SELECT c.relname, p.relname FROM pg_inherits"
        "  JOIN pg_class c ON c.oid = inhrelid JOIN pg_class p ON p.oid = inhparent"
        " UNION ALL SELECT chunk, market_table FROM ibkeeper.market_chunks()"
    )
    return dict(found.fetchall())
