"""What a real session printed in ib_async's notebooks: the same values through the simulator.

Each printed object goes out as the simulator's frames and comes back through ib_async's decoder,
equal. Objects that are no message of a server (a trade's log, a contract as it was asked for) and
messages that the simulator does not send are named, so that none is passed over in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import ib_async
import pytest

from ibcore.sim import messages, wire
from tests.conformance.decoders import by_ib_async, by_official, neutral
from tests.conformance.printed import NOTEBOOKS, Printed, objects

pytestmark = pytest.mark.skipif(not NOTEBOOKS.exists(), reason="the recordings are not here")

PRINTED = list(objects()) if NOTEBOOKS.exists() else []
VERSION = 178

# What ib_insync printed in 2019 and nobody sends: made by the client, or asked by it.
NOT_SENT: Final = {
    "TradeLogEntry": "written by the client",
    "Stock": "what was asked for, or contractDetails once more",
    "Index": "contractDetails once more",
    "Option": "contractDetails once more",
    "Contract": "contractDetails once more",
}


def contract_fields(contract: Any) -> dict[str, object]:
    return {
        "con_id": contract.conId,
        "symbol": contract.symbol,
        "sec_type": contract.secType,
        "expiry": contract.lastTradeDateOrContractMonth,
        "strike": contract.strike,
        "right": contract.right,
        "multiplier": contract.multiplier,
        "exchange": contract.exchange,
        "currency": contract.currency,
        "local_symbol": contract.localSymbol,
        "trading_class": contract.tradingClass,
    }


def contract_details(printed: Any) -> bytes:
    contract = contract_fields(printed.contract)
    contract["last_trade"] = contract.pop("expiry")
    return messages.encode(
        "contract_details",
        VERSION,
        **contract,
        req_id=1,
        market_name=printed.marketName,
        min_tick=printed.minTick,
        order_types=printed.orderTypes,
        valid_exchanges=printed.validExchanges,
        price_magnifier=printed.priceMagnifier,
        under_con_id=printed.underConId,
        long_name=printed.longName,
        primary_exchange=printed.contract.primaryExchange,
        contract_month=printed.contractMonth,
        industry=printed.industry,
        category=printed.category,
        subcategory=printed.subcategory,
        time_zone=printed.timeZoneId,
        trading_hours=printed.tradingHours,
        liquid_hours=printed.liquidHours,
        ev_rule=printed.evRule,
        ev_multiplier=printed.evMultiplier,
        sec_ids=[len(printed.secIdList), *(part for tag in printed.secIdList for part in tag)],
        agg_group=printed.aggGroup,
        under_symbol=printed.underSymbol,
        under_sec_type=printed.underSecType,
        market_rules=printed.marketRuleIds,
        real_expiry=printed.realExpirationDate,
        stock_type=printed.stockType,
    )


def option_chain(printed: Any) -> bytes:
    return messages.encode(
        "option_parameters",
        VERSION,
        req_id=1,
        exchange=printed.exchange,
        under_con_id=printed.underlyingConId,
        trading_class=printed.tradingClass,
        multiplier=printed.multiplier,
        expiries=[len(printed.expirations), *printed.expirations],
        strikes=[len(printed.strikes), *printed.strikes],
    )


def account_value(printed: Any) -> bytes:
    return messages.encode(
        "account_value",
        VERSION,
        key=printed.tag,
        value=printed.value,
        currency=printed.currency,
        account=printed.account,
    )


def position(printed: Any) -> bytes:
    return messages.encode(
        "position",
        VERSION,
        **contract_fields(printed.contract),
        account=printed.account,
        position=printed.position,
        average_cost=printed.avgCost,
    )


def symbol_sample(printed: Any) -> bytes:
    contract = printed.contract
    kinds = printed.derivativeSecTypes
    sample = [contract.conId, contract.symbol, contract.secType, contract.primaryExchange]
    sample += [contract.currency, len(kinds), *kinds, "", ""]
    return messages.encode("symbol_samples", VERSION, req_id=1, samples=[1, *sample])


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def order(printed_order: Any, contract: Any, state: Any) -> bytes:
    """Build openOrder from everything that the three objects hold."""
    values = contract_fields(contract)
    for place in messages.MESSAGES["open_order"].fields:
        for holder in (state, printed_order):  # the order's own number, not its status' 0
            if hasattr(holder, _ELSEWHERE.get(place.name, camel(place.name))):
                value = getattr(holder, _ELSEWHERE.get(place.name, camel(place.name)))
                values[place.name] = "" if neutral(value) is None else value
    values |= {name: 0 if name in _COUNTED else [] for name in _lists()}
    values["delta_neutral_details"] = ["", "", "", "", "", 0, 0, ""]
    if printed_order.deltaNeutralOrderType == "":
        values["delta_neutral_details"] = []
    return messages.encode("open_order", VERSION, **values)


_ELSEWHERE: Final = {
    "rule_80a": "rule80A",
    "equity_before": "equityWithLoanBefore",
    "equity_change": "equityWithLoanChange",
    "equity_after": "equityWithLoanAfter",
    "adjusted_trail_stop_price": "trailStopPrice",
}
_COUNTED: Final = ("legs_details", "leg_prices_details", "routing_details", "conditions_details",
                   "contract_neutral_details")  # fmt: skip


def _lists() -> list[str]:
    places = messages.MESSAGES["open_order"].fields
    return [place.name for place in places if place.name.endswith("_details")]


# How an object goes out, and where it stands among the values that ib_async's decoder calls with.
SENT: Final[dict[str, tuple[str, Callable[[Any], bytes], Callable[..., Any]]]] = {
    "ContractDetails": ("contract_details", contract_details, lambda values: values[1]),
    "ContractDescription": ("symbol_samples", symbol_sample, lambda values: values[1][0]),
    "OptionChain": ("option_parameters", option_chain, lambda values: _chain(*values[1:])),
    "AccountValue": ("account_value", account_value, lambda values: _account_value(*values)),
    "Position": ("position", position, lambda values: _position(*values)),
    "OrderState": (
        "open_order",
        lambda state: order(ib_async.MarketOrder("SELL", 20000), ib_async.Contract(), state),
        lambda values: values[3],
    ),
    "Trade": (
        "open_order",
        lambda trade: order(trade.order, trade.contract, trade.orderStatus),
        lambda values: {"order": values[2], "contract": values[1]},
    ),
}
# The field left the wire with server 164; the sessions of 2019 still had it.
EXPLAINED: Final = {"mdsizemultiplier"}
# Printed objects of messages that the simulator does not send (yet): object to message.
UNSENT: Final = {
    "BarData": "historical_data",
    "RealTimeBar": "real_time_bar",
    "DepthMktDataDescription": "market_depth_exchanges",
    "HistoricalTickBidAsk": "historical_ticks_bid_ask",
}


def _chain(exchange: str, under: str, cls: str, multiplier: str, *lists: Any) -> Any:
    names = ("exchange", "underlyingconid", "tradingclass", "multiplier", "expirations", "strikes")
    return dict(zip(names, (exchange, under, cls, multiplier, *lists), strict=True))


def _account_value(tag: str, value: str, currency: str, account: str) -> Any:
    names = ("account", "tag", "value", "currency", "modelcode")
    return dict(zip(names, (account, tag, value, currency, ""), strict=True))


def _position(account: str, contract: Any, held: float, cost: float) -> Any:
    return {"account": account, "contract": contract, "position": held, "avgcost": cost}


def name(printed: Printed) -> str:
    return f"{printed.file}:{printed.line}:{printed.kind}"


@pytest.mark.parametrize(
    "printed", [p for p in PRINTED if p.kind in SENT], ids=name
)  # fmt: skip
def test_a_printed_object_comes_back_equal(printed: Printed) -> None:
    _message, build, found = SENT[printed.kind]
    [call] = by_ib_async(build(printed.value), VERSION)
    assert by_official(build(printed.value), VERSION)
    heard, wanted = found(call.values), neutral(printed.value)
    if printed.kind == "Trade":  # what else it holds is the client's own: status, fills, log
        wanted = {key: wanted[key] for key in heard}
    different = {key for key in wanted | heard if wanted.get(key) != heard.get(key)}
    assert different <= EXPLAINED


PRICES = {"bid": (1, 0), "ask": (2, 3), "last": (4, 5)}
ALONE = {"high": 6, "low": 7, "close": 9}
GREEKS = {"bidGreeks": 10, "askGreeks": 11, "lastGreeks": 12, "modelGreeks": 13}
_ORDER = ("impliedVol", "delta", "optPrice", "pvDividend", "gamma", "vega", "theta", "undPrice")


def ticks(printed: Any) -> list[bytes]:
    """Build the messages that say what a ticker showed."""
    out = []
    for field, (tick_type, _size) in PRICES.items():
        if hasattr(printed, field):
            price, size = getattr(printed, field), getattr(printed, f"{field}Size")
            out.append(wire.tick_price(1, tick_type, wire.number(price), wire.number(size), 0))
    for field, tick_type in ALONE.items():
        out.append(wire.tick_price(1, tick_type, wire.number(getattr(printed, field)), "0", 0))
    if hasattr(printed, "volume"):
        out.append(wire.tick_size(1, 8, wire.number(printed.volume)))
    for field, tick_type in GREEKS.items():
        if hasattr(printed, field):
            values = [0, *(getattr(getattr(printed, field), member) for member in _ORDER)]
            out.append(wire.tick_computation(1, tick_type, "".join(f"{v}\0" for v in values)))
    return out


@pytest.mark.parametrize("printed", [p for p in PRINTED if p.kind == "Ticker"], ids=name)
def test_a_printed_ticker_is_told_tick_by_tick(printed: Printed) -> None:
    told: dict[tuple[str, float], tuple[Any, ...]] = {}
    for frame in ticks(printed.value):
        for call in by_ib_async(frame, VERSION):
            told[call.method, call.values[1]] = call.values[2:]
        assert by_official(frame, VERSION)
    for field, (tick_type, size_type) in PRICES.items():
        if hasattr(printed.value, field):
            assert told["tickPrice", tick_type] == (getattr(printed.value, field),)
            assert told["tickSize", size_type] == (getattr(printed.value, f"{field}Size"),)
    for field, tick_type in ALONE.items():
        assert told["tickPrice", tick_type] == (getattr(printed.value, field),)
    for field, tick_type in GREEKS.items():
        if hasattr(printed.value, field):
            greeks = getattr(printed.value, field)
            assert told["tickOptionComputation", tick_type][1:] == tuple(
                getattr(greeks, member) for member in _ORDER
            )


def test_an_unknown_contract_is_refused_in_the_printed_words() -> None:
    text = "No security definition has been found for the request"
    printed = (NOTEBOOKS / "contract_details.txt").read_text()
    assert f"Error 200, reqId 6: {text}, contract:" in printed
    frame = messages.encode("error", VERSION, req_id=6, code=200, text=text)
    assert by_ib_async(frame, VERSION)[0].values == (6, 200, text, "")


def test_no_printed_object_is_passed_over() -> None:
    kinds = {printed.kind for printed in PRINTED}
    assert kinds - SENT.keys() - UNSENT.keys() - NOT_SENT.keys() == {"Ticker"}


def test_an_unsent_message_gets_its_row_as_soon_as_it_is_sent() -> None:
    sent = {message.msg_id for message in messages.MESSAGES.values()}
    numbers = {"historical_data": 17, "real_time_bar": 50, "market_depth_exchanges": 80,
               "historical_ticks_bid_ask": 97}  # fmt: skip
    assert [kind for kind, message in UNSENT.items() if numbers[message] in sent] == []
