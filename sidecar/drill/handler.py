"""The handler of requests of kind `drill`: refuses what is unwise, does it, measures, stores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import anyio
import anyio.to_thread
from psycopg.rows import dict_row
from pydantic import ValidationError

from ibcore import calendar, clock, db
from ibcore.clock import utcnow
from ibcore.domain import SessionState
from ibcore.drill import DrillRequest, DrillVerdict, Outcome, Scenario, judge
from ibcore.errors import DatabaseUnavailable
from ibcore.incidents import Incident, IncidentKind, key_of
from ibcore.log import get_logger
from sidecar.drill.course import Course
from sidecar.drill.mechanism import deafen, inflict
from sidecar.drill.subject import Subject
from sidecar.job import Done, Job
from sidecar.refusal import Refused

log = get_logger(__name__)

ALERT_LOOK_S: Final = 0.1
CLOSING_S: Final = 3.0

Now = Callable[[], datetime]


class Drills:
    """Does drills, one at a time."""

    def __init__(
        self,
        url: str,
        subject: Subject,
        *,
        sidecar: str,
        told: bool,
        now: Now = clock.utcnow,
    ) -> None:
        self._url = url
        self._subject = subject
        self._sidecar = sidecar
        self._told = told
        self._now = now
        self._one_at_a_time = anyio.Lock()

    async def __call__(self, job: Job) -> Done:
        """Do what `job` asks for."""
        try:
            wanted = DrillRequest.model_validate(job.payload)
        except ValidationError as invalid:
            raise Refused("invalid", f"This is no drill: {invalid.errors()[0]['msg']}.") from None
        async with self._one_at_a_time:
            await self._refuse_what_is_unwise(wanted)
            course = Course(self._subject.unheard)
            log.warning("drill_begins", scenario=str(wanted.scenario), hold_s=wanted.hold_s)
            with anyio.move_on_after(wanted.longest_s):
                if wanted.scenario is Scenario.alert:
                    await self._alert(course)
                else:
                    await self._break(course, wanted)
        outcome = judge(wanted, course.steps)
        log.info("drill_ended", verdict=str(outcome.verdict), why=outcome.why)
        return Done(_Record(job.id, self._sidecar, wanted, course, outcome).write)

    async def _refuse_what_is_unwise(self, wanted: DrillRequest) -> None:
        if wanted.scenario is Scenario.alert:
            if not self._told:
                raise Refused("no_target", "No alert target is set: nobody can be told.")
            return
        is_open = await anyio.to_thread.run_sync(calendar.is_open, self._now())
        if is_open and not wanted.market_open_allowed:
            raise Refused(
                "market_open",
                "The market is open: a drill would miss ticks. Nothing was done.",
                remedy="Run it outside market hours, or allow it in its parameters.",
            )
        working = (await self._ask("drill_working_orders", {}))["working"]
        if working and not wanted.working_orders_allowed:
            raise Refused(
                "working_orders",
                f"{working} orders work, or may: they would be unseen meanwhile. Nothing was done.",
                remedy="Cancel them, or allow it in its parameters.",
            )
        self._refuse_without_backup(wanted.scenario)
        if self._subject.session.state is not SessionState.ready:
            raise Refused("not_ready", "The stream session is not ready: it is a drill already.")

    def _refuse_without_backup(self, scenario: Scenario) -> None:
        if scenario in (Scenario.stale, Scenario.standby) and self._subject.standby is None:
            raise Refused(
                "no_standby",
                f"There is no standby gateway: {scenario} cannot be drilled. Nothing was done.",
                remedy="Set IBKEEPER_STANDBY__HOST; drop, refuse and mute need none.",
            )

    async def _break(self, course: Course, wanted: DrillRequest) -> None:
        subject, hold_s, scenario = self._subject, wanted.hold_s, wanted.scenario
        course.begin()
        if scenario is Scenario.stale and subject.feed is not None:
            deafen(subject.feed, hold_s)
            moments = subject.stale_feed(course, hold_s)
        elif scenario is Scenario.standby and subject.standby is not None:
            inflict(subject.standby, scenario, hold_s)
            moments = subject.lost_standby(course, hold_s)
        else:
            inflict(subject.session, scenario, hold_s)
            held = hold_s if scenario is Scenario.refuse else 0.0
            moments = subject.lost_session(course, held)
        await course.follow(moments, wanted)

    async def _alert(self, course: Course) -> None:
        course.begin()
        about = f"sidecar {self._sidecar}"
        text = "This is a drill: the way of an alert to you is tried. Nothing has happened."
        incident = Incident(IncidentKind.drill_alert, self._sidecar, text, about)
        await self._ask("open_incident", incident.row())
        try:
            about_it = {"key": incident.key}
            while not (await self._ask("drill_alert_delivered", about_it))["there"]:  # noqa: ASYNC110
                await anyio.sleep(ALERT_LOOK_S)
            course.reach("delivered")
        finally:
            with anyio.move_on_after(CLOSING_S, shield=True):
                over = {"key": incident.key, "reason": "the drill is over"}
                await self._ask("close_incident", over)

    async def _ask(self, query: str, values: dict[str, Any]) -> dict[str, Any]:
        async with db.opened(self._url, application="drill") as conn:
            with db.translated():
                async with conn.cursor(row_factory=dict_row) as cursor:
                    await cursor.execute(db.QUERIES[query], values)
                    found = await cursor.fetchone()
        if found is None:
            raise DatabaseUnavailable(f"The database did not answer {query}.")
        return found


class _Record:
    """What one drill leaves behind, written in the transaction that completes its request."""

    def __init__(
        self, drill_id: UUID, sidecar: str, wanted: DrillRequest, course: Course, outcome: Outcome
    ) -> None:
        self._id = drill_id
        self._sidecar = sidecar
        self._wanted = wanted
        self._steps = course.steps
        stale = wanted.scenario is Scenario.stale
        self._ticks_lost = course.unheard_before("failed over") if stale else None
        self._outcome = outcome
        self._ended_at = utcnow()

    async def write(self, conn: db.Connection) -> dict[str, Any]:
        """Insert the rows, open or close the incident, and return the result of the request."""
        outcome = self._outcome._asdict() | {"verdict": str(self._outcome.verdict)}
        row = outcome | {
            "id": self._id,
            "sidecar": self._sidecar,
            "scenario": str(self._wanted.scenario),
            "begun_at": self._steps[0].at,
            "ended_at": self._ended_at,
            "ticks_lost": self._ticks_lost,
            "objectives": self._wanted.model_dump_json(),
        }
        await conn.execute(db.QUERIES["drill_insert"], row)
        for number, step in enumerate(self._steps, 1):
            values = step._asdict() | {"drill_id": self._id, "number": number}
            await conn.execute(db.QUERIES["drill_step_insert"], values)
        await self._tell(conn)
        steps = [step._asdict() for step in self._steps]
        shown = {name: row[name] for name in ("scenario", "sidecar", "ticks_lost")}
        return outcome | shown | {"steps": steps}

    async def _tell(self, conn: db.Connection) -> None:
        about = f"{self._sidecar} {self._wanted.scenario}"
        if self._outcome.verdict is DrillVerdict.passed:
            over = {"key": key_of(IncidentKind.drill_failed, about), "reason": "a drill passed"}
            await conn.execute(db.QUERIES["close_incident"], over)
            return
        incident = Incident(
            IncidentKind.drill_failed,
            about,
            f"The drill {self._wanted.scenario} of the sidecar {self._sidecar} failed: "
            f"{self._outcome.why}",
            f"sidecar {self._sidecar}",
            {"drill": str(self._id)},
        )
        await conn.execute(db.QUERIES["open_incident"], incident.row())
