"""From rows to the wire: claim, risk, durable ids, and only then the frame.

    claim (row lock) ─► risk on committed facts ─► order id, orderRef, fence: COMMIT
                                          ─► gate asked once more ─► frame ─► `sent`

What was committed and could not be handed over is `not_sent`, proven by ourselves. Nothing is
ever sent a second time: what happened to a frame is IB's to say (`reconcile`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import anyio
from psycopg.rows import dict_row

from ibcore import db, risk_facts
from ibcore.clock import monotonic, utcnow
from ibcore.errors import DatabaseUnavailable
from ibcore.log import get_logger
from ibcore.order_states import WORKING, IntentKind
from ibcore.risk import (
    CLOSES_PARENT,
    Beside,
    Facts,
    ProposedOrder,
    Refusal,
    assess_margin,
    closes_parent,
)
from sidecar.orders import crash, wire
from sidecar.orders.book import Tracked, tracked_from
from sidecar.orders.changes import Unchangeable, acknowledged, changed
from sidecar.orders.engine import Engine
from sidecar.orders.gate import open_always
from sidecar.orders.what_if import note_margin

log = get_logger(__name__)

CHANNEL: Final = "ibkeeper_order"
POLL_S: Final = 0.5
NEW: Final = ("new", "modify", "cancel")
CANCELS: Final = ("cancel",)
Row = dict[str, Any]


class Sender:
    """The one task that sends orders."""

    def __init__(
        self,
        db_url: str,
        engine: Engine,
        *,
        live_enabled: bool,
        engaged: Callable[[], str | None] = open_always,
    ) -> None:
        self._url = db_url
        self._engine = engine
        self._engaged = engaged
        self._live_enabled = live_enabled
        self._wake = anyio.Event()
        self._held_until = 0.0

    async def run(self) -> None:
        """Send what is asked for until cancelled; a database that is away is waited for."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen, name="orders: listen")
            while True:
                try:
                    async with db.opened(self._url, application="orders sender") as conn:
                        await self._engine.load(conn)
                        while True:
                            await self._drain(conn)
                            with anyio.move_on_after(POLL_S):
                                await self._wake.wait()
                            self._wake = anyio.Event()
                except DatabaseUnavailable as away:
                    log.warning("orders_paused", why=str(away))
                    await anyio.sleep(POLL_S)

    async def _listen(self) -> None:
        while True:
            try:
                async with db.opened(self._url, application="orders listen") as conn:
                    async for _ in db.listen_or_poll(conn, CHANNEL, poll_s=POLL_S):
                        self._wake.set()
            except DatabaseUnavailable:
                await anyio.sleep(POLL_S)  # the sender says so

    async def _drain(self, conn: db.Connection) -> None:
        accounts = list(self._engine.gate.accounts)
        if (stopped := self._engaged()) is not None:
            # What waits now must not go by itself when the switch is lifted.
            reason = f"kill_switch: {stopped}. Submit it again when it is lifted."
            await _run(conn, "order_refuse_all", {"reason": reason, "accounts": accounts})
        await _run(conn, "order_expire", {"why": self._engine.gate.why(), "accounts": accounts})
        while (kinds := self._may_send()) and await self._next(conn, kinds):
            pass

    def _may_send(self) -> tuple[str, ...]:
        if self._engine.gate.why() is None and monotonic() >= self._held_until:
            return NEW
        return () if self._engine.gate.why_no_cancel() else CANCELS

    async def _next(self, conn: db.Connection, kinds: tuple[str, ...]) -> bool:
        """Take one intent (and its children) as far as it goes; False: not now."""
        values = {"kinds": list(kinds), "accounts": list(self._engine.gate.accounts)}
        claimed: list[Row] = []
        try:
            with db.translated():
                async with conn.transaction():
                    claimed = await _run(conn, "order_claim", values)
                    if not claimed:
                        return False
                    ready = await self._prepare(conn, claimed[0])
        except ConnectionError as gone:
            log.warning("orders_claim_given_back", why=str(gone))  # rolled back: nothing happened
            return False
        except DatabaseUnavailable:
            raise
        except Exception as bug:
            log.exception("order_not_understood")
            await self._set_aside(conn, claimed, bug)
            return True
        crash.point("after_submitting")
        for tracked in ready:
            await self._engine.send(tracked, last=tracked is ready[-1])
        return True

    async def _set_aside(self, conn: db.Connection, claimed: list[Row], bug: Exception) -> None:
        """Refuse what our own code cannot take: it must not stop every order behind it."""
        if not claimed:
            raise bug
        log.error("order_set_aside", intent=str(claimed[0]["id"]), why=type(bug).__name__)
        reason = f"A fault of ibkeeper: {type(bug).__name__}. Nothing was sent; see the log."
        refused = {"id": claimed[0]["id"], "state": "refused", "reason": reason}
        await _run(conn, "order_refuse", refused)

    async def _prepare(self, conn: db.Connection, row: Row) -> list[Tracked]:
        match IntentKind(row["kind"]):
            case IntentKind.cancel:
                return await self._change(conn, row, row)
            case IntentKind.modify:
                return await self._modify(conn, row)
            case _:
                return await self._order(conn, row)

    async def _order(self, conn: db.Connection, row: Row) -> list[Tracked]:
        asked = {"id": row["id"]}
        children = await _run(conn, "order_children", asked) if row["has_children"] else []
        family, beside, parent = [row, *children], Beside(), risk_facts.proposed(row)
        refusals = []
        for each in family:
            order = risk_facts.proposed(each, parent=None if each is row else parent)
            refusals.append(await self._refusals(conn, each, order, beside))
            beside.add(order)
        crash.point("after_risk")
        if any(refusals):
            return await self._refuse(conn, family, refusals)
        return [await self._submitting(conn, each) for each in family]

    async def _refusals(
        self, conn: db.Connection, row: Row, order: ProposedOrder, beside: Beside
    ) -> Sequence[Refusal]:
        now = utcnow()
        facts = beside.added_to(await self._facts(conn, row, now), order)
        refusals = risk_facts.judge(order, facts, now=now)
        if refusals or facts.limits.margin_check != "on":
            return refusals
        margin = CLOSES_PARENT
        if not closes_parent(order, facts.working):
            wait_s = float(facts.limits.margin_timeout_s)
            margin = await self._engine.ask_margin(conn, row, timeout_s=wait_s)
        await note_margin(conn, row["id"], margin, now=now, fence=self._engine.fence)
        return assess_margin(facts.limits, margin)

    async def _facts(self, conn: db.Connection, row: Row, now: datetime) -> Facts:
        gate = self._engine.gate
        return await risk_facts.gather(
            conn,
            row,
            live_enabled=self._live_enabled,
            stopped=gate.kill_switch(),
            managed=gate.accounts,
            now=now,
        )

    async def _refuse(
        self, conn: db.Connection, family: list[Row], refusals: list[Sequence[Refusal]]
    ) -> list[Tracked]:
        """Refuse all of a family for what is wrong with any of it; wait where that helps."""
        every = [refusal for each in refusals for refusal in each]
        if all(refusal.passing for refusal in every):
            self._held_until = monotonic() + 0.1
            return []
        for row, own in zip(family, refusals, strict=True):
            reason = "; ".join(map(str, own)) or "another order of its bracket was refused"
            await _run(
                conn, "order_refuse", {"id": row["id"], "state": "refused", "reason": reason}
            )
            self._engine.note_refused(row, reason)
        return []

    async def _submitting(self, conn: db.Connection, row: Row, **more: Any) -> Tracked:
        order_id = more.pop("order_id", None) or self._engine.next_order_id()
        ref = None if row["kind"] != "new" else wire.order_ref(row["id"])
        fence = {"client_id": self._engine.client_id, **self._engine.fence}
        values = {"id": row["id"], "order_id": order_id, "order_ref": ref, **fence}
        moved = await _run(conn, "order_submitting", values)
        if not moved:
            raise DatabaseUnavailable("Another start of this sidecar has taken over.")
        full = {**row, **values, **moved[0], "state": "submitting", "perm_id": None, "reason": None}
        return tracked_from(full, [], quantity=row["quantity"])

    async def _modify(self, conn: db.Connection, row: Row) -> list[Tracked]:
        target = self._engine.book.get(row["target_id"])
        if target is None or not acknowledged(target):
            return await self._change(conn, row, row)
        terms = {**changed(target.row, row), "id": row["id"], "target_id": row["target_id"]}
        left = target.view.quantity - target.view.filled
        order = risk_facts.proposed(terms, replaces=left, parent=self._parent(terms))
        refusals = await self._refusals(conn, terms, order, Beside())
        if refusals:
            return await self._refuse(conn, [row], [refusals])
        return await self._change(conn, row, terms)

    def _parent(self, row: Mapping[str, Any]) -> ProposedOrder | None:
        """Return the parent of a child as far as it still works."""
        parent = self._engine.book.get(row["parent_id"])
        if parent is None or parent.state not in WORKING:
            return None
        left = parent.view.quantity - parent.view.filled
        return risk_facts.proposed({**parent.row, "quantity": left})

    async def _change(
        self, conn: db.Connection, row: Row, terms: Mapping[str, Any]
    ) -> list[Tracked]:
        target = self._engine.book.get(row["target_id"])
        try:
            order_id = self._engine.changeable(target)
            if row["kind"] == IntentKind.modify and not acknowledged(target):
                raise Unchangeable("IB has not confirmed the order; ask again when it is acked.")
        except Unchangeable as no:
            await _run(
                conn, "order_refuse", {"id": row["id"], "state": "refused", "reason": str(no)}
            )
            return []
        return [await self._submitting(conn, {**row, "terms": terms}, order_id=order_id)]


async def _run(conn: db.Connection, query: str, values: Mapping[str, Any]) -> list[Row]:
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES[query], values)
            return await cursor.fetchall() if cursor.description else []
