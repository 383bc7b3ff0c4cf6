"""COPY rows are packed by hand; psycopg's own dumpers say what they must be, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import Format

from ibcore.clock import datetime_from_us
from ibcore.domain import Greeks, MarketRow, Quote, Stat, Trade
from sidecar import pgbinary

BOOL, INT8, INT2, INT4, TEXT, FLOAT8, MOMENT = 16, 20, 21, 23, 25, 701, 1184
HEAD = [MOMENT, MOMENT, INT4, INT8, INT4, TEXT, TEXT]
OIDS = {
    Quote: [*HEAD, INT2, FLOAT8, FLOAT8, FLOAT8, FLOAT8],
    Trade: [*HEAD, INT2, TEXT, FLOAT8, FLOAT8, FLOAT8, FLOAT8],
    Greeks: [*HEAD, TEXT, *[FLOAT8] * 8, BOOL],
    Stat: [*HEAD, INT2, TEXT, FLOAT8, TEXT],
}
PACK: dict[type, Callable[[Sequence[Any]], bytes]] = {
    Quote: pgbinary.quotes,
    Trade: pgbinary.trades,
    Greeks: pgbinary.greeks,
    Stat: pgbinary.stats,
}
MOMENTS = st.integers(-946_684_800_000_000, 4_000_000_000_000_000)
NUMBERS = st.floats()
MAYBE = st.none() | NUMBERS
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
TYPES = st.integers(-(2**15), 2**15 - 1)
START = (
    MOMENTS,
    MOMENTS,
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from(["ib", "standby", "alpaca"]),
    st.sampled_from(["live", "frozen", "delayed_frozen"]),
)
ROWS = {
    Quote: st.builds(Quote, *START, TYPES, MAYBE, MAYBE, MAYBE, MAYBE),
    Trade: st.builds(Trade, *START, TYPES, TEXTS, NUMBERS, MAYBE, MAYBE, MAYBE),
    Greeks: st.builds(Greeks, *START, TEXTS, *[MAYBE] * 8, st.none() | st.booleans()),
    Stat: st.builds(Stat, *START, TYPES, TEXTS, NUMBERS | TEXTS),
}


def by_psycopg(row: MarketRow) -> bytes:
    values: list[Any] = [datetime_from_us(row[0]), datetime_from_us(row[1]), *row[2:]]
    if isinstance(row, Stat):
        values[9:] = [None, row.value] if isinstance(row.value, str) else [row.value, None]
    dumper = Transformer()
    dumper.set_dumper_types(OIDS[type(row)], Format.BINARY)
    fields = dumper.dump_sequence(values, [PyFormat.BINARY] * len(values))
    return len(values).to_bytes(2, "big") + b"".join(
        (-1).to_bytes(4, "big", signed=True)
        if field is None
        else len(field).to_bytes(4, "big") + bytes(field)
        for field in fields
    )


@pytest.mark.parametrize("table", ROWS, ids=lambda table: table.__name__)
def test_a_row_is_the_bytes_that_psycopg_makes_of_it(table: type[MarketRow]) -> None:
    @settings(deadline=None)
    @given(st.lists(ROWS[table], min_size=1, max_size=4))
    def packed(rows: list[MarketRow]) -> None:
        assert PACK[table](rows) == b"".join(map(by_psycopg, rows))

    packed()
