"""Batches as rows: submit one (once, however often), follow it, cancel it, settle an unknown.

The key and the line make an order one: the same key with the same lines again changes nothing,
with other lines it is a BatchConflict. Nothing here sends: the sidecar does, within moments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ibcore import db
from ibcore.batch.csv_file import BatchRefused
from ibcore.batch.line import OrderLine, lost_children
from ibcore.incidents import IncidentKind, key_of
from ibcore.order_states import INTENT_TRANSITIONS, TERMINAL, IntentState

CANCEL_TTL_S: Final = 3600.0


class BatchConflict(BatchRefused):
    """A batch of this key has other lines."""


class Order(NamedTuple):
    """A line with the instrument that the sidecar found for it; None: a combination, by its legs.

    `con_ids` are those of the legs, in their order.
    """

    line: OrderLine
    instrument_id: int | None
    con_ids: tuple[int, ...] = ()

    @property
    def legs(self) -> list[dict[str, Any]] | None:
        """Return the legs as the intent's row has them; None: it is an instrument."""
        legs = self.line.combination
        if not legs:
            return None
        return [
            {
                "con_id": con_id,
                "ratio": abs(leg.ratio),
                "action": "BUY" if leg.ratio > 0 else "SELL",
                "exchange": self.line.exchange,
            }
            for leg, con_id in zip(legs, self.con_ids, strict=True)
        ]


class Batch(NamedTuple):
    """What is submitted. `ttl_s`: what was not sent within it expires."""

    key: str
    account: str
    orders: Sequence[Order]
    submitted_by: str
    ttl_s: float = 600.0
    approved_by: str | None = None

    @property
    def body_hash(self) -> str:
        """Return what tells this body from another one of the same key."""
        lines = [_body(order.line) for order in self.orders]
        return hashlib.sha256(orjson.dumps([self.account, lines])).hexdigest()


def _body(line: OrderLine) -> dict[str, Any]:
    """Return what a line says; a batch from before there were legs keeps its hash."""
    return line.model_dump(mode="json", exclude=None if line.legs else {"legs"})


class Submitted(NamedTuple):
    """How many lines are new, and how many were there already."""

    batch_id: UUID
    new: int
    known: int


async def submit(conn: db.Connection, batch: Batch) -> Submitted:
    """Insert the batch and its lines in one transaction, or find that they are there."""
    refuse_lost_children(batch)
    taken = {"key": batch.key, "body_hash": batch.body_hash}
    who = {"submitted_by": batch.submitted_by, "approved_by": batch.approved_by}
    async with conn.transaction():
        rows = await _rows(conn, "batch_take", taken | who) or await _rows(
            conn, "batch_find", taken
        )
        if rows[0]["body_hash"] != batch.body_hash:
            raise _conflict(batch)
        new = await _insert(conn, batch, rows[0]["id"])
    return Submitted(rows[0]["id"], new, len(batch.orders) - new)


async def _insert(conn: db.Connection, batch: Batch, batch_id: UUID) -> int:
    """Insert the lines, parents before their children; return how many are new."""
    ids: dict[int | None, UUID] = {}
    for number, order in enumerate(batch.orders, 1):
        line, tags = order.line, order.line.algo_tags
        values = intent_values(batch, order, number) | {
            "batch_id": batch_id,
            "parent_id": ids.get(line.parent),
            # IB knows one name for all batches and days: a group must not meet its namesake.
            "oca_group": f"{line.oca_group}.{batch_id.hex[:12]}" if line.oca_group else None,
            "algo_params": Jsonb(tags) if tags else None,
            "legs": Jsonb(order.legs) if order.legs else None,
        }
        for row in await _rows(conn, "batch_intent_insert", values):
            ids[number] = row["id"]
    return len(ids)


def refuse_lost_children(batch: Batch) -> None:
    """Raise BatchRefused when a line names a parent that cannot be one."""
    if wrong := lost_children([order.line for order in batch.orders]):
        raise BatchRefused(
            f"The batch {batch.key} is no whole. {'; '.join(wrong)}.",
            remedy="Nothing was sent. A parent is an earlier line that has none itself.",
        )


async def is_known(conn: db.Connection, batch: Batch) -> bool:
    """Say whether the batch is there already; raise BatchConflict when it has other lines."""
    found = await _rows(conn, "batch_find", {"key": batch.key})
    if found and found[0]["body_hash"] != batch.body_hash:
        raise _conflict(batch)
    return bool(found)


def _conflict(batch: Batch) -> BatchConflict:
    return BatchConflict(
        f"The batch {batch.key} was submitted before with other lines.",
        remedy="Nothing was sent. Choose another key, or submit the same lines.",
    )


async def account_of(conn: db.Connection, account: str, *, sidecar: str | None = None) -> str:
    """Return the account that was named, or the only one there is; raise BatchRefused."""
    rows = await _rows(conn, "batch_accounts", {"sidecar": sidecar})
    names = [row["account"] for row in rows]
    if account and account in names:
        return account
    if not account and len(names) == 1:
        return str(names[0])
    asked = f"The account {account} is not" if account else "No account was named, and it is not"
    raise BatchRefused(
        f"{asked} the one of the connected gateway ({', '.join(names) or 'none is connected'}).",
        remedy="Nothing was sent. Name one of them, or see `ibkeeper status`.",
    )


async def orders(conn: db.Connection, key: str) -> list[dict[str, Any]]:
    """Return one row an intent of the batch, by line."""
    return await _rows(conn, "batch_orders", {"key": key})


def traded(row: Mapping[str, Any]) -> str:
    """Return what an order of `orders` trades, as a person reads it."""
    legs = f" ({row['legs']})" if row["legs"] else ""
    return f"{row['local_symbol'] or row['symbol']}{legs}"


async def recent(conn: db.Connection, *, limit: int = 20) -> list[dict[str, Any]]:
    """Return the newest batches."""
    return await _rows(conn, "batch_recent", {"limit": limit})


async def cancel(conn: db.Connection, key: str, *, by: str) -> tuple[int, int]:
    """Cancel a batch; return how many ended unsent, and how many cancels were asked for."""
    async with conn.transaction():
        batch_id = await _lock(conn, key)
        values = {"batch_id": batch_id, "reason": f"cancelled by {by} before it was sent"}
        unsent = await _rows(conn, "batch_cancel_unsent", values)
        working = await _rows(conn, "batch_working", values)
        asked = await _change(conn, "cancel", [row["id"] for row in working])
    return len(unsent), len(asked)


async def modify(conn: db.Connection, key: str, line: int, **terms: Any) -> int:
    """Ask for new terms (quantity, limit_price, stop_price) of a working line; return how many."""
    async with conn.transaction():
        await _lock(conn, key)
        found = [row["id"] for row in await orders(conn, key) if row["line"] == line]
        return len(await _change(conn, "modify", found, **terms))


async def resolve(
    conn: db.Connection, intent_id: UUID, state: str, *, by: str, reason: str
) -> None:
    """Settle an unknown order by a person's word, or raise BatchRefused."""
    choices = INTENT_TRANSITIONS[IntentState.unknown] & TERMINAL
    if state not in {str(each) for each in choices} or not by.strip() or not reason.strip():
        words = ", ".join(sorted(str(each) for each in choices))
        raise BatchRefused(
            f"An unknown order becomes one of {words}, by somebody and for a reason.",
            remedy="Nothing was changed.",
        )
    values = {"id": intent_id, "state": state, "reason": f"{reason} ({by})"}
    async with conn.transaction():
        if not await _rows(conn, "batch_resolve", values):
            raise BatchRefused(
                f"No order {intent_id} is unknown.",
                remedy="Nothing was changed. See: ibkeeper orders show KEY.",
            )
        await conn.execute(db.QUERIES["batch_resolved_note"], values)
        closed = {
            "key": key_of(IncidentKind.order_unknown, str(intent_id)),
            "reason": values["reason"],
        }
        await conn.execute(db.QUERIES["close_incident"], closed)


def is_over(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether nothing of a batch moves any more by itself."""
    ended = {*map(str, TERMINAL), str(IntentState.unknown)}
    return all(row["state"] in ended for row in rows)


async def _lock(conn: db.Connection, key: str) -> UUID:
    found = await _rows(conn, "batch_lock", {"key": key})
    if not found:
        raise BatchRefused(
            f"There is no batch {key}.", remedy="Nothing was changed. See: ibkeeper orders show."
        )
    batch_id: UUID = found[0]["id"]
    return batch_id


async def _change(
    conn: db.Connection, kind: str, targets: list[UUID], **terms: Any
) -> list[dict[str, Any]]:
    values = {"quantity": None, "limit_price": None, "stop_price": None, **terms}
    values |= {"kind": kind, "targets": targets, "ttl_s": CANCEL_TTL_S}
    return await _rows(conn, "batch_change_insert", values)


def intent_values(batch: Batch, order: Order, number: int) -> dict[str, Any]:
    """Return the columns of a line's intent."""
    line = order.line
    wanted = ("symbol", "sec_type", "exchange", "currency", "side", "quantity", "order_type")
    prices = ("limit_price", "stop_price", "trail_amount", "trail_percent", "tif", "outside_rth")
    values: dict[str, Any] = {name: getattr(line, name) for name in (*wanted, *prices)}
    return {
        **values,
        "parent_id": None,
        "legs": order.legs,
        "oca_group": line.oca_group or None,
        "algo": line.algo or None,
        "algo_params": line.algo_tags,
        "not_before": line.not_before,
        "line": number,
        "account": batch.account,
        "instrument_id": order.instrument_id,
        "ttl_s": batch.ttl_s,
    }


async def _rows(conn: db.Connection, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES[query], values)
            return await cursor.fetchall()
