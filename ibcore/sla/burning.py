"""The error budget in flight: an incident while it burns faster than it may."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ibcore import db
from ibcore.config import Settings
from ibcore.incidents import Incident, IncidentKind, key_of
from ibcore.sla import reading
from ibcore.sla.report import LONGEST_BURN, Burn, burns, scheduled
from ibcore.sla.spans import Span


async def wanted(conn: db.Connection, sidecar: str, span: Span, settings: Settings) -> list[Span]:
    """Return when the session was to be ready: nothing is promised before it first opened."""
    (seen,) = await reading.rows(conn, "sla_observed", {"sidecar": sidecar})
    if seen["since"] is None or seen["since"] >= span[1]:
        return []
    begin = max(span[0], seen["since"])
    return scheduled(begin, span[1], settings.gateway.windows, hours=settings.sla.hours)


async def tell(
    conn: db.Connection, sidecars: Sequence[str], settings: Settings, *, now: datetime
) -> list[Burn]:
    """Open an incident for each sidecar whose budget burns, close the others; return what burns."""
    found = []
    for sidecar in sidecars:
        span = (now - LONGEST_BURN, now)
        due = await wanted(conn, sidecar, span, settings)
        ready = await reading.ready(conn, sidecar, span)
        burn = burns(ready, due, objective=settings.sla.objective, now=now)
        if burn is None:
            over = {"key": key_of(IncidentKind.slo_burning, sidecar), "reason": "it burns no more"}
            await reading.rows(conn, "close_incident", over)
        else:
            await reading.rows(conn, "open_incident", _incident(sidecar, burn, settings).row())
            found.append(burn)
    return found


def _incident(sidecar: str, burn: Burn, settings: Settings) -> Incident:
    return Incident(
        IncidentKind.slo_burning,
        sidecar,
        f"The session of the sidecar {sidecar} was away so much in the last {burn.long} that its "
        f"error budget burns {burn.measured:.1f} times as fast as "
        f"{settings.sla.objective:.2%} allows (told from {burn.rate:g}).",
        "connection-sla",
        {"rate": round(burn.measured, 2), "told_from": burn.rate, "window": str(burn.long)},
        severity=burn.severity,
    )
