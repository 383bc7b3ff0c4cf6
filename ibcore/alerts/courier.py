"""One target: what waits for it is taken, sent and settled. A slow target delays only itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NoReturn

import anyio

from ibcore import clock, db
from ibcore.alerts import outbox
from ibcore.alerts.message import Line, compose
from ibcore.alerts.pace import Pace, retry_s
from ibcore.alerts.target import Answer, Target
from ibcore.errors import DatabaseUnavailable
from ibcore.incidents import Incident, IncidentKind, key_of
from ibcore.log import get_logger
from ibcore.policy import backoff_s

log = get_logger(__name__)

# After so many failures in a row others are told that this target is down.
DOWN_AFTER: Final = 6
LONGEST_WAIT_S: Final = 8.0
Now = Callable[[], datetime]


class Courier:
    """Delivers to one target."""

    def __init__(
        self, target: Target, *, pace: Pace, runbook: str, now: Now = clock.utcnow
    ) -> None:
        self.name = target.name
        self._target = target
        self._pace = pace
        self._runbook = runbook
        self._now = now
        self.due = anyio.Event()

    async def run(self, url: str) -> NoReturn:
        """Deliver whenever woken, for ever; a database that is away is waited for."""
        failures = 0
        while True:
            try:
                async with db.opened(url, application=f"alerts {self.name}") as conn:
                    failures = 0
                    while True:
                        await self.due.wait()
                        self.due = anyio.Event()
                        await self.deliver(conn)
            except DatabaseUnavailable as gone:
                failures += 1
                log.warning("alerts_wait", target=self.name, why=str(gone))
                await anyio.sleep(min(backoff_s(failures), LONGEST_WAIT_S))

    async def deliver(self, conn: db.Connection, *, overdue_s: float = 0.0) -> int:
        """Send what is to go now, as one message; return of how many lines it was made."""
        with db.translated():
            lines = await outbox.take(
                conn, self.name, pace=self._pace, now=self._now(), overdue_s=overdue_s
            )
        if not lines:
            return 0
        message = compose(lines, self._runbook)
        answer = await anyio.to_thread.run_sync(self._target.send, message, abandon_on_cancel=True)
        with db.translated():
            async with conn.transaction():
                await self._settle(conn, lines, answer)
        return len(lines) if answer.taken else 0

    async def _settle(self, conn: db.Connection, lines: Sequence[Line], answer: Answer) -> None:
        if answer.taken:
            log.info("alert_delivered", target=self.name, incidents=len(lines))
            await outbox.delivered(conn, lines, now=self._now())
            over = {"key": self._down_key, "reason": "it takes messages again"}
            await conn.execute(db.QUERIES["close_incident"], over)
            return
        attempts = 1 + max(line.attempts for line in lines)
        log.warning("alert_not_taken", target=self.name, attempts=attempts, why=answer.error)
        next_at = self._now() + timedelta(seconds=retry_s(attempts))
        await outbox.failed(conn, lines, error=answer.error, next_at=next_at)
        if attempts == DOWN_AFTER:
            await conn.execute(db.QUERIES["open_incident"], self._down(answer).row())

    @property
    def _down_key(self) -> str:
        return key_of(IncidentKind.alert_target_down, self.name)

    def _down(self, answer: Answer) -> Incident:
        return Incident(
            IncidentKind.alert_target_down,
            self.name,
            f"The alert target {self.name} took nothing {DOWN_AFTER} times: {answer.error} "
            "What it is to be told waits and is tried again.",
            "alerts",
        )
