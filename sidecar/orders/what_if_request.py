"""Request `what_if`: asks IB what orders would tie up, and sends none of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from ibcore import db, risk_facts
from ibcore.errors import NotReady
from ibcore.risk import CLOSES_PARENT, closes_parent
from ibcore.risk.moves import moves
from sidecar.job import Done, Job
from sidecar.orders.engine import Engine
from sidecar.orders.what_if import as_json

EACH_S: Final = 2.0
_NUMBERS: Final = ("quantity", "limit_price", "stop_price", "trail_amount", "trail_percent")


class WhatIfRequests:
    """The handler of the kind."""

    def __init__(self, url: str, engine: Engine) -> None:
        self._url = url
        self._engine = engine

    async def __call__(self, job: Job) -> Done:
        """Ask for each order in turn; silence is an answer of its own."""
        if (why := self._engine.gate.why_no_cancel()) is not None:
            raise NotReady(f"IB cannot be asked: {why}.", remedy="Nothing was asked; try again.")
        orders: list[dict[str, Any]] = job.payload["orders"]
        answers = []
        async with db.opened(self._url, application="orders what-if") as conn:
            rows = [_row(order) for order in orders]
            for number, row in enumerate(rows, 1):
                margin = CLOSES_PARENT
                if not _closes_parent(rows, row):
                    margin = await self._engine.ask_margin(conn, row, timeout_s=EACH_S)
                answers.append(dict(as_json(margin)))
                job.progress.report(number, len(orders))

        async def store(_conn: db.Connection) -> dict[str, Any]:
            return {"margins": answers}

        return Done(store)


def _row(order: dict[str, Any]) -> dict[str, Any]:
    numbers = {n: None if order[n] is None else Decimal(str(order[n])) for n in _NUMBERS}
    return {**order, **numbers}


def _closes_parent(rows: Sequence[dict[str, Any]], row: dict[str, Any]) -> bool:
    """Say whether a child gives back what its parent, a line before it, is about to trade."""
    if row["parent"] is None:
        return False
    parent = risk_facts.proposed(rows[row["parent"] - 1])
    siblings = [each for each in rows[: row["line"] - 1] if each["parent"] == row["parent"]]
    before = (moves(risk_facts.proposed(each, parent=parent)) for each in siblings)
    return closes_parent(risk_facts.proposed(row, parent=parent), chain.from_iterable(before))
