"""What a real session printed, told again: each object as the simulator's frames.

`SENT` says how an object goes out and where it comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

import ib_async

from ibcore.sim import bars, messages
from ibcore.sim.bars import Bar
from tests.conformance.decoders import neutral

VERSION: Final = 178


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


def bar(printed: Any) -> bytes:
    """Build 17; the notebook's own clock was Amsterdam's, the bar began when New York opened."""
    start = printed.date.replace(tzinfo=_NOTEBOOKS_ZONE).timestamp()
    values = [getattr(printed, name) for name in _BAR]
    written = bars.written([Bar(start, *values)], 3600, as_number=False)
    return messages.encode("historical_data", VERSION, req_id=1, bars_details=[1, *written])


def real_time_bar(printed: Any) -> bytes:
    names = ("open", "high", "low", "close", "volume", "wap")
    values = {name: getattr(printed, "open_" if name == "open" else name) for name in names}
    at = int(printed.time.timestamp())
    return messages.encode(
        "real_time_bar", VERSION, req_id=1, time=at, **values, trades=printed.count
    )


def depth_exchange(printed: Any) -> bytes:
    return messages.encode(
        "depth_exchanges", VERSION, exchanges_details=[1, *vars(printed).values()]
    )


def historical_bid_ask(printed: Any) -> bytes:
    prices = [printed.priceBid, printed.priceAsk, printed.sizeBid, printed.sizeAsk]
    tick = [int(printed.time.timestamp()), mask(printed.tickAttribBidAsk), *prices]
    return messages.encode(
        "historical_ticks_bid_ask", VERSION, req_id=1, ticks_details=[1, *tick], done=True
    )


def mask(attrib: Any) -> int:
    return attrib.bidPastLow + 2 * attrib.askPastHigh


_BAR: Final = ("open", "high", "low", "close", "volume", "average", "barCount")
_NOTEBOOKS_ZONE: Final = ZoneInfo("Europe/Amsterdam")


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
    "BarData": ("historical_data", bar, lambda values: _bar(values[1])),
    "RealTimeBar": ("real_time_bar", real_time_bar, lambda values: _real_time_bar(*values)),
    "DepthMktDataDescription": ("depth_exchanges", depth_exchange, lambda values: values[0][0]),
    "HistoricalTickBidAsk": (
        "historical_ticks_bid_ask",
        historical_bid_ask,
        lambda values: values[1][0],
    ),
}
# The field left the wire with server 164; the sessions of 2019 still had it.
EXPLAINED: Final = {"mdsizemultiplier"}


def _chain(exchange: str, under: str, cls: str, multiplier: str, *lists: Any) -> Any:
    names = ("exchange", "underlyingconid", "tradingclass", "multiplier", "expirations", "strikes")
    return dict(zip(names, (exchange, under, cls, multiplier, *lists), strict=True))


def _account_value(tag: str, value: str, currency: str, account: str) -> Any:
    names = ("account", "tag", "value", "currency", "modelcode")
    return dict(zip(names, (account, tag, value, currency, ""), strict=True))


def _position(account: str, contract: Any, held: float, cost: float) -> Any:
    return {"account": account, "contract": contract, "position": held, "avgcost": cost}


def _bar(heard: Any) -> Any:
    """Read the date as ib_async's wrapper does, and show it as the notebook's clock did."""
    began = moment(heard["date"])
    return {**heard, "date": neutral(began.astimezone(_NOTEBOOKS_ZONE).replace(tzinfo=None))}


def _real_time_bar(_req_id: float, time: float, *values: float) -> Any:
    names = ("open", "high", "low", "close", "volume", "wap", "count")
    at = neutral(datetime.fromtimestamp(time, timezone.utc))
    return {"time": at, "endtime": -1.0, **dict(zip(names, values, strict=True))}


def table_bar(began: str, values: Sequence[float]) -> Any:
    """Return a row of a table as if it were a printed bar."""
    return ib_async.BarData(datetime.fromisoformat(began), **dict(zip(_BAR, values, strict=True)))


def head_timestamp(text: str) -> bytes:
    return messages.encode("head_timestamp", VERSION, req_id=1, timestamp=text)


def moment(text: str) -> Any:
    """Read a date as ib_async does."""
    return ib_async.util.parseIBDatetime(text)
