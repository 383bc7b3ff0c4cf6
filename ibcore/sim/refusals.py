"""What a request for data is refused with, or warned of: the parts that all of them share."""

from __future__ import annotations

from typing import Final, Protocol

from ibcore.sim import periods
from ibcore.sim.contracts import Contract, Spec
from ibcore.sim.datadesk import DataDesk
from ibcore.sim.permissions import Permissions
from ibcore.sim.session import Session
from ibcore.sim.source import Source

SERVICE: Final = "Historical Market Data Service error message:"
_ZONELESS: Final = (
    "Warning: You submitted request with date-time attributes without explicit time zone. Please"
    " switch to use yyyymmdd-hh:mm:ss in UTC or use instrument time zone, like US/Eastern. Implied"
    " time zone functionality will be removed in the next API release"
)


class Context(Protocol):
    """What these answers need of the gateway."""

    source: Source
    data: DataDesk
    permissions: Permissions


def resolve(context: Context, session: Session, req_id: int, spec: Spec) -> Contract | None:
    """Find the one contract that is meant, or say 200."""
    found = context.source.universe.find(spec)
    if len(found) == 1:
        return found[0]
    text = "No security definition has been found for the request"
    if found:
        text = f"The contract description specified for {spec.symbol} is ambiguous."
    session.error(req_id, 200, text)
    return None


def nothing_of(contract: Contract, show: str) -> str:
    """Say that there is no such past of a contract, as IB does."""
    venue = "FXSUBPIP" if contract.sec_type == "CASH" else contract.name.exchange
    kind = {"TRADES": "Last", "ADJUSTED_LAST": "Last"}.get(show, show.title())
    what = f"{contract.symbol}/{contract.sec_type}@{venue} {kind}"
    return f"{SERVICE}No historical market data for {what}"


def permitted(context: Context, session: Session, req_id: int, contract: Contract) -> bool:
    """Whether the past of a contract may be seen, or say 162."""
    if context.permissions.is_live(contract):
        return True
    text = f"No market data permissions for {contract.name.primary_exchange} {contract.sec_type}"
    session.error(req_id, 162, SERVICE + text)
    return False


def refuse(session: Session, req_id: int, cause: str, code: int = 321) -> None:
    """Refuse a request whose form is wrong."""
    if code == 321:
        cause = f"Error validating request.-'bO' : cause - {cause}"
    session.error(req_id, code, cause)


def warn_of_zone(session: Session, req_id: int, moment: str) -> None:
    """Warn of a moment without a zone (2174); the request goes on."""
    if moment and not periods.has_zone(moment):
        session.error(req_id, 2174, _ZONELESS)


def taken(context: Context, session: Session, req_id: int) -> bool:
    """Whether a stream of this session has the request id already, and say 322."""
    if not context.data.streams.knows(session, req_id):
        return False
    cause = f"Duplicate ticker id - {req_id}"
    session.error(req_id, 322, f"Error processing request.-'bT' : cause - {cause}")
    return True
