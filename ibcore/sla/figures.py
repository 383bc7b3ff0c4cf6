"""The figures of a sidecar in a period, from the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ibcore import db
from ibcore.config import Settings
from ibcore.sla import burning, reading
from ibcore.sla.report import adherence, budget, recovery, uptime
from ibcore.sla.spans import Span, seconds, slices

# The sample by which the latency of an instrument is known: so many rows, however long the period
# and however many rows it has. A minute and its burst are as likely in it as any other.
SLICES: Final = 200
ROWS_A_SLICE: Final = 5  # of quotes, and of trades


async def figures(
    conn: db.Connection, sidecar: str, span: Span, *, settings: Settings
) -> dict[str, Any]:
    """Return the figures of one sidecar between two moments."""
    about = {"sidecar": sidecar, "begin": span[0], "end": span[1]}
    wanted = await burning.wanted(conn, sidecar, span, settings)
    ready = await reading.ready(conn, sidecar, span)
    (sessions,) = await reading.rows(conn, "sla_sessions", about)
    waits, kept = adherence(await reading.rows(conn, "sla_waits", about))
    losses = await reading.rows(conn, "sla_losses", about)
    minutes = await reading.rows(conn, "sla_latency", about)
    return {
        **budget(uptime(ready, wanted), settings.sla.objective),
        **recovery(losses, end=span[1]),
        **sessions,
        "waits": waits,
        "waits_as_promised": kept,
        "latency_p50_ms": _middle([row["p50_ms"] for row in minutes]),
        "latency_p99_ms": max((row["p99_ms"] for row in minutes if row["p99_ms"]), default=None),
        "coverage": await _coverage(conn, sidecar, wanted),
        "latency": await _latency(conn, sidecar, wanted),
    }


async def _coverage(conn: db.Connection, sidecar: str, wanted: Sequence[Span]) -> dict[str, Any]:
    about = {"sidecar": sidecar, "begins": [a for a, _ in wanted], "ends": [b for _, b in wanted]}
    minutes = seconds(wanted) / 60
    found = await reading.rows(conn, "sla_coverage", about)
    if not minutes:
        return {}
    # Of the first and the last minute only a part was promised, and each has a quote.
    return {row["local_symbol"]: min(1.0, row["minutes"] / minutes) for row in found}


async def _latency(conn: db.Connection, sidecar: str, wanted: Sequence[Span]) -> dict[str, Any]:
    """Return by instrument, worst first, p50 and p99 in ms and of how many rows they are."""
    pieces = slices(wanted, SLICES)
    about = {"sidecar": sidecar, "begins": [a for a, _ in pieces], "ends": [b for _, b in pieces]}
    found = await reading.rows(conn, "sla_instrument_latency", about | {"each": ROWS_A_SLICE})
    return {row.pop("local_symbol"): row for row in found}


def breached(one: Mapping[str, Any]) -> int:
    """Return how many promises the figures break."""
    share = one["availability"]
    missed = share is not None and share < one["objective"]
    return int(missed) + int(one["waits"] != one["waits_as_promised"])


def _middle(values: Sequence[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[len(known) // 2] if known else None
