"""Which orders are refused, and in which words: checks before an order reaches the book.

`Refusal.reaches_book` tells the refusals of IB's servers (201: the order is known, Inactive) from
those of the gateway, after which the order never was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ibcore.sim import combos, conditions, executions
from ibcore.sim.contracts import Contract, Spec, Universe
from ibcore.sim.orders import Order
from ibcore.sim.tickets import Ticket
from ibcore.sim.triggers import TRIGGER_METHODS

_TYPES: Final = frozenset({"MKT", "LMT", "STP", "STP LMT", "TRAIL", "TRAIL LIMIT"})
_TIFS: Final = frozenset({"", "DAY", "GTC", "IOC", "FOK", "GTD"})
_LIMITED: Final = frozenset({"LMT", "STP LMT"})
_ALGO_TYPES: Final = frozenset({"MKT", "LMT"})
# Accepted, echoed, and filled as what they are based on.
ALGORITHMS: Final = frozenset({
    "Adaptive", "Twap", "Vwap", "ArrivalPx", "DarkIce", "PctVol", "AD", "ClosePx", "MinImpact",
    "BalanceImpactRisk",
})  # fmt: skip
_BAD_TIME: Final = (
    "The time or time-zone entered is invalid. The correct format is hh:mm:ss xxx where xxx is an"
    " optionally specified time-zone. E.g.: 15:59:00 EST. Note that there is a space between the"
    " time and the time zone. If no time zone is specified, local time is assumed."
)
_OFF_GRID: Final = "The price does not conform to the minimum price variation for this contract."
_MAX_SIZE: Final = {
    "BAG": 10_000.0,
    "STK": 1_000_000.0,
    "OPT": 10_000.0,
    "FOP": 10_000.0,
    "FUT": 10_000.0,
    "CASH": 10_000_000.0,
}
_MAX_ORDER_ID: Final = 2_000_000_000
_MAX_PRICE: Final = 1_000_000.0
_THROUGH_MARKET: Final = 0.5  # how far a limit may be on the far side of the market
# What would change the result and is not simulated: better refused than ignored.
_NOT_SIMULATED: Final = {
    "hedge_type": "hedges", "adjusted_order_type": "adjusted stops",
    "scale_price_increment": "scale orders", "delta_neutral_order_type": "delta neutral orders",
    "min_qty": "minQty", "cash_qty": "cashQty",
    "active_start_time": "activeStartTime", "percent_offset": "percentOffset",
    "duration": "duration", "fa_group": "advisor groups", "model_code": "models",
    "discretionary_amt": "discretionary amounts",
}  # fmt: skip


_WITHDRAWN: Final = (
    ("e_trade_only", "EtradeOnly", 10268),
    ("firm_quote_only", "FirmQuoteOnly", 10269),
)


@dataclass(frozen=True)
class Refusal:
    """Why an order is refused: error code and text."""

    code: int
    text: str
    reaches_book: bool = False


def rejected(reason: str) -> Refusal:
    """Refuse as IB's servers do."""
    return Refusal(201, f"Order rejected - reason:{reason}", reaches_book=True)


def _invalid(cause: str) -> Refusal:
    return Refusal(321, f"Error validating request.-'bS' : cause - {cause}")


def resolve(
    universe: Universe, spec: Spec, legs: Sequence[Sequence[str]] = ()
) -> Contract | Refusal:
    """Find the one contract that is to be traded, or make it of its legs."""
    if spec.sec_type == "BAG":
        combo = combos.resolve(universe, spec, legs)
        return _invalid(combo) if isinstance(combo, str) else combo
    found = universe.find(spec)
    if len(found) == 1:
        return found[0]
    if found:
        text = f"The contract description specified for {spec.symbol} is ambiguous."
        return Refusal(200, text)
    return Refusal(200, "No security definition has been found for the request")


def check_id(order_id: int, next_id: int, known: Ticket | None) -> Refusal | None:
    """Refuse an order id that was used, or that is below one that was used."""
    if order_id > _MAX_ORDER_ID:
        return _invalid("Invalid order id")
    if order_id >= next_id:
        return None
    if known is not None and known.status == "Filled":
        return Refusal(104, "Cannot modify a filled order.")
    return Refusal(103, "Duplicate order ID.")


def check(order: Order, contract: Contract, *, account: str) -> Refusal | None:
    """Check what does not need the market: type, size, prices, time in force, account."""
    return (
        _check_withdrawn(order)
        or _check_shape(order, account)
        or _check_size(order, contract)
        or _check_prices(order, contract)
        or _check_simulated(order, contract)
    )


def _check_withdrawn(order: Order) -> Refusal | None:
    """Refuse what IB has withdrawn; the official client of 2020 (9.81) sets the first two."""
    for name, attribute, code in _WITHDRAWN:
        if order.flag(name):
            return Refusal(code, f"The '{attribute}' order attribute is not supported.")
    return None


def _check_shape(order: Order, account: str) -> Refusal | None:
    if order.text("action") not in {"BUY", "SELL", "SSHORT"}:
        return _invalid(f"Invalid side {order.text('action')!r}")
    if order.order_type not in _TYPES:
        return Refusal(387, "Unsupported order type for this exchange and security type.")
    if order.text("tif") not in _TIFS:
        return rejected(f"The time in force {order.text('tif')} is not simulated.")
    if order.text("tif") == "GTD" and not order.text("good_till_date"):
        return _invalid("GTD orders need a good-till date")
    for name in ("good_till_date", "good_after_time"):
        if order.text(name) and executions.parse_time(order.text(name)) is None:
            return Refusal(391, _BAD_TIME)
    if order.text("account") not in ("", account):
        return Refusal(435, "You must specify an account.")
    if order.integer("trigger_method") not in TRIGGER_METHODS:
        return rejected(f"Trigger method {order.text('trigger_method')} is not simulated.")
    return None


def _check_size(order: Order, contract: Contract) -> Refusal | None:
    quantity = order.quantity
    if quantity == 0:
        return Refusal(434, "The order size cannot be zero.")
    if quantity < 0:
        return _invalid("The order size cannot be negative")
    if quantity != int(quantity):
        text = "Fractional-sized order cannot be placed via API. Please use TWS to enter the order."
        return Refusal(10243, text)
    most = _MAX_SIZE.get(contract.sec_type)
    if most is None:
        return rejected(f"A contract of type {contract.sec_type} cannot be traded.")
    if quantity > most:
        return rejected(f"The size of the order exceeds the limit of {most:.0f}.")
    return None


def _check_prices(order: Order, contract: Contract) -> Refusal | None:
    kind = order.order_type
    limit, aux = order.number("lmt_price"), order.number("aux_price")
    if kind in _LIMITED and (limit is None if contract.legs else not limit):
        return rejected("Invalid price: a limit order needs a limit price.")
    if kind in {"STP", "STP LMT"} and not aux:
        return rejected("Invalid price: a stop order needs a stop price.")
    if kind.startswith("TRAIL") and not aux and not order.number("trailing_percent"):
        return rejected("Invalid price: a trailing order needs an amount or a percentage.")
    if kind == "TRAIL LIMIT" and limit is None and order.number("lmt_price_offset") is None:
        return rejected("Invalid price: a trailing limit order needs a limit price or an offset.")
    if contract.legs:  # below zero is a price like any other
        ok = limit is None or (abs(limit) <= _MAX_PRICE and on_grid(limit, contract))
        return None if ok else Refusal(110, _OFF_GRID)
    prices = [limit if kind in _LIMITED else None, aux, order.number("trail_stop_price")]
    if any(price is not None and not 0 <= price <= _MAX_PRICE for price in prices):
        return rejected("Invalid price.")
    if not 0 <= (order.number("trailing_percent") or 0.0) < 100:
        return rejected("Invalid price: a trailing percentage is below 100.")
    if any(price is not None and not on_grid(price, contract) for price in prices):
        return Refusal(110, _OFF_GRID)
    return None


def _check_simulated(order: Order, contract: Contract) -> Refusal | None:
    if contract.legs and order.order_type not in _ALGO_TYPES:
        return rejected("Not simulated: a combination that is not a market or a limit order.")
    algo = order.text("algo_strategy")
    if algo and algo not in ALGORITHMS:
        return rejected(f"Not simulated: the algorithm {algo}.")
    if algo and order.order_type not in _ALGO_TYPES:
        return rejected(f"The algorithm {algo} needs a market or a limit order.")
    for name, what in _NOT_SIMULATED.items():
        if order.text(name) not in ("", "0", "0.0", "None"):
            return rejected(f"Not simulated: {what}.")
    return None


def check_conditions(order: Order, universe: Universe) -> Refusal | None:
    """Refuse conditions that nobody here can watch."""
    problem = conditions.problem(order, universe)
    return rejected(f"Not simulated: {problem}.") if problem else None


def on_grid(price: float, contract: Contract) -> bool:
    """Whether a price is a multiple of the contract's price increment."""
    tick = contract.min_tick
    if contract.is_option and price >= 3:
        tick = 0.05
    return abs(price / tick - round(price / tick)) < 1e-6


def check_market(order: Order, bid: float, ask: float) -> Refusal | None:
    """Refuse a limit that is far on the other side of the market."""
    limit = order.number("lmt_price")
    if order.order_type != "LMT" or limit is None:
        return None
    too_high = order.is_buy and ask > 0 and limit > ask * (1 + _THROUGH_MARKET)
    too_low = not order.is_buy and bid > 0 and limit < bid * (1 - _THROUGH_MARKET)
    if too_high or too_low:
        return rejected(
            "We are unable to accept your order. Your limit price is too far outside of the market."
        )
    return None


def check_change(old: Order, new: Order, *, same_contract: bool) -> Refusal | None:
    """Refuse a modification that makes another order of it."""
    if not same_contract or old.text("action") != new.text("action"):
        return Refusal(105, "Order being modified does not match original order.")
    if old.order_type != new.order_type:
        return Refusal(329, "Order modify failed. Cannot change to the new order type.")
    return None
