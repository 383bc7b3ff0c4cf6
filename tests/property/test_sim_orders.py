"""placeOrder as both clients write it, read back and echoed; margin and execution filters."""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ib_async import ComboLeg, Contract, DeltaNeutralContract, TagValue
from ib_async import Order as IbOrder
from ib_async.client import Client
from ib_async.order import (
    ExecutionCondition,
    MarginCondition,
    OrderComboLeg,
    PercentChangeCondition,
    PriceCondition,
    TimeCondition,
    VolumeCondition,
)
from ibapi import client as official
from ibapi import contract as official_contract
from ibapi import order as official_order

from ibcore.sim import executions, messages, ordermessages, requests, wire
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.commissions import commission
from ibcore.sim.contracts import stock
from ibcore.sim.fields import Malformed
from ibcore.sim.margin import Margin
from ibcore.sim.orderrequests import PlaceOrder
from ibcore.sim.positions import Portfolio
from ibcore.sim.tickets import Ticket

VERSIONS = (157, 158, 160, 162, 164, 166, 169, 170, 173, 176, 177, 178)


class Writer:
    """An ib_async client that writes into a list."""

    def __init__(self, version: int) -> None:
        self.written: list[list[str]] = []
        self._version = version

    def serverVersion(self) -> int:  # noqa: N802 (the client's own name)
        return self._version

    def isConnected(self) -> bool:  # noqa: N802
        return True

    def sendMsg(self, text: str) -> None:  # noqa: N802
        self.written.append(text.split("\0")[:-1])

    def send(self, *fields: Any) -> None:
        Client.send(self, *fields)  # type: ignore[arg-type]


def placed(order: IbOrder, contract: Contract, version: int) -> list[str]:
    writer = Writer(version)
    Client.placeOrder(writer, 7, contract, order)  # type: ignore[arg-type]
    return writer.written[0]


def everything() -> tuple[IbOrder, Contract]:
    """Return an order that uses every optional part of the message."""
    order = IbOrder(
        action="SELL", totalQuantity=3, orderType="PEG BENCH", lmtPrice=1.25, tif="GTC",
        deltaNeutralOrderType="MKT", deltaNeutralConId=9, scalePriceIncrement=0.5,
        scaleProfitOffset=0.25, hedgeType="D", hedgeParam="x", algoStrategy="Vwap",
        algoParams=[TagValue("maxPctVol", "0.1")], referenceContractId=8,
        smartComboRoutingParams=[TagValue("NonGuaranteed", "1")],
        orderComboLegs=[OrderComboLeg(0.5), OrderComboLeg(0.75)],
        adjustedOrderType="STP", triggerPrice=2.5, adjustedStopPrice=2.25,
        conditions=[PriceCondition(price=9.5, conId=1, exch="SMART"), TimeCondition(time="x"),
                    MarginCondition(percent=5), ExecutionCondition(secType="STK", exch="SMART",
                                                                   symbol="A"),
                    VolumeCondition(volume=5, conId=1, exch="SMART"),
                    PercentChangeCondition(changePercent=1.5, conId=1, exch="SMART")],
        conditionsIgnoreRth=True,
    )  # fmt: skip
    legs = [ComboLeg(conId=number, ratio=1, action="BUY", exchange="SMART") for number in (11, 12)]
    contract = Contract(
        secType="BAG", symbol="A", exchange="SMART", currency="USD", comboLegs=legs,
        deltaNeutralContract=DeltaNeutralContract(5, 0.5, 10.0),
    )  # fmt: skip
    return order, contract


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("order_type", ["MKT", "PEG MID", "PEG BEST"])
def test_what_ib_async_sends_is_read_to_the_last_field(version: int, order_type: str) -> None:
    order = IbOrder(action="BUY", totalQuantity=5, orderType=order_type, parentId=3)
    for exchange in ("SMART", "IBKRATS"):
        contract = Contract(conId=265598, symbol="AAPL", secType="STK", exchange=exchange)
        request = requests.parse(placed(order, contract, version), version)
        assert isinstance(request, PlaceOrder)
        assert (request.req_id, request.spec.con_id, request.order.quantity) == (7, 265598, 5.0)
        assert request.order.integer("parent_id") == 3


@pytest.mark.parametrize("version", VERSIONS)
def test_every_optional_part_is_read(version: int) -> None:
    order = requests.parse(placed(*everything(), version), version).order
    assert len(order.legs) == len(order.leg_prices) == 2
    assert order.routing == (("NonGuaranteed", "1"),)
    assert order.algo_params == (("maxPctVol", "0.1"),)
    assert [condition[0] for condition in order.conditions] == ["1", "3", "4", "5", "6", "7"]
    assert order.text("hedge_param") == "x"
    assert order.number("scale_profit_offset") == 0.25
    assert order.number("neutral_price") == 10.0
    assert order.flag("conditions_ignore_rth")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("order_type", ["MKT", "LMT", "PEG MID", "PEG BEST", "PEG BENCH"])
def test_what_the_official_client_sends_is_read_to_the_last_field(
    version: int, order_type: str
) -> None:
    contract = official_contract.Contract()
    contract.conId, contract.secType, contract.exchange = 265598, "STK", "SMART"
    order = official_order.Order()
    order.action, order.totalQuantity, order.orderType = "SELL", 2, order_type
    order.lmtPrice = 10.5
    sent: list[str] = []

    class Wrapper:
        """Fails where the client would report an error."""

        def error(self, *values: object) -> None:
            raise AssertionError(values)

        def logRequest(self, *_values: object) -> None:  # noqa: N802
            """Say nothing."""

    teller = official.EClient(Wrapper())
    teller.serverVersion = lambda: version
    teller.isConnected = lambda: True
    teller.sendMsg = lambda number, text: sent.append(f"{number}\0{text}")
    teller.placeOrder(7, contract, order)
    request = requests.parse(sent[0].split("\0")[:-1], version)
    assert request.order.number("lmt_price") == 10.5
    assert request.order.quantity == 2.0


@pytest.mark.parametrize("version", [164, 173, 178])
def test_a_frame_that_lost_or_gained_a_field_is_malformed(version: int) -> None:
    fields = placed(*everything(), version)
    for broken in (fields[:-1], [*fields, "0"], fields[:40] + fields[41:]):
        with pytest.raises(Malformed) as caught:
            requests.parse(broken, version)
        assert caught.value.req_id == 7


@given(st.data())
def test_a_spoilt_field_is_read_or_malformed(data: st.DataObject) -> None:
    fields = placed(*everything(), 178)
    place = data.draw(st.integers(1, len(fields) - 1))
    fields[place] = data.draw(st.sampled_from(["nan", "inf", "-1", "1e400", "x", "", "9" * 5000]))
    with contextlib.suppress(Malformed):
        requests.parse(fields, 178)


@pytest.mark.parametrize("version", [164, 173, 178])
def test_an_order_is_echoed_as_it_was_sent(version: int) -> None:
    order = IbOrder(action="SELL", totalQuantity=30, orderType="LMT", lmtPrice=10.5, tif="GTC",
                    ocaGroup="g", ocaType=2, orderRef="mine", outsideRth=True, displaySize=10,
                    algoStrategy="Vwap", algoParams=[TagValue("a", "b")],
                    conditions=[PriceCondition(price=9.5, conId=1, exch="SMART")])  # fmt: skip
    contract = Contract(conId=265598, secType="STK", exchange="SMART")
    read = requests.parse(placed(order, contract, version), version).order
    ticket = Ticket(3, 7, 99, read, stock(CATALOGUE["AAPL"]), "SMART", "DU1", 0, "", 30.0,
                    oca_group="g", oca_type=2)  # fmt: skip
    frame = messages.encode("open_order", version, **ordermessages.open_order(ticket))
    heard: list[Any] = []

    class Wrapper:
        """Keeps the order."""

        def openOrder(self, _id: int, _contract: Any, order: Any, _state: Any) -> None:  # noqa: N802
            heard.append(order)

    from ib_async.decoder import Decoder

    Decoder(Wrapper(), version).interpret(list(wire.unframe(frame)))  # type: ignore[arg-type]
    [echo] = heard
    for name in ("action", "totalQuantity", "orderType", "lmtPrice", "tif", "ocaGroup", "ocaType",
                 "orderRef", "outsideRth", "displaySize", "algoStrategy", "algoParams",
                 "conditions"):  # fmt: skip
        assert getattr(echo, name) == getattr(order, name), name


def test_commission_is_by_the_share_with_a_floor_and_a_cap() -> None:
    apple = stock(CATALOGUE["AAPL"])
    assert commission(apple, 0, 0) == 0
    assert commission(apple, 100, 20_000) == 1.0
    assert commission(apple, 10_000, 2_000_000) == 50.0
    assert commission(apple, 100, 50) == 0.5


def test_margin_of_a_short_is_dearer_than_of_a_long() -> None:
    apple = stock(CATALOGUE["AAPL"])
    portfolio = Portfolio()
    margin = Margin(portfolio, lambda _contract: 200.0, lambda _contract: 200.0)
    long = margin.impact(apple, 100, price=200.0, commission=1.0)
    short = margin.impact(apple, -100, price=200.0, commission=1.0)
    assert (long.after.initial, short.after.initial) == (5_000, 6_000)
    assert long.after.equity == short.after.equity == 999_999
    state = long.state()
    assert state["init_margin_change"] == "5000.00"
    assert state["equity_change"] == "-1.00"


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("20261123 10:00:00 US/Eastern", 15),
        ("20261123 10:00:00", 10),
        ("20261123-10:00:00", 10),
        ("20261123 10:00:00 Mars/Base", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_filters_time_is_read_in_the_forms_that_ib_names(text: str, hour: int | None) -> None:
    found = executions.parse_time(text)
    expected = datetime(2026, 11, 23, hour, tzinfo=timezone.utc) if hour is not None else None
    assert found == expected


def test_corrections_count_up() -> None:
    first = executions.exec_id(7, 255)
    assert first == "00000007.000000ff.01.01"
    assert executions.corrected(executions.corrected(first)) == "00000007.000000ff.01.03"
