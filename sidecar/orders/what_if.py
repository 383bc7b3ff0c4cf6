"""What IB says an order would tie up: asked with a deadline, answered with a typed outcome."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import anyio
from ib_async import OrderState
from psycopg.types.json import Jsonb

from ibcore import db
from ibcore.order_states import EvidenceKind
from ibcore.risk import Margin, MarginOutcome
from sidecar.orders.tap import exact


class WhatIfs:
    """The questions that are open; the tap brings the answers."""

    def __init__(self) -> None:
        self._open: dict[int, anyio.Event] = {}
        self._answers: dict[int, Margin] = {}

    def answered(self, order_id: int, state: OrderState) -> None:
        """Take IB's numbers; one without a margin is a first word, not the answer."""
        if order_id not in self._open or _number(state.initMarginAfter) is None:
            return
        margin = _margin(state)
        self._answers[order_id] = margin
        self._open[order_id].set()

    def refused(self, order_id: int, text: str) -> bool:
        """Take IB's refusal; False: it is not about a what-if."""
        if order_id not in self._open:
            return False
        self._answers[order_id] = Margin(MarginOutcome.refused, text=text)
        self._open[order_id].set()
        return True

    def expect(self, order_id: int) -> None:
        """Open a question; call it before the frame goes."""
        self._open[order_id] = anyio.Event()

    async def answer(self, order_id: int, *, timeout_s: float) -> Margin:
        """Wait for the answer; silence is `timed_out`, neither yes nor no."""
        try:
            with anyio.move_on_after(timeout_s):
                await self._open[order_id].wait()
            return self._answers.pop(order_id, Margin(MarginOutcome.timed_out))
        finally:
            self._open.pop(order_id, None)


def _margin(state: OrderState) -> Margin:
    initial, equity = _number(state.initMarginAfter), _number(state.equityWithLoanAfter)
    before, warned = _number(state.initMarginBefore), state.warningText
    short = initial is not None and equity is not None and equity < initial
    frees = before is not None and initial is not None and initial <= before
    outcome = MarginOutcome.refused if short and not frees else MarginOutcome.passed
    text = f"equity {equity} is below the initial margin {initial}" if short else warned
    return Margin(
        outcome, initial, _number(state.maintMarginAfter), equity, exact(state.commission), text
    )


def _number(text: str | float) -> Decimal | None:
    try:
        return exact(float(text))
    except (TypeError, ValueError):
        return None


def as_json(margin: Margin) -> Mapping[str, Any]:
    """Return the answer as a row of JSON; amounts are text, so that they stay exact."""
    amounts = ("initial_after", "maintenance_after", "equity_after", "commission")
    said = {name: getattr(margin, name) for name in amounts}
    written = {name: None if value is None else str(value) for name, value in said.items()}
    return {"outcome": str(margin.outcome), "text": margin.text, **written}


async def note_margin(
    conn: db.Connection, intent_id: UUID, margin: Margin, *, now: datetime, fence: Mapping[str, Any]
) -> None:
    """Keep the answer with the order, in the transaction that lets it go or refuses it."""
    silent = ("order_id", "perm_id", "status", "code", "state")
    said = {"at": now, "intent_id": intent_id, "kind": EvidenceKind.what_if}
    detail = f"{margin.outcome}: {margin.text}" if margin.text else str(margin.outcome)
    raw = {"detail": detail, "raw": Jsonb(dict(as_json(margin)))}
    await conn.execute(
        db.QUERIES["order_event_note"], {**dict.fromkeys(silent), **said, **raw, **fence}
    )
