"""Tapes that are tables: what they say, what is refused, and that CSV and Parquet are the same."""

from __future__ import annotations

import builtins
import csv
import importlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibcore.errors import ConfigRefused
from ibcore.sim import tapes
from ibcore.sim.board import Tick
from ibcore.sim.config import SimConfig
from ibcore.sim.tape_table import TableTape
from ibcore.sim.taperows import COLUMNS, TapeRow, print_ticks, ticks
from tests.canary import PASSWORD

OPENING = datetime(2026, 11, 20, 14, 30, tzinfo=timezone.utc)

Row = dict[str, Any]


def quote(second: float, symbol: str, *sides: float | None, **more: Any) -> Row:
    names = ("bid", "bid_size", "ask", "ask_size")
    at = (OPENING + timedelta(seconds=second)).isoformat()
    return {"ts": at, "kind": "quote", "symbol": symbol, **dict(zip(names, sides, strict=True)),
            **more}  # fmt: skip


def trade(second: float, symbol: str, price: float, size: float, **more: Any) -> Row:
    at = (OPENING + timedelta(seconds=second)).isoformat()
    return {"ts": at, "kind": "trade", "symbol": symbol, "price": price, "size": size, **more}


CALL = {"sec_type": "OPT", "expiry": "20270115", "strike": 230.0, "right": "C"}
DAY: list[Row] = [
    quote(0.0, "AAPL", 228.0, 300, 228.02, 200),
    trade(0.5, "AAPL", 228.02, 100),
    quote(1.0, "AAPL", 228.0, 500, 228.02, 200),
    quote(1.5, "AAPL", 10.1, 20, 10.4, 30, **CALL),
    quote(2.0, "ZZZZ", 5.0, 100, None, None),
    trade(2.0, "ZZZZ", 5.0, 700),
    quote(3.0, "AAPL", 228.01, 100, 228.03, 400),
]


def write_csv(path: Path, rows: list[Row], columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: list[Row]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    whole = [{name: row.get(name) for name in COLUMNS} for row in rows]
    for row in whole:
        row["ts"] = datetime.fromisoformat(row["ts"])
    parquet.write_table(pyarrow.Table.from_pylist(whole), path)
    return path


def test_csv_and_parquet_tell_the_same_day(tmp_path: Path) -> None:
    one = TableTape(write_csv(tmp_path / "day.csv", DAY))
    two = TableTape(write_parquet(tmp_path / "day.parquet", DAY))
    assert list(one.rows()) == list(two.rows())
    assert one.contracts == two.contracts
    assert one.starts_us == two.starts_us == int(OPENING.timestamp() * 1e6)
    assert [(c.symbol, c.sec_type) for c in one.contracts] == [
        ("AAPL", "STK"), ("AAPL", "OPT"), ("ZZZZ", "STK"),
    ]  # fmt: skip


def test_known_names_keep_ib_s_contract_ids_and_unknown_ones_get_one(tmp_path: Path) -> None:
    tape = TableTape(write_csv(tmp_path / "day.csv", DAY))
    apple, call, other = tape.contracts
    assert apple.con_id == 265598
    assert call.local_symbol == "AAPL  270115C00230000"
    assert other.con_id > 1 << 30
    assert other.con_id == TableTape(tmp_path / "day.csv").contracts[2].con_id


def test_a_given_contract_id_is_kept(tmp_path: Path) -> None:
    rows = [quote(0.0, "AAPL", 1.0, 1, 1.1, 1, con_id=42, **CALL)]
    [call] = TableTape(write_csv(tmp_path / "day.csv", rows)).contracts
    assert call.con_id == 42


sides = st.one_of(st.none(), st.integers(1, 50).map(lambda cents: cents / 100))
sizes = st.integers(0, 900).map(float)
quotes = st.lists(st.tuples(sides, sizes, sides, sizes), min_size=1, max_size=30)


@given(quotes)
@settings(max_examples=60)
def test_ticks_lead_from_each_quote_to_the_next(wanted: list[tuple[Any, ...]]) -> None:
    shown: dict[int, float] = {}
    before: TapeRow | None = None
    for number, (bid, bid_size, ask, ask_size) in enumerate(wanted):
        row = TapeRow(number, 1, bid, bid_size, ask, ask_size)
        for tick in ticks(before, row):
            shown[tick.tick_type] = float(tick.value)
            if tick.tick_type in (1, 2):
                shown[{1: 0, 2: 3}[tick.tick_type]] = tick.size
        before = row
        expected = (-1.0 if bid is None else bid, -1.0 if ask is None else ask)
        assert (shown.get(1, -1.0), shown.get(2, -1.0)) == expected
        assert (shown.get(0, 0.0), shown.get(3, 0.0)) == (bid_size, ask_size)


def test_a_trade_is_a_print_and_the_day_s_volume() -> None:
    row = TapeRow(0, 1, price=5.0, size=300.0)
    assert list(print_ticks(row, None, 700.0)) == [Tick(4, 5.0, 300.0), Tick(8, 700.0)]
    assert list(print_ticks(row, 5.0, 0.0)) == [Tick(4, 5.0, 300.0)]


def test_what_a_recorded_row_came_as_is_what_it_is_told_as() -> None:
    quote = TapeRow(0, 1, 5.0, 300.0, 6.0, 100.0)
    larger = quote._replace(bid_size=400.0)
    assert list(ticks(quote, larger)) == [Tick(0, 400.0)]
    assert list(ticks(quote, larger._replace(cause=1))) == [Tick(1, 5.0, 400.0)]
    size = TapeRow(0, 1, price=5.0, size=200.0, cause=5)
    assert list(print_ticks(size, 5.0, 0.0)) == [Tick(5, 200.0)]
    assert list(print_ticks(size, 4.0, 0.0)) == [Tick(4, 5.0, 200.0)]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "holds no rows"),
        ([{**DAY[0], "ts": "2026-11-20 09:30:00"}], "has no zone"),
        ([{**DAY[0], "ts": "soon"}], "is no time"),
        ([{**DAY[0], "kind": "rumour"}], "neither quote nor trade"),
        ([{**DAY[0], "bid": "cheap"}], "no number"),
        ([{**DAY[1], "price": ""}], "has no price"),
        ([DAY[2], DAY[0]], "row 2 is earlier"),
        ([{**DAY[3], "expiry": "January"}], "is no expiry"),
    ],
)
def test_rows_that_cannot_be_read_are_refused_with_their_number(
    tmp_path: Path, rows: list[Row], says: str
) -> None:
    with pytest.raises(ConfigRefused, match=says):
        TableTape(write_csv(tmp_path / "day.csv", rows))


def test_unknown_and_missing_columns_are_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "day.csv", [], ("ts", "symbol", "colour"))
    with pytest.raises(ConfigRefused, match=r"lacks kind and has unknown columns colour"):
        TableTape(path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "day.parquet"
    path.write_bytes(b"not a table")
    with pytest.raises(ConfigRefused, match="not a Parquet file"):
        TableTape(path)


def test_without_pyarrow_parquet_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def absent(name: str, package: str | None = None) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigRefused, match=r"Install ibkeeper\[parquet\]"):
        TableTape(tmp_path / "day.parquet")
    assert builtins.__import__ is not absent


def test_a_url_is_shown_without_its_secrets() -> None:
    url = f"postgresql://me:{PASSWORD}@db.example:5433/ib?day=2026-11-20&password={PASSWORD}"
    assert tapes.shown(url) == "postgresql://db.example:5433/ib?day=2026-11-20"
    assert tapes.shown("a/day.csv") == "a/day.csv"


@pytest.mark.parametrize("url", ["postgresql:///x", "postgresql:///x?day=", "postgresql:///?day=1"])
def test_a_database_without_a_day_is_refused(url: str) -> None:
    with pytest.raises(ConfigRefused, match="needs its day"):
        tapes.open_source(SimConfig(tape=url))


def test_the_tape_s_time_needs_a_tape() -> None:
    with pytest.raises(ValueError, match="time must be now"):
        SimConfig(time="tape")
