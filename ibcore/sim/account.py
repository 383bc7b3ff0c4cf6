"""The paper account: its values as IB spells them, and the messages that show them.

All numbers follow from cash, positions, what they are worth now, and the margin rules of
`ibcore.sim.margin`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ibcore.sim import ordermessages, wire
from ibcore.sim.contracts import Contract
from ibcore.sim.margin import Margin
from ibcore.sim.positions import START_CASH, Mark, Portfolio, Position
from ibcore.sim.requests import AccountSummary

if TYPE_CHECKING:
    from ibcore.sim.session import Session

Value = tuple[str, str, str]

# What the tag $LEDGER stands for: balances by currency, none of the account's other values.
_LEDGER: Final = frozenset(
    {"AccruedCash", "CashBalance", "Currency", "ExchangeRate", "NetLiquidationByCurrency",
     "OptionMarketValue", "RealizedPnL", "StockMarketValue", "UnrealizedPnL"}
)  # fmt: skip


class Account:
    """One account, seen from outside."""

    def __init__(self, name: str, portfolio: Portfolio, *, mark: Mark, margin: Margin) -> None:
        self.name = name
        self._portfolio = portfolio
        self._mark = mark
        self._margin = margin

    def values(self) -> list[Value]:
        """Return every value: key, value, currency."""
        money = self._money()
        dollars = [(key, f"{value:.2f}", "USD") for key, value in money.items()]
        equity = money["NetLiquidation"]
        cushion = money["ExcessLiquidity"] / equity if equity else 0.0
        leverage = money["GrossPositionValue"] / equity if equity else 0.0
        return sorted([
            *dollars,
            ("AccountCode", self.name, ""),
            ("AccountReady", "true", ""),
            ("AccountType", "INDIVIDUAL", ""),
            ("CashBalance", f"{self._portfolio.cash:.2f}", "BASE"),
            ("Currency", "USD", "USD"),
            ("Cushion", f"{cushion:.6g}", ""),
            ("ExchangeRate", "1.00", "USD"),
            ("Leverage-S", f"{leverage:.2f}", ""),
        ])  # fmt: skip

    def _money(self) -> dict[str, float]:
        portfolio, mark = self._portfolio, self._mark
        levels = self._margin.levels()
        worth = {position: position.value(mark(position.contract)) for position in portfolio.held}
        stocks = sum(value for held, value in worth.items() if not held.contract.is_option)
        available = levels.equity - levels.initial
        return {
            "AccruedCash": 0.0,
            "AvailableFunds": available,
            "BuyingPower": max(available, 0.0) * 4,
            "CashBalance": portfolio.cash,
            "EquityWithLoanValue": levels.equity,
            "ExcessLiquidity": levels.equity - levels.maintenance,
            "FullInitMarginReq": levels.initial,
            "FullMaintMarginReq": levels.maintenance,
            "GrossPositionValue": sum(abs(value) for value in worth.values()),
            "InitMarginReq": levels.initial,
            "MaintMarginReq": levels.maintenance,
            "NetLiquidation": portfolio.cash + sum(worth.values()),
            "NetLiquidationByCurrency": portfolio.cash + sum(worth.values()),
            "OptionMarketValue": sum(worth.values()) - stocks,
            "RealizedPnL": portfolio.realized,
            "StockMarketValue": stocks,
            "TotalCashValue": portfolio.cash,
            "UnrealizedPnL": portfolio.unrealized(mark),
        }

    # -- messages ----------------------------------------------------------------------------

    def send_updates(self, session: Session, at: datetime, *, first: bool = True) -> None:
        """Send 6 for each value, 7 for each position, 8, and the first time 54."""
        for key, value, currency in self.values():
            session.send_message(
                "account_value", key=key, value=value, currency=currency, account=self.name
            )
        for position in self.shown():
            session.send_message("portfolio_value", **self._portfolio_value(position))
        session.send_message("account_time", time=f"{at:%H:%M}")
        if first:
            session.send_message("account_download_end", account=self.name)

    def shown(self) -> list[Position]:
        """Return the positions of today, flat ones too: a client must hear that one is closed."""
        listed = sorted(self._portfolio.positions.items())
        return [position for _, position in listed]

    def _portfolio_value(self, position: Position) -> dict[str, object]:
        contract, mark = position.contract, self._mark(position.contract)
        primary = "CBOE" if contract.is_option else contract.name.primary_exchange
        return {
            **ordermessages.contract(contract, exchange=primary, listed=False),
            "position": wire.number(position.quantity),
            "market_price": repr(round(mark, 8)),
            "market_value": f"{position.value(mark):.2f}",
            "average_cost": repr(round(position.cost, 8)),
            "unrealized_pnl": f"{position.unrealized(mark):.2f}",
            "realized_pnl": f"{position.realized:.2f}",
            "account": self.name,
        }

    def send_updates_multi(self, session: Session, req_id: int, *, first: bool = True) -> None:
        """Send 73 for each value, and the first time 74."""
        for key, value, currency in self.values():
            session.send_message(
                "account_update_multi",
                req_id=req_id,
                account=self.name,
                key=key,
                value=value,
                currency=currency,
            )
        if first:
            session.send_message("account_update_multi_end", req_id=req_id)

    def send_summary(
        self, session: Session, request: AccountSummary, *, first: bool = True
    ) -> None:
        """Send 63 for each tag that is asked for, and the first time 64."""
        ledger = any(tag.startswith("$LEDGER") for tag in request.tags)
        for key, value, currency in self.values():
            if key in request.tags or (ledger and key in _LEDGER):
                session.send_message(
                    "account_summary",
                    req_id=request.req_id,
                    account=self.name,
                    tag=key,
                    value=value,
                    currency=currency,
                )
        if first:
            session.send_message("account_summary_end", req_id=request.req_id)

    def positions(self, *, flat: bool = False) -> Iterator[dict[str, object]]:
        """Yield the values of each position message."""
        for position in self.shown():
            if position.quantity or flat:
                yield {
                    **_held(position.contract),
                    "account": self.name,
                    "position": wire.number(position.quantity),
                    "average_cost": repr(round(position.cost, 8)),
                }

    def pnl(self) -> dict[str, object]:
        """Return the account's profit: of the day, unrealized, realized."""
        mark = self._mark
        return {
            "daily": repr(round(self._portfolio.equity(mark) - START_CASH, 6)),
            "unrealized": repr(round(self._portfolio.unrealized(mark), 6)),
            "realized": repr(round(self._portfolio.realized, 6)),
        }

    def pnl_single(self, con_id: int) -> dict[str, object] | None:
        """Return one position's profit, or nothing for a contract that was never held."""
        position = self._portfolio.positions.get(con_id)
        if position is None:
            return None
        mark = self._mark(position.contract)
        unrealized = position.unrealized(mark)
        return {
            "position": wire.number(position.quantity),
            "daily": repr(round(unrealized + position.realized, 6)),
            "unrealized": repr(round(unrealized, 6)),
            "realized": repr(round(position.realized, 6)),
            "value": repr(round(position.value(mark), 6)),
        }


def _held(contract: Contract) -> dict[str, object]:
    """Return a position's contract: of a stock with its listing exchange, else with none."""
    exchange = contract.name.primary_exchange if contract.sec_type == "STK" else ""
    return ordermessages.contract(contract, exchange=exchange, listed=False)
