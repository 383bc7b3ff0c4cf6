"""Who rows are taken from: left after staleness or retries, back when proven, never flapping."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.domain import Provider
from ibcore.failover import (
    IN_STEP_WITHIN_S,
    Course,
    Failover,
    Rules,
    Rung,
    Switch,
    SwitchCause,
)
from ibcore.liveness.health import LineCause, LineHealth

RULES = Rules()
SINCE = datetime(2026, 11, 27, 15, tzinfo=timezone.utc)
TICKING, LINK, CLOSED = LineCause.ticking, LineCause.link, LineCause.closed


def rung(
    provider: Provider,
    cause: LineCause = TICKING,
    *,
    age_s: float | None = 0.2,
    expected_s: float | None = 30.0,
    ready: bool = True,
    failures: int = 0,
    noticed: bool = False,
    in_step: bool = True,
) -> Rung:
    health = LineHealth(1, provider, cause, SINCE, SINCE, age_s, 60.0, expected_s)
    return Rung(provider, ready, failures, health, noticed, in_step)


def primary(cause: LineCause = TICKING, **more: object) -> Rung:
    return rung(Provider.ib, cause, **more)  # type: ignore[arg-type]


def standby(cause: LineCause = TICKING, **more: object) -> Rung:
    return rung(Provider.standby, cause, **more)  # type: ignore[arg-type]


def played(
    seconds: int, ladder: object, course: Course | None = None, *, start: int = 0
) -> list[tuple[int, Switch]]:
    """Play a course second by second; `ladder` gives the rungs of a second."""
    course = course or Course(1, Provider.ib)
    made = []
    for now in range(start, start + seconds):
        switch = course.turn(float(now), ladder(now), RULES)  # type: ignore[operator]
        if switch is not None:
            made.append((now, switch))
    return made


def test_a_provider_that_ticks_is_never_left() -> None:
    assert played(1_000, lambda _: (primary(), standby())) == []


def test_a_fast_line_goes_60_s_after_its_last_tick_however_late_the_loss_was_noticed() -> None:
    def half_open(now: int) -> tuple[Rung, ...]:
        cause = TICKING if now < 8 else LINK
        return primary(cause, age_s=now, ready=now < 8, noticed=now >= 8), standby()

    ((at, switch),) = played(100, half_open)

    assert at == 60
    assert (switch.to_provider, switch.cause) == (Provider.standby, SwitchCause.stale)
    assert switch.stale_s == 60


def test_a_line_found_dead_by_its_silence_goes_60_s_after_its_last_tick() -> None:
    def dead(now: int) -> tuple[Rung, ...]:
        return primary(TICKING if now < 35 else LineCause.dead_line, age_s=now), standby()

    assert played(100, dead)[0][0] == 60


def test_the_usual_silence_of_a_slow_line_before_the_loss_does_not_count() -> None:
    def lost(now: int) -> tuple[Rung, ...]:
        down = now >= 50
        seen = {"age_s": now, "expected_s": None, "ready": not down, "noticed": down}
        return primary(LINK if down else LineCause.quiet, **seen), standby()

    assert played(200, lost)[0][0] == 110


def test_enough_failed_attempts_to_connect_are_enough() -> None:
    def refused(now: int) -> tuple[Rung, ...]:
        seen = {"age_s": now, "ready": False, "noticed": True, "failures": now // 6}
        return primary(LINK, **seen), standby()

    ((at, switch),) = played(59, refused)

    assert (at, switch.cause) == (30, SwitchCause.retries)


def test_another_login_is_not_waited_out() -> None:
    def taken(now: int) -> tuple[Rung, ...]:
        return primary(LineCause.competing_session, age_s=now), standby()

    ((at, switch),) = played(59, taken)

    assert (at, switch.cause) == (5, SwitchCause.competing_session)


def test_a_line_whose_cures_have_failed_goes_at_once() -> None:
    failover = Failover((Provider.ib, Provider.standby), RULES)
    ladder = {1: (primary(LineCause.dead_line, age_s=40.0), standby())}
    assert failover.turn(0.0, ladder) == []

    failover.uncured(1)

    (switch,) = failover.turn(1.0, ladder)
    assert switch.cause is SwitchCause.uncured
    assert failover.active(1) is Provider.standby
    assert failover.away() == {1: Provider.standby}


@pytest.mark.parametrize(
    "backup",
    [
        standby(LINK, age_s=5.0),
        standby(ready=False),
        standby(age_s=None),
        standby(CLOSED),
        Rung(Provider.standby, True, 0, None),
        standby(age_s=500.0, expected_s=None),
    ],
    ids=["out", "not connected", "never heard", "closed", "has no such line", "staler"],
)
def test_a_backup_that_is_no_better_is_not_taken(backup: Rung) -> None:
    assert played(300, lambda now: (primary(LINK, age_s=float(now)), backup)) == []


def test_the_first_backup_that_is_well_is_taken() -> None:
    ladder = (primary(LINK, age_s=61.0), standby(LINK, age_s=9.0), rung(Provider.alpaca))

    ((_, switch),) = played(10, lambda _: ladder)

    assert switch.to_provider is Provider.alpaca


def test_nothing_is_switched_in_a_closed_market() -> None:
    def night(now: int) -> tuple[Rung, ...]:
        return primary(CLOSED, age_s=float(now), ready=False), standby(CLOSED, age_s=float(now))

    assert played(2_000, night) == []


def test_it_goes_back_after_the_primary_was_well_for_120_s_and_not_before() -> None:
    def back_at_100(now: int) -> tuple[Rung, ...]:
        if now < 100:
            return primary(LINK, age_s=float(now), ready=False), standby()
        return primary(), standby()

    away, back = played(500, back_at_100)

    assert away[0] == 60
    assert back[0] == 220
    assert back[1].cause is SwitchCause.recovered


def test_a_primary_that_is_connected_but_silent_has_proven_nothing() -> None:
    def silent(now: int) -> tuple[Rung, ...]:
        out = now < 70
        return primary(
            LINK if out else LineCause.quiet, age_s=float(now), expected_s=None
        ), standby()

    assert len(played(1_000, silent)) == 1


def test_it_waits_a_little_for_both_to_agree_on_the_last_print() -> None:
    course = Course(1, Provider.standby)
    ladder = (primary(in_step=False), standby())

    ((at, _),) = played(300, lambda _: ladder, course)

    assert at == RULES.healthy_s + IN_STEP_WITHIN_S


@given(
    st.lists(
        st.tuples(
            st.integers(1, 90),
            st.sampled_from([TICKING, LINK, LineCause.dead_line, CLOSED, LineCause.quiet]),
            st.sampled_from([TICKING, LINK, LineCause.dead_line, CLOSED]),
            st.booleans(),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_whatever_happens_no_instrument_switches_twice_within_120_s(
    story: list[tuple[int, LineCause, LineCause, bool]],
) -> None:
    course, made, now = Course(1, Provider.ib), [], 0
    for seconds, at_primary, at_backup, ready in story:

        def ladder(
            second: int,
            causes: tuple[LineCause, LineCause] = (at_primary, at_backup),
            began: int = now,
            up: bool = ready,
        ) -> tuple[Rung, ...]:
            age = [0.1 if cause is TICKING else float(second - began) for cause in causes]
            return (
                primary(causes[0], age_s=age[0], ready=up, failures=0 if up else 3),
                standby(causes[1], age_s=age[1]),
            )

        made += played(seconds, ladder, course, start=now)
        now += seconds
    times = [at for at, _ in made]
    assert all(later - earlier >= RULES.dwell_s for earlier, later in pairwise(times))
    for _, switch in made:
        assert switch.from_provider is not switch.to_provider
