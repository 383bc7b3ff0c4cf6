"""What earlier starts of this sidecar left: every intent that may still move or be heard of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from ibcore import db
from ibcore.log import get_logger
from ibcore.order_states import Fill, IntentKind, IntentState
from sidecar.orders.book import Book, tracked_from

log = get_logger(__name__)


async def load(conn: db.Connection, book: Book, *, client_id: int, fence: Mapping[str, Any]) -> int:
    """Fill the book; return the highest order id that was ever given out."""
    mine = {"client_id": client_id, "sidecar": fence["sidecar"]}
    with db.translated():
        rows = await _rows(conn, "order_load", mine)
        fills = await _fills(conn, [row["id"] for row in rows])
        (high,) = await _rows(conn, "order_id_high", mine)
    for row in rows:
        book.add(tracked_from(row, fills[row["id"]], quantity=row["quantity"]))
    for row in rows:  # what was changed before counts now
        if row["kind"] == IntentKind.modify and row["state"] == IntentState.done:
            target = book.get(row["target_id"])
            if target is not None:
                target.view = replace(target.view, quantity=row["quantity"])
    log.info("orders_loaded", intents=len(rows), high=high["order_id"])
    return int(high["order_id"])


async def _fills(conn: db.Connection, ids: list[UUID]) -> Mapping[UUID, list[Fill]]:
    found: dict[UUID, list[Fill]] = defaultdict(list)
    for row in await _rows(conn, "order_fills", {"ids": ids}):
        fill = Fill(row["base"], row["revision"], row["quantity"], row["price"])
        found[row["intent_id"]].append(fill)
    return found


async def _rows(conn: db.Connection, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(db.QUERIES[query], values)
        return await cursor.fetchall()
