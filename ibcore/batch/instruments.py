"""From what a line names to the instrument that IB knows: through the sidecar's watch list.

A line that is not watched yet is put on the list (after everybody's own lines, priority 500): the
sidecar qualifies it, and streams the quote that prices are checked against. It stays there until
somebody removes it (`ibkeeper watch rm`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import anyio
from psycopg.rows import dict_row

from ibcore import db
from ibcore.batch.csv_file import BatchRefused
from ibcore.batch.line import OrderLine
from ibcore.batch.submit import Order
from ibcore.clock import monotonic
from ibcore.domain import ContractSpec

PRIORITY: Final = 500
LOOK_S: Final = 0.2
_NAMED: Final = ("symbol", "sec_type", "exchange", "currency", "expiry", "strike", "right")
_HOPELESS: Final = "failed"


async def find(
    conn: db.Connection,
    lines: Sequence[OrderLine],
    *,
    sidecar: str,
    within_s: float = 15.0,
    quote_s: float = 5.0,
) -> list[Order]:
    """Return every line with its instrument, or raise BatchRefused naming the lines without.

    A combination has that of each leg. Waits up to `within_s` for the sidecar to find them, and up
    to `quote_s` for their quotes: a quote that does not come is for risk to judge.
    """
    specs = [spec for line in lines for spec in line.contracts]
    for spec in dict.fromkeys(specs):
        await _watch(conn, sidecar, spec)
    found: Mapping[ContractSpec, dict[str, Any]] = {}
    began = monotonic()
    while (waited := monotonic() - began) < within_s:
        found = await _look(conn, sidecar, specs)
        rows = [found.get(spec) for spec in specs]
        known = all(row and (row["instrument_id"] or row["state"] == _HOPELESS) for row in rows)
        quoted = all(row and (row["quoted"] or not _streams(row)) for row in rows)
        if known and (quoted or waited > quote_s):
            break
        await anyio.sleep(LOOK_S)
    return _orders(lines, found)


def _streams(row: Mapping[str, Any]) -> bool:
    return row["state"] in {"pending", "active"}


def _orders(
    lines: Sequence[OrderLine], found: Mapping[ContractSpec, dict[str, Any]]
) -> list[Order]:
    missing = [
        text for number, line in enumerate(lines, 1) for text in _missing(number, line, found)
    ]
    if missing:
        raise BatchRefused(
            "These instruments are not known. " + "; ".join(missing) + ".",
            remedy="Nothing was sent. Correct the lines; see `ibkeeper status` and `watch ls`.",
        )
    return [_order(line, [found[spec] for spec in line.contracts]) for line in lines]


def _missing(
    number: int, line: OrderLine, found: Mapping[ContractSpec, dict[str, Any]]
) -> Iterator[str]:
    for place, spec in enumerate(line.contracts, 1):
        row = found.get(spec) or {}
        if not row.get("instrument_id"):
            leg = f", column legs, leg {place}" if line.legs else ""
            why = row.get("reason") or "the sidecar has not found it: is it running?"
            yield f"line {number}{leg}, {spec}: {why}"


def _order(line: OrderLine, rows: Sequence[Mapping[str, Any]]) -> Order:
    if line.legs:
        return Order(line, None, tuple(row["con_id"] for row in rows))
    return Order(line, int(rows[0]["instrument_id"]))


async def _watch(conn: db.Connection, sidecar: str, spec: ContractSpec) -> None:
    values = {**spec._asdict(), "sidecar": sidecar, "priority": PRIORITY, "generic_ticks": None}
    with db.translated():
        await conn.execute(db.QUERIES["watchlist_add"], values)


async def _look(
    conn: db.Connection, sidecar: str, specs: Sequence[ContractSpec]
) -> dict[ContractSpec, dict[str, Any]]:
    values = {"sidecar": sidecar, "symbols": list({spec.symbol for spec in specs})}
    with db.translated():
        async with conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(db.QUERIES["batch_instruments"], values)
            rows = await cursor.fetchall()
    by_name = {tuple(row[name] for name in _NAMED): row for row in rows}
    found = {spec: by_name.get(tuple(getattr(spec, name) for name in _NAMED)) for spec in specs}
    return {spec: row for spec, row in found.items() if row is not None}
