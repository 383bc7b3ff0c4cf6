"""All targets: what is new is shared out, what is late escalated, what is old given up."""

from __future__ import annotations

from datetime import time
from typing import Final, NoReturn
from zoneinfo import ZoneInfo

import anyio

from ibcore import clock, db
from ibcore.alerts.courier import LONGEST_WAIT_S, Courier, Now
from ibcore.alerts.pace import Pace
from ibcore.alerts.target import Target, parse
from ibcore.config import AlertSettings
from ibcore.errors import ConfigRefused, DatabaseUnavailable
from ibcore.log import get_logger
from ibcore.policy import backoff_s

log = get_logger(__name__)

CHANNEL: Final = "ibkeeper_incident"
POLL_S: Final = 1.0
_FROM: Final = {
    "info": ("info", "warning", "critical"),
    "warning": ("warning", "critical"),
    "critical": ("critical",),
}


class Office:
    """Everybody who is told, and what they are told."""

    def __init__(self, settings: AlertSettings, *, now: Now = clock.utcnow) -> None:
        self.first, self.second = targets_of(settings)
        self._settings = settings
        self._now = now
        pace = pace_of(settings)
        self.couriers = {
            each.name: Courier(each, pace=pace, runbook=settings.runbook_url, now=now)
            for each in (*self.first, *self.second)
        }

    async def run(self, url: str) -> None:
        """Tell people, for ever; nobody to tell: return at once."""
        if not self.couriers:
            log.warning("no_alert_targets", remedy="set IBKEEPER_ALERTS__TARGETS")
            return
        async with anyio.create_task_group() as tasks:
            for name, courier in self.couriers.items():
                tasks.start_soon(courier.run, url, name=f"alerts {name}")
            await self._share(url)

    async def share_out(self, conn: db.Connection) -> set[str]:
        """Write a row for everybody who is to be told something new; return who is due."""
        row = {
            "now": self._now(),
            "lives_s": self._settings.expire_h * 3600.0,
            "targets": [each.name for each in self.first],
            "escalation": [each.name for each in self.second],
            "after_s": self._settings.escalate_after_s,
            "severities": list(_FROM[self._settings.level]),
        }
        with db.translated():
            async with conn.transaction():
                for query in ("alert_fan_out", "alert_escalate", "alert_escalation_over"):
                    await conn.execute(db.QUERIES[query], row)
                expired = await (await conn.execute(db.QUERIES["alert_expire"], row)).fetchall()
                due = await (await conn.execute(db.QUERIES["alert_due"], row)).fetchall()
        for target, error in expired:
            log.error("alert_expired", target=target, why=error)
        return {target for (target,) in due}

    async def deliver_overdue(self, conn: db.Connection, overdue_s: float) -> int:
        """Do what nobody did for `overdue_s`; return how many lines were sent."""
        due = await self.share_out(conn)
        couriers = [each for name, each in self.couriers.items() if name in due]
        return sum([await each.deliver(conn, overdue_s=overdue_s) for each in couriers])

    async def _share(self, url: str) -> NoReturn:
        failures = 0
        while True:
            try:
                async with (
                    db.opened(url, application="alerts heard") as listener,
                    db.opened(url, application="alerts") as conn,
                ):
                    failures = 0
                    async for _ in db.listen_or_poll(listener, CHANNEL, poll_s=POLL_S):
                        for name in await self.share_out(conn):
                            if name in self.couriers:
                                self.couriers[name].due.set()
            except DatabaseUnavailable as gone:
                failures += 1
                log.warning("alerts_wait", why=str(gone))
                await anyio.sleep(min(backoff_s(failures), LONGEST_WAIT_S))


def targets_of(settings: AlertSettings) -> tuple[list[Target], list[Target]]:
    """Return the targets of the first line and of the second, or raise ConfigRefused."""
    first = parse(settings.targets, prefix="target")
    second = parse(settings.escalation, prefix="escalation")
    if twice := {each.name for each in first} & {each.name for each in second}:
        raise ConfigRefused(
            f"Alert targets of both lines are called {', '.join(sorted(twice))}.",
            remedy="Nothing was started. Give each a name of its own.",
        )
    return first, second


def pace_of(settings: AlertSettings) -> Pace:
    """Return the bounds that are set."""
    windows = [text.strip().split("-") for text in settings.quiet.split(",") if text.strip()]
    quiet = tuple((time.fromisoformat(begin), time.fromisoformat(end)) for begin, end in windows)
    return Pace(settings.burst, settings.gather_s, quiet, ZoneInfo(settings.timezone))
