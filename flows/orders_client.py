"""The flows' door to the database, for orders: prepare, preview, submit, follow, cancel, report."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Any, Final

from flows.client import Ask, Client
from ibcore import config, db, roles
from ibcore.batch import instruments, preview, report, submit
from ibcore.batch.line import OrderLine
from ibcore.batch.preview import WHAT_IF, Preview
from ibcore.batch.submit import Batch, Submitted
from ibcore.clock import monotonic
from ibcore.config import Settings

CHANNEL: Final = "ibkeeper_order_moved"
POLL_S: Final = 1.0
WHAT_IF_S: Final = 60.0


class OrdersClient:
    """Batches of orders as rows; the sidecar sends them."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._settings = settings

    @classmethod
    def from_settings(cls) -> OrdersClient:
        """Return a client of the configured database, or raise DatabaseUnavailable."""
        settings = config.load()
        return cls(roles.url_as(db.resolve_url(settings), "flows"), settings)

    async def prepare(
        self, key: str, account: str, lines: Sequence[OrderLine], *, by: str, ttl_s: float
    ) -> Batch:
        """Return the batch with its account and instruments, or raise BatchRefused."""
        name = self._settings.sidecar.name
        async with self._opened() as conn:
            found = await submit.account_of(conn, account)
            orders = await instruments.find(conn, lines, sidecar=name)
        return Batch(key, found, orders, by, ttl_s)

    async def is_known(self, batch: Batch) -> bool:
        """Say whether the batch was submitted before; raise BatchConflict for other lines."""
        async with self._opened() as conn:
            return await submit.is_known(conn, batch)

    async def preview(self, batch: Batch, *, what_if: bool) -> list[Preview]:
        """Return what risk, and IB's what-if where it is asked, say of every line."""
        async with self._opened() as conn:
            rows = await preview.rows_of(conn, batch) if what_if else []
        margins: list[dict[str, Any]] = []
        if rows:
            payload = preview.what_if_payload(rows)
            answer = await Client(self._url).ask(
                Ask(WHAT_IF, payload, WHAT_IF_S, batch.submitted_by)
            )
            margins = answer["margins"]
        async with self._opened() as conn:
            live = self._settings.orders.live
            return await preview.preview(conn, batch, live_enabled=live, margins=margins)

    async def submit(self, batch: Batch) -> Submitted:
        """Insert the batch, or find that it is there."""
        async with self._opened() as conn:
            return await submit.submit(conn, batch)

    async def cancel(self, key: str, *, by: str) -> tuple[int, int]:
        """Cancel a batch; return how many ended unsent, and how many cancels were asked for."""
        async with self._opened() as conn:
            return await submit.cancel(conn, key, by=by)

    async def orders(self, key: str) -> list[dict[str, Any]]:
        """Return the rows of a batch."""
        async with self._opened() as conn:
            return await submit.orders(conn, key)

    async def follow(self, key: str, *, for_s: float) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the rows of a batch as they move, until nothing moves any more or time is up."""
        ends_at = monotonic() + for_s
        async with self._opened() as conn, self._opened() as listener:
            async for _ in db.listen_or_poll(listener, CHANNEL, poll_s=POLL_S):
                rows = await submit.orders(conn, key)
                yield rows
                if submit.is_over(rows) or monotonic() > ends_at:
                    return

    async def report(self, day: date) -> report.Report:
        """Compare a day with what IB says."""
        async with self._opened() as conn:
            return await report.report(conn, day)

    def _opened(self) -> AbstractAsyncContextManager[db.Connection]:
        return db.opened(self._url, application="flow orders")
