"""Request `what_if`: asks IB what orders would tie up, and sends none of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ibcore import db
from ibcore.errors import NotReady
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
            for number, order in enumerate(orders, 1):
                margin = await self._engine.ask_margin(conn, _row(order), timeout_s=EACH_S)
                answers.append(dict(as_json(margin)))
                job.progress.report(number, len(orders))

        async def store(_conn: db.Connection) -> dict[str, Any]:
            return {"margins": answers}

        return Done(store)


def _row(order: dict[str, Any]) -> dict[str, Any]:
    numbers = {n: None if order[n] is None else Decimal(str(order[n])) for n in _NUMBERS}
    return {**order, **numbers}
