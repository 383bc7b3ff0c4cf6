"""Flow `connection-sla`: every two minutes a look at the promises; every day and week a report.

It is the dead-man switch of the sidecar: it says that the sidecar is silent, and delivers the
alerts that are overdue. The sidecar says when this flow is silent.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal

import anyio
from prefect import State, flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.states import Completed, Failed
from pydantic import BaseModel, ConfigDict, Field

from flows import sla_report
from flows.client import Client
from flows.form import in_order
from flows.lateness import too_late
from flows.telling import tell_of_crashed, told, well
from ibcore import config, db
from ibcore.alerts.office import Office
from ibcore.calendar import is_open
from ibcore.clock import utcnow
from ibcore.errors import IbkeeperError
from ibcore.sla import burning, reading
from ibcore.sla.check import OVERDUE_S, SILENT_AFTER_S, Finding, findings

ARTIFACT: Final = "connection-sla"
# An older look says nothing that the next one does not.
LATE_S: Final = 110.0


class ConnectionSlaParameters(BaseModel):
    """What to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=in_order)

    report: Literal["check", "daily", "weekly"] = Field(
        "check",
        title="Report",
        description="check: a look at now, with incidents. daily, weekly: figures of the past.",
    )
    day: date | None = Field(
        None,
        title="Day",
        description="The (last) day of a report, in New York; empty: yesterday.",
    )


@flow(name="connection-sla", on_failure=[told], on_crashed=[told], on_completion=[well])
async def connection_sla(
    request: ConnectionSlaParameters = ConnectionSlaParameters(),  # noqa: B008 (frozen)
) -> State[Any]:
    """Hold the connection's figures against their bounds; open and close incidents.

    A check reads heartbeats, sessions, stale lines, latency and gaps, delivers overdue alerts and
    tells of crashed runs. A report computes uptime in market minutes, connect times, time to
    recovery, coverage and the error budget; it is an artifact and a row of `sla_report`.

    Args:
        request: A look at now, or the report of which days.
    """
    try:
        if request.report != "check":
            return await sla_report.make(request.report, request.day)
        return await _check(utcnow())
    except IbkeeperError as failure:
        return Failed(message=str(failure))


async def _check(now: datetime) -> State[Any]:
    if (late := too_late(LATE_S, "others look now")) is not None:
        return late
    settings = config.load()
    office = Office(settings.alerts)
    async with Client.from_settings().opened() as conn:
        known = await reading.facts(conn)
        found = [
            each
            for one in known
            for each in findings(
                one, market_open=is_open(now), planned=settings.gateway.windows.planned(now)
            )
        ]
        async with conn.transaction():
            await reading.tell(conn, known)
            await burning.tell(conn, [one.sidecar for one in known], settings, now=now)
            await reading.note_check(conn, found, now=now)
        crashed = await tell_of_crashed(conn)
        silent = any(one.heartbeat_age_s >= SILENT_AFTER_S for one in known)
        sent = await _deliver(office, conn, settings.alerts.gather_s, silent=silent)
    return await _say(found, crashed=crashed, sent=sent)


async def _deliver(office: Office, conn: db.Connection, gather_s: float, *, silent: bool) -> int:
    """Deliver what the sidecar should have; everything at once where it is silent."""
    if not silent:
        return await office.deliver_overdue(conn, OVERDUE_S)
    await office.share_out(conn)
    await anyio.sleep(gather_s)
    return await office.deliver_overdue(conn, 0.0)


async def _say(found: list[Finding], *, crashed: int, sent: int) -> State[Any]:
    breaches = [each for each in found if not each.kept]
    said = "; ".join(f"{each.sidecar}: {each.name} {_figure(each)}" for each in breaches)
    told_of = f" {crashed} crashed runs were told of." if crashed else ""
    late = f" {sent} overdue alerts were delivered." if sent else ""
    if breaches:  # one that found nothing leaves no artifact: there are 720 a day
        await acreate_markdown_artifact(key=ARTIFACT, markdown=table(found), description=said)
    message = f"{len(found)} figures, {len(breaches)} beyond their bounds. {said}{told_of}{late}"
    return Completed(message=message.strip(), data={"breaches": len(breaches), "delivered": sent})


def table(found: list[Finding]) -> str:
    """Return the findings as a markdown table."""
    lines = [
        "| sidecar | figure | value | bound | kept | note |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for each in found:
        bound = f"< {each.bound:g} {each.unit}" if each.bound else "0"
        kept = "yes" if each.kept else "**no**"
        lines.append(
            f"| {each.sidecar} | {each.name} | {_figure(each)} | {bound} | {kept} | {each.note} |"
        )
    return "\n".join(lines)


def _figure(each: Finding) -> str:
    return "unknown" if each.value is None else f"{each.value:,.0f} {each.unit}".strip()
