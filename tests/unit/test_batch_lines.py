"""Lines of a batch: what is no order is refused by name before anything happens."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ibcore.batch.csv_file import BatchRefused, read
from ibcore.batch.line import OrderLine
from ibcore.batch.submit import Batch, Order

# Python 3.10's csv refuses the line before a column can be named.
NUL_SAID = "line 2, column symbol: " if sys.version_info >= (3, 11) else "line 2: line contains NUL"
SPREAD = "+1 GOOG 20261218 C 750; -1 GOOG 20261218 C 760"
# As the version before legs made it of LINE: the same key again must stay the same batch.
HASH = "af7f7b30ea0a36b39952534e696f6f9cc8ed49facfe6a5e37f240ac2d8491b3a"
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
        ("sec_type", "BAG"),
        ("legs", SPREAD),
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
        {"sec_type": "bag", "legs": SPREAD, "limit_price": -3},
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


def test_a_combination_says_its_legs_and_is_written_one_way() -> None:
    line = OrderLine(**(LINE | {"sec_type": "BAG", "legs": " +01 goog  20261218 c 750 ;-2 GOOG"}))
    assert line.legs == "+1 GOOG 20261218 C 750; -2 GOOG"
    assert str(line) == f"BUY 100 SPY BAG SMART ({line.legs}) LMT 500.1"
    assert [str(spec) for spec in line.contracts] == [
        "GOOG OPT 20261218 750 C SMART", "GOOG STK SMART",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("legs", "said"),
    [
        ("1 GOOG; -1 GOOG 202612", "leg 1, '1 GOOG', is no leg: expected a signed ratio, then"),
        ("+1 GOOG; -1 GOOG 20261218 X 5", "leg 2, '-1 GOOG 20261218 X 5', is no leg: expected"),
        ("+1 GOOG; -0 SPY", "leg 2, '-0 SPY', has the ratio -0: expected 1 to 1000"),
        ("+1 GOOG; -1001 SPY", "has the ratio -1001: expected 1 to 1000"),
        ("+1 GOOG; -1 SPY 20261301", "has the expiry 20261301: expected a day, YYYYMMDD"),
        ("+1 GOOG; -1 SPY 202613", "has the expiry 202613: expected a day, YYYYMM"),
        ("+1 GOOG; -1 SPY 202612 P 5", "has the expiry 202612: expected the day of an option"),
        ("+1 GOOG; -1 SPY 20261218 P 0", "has the strike 0: expected a plain number above 0"),
        ("+1 GOOG; -1 SPY 20261218 P 1.2.3", "has the strike 1.2.3: expected a plain number"),
        ("+1 GOOG; -1 ES FOP 20261218", "is FOP without its option: expected SYMBOL FOP EXPIRY"),
        ("+1 GOOG", "has 1 leg: expected 2 to 8, with a semicolon between them"),
        ("+1 GOOG; -1 goog", "leg 2, '-1 GOOG', is the contract of leg 1: expected each once"),
        ("+1 GOOG; -1 GO\0OG", "is no leg"),
        ("+1 GOOG;", "leg 2, '', is no leg"),
    ],
)
def test_a_bad_leg_is_named_by_line_column_and_number(tmp_path: Path, legs: str, said: str) -> None:
    if "\0" not in legs:
        head = "symbol,side,quantity,limit_price,sec_type,legs\nGOOG,BUY,1,1,STK,\n"
        found = refused(tmp_path, f"{head}GOOG,BUY,1,1,BAG,{legs}\n")
        assert f"line 3, column legs: '{legs}' " in found
        assert said in found
    with pytest.raises(ValidationError, match=re.escape(said)):
        OrderLine(**(LINE | {"sec_type": "BAG", "legs": legs}))


def test_a_batch_from_before_there_were_legs_keeps_its_hash() -> None:
    batch = Batch("one", "DU1", [Order(OrderLine(**LINE), 1)], "ann")
    assert batch.body_hash == HASH
    spread = Order(OrderLine(**(LINE | {"sec_type": "BAG", "legs": SPREAD})), None, (1, 2))
    other = Order(
        OrderLine(**(LINE | {"sec_type": "BAG", "legs": SPREAD.replace("+1", "+2")})), None, (1, 2)
    )
    hashes = {batch._replace(orders=[each]).body_hash for each in (spread, other)}
    assert len(hashes) == 2


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


def test_every_file_that_the_page_shows_can_be_read(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "orders.md").read_text("utf-8")
    shown = re.findall(r"^```\n(symbol,.*?)^```", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / "orders.csv"
    read_of: list[OrderLine] = []
    for text in shown:
        file.write_text(text)
        read_of += read(file)
    assert len(shown) == 3
    assert [len(line.combination) for line in read_of if line.legs] == [2, 2, 2]
