"""The paper account: a million dollars, no positions; its values as IB spells them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ibcore.sim.requests import AccountSummary
from ibcore.sim.session import Session

VALUES: Final[tuple[tuple[str, str, str], ...]] = (
    ("AccountCode", "{account}", ""),
    ("AccountReady", "true", ""),
    ("AccountType", "INDIVIDUAL", ""),
    ("AccruedCash", "0.00", "USD"),
    ("AvailableFunds", "1000000.00", "USD"),
    ("BuyingPower", "4000000.00", "USD"),
    ("CashBalance", "1000000.00", "USD"),
    ("CashBalance", "1000000.00", "BASE"),
    ("Currency", "USD", "USD"),
    ("Cushion", "1", ""),
    ("EquityWithLoanValue", "1000000.00", "USD"),
    ("ExcessLiquidity", "1000000.00", "USD"),
    ("ExchangeRate", "1.00", "USD"),
    ("FullInitMarginReq", "0.00", "USD"),
    ("FullMaintMarginReq", "0.00", "USD"),
    ("GrossPositionValue", "0.00", "USD"),
    ("InitMarginReq", "0.00", "USD"),
    ("Leverage-S", "0.00", ""),
    ("MaintMarginReq", "0.00", "USD"),
    ("NetLiquidation", "1000000.00", "USD"),
    ("NetLiquidationByCurrency", "1000000.00", "USD"),
    ("RealizedPnL", "0.00", "USD"),
    ("StockMarketValue", "0.00", "USD"),
    ("TotalCashValue", "1000000.00", "USD"),
    ("UnrealizedPnL", "0.00", "USD"),
)


def updates(session: Session, account: str, at: datetime) -> None:
    """Answer reqAccountUpdates: 6 for each value, 8, 54."""
    for key, value, currency in VALUES:
        session.send_message(
            "account_value",
            key=key,
            value=value.format(account=account),
            currency=currency,
            account=account,
        )
    session.send_message("account_time", time=f"{at:%H:%M}")
    session.send_message("account_download_end", account=account)


def updates_multi(session: Session, req_id: int, account: str) -> None:
    """Answer reqAccountUpdatesMulti: 73 for each value, 74."""
    for key, value, currency in VALUES:
        session.send_message(
            "account_update_multi",
            req_id=req_id,
            account=account,
            key=key,
            value=value.format(account=account),
            currency=currency,
        )
    session.send_message("account_update_multi_end", req_id=req_id)


def summary(session: Session, request: AccountSummary, account: str) -> None:
    """Answer reqAccountSummary: 63 for each tag that is asked for, 64."""
    wants_all = any(tag.startswith("$LEDGER") for tag in request.tags)
    for key, value, currency in VALUES:
        if wants_all or key in request.tags:
            session.send_message(
                "account_summary",
                req_id=request.req_id,
                account=account,
                tag=key,
                value=value.format(account=account),
                currency=currency,
            )
    session.send_message("account_summary_end", req_id=request.req_id)
