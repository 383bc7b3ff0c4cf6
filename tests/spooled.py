"""Batches made by hand."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from ibcore.domain import MarketRow, Quote
from sidecar.batch import Batch, OpenBatch, Origin
from sidecar.latest import Latest

ORIGIN: Final = Origin(UUID("6f1c7a52-0000-4000-8000-000000000001"), "main", 3)


def quote(seq: int, instrument: int = 1) -> Quote:
    """Return a quote that says its own number."""
    head = (seq, seq, instrument, seq, ORIGIN.epoch, "ib", "live")
    return Quote(*head, 1, float(seq), 1.0, None, None)


def batch(number: int, rows: int = 10, *, origin: Origin = ORIGIN) -> Batch:
    """Return batch `number`: batches of as many rows follow each other without a hole."""
    made: list[MarketRow] = [quote((number - 1) * rows + n + 1) for n in range(rows)]
    return OpenBatch(made).seal(number, Latest(), origin=origin, now_us=7, keep=made)
