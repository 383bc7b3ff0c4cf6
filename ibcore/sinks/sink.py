"""What a sink is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ibcore.domain import MarketRow
from ibcore.errors import IbkeeperError
from ibcore.stream import Cursor


class SinkUnavailable(IbkeeperError):
    """The server that rows are published to cannot be reached, or refuses them."""

    retryable = True


class Told(NamedTuple):
    """A committed row, and what its instrument is called."""

    row: MarketRow
    symbol: str
    sec_type: str
    local_symbol: str


class Sink(Protocol):
    """A place that pages of rows are published to, in order, each at least once."""

    name: str

    async def open(self, stored: Cursor | None) -> Cursor | None:
        """Connect; return where to go on: its own memory if it has one, else `stored`."""

    async def begin(self, latest: Sequence[Mapping[str, Any]], cursor: Cursor) -> None:
        """Take the present (rows of `quote_latest`), where there is nothing yet to go on from."""

    async def publish(self, rows: Sequence[Told], cursor: Cursor) -> None:
        """Take a page whole, or raise SinkUnavailable: then it comes again."""

    async def close(self) -> None:
        """Disconnect; never fails."""
