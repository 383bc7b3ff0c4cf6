"""The moments of a drill: what comes between two looks is neither lost nor taken for later."""

from __future__ import annotations

import anyio
import pytest

from ibcore.domain import SessionState
from ibcore.drill import DrillRequest, Scenario
from sidecar.drill.course import Course
from sidecar.drill.subject import Subject

pytestmark = pytest.mark.anyio


class Session:
    """A session that is lost and ready by hand."""

    state = SessionState.ready
    ib = None

    def refuse_for(self, seconds: float) -> None:
        raise AssertionError(f"refused for {seconds} s")


async def reached(course: Course, name: str) -> None:
    with anyio.fail_after(5):
        while name not in course:
            await anyio.lowlevel.checkpoint()


async def test_a_tick_that_comes_before_the_session_is_seen_ready_is_the_first_one() -> None:
    session, ticks = Session(), [7]
    subject = Subject(session, ticks=lambda: ticks[0])
    course = Course()
    course.begin()
    moments = subject.lost_session(course, 0.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(course.follow, moments, DrillRequest(scenario=Scenario.drop))
        session.state = SessionState.waiting
        await reached(course, "noticed")
        session.state, ticks[0] = SessionState.ready, 8
        await reached(course, "first tick")
        tasks.cancel_scope.cancel()
    assert [step.name for step in course.steps] == ["begun", "noticed", "ready", "first tick"]
