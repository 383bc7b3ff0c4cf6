"""Lines of a batch: what is no order is refused by name before anything happens."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ibcore.batch.csv_file import BatchRefused, read
from ibcore.batch.line import OrderLine

# Python 3.10's csv refuses the line before a column can be named.
NUL_SAID = "line 2, column symbol: " if sys.version_info >= (3, 11) else "line 2: line contains NUL"
LINE: dict[str, Any] = {"symbol": "spy", "side": "buy", "quantity": 100, "limit_price": 500.1}


def test_a_line_is_read_as_ib_spells_it() -> None:
    line = OrderLine(**LINE)
    assert (line.symbol, line.side, line.tif) == ("SPY", "BUY", "DAY")
    assert (line.quantity, line.limit_price) == (Decimal(100), Decimal("500.1"))
    assert str(line) == "BUY 100 SPY STK SMART LMT 500.1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", 0),
        ("quantity", -5),
        ("quantity", "NaN"),
        ("quantity", "1e3"),
        ("quantity", "١٢"),
        ("quantity", 1e309),
        ("quantity", True),
        ("quantity", None),
        ("limit_price", None),
        ("limit_price", "inf"),
        ("stop_price", 1),
        ("trail_percent", 1),
        ("symbol", "AAPL\0009"),
        ("symbol", "'; drop"),
        ("symbol", ""),
        ("side", "HOLD"),
        ("order_type", "PEG"),
        ("order_type", "STP"),
        ("order_type", "TRAIL"),
        ("tif", ""),
        ("expiry", "20261218"),
        ("sec_type", "OPT"),
        ("exchange", "SM ART"),
        ("currency", "DOLLAR"),
        ("price", 1),
        ("parent", 0),
        ("parent", "1.5"),
        ("oca_group", "a\0b"),
        ("algo", "Ad aptive"),
        ("algo_params", "adaptivePriority=Normal"),
        ("not_before", "2026-11-30T09:30"),
    ],
)
def test_what_is_no_order_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        OrderLine(**(LINE | {field: value}))


@pytest.mark.parametrize(
    "values",
    [
        {"order_type": "MKT", "limit_price": None},
        {"order_type": "STP", "limit_price": None, "stop_price": 490},
        {"order_type": "stp lmt", "stop_price": 490},
        {"order_type": "TRAIL", "limit_price": None, "trail_percent": 2},
        {"order_type": "TRAIL", "limit_price": None, "trail_amount": 1.5},
        {"sec_type": "OPT", "expiry": "20261218", "strike": 500, "right": "c"},
        {"parent": "1"},
        {"oca_group": "exit"},
        {"algo": "Adaptive", "algo_params": "adaptivePriority=Normal"},
        {"not_before": "2026-11-30T09:30-05:00"},
        {"sec_type": "FUT", "expiry": "202612", "limit_price": -3},
    ],
)
def test_every_kind_of_order_can_be_written(values: dict[str, Any]) -> None:
    OrderLine(**(LINE | values))


def test_parameters_of_an_algorithm_are_pairs() -> None:
    line = OrderLine(**LINE, algo="Twap", algo_params="strategyType=Marketable; allowPastEndTime=1")
    assert line.algo_tags == {"strategyType": "Marketable", "allowPastEndTime": "1"}
    assert OrderLine(**LINE).algo_tags is None
    for wrong in ("one", "a=b;;c=d", "a=b\0c"):
        with pytest.raises(ValidationError):
            OrderLine(**LINE, algo="Twap", algo_params=wrong)


def test_a_child_goes_with_its_parent_and_has_no_time_of_its_own() -> None:
    with pytest.raises(ValidationError, match="a child goes with its parent"):
        OrderLine(**LINE, parent=1, not_before="2026-11-30T09:30-05:00")


def test_a_line_says_what_it_belongs_to() -> None:
    line = OrderLine(**LINE, parent=1, oca_group="exit", algo="Adaptive")
    assert str(line).endswith("LMT 500.1 after line 1 in exit by Adaptive")


def refused(tmp_path: Path, text: str | bytes) -> str:
    file = tmp_path / "orders.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BatchRefused) as found:
        read(file)
    assert str(found.value).startswith("orders.csv is no batch of orders. ")
    assert str(found.value).endswith("Nothing was sent. Correct the file and submit it again.")
    return str(found.value)


def test_a_csv_file_is_read_with_its_columns_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(
        "side,quantity,symbol,order_type,limit_price,tif\n"
        "BUY,100,SPY,LMT,500.10,GTC\n"
        "\n"
        'SELL,"5","BRK B",MKT,,\n'
    )
    first, second = read(file)
    assert (str(first), first.tif) == ("BUY 100 SPY STK SMART LMT 500.10", "GTC")
    assert (str(second), second.tif) == ("SELL 5 BRK B STK SMART MKT", "DAY")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("symbol,side,quantity\nSPY,BUY,-5\n", "line 2, column quantity: '-5' input should be"),
        ("symbol,side,quantity\nSPY,BUY,1e9\n", "line 2, column quantity: '1e9' is no plain"),
        ("symbol,side,quantity\n\nSPY,BUY,1\n", "line 3, column limit_price: is missing: an order"),
        ("symbol,side,quantity\nSPY,,1\n", "line 2, column side: is missing"),
        ("symbol,side,quantity\nS\0PY,BUY,1\n", NUL_SAID),
        (
            "symbol,side,quantty\nSPY,BUY,1\n",
            "column quantty: no column is called 'quantty'; did you",
        ),
        ("symbol,side\nSPY,BUY\n", "line 1, column quantity: it is missing"),
        ("symbol,side,side,quantity\n", "line 1, column side: it is there twice"),
        ("symbol,side,quantity\nSPY,BUY,1,2\n", "line 2, column quantity: 4 cells, but only 3"),
        ('symbol,side,quantity\n"SPY,BUY,1\n', "line 2: unexpected end of data"),
        ("symbol,side,quantity\n", "it holds no order"),
        ("", "line 1, column symbol: it is missing"),
        (b"symbol,side,quantity\n\xff\xfe,BUY,1\n", "line 2: it is not UTF-8 text"),
    ],
)
def test_a_bad_file_is_refused_by_line_and_column(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    assert said in refused(tmp_path, text)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    said = refused(tmp_path, "symbol,side,quantity,order_type\nSPY,BUY,-5,MKT\nSPY,HOLD,1,MKT\n")
    assert "line 2, column quantity" in said
    assert "line 3, column side" in said


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BatchRefused, match="cannot be read"):
        read(tmp_path / "none.csv")
