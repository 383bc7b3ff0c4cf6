"""Recorded rows as events of a tape: one query over the four market tables, one value a row.

Statistics and prints of the time-and-sales ticks (48, 77) go back as the ticks they came as, greeks
as the computation they came as: what IB left empty is written as IB writes empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from ibcore.sim.contracts import Contract
from ibcore.sim.permissions import TWINS
from ibcore.sim.taperows import TapeRow

EVENTS: Final = """
SELECT recv_ts, instrument_id, 'quote' AS told, tick_type, ts, bid, bid_size, ask, ask_size,
       NULL::float8, NULL::float8, NULL::float8, NULL::float8, NULL::boolean, NULL::text, epoch, seq
  FROM ibkeeper.quote
 WHERE ts >= %(first)s AND ts < %(last)s AND instrument_id = ANY (%(ids)s)
UNION ALL
SELECT recv_ts, instrument_id, source, tick_type, ts, price, size, volume, vwap,
       NULL, NULL, NULL, NULL, NULL, NULL, epoch, seq
  FROM ibkeeper.trade
 WHERE ts >= %(first)s AND ts < %(last)s AND instrument_id = ANY (%(ids)s)
UNION ALL
SELECT recv_ts, instrument_id, 'greeks', NULL, ts, iv, delta, option_price, pv_dividend,
       gamma, vega, theta, underlying_price, price_based, kind, epoch, seq
  FROM ibkeeper.greeks
 WHERE ts >= %(first)s AND ts < %(last)s AND instrument_id = ANY (%(ids)s)
UNION ALL
SELECT recv_ts, instrument_id, 'stat', tick_type, ts, value, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, text_value, epoch, seq
  FROM ibkeeper.instrument_stat
 WHERE ts >= %(first)s AND ts < %(last)s AND instrument_id = ANY (%(ids)s)
 ORDER BY 1, 16, 17
"""
_LIVE: Final = {twin: live for live, twin in TWINS.items()}  # a delayed day is played as a live one
_COMPUTED: Final = {"bid": 10, "ask": 11, "last": 12, "model": 13}
_TIMED: Final = {"rt_volume": 48, "rt_trade_volume": 77}
_UNSAID: Final = 2147483647  # neither price-based nor return-based
# iv, delta, option price, present value of dividends, gamma, vega, theta, underlying price
_EMPTY: Final = ("-1", "-2", "-1", "-1", "-2", "-2", "-2", "-1")


def events(rows: Iterable[tuple[Any, ...]], by_id: Mapping[int, Contract]) -> Iterator[TapeRow]:
    """Turn rows of the query into events; what cannot be told by a tick is passed over."""
    for row in rows:
        at_us, contract = _micros(row[0]), by_id[row[1]]
        told, kind, values = row[2], _LIVE.get(row[3], row[3]), row[5:13]
        if told == "quote":
            bid, bid_size, ask, ask_size = values[:4]
            yield TapeRow(
                at_us, contract.con_id, bid, bid_size or 0.0, ask, ask_size or 0.0, cause=kind
            )
        elif told == "last":
            price, size = values[0], values[1] or 0.0
            yield TapeRow(at_us, contract.con_id, price=price, size=size, cause=kind)
        elif told in _TIMED:
            sale = (_micros(row[4]), *values[:4])
            yield TapeRow(at_us, contract.con_id, printed=(_TIMED[told], sale))
        elif told == "greeks" and row[14] in _COMPUTED:
            text = _computation(values, row[13])
            yield TapeRow(at_us, contract.con_id, tick=(_COMPUTED[row[14]], text))
        elif told == "stat" and kind not in _TIMED.values():
            value = values[0] if row[14] is None else row[14]
            yield TapeRow(at_us, contract.con_id, tick=(kind, value))


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _computation(values: tuple[float | None, ...], price_based: bool | None) -> str:
    attrib = _UNSAID if price_based is None else int(price_based)
    written = [
        empty if value is None else str(value) for value, empty in zip(values, _EMPTY, strict=True)
    ]
    return "".join(f"{field}\0" for field in (attrib, *written))
