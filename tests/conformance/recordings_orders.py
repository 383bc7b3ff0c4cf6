"""What the simulator's order book says in place of the recorded frames about orders.

One ticket for each recorded order: a market order for 100 shares of TSLA (2023, server 164), one of
AAPL (2025, server 173; moved to 178 in the derived file), a cancelled one, a completed one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ibcore.sim import messages, ordermessages
from ibcore.sim.account import Account
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.contracts import stock
from ibcore.sim.margin import Margin
from ibcore.sim.orders import Order
from ibcore.sim.positions import Portfolio
from ibcore.sim.tickets import Fill, Share, Ticket

_MARKET: Final = Order({"action": "BUY", "order_type": "MKT", "tif": "DAY"})


def _ticket(symbol: str, order_id: int, perm_id: int, **given: Any) -> Ticket:
    ticket = Ticket(
        client_id=100,
        order_id=order_id,
        perm_id=perm_id,
        order=_MARKET,
        contract=stock(CATALOGUE[symbol]),
        exchange="SMART",
        account=given.pop("account", "DU1236109"),
        entered_ns=0,
        last_day="",
        quantity=100.0,
    )
    for name, value in given.items():
        setattr(ticket, name, value)
    return ticket


def _filled(ticket: Ticket, **given: Any) -> Fill:
    price = given["price"]
    fill = Fill(
        ticket=ticket,
        contract=ticket.contract,
        is_buy=True,
        at_ns=0,
        shares=100.0,
        cum_qty=100.0,
        average=price,
        commission=1.0,
        realized=None,
        liquidity=2,
        **given,
    )
    ticket.fills.append(fill)
    ticket.shares[ticket.contract.con_id] = Share(100.0, 100.0 * price, 1.0)
    ticket.filled, ticket.status = 100.0, "Filled"
    return fill


def tsla(status: str = "PreSubmitted") -> Ticket:
    """Return the order of February 2023."""
    return _ticket("TSLA", 13, 1376327563, status=status)


def tsla_fill() -> Fill:
    """Return its execution."""
    return _filled(
        tsla(),
        exec_id="00025b46.63f8f39c.01.01",
        time="20230224  12:04:56",
        exchange="ISLAND",
        price=196.52,
    )


def aapl(status: str = "PreSubmitted") -> Ticket:
    """Return the order of April 2025."""
    return _ticket("AAPL", 5, 600745656, account="DU1234567", status=status)


def aapl_fill() -> Fill:
    """Return its execution."""
    return _filled(
        aapl(),
        exec_id="0000e0d5.67fe667b.01.01",
        time="20250415  19:38:31",
        exchange="IEX",
        price=201.94,
    )


def cancelled() -> Ticket:
    """Return the order that was cancelled."""
    return _ticket("TSLA", 41, 71270927, status="Cancelled")


def completed() -> Ticket:
    """Return the order of March 2023, filled and gone."""
    return _ticket(
        "AAPL",
        0,
        1824933227,
        status="Filled",
        filled=100.0,
        completed_time="20230306 12:28:30 America/Los_Angeles",
        completed_status="Filled Size: 100",
    )


Build = Callable[[], bytes]


def open_order(ticket: Callable[[], Ticket], version: int, **state: object) -> Build:
    """Return a function that builds openOrder."""
    return lambda: messages.encode(
        "open_order", version, **ordermessages.open_order(ticket(), state)
    )


def status(ticket: Callable[[], Ticket]) -> Build:
    """Return a function that builds orderStatus."""
    return lambda: messages.encode("order_status", **ordermessages.order_status(ticket()))


def execution(fill: Callable[[], Fill], version: int) -> Build:
    """Return a function that builds execDetails."""
    return lambda: messages.encode("execution", version, **ordermessages.execution(fill()))


def commission() -> bytes:
    """Build the commission report of the TSLA order."""
    return messages.encode("commission_report", **ordermessages.commission_report(tsla_fill()))


def completed_order() -> bytes:
    """Build completedOrder as server 164 had it."""
    return messages.encode("completed_order", 164, **ordermessages.completed_order(completed()))


def _held(account: str) -> dict[str, Any]:
    """Return the position of 500 TSLA that both recordings show, as the account tells it."""
    portfolio = Portfolio()
    portfolio.trade(stock(CATALOGUE["TSLA"]), 500.0, price=196.77, commission=0.0)

    def price(_of: object) -> float:
        return 196.77

    told = Account(account, portfolio, mark=price, margin=Margin(portfolio, price, price))
    [values] = told.positions()
    return values


def position() -> bytes:
    """Build the position of the account's list."""
    return messages.encode("position", **_held("DU1236109"))


def position_multi() -> bytes:
    """Build the position that was recorded for one account and model."""
    return messages.encode("position_multi", req_id=6, **_held("DU1234567"))


CHARGED: Final = {"commission": "1.0", "commission_currency": "USD"}
