"""The page's words and drawings, from frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest

from ibcore.domain import Provider, SessionState
from ibcore.failover import Switch, SwitchCause
from ibcore.link_states import LinkState
from ibcore.liveness.health import LineCause
from sidecar.web import timeline, verdict
from sidecar.web.live import (
    DatabaseNow,
    FeedNow,
    LineNow,
    Live,
    ProviderView,
    SessionNow,
    SpoolNow,
)
from sidecar.web.timeline import Mark, earlier_marks, provider_marks, tracks
from sidecar.web.trace import Counted, Rates, Trace
from sidecar.web.verdict import Level, Told, judge, not_ready

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=timezone.utc)
STREAM = SessionNow("stream", "ib", SessionState.ready, LinkState.up, "127.0.0.1:4002", connects=1)


def line(cause: LineCause, provider: Provider = Provider.ib) -> LineNow:
    return LineNow(1, "AAPL", "STK", cause, NOW, provider)


def live(*lines: LineNow, **other: object) -> Live:
    made = Live(
        at=NOW,
        sidecar="main",
        version="1",
        started_at=NOW,
        state="running",
        sessions=(STREAM,),
        lines=lines or (line(LineCause.ticking),) * 12,
        providers=ProviderView({Provider.ib: 12}),
        feed=FeedNow(p99_ms=22.4),
        rates=Rates(),
        spool=SpoolNow(),
        database=DatabaseNow(True),
    )
    return replace(made, **other)  # type: ignore[arg-type]


def out(*causes: LineCause, of: int = 3) -> tuple[LineNow, ...]:
    return (*map(line, causes), *(line(LineCause.ticking),) * (of - len(causes)))


def stream(state: SessionState, **other: object) -> dict[str, object]:
    return {"sessions": (replace(STREAM, state=state, **other),)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "level", "sentence"),
    [
        (live(), Level.good, "All 12 lines tick. p99 22 ms."),
        (live(line(LineCause.ticking)), Level.good, "The one line ticks. p99 22 ms."),
        (
            live(*out(LineCause.quiet, LineCause.closed, of=9)),
            Level.good,
            "7 of 9 lines tick, 1 quiet, 1 closed. p99 22 ms.",
        ),
        (
            live(*(line(LineCause.closed),) * 4, feed=FeedNow()),
            Level.good,
            "The market is closed: 4 lines at rest.",
        ),
        (
            live(*out(LineCause.dead_line)),
            Level.trouble,
            "1 of 3 lines is out: dead line.",
        ),
        (
            live(*out(LineCause.farm, LineCause.farm, LineCause.dead_line, of=5)),
            Level.trouble,
            "3 of 5 lines are out: 2 data farm broken, 1 dead line.",
        ),
        (
            live(**stream(SessionState.waiting, failures=4, retry_s=8.0)),
            Level.trouble,
            "The stream session is lost and waits 8 s after 4 failed attempts.",
        ),
        (
            live(**stream(SessionState.connecting, connects=0)),
            Level.attention,
            "The stream session is connecting.",
        ),
        (
            live(**stream(SessionState.ready, link=LinkState.lost)),
            Level.trouble,
            "The stream session is up, but its gateway has lost the link to IB.",
        ),
        (
            live(database=DatabaseNow(False), feed=FeedNow(waiting_rows=12_345)),
            Level.trouble,
            "The database is away; 12,345 rows are waiting in the spool, nothing is lost.",
        ),
        (
            live(providers=ProviderView({Provider.ib: 8, Provider.standby: 4})),
            Level.attention,
            "All 12 lines tick. p99 22 ms.",
        ),
    ],
)
def test_the_state_of_everything_is_one_sentence(seen: Live, level: Level, sentence: str) -> None:
    said = judge(seen)
    assert (said.level, said.sentence) == (level, sentence)


def test_lines_that_a_backup_serves_are_no_trouble() -> None:
    lines = (line(LineCause.link, Provider.standby),) * 3
    seen = live(
        *lines,
        providers=ProviderView({Provider.standby: 3}),
        **stream(SessionState.waiting, failures=2, retry_s=2.0),
    )
    said = judge(seen)
    assert said.level is Level.attention
    assert "Rows are taken from a backup: 3 from standby." in said.more


def test_incidents_and_lines_that_do_not_stream_are_told_too() -> None:
    said = judge(live(), Told(incidents=3, critical=1, unserved=2))
    assert said.level is Level.trouble
    assert said.sentence == "1 critical incident is open."
    assert said.more == ("All 12 lines tick. p99 22 ms.", "2 wanted lines do not stream.")


def test_what_is_not_ready_is_named() -> None:
    assert not_ready(live()) == {}
    away = live(
        database=DatabaseNow(False, 9.0, "The database has not answered for 9 s."),
        state="draining",
        **stream(SessionState.waiting, failures=1, retry_s=1.0),
    )
    assert list(not_ready(away)) == ["sidecar", "stream_session", "database"]


def test_segments_follow_each_other_without_a_hole_and_end_now() -> None:
    at = [NOW + timedelta(minutes=minute) for minute in range(6)]
    states = ["connecting", "ready", "ready", "waiting", "connecting", "ready"]
    marks = [Mark("stream", when, state) for when, state in zip(at, states, strict=True)]
    end = NOW + timedelta(minutes=9)
    drawn = tracks(reversed(marks), begin=NOW + timedelta(seconds=90), end=end)["stream"]
    assert [part.state for part in drawn] == ["ready", "waiting", "connecting", "ready"]
    assert drawn[0].begin == NOW + timedelta(seconds=90)
    assert drawn[-1].end == end
    assert all(one.end == other.begin for one, other in pairwise(drawn))


def test_rows_of_an_earlier_start_say_how_the_link_was() -> None:
    rows = [
        {"role": "stream", "at": NOW, "state": state, "code": code, "reason": reason}
        for state, code, reason in [
            ("ready", None, None),
            ("ready", LOST, "Connectivity is lost"),
            ("ready", BACK, "restored"),
            ("ready", BACK, "every line ticks"),
            ("down", None, "the sidecar was killed"),
        ]
    ]
    assert [mark.state for mark in earlier_marks(rows)] == [
        *("ready", "link lost", "suspect", "ready", "down")
    ]


LOST, BACK = 1100, 1102


def test_providers_are_a_track_of_their_own() -> None:
    def moved(number: int, old: Provider, new: Provider) -> Switch:
        return Switch(number, old, new, SwitchCause.stale, 61.0)

    away = [moved(1, Provider.ib, Provider.standby), moved(2, Provider.ib, Provider.standby)]
    back = [moved(1, Provider.standby, Provider.ib), moved(2, Provider.standby, Provider.ib)]
    switches: Sequence[tuple[datetime, list[Switch]]] = [
        (NOW + timedelta(seconds=1), away),
        (NOW + timedelta(seconds=2), back),
    ]
    marks = list(provider_marks(switches, since=NOW))
    assert [mark.state for mark in marks] == ["ib", "standby", "ib"]
    assert marks[1].why == "2 from standby (stale)"
    assert {mark.track for mark in marks} == {timeline.PROVIDERS}


def test_the_trace_gives_rates_points_and_how_late_the_loop_was() -> None:
    trace = Trace()
    for second in range(31):
        late = 0.25 if second == 30 else 0.0
        at = NOW + timedelta(seconds=second)
        trace.look(second + late, at, Counted(second * 100, second * 50, 10.0, 20.0))
    rates = trace.rates()
    assert rates.ticks_per_s == pytest.approx(95.2, abs=0.1)
    assert rates.loop_lag_s == pytest.approx(0.25)
    assert [round(point.ticks_per_s) for point in trace.points] == [100, 100, 98]


def test_the_trace_of_a_week_is_an_hour_long() -> None:
    trace = Trace()
    for step in range(5_000):
        trace.look(step * 10.0, NOW, Counted(step, step, None, None))
    assert len(trace.points) == 360


def test_every_cause_of_an_outage_has_words() -> None:
    said = {judge(live(*out(cause))).sentence for cause in verdict.WORDS}
    assert len(said) == len(verdict.WORDS)
