"""Which alerts go now and what they say: arithmetic and words, no clock and no network."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from ibcore.alerts.message import MOST_OF_A_KIND, Line, compose
from ibcore.alerts.pace import Pace, Sent, is_quiet, ready, retry_s
from ibcore.incidents import IncidentKind, Severity

NOW = datetime(2026, 11, 23, 17, 0, tzinfo=timezone.utc)
NEW_YORK = ZoneInfo("America/New_York")
PACE = Pace(5, 1.0, (), NEW_YORK)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def line(number: int = 1, **more: object) -> Line:
    given = {
        "id": number,
        "incident_id": UUID(int=number),
        "event": "opened",
        "severity": Severity.warning,
        "escalates": None,
        "created_at": ago(2),
        "attempts": 0,
        "next_at": ago(2),
        "kind": "spool_filling",
        "key": f"spool_filling:n{number}",
        "summary": "It fills.",
        "opened_at": ago(60),
        "closed_at": None,
        "closed_because": None,
        "times_seen": 1,
    }
    return Line(**given | more)


def test_what_comes_together_is_gathered_first():
    young = line(created_at=ago(0.5))
    assert ready([young], [], pace=PACE, now=NOW) == ()
    assert ready([line(), young], [], pace=PACE, now=NOW) == [line(), young]
    assert ready([], [], pace=PACE, now=NOW) == ()


def test_a_target_rests_after_a_failure_whatever_is_new():
    failed = line(attempts=3, next_at=ago(-1))
    assert ready([failed, line(2)], [], pace=PACE, now=NOW) == ()
    assert len(ready([failed, line(2)], [], pace=PACE, now=NOW + timedelta(seconds=1))) == 2
    assert [retry_s(n) for n in (1, 2, 3, 7, 8, 500)] == [1, 2, 4, 64, 120, 120]


@pytest.mark.parametrize(("messages", "gap_s"), [(1, 37.5), (2, 75), (3, 150), (4, 300), (5, 600)])
def test_the_gap_doubles_until_five_messages_fill_ten_minutes(messages, gap_s):
    def after(seconds: float) -> bool:
        sent = [Sent(ago(seconds), ["spool_filling"])] * messages
        return bool(ready([line()], sent, pace=PACE, now=NOW))

    assert (after(gap_s - 0.1), after(gap_s)) == (False, True)


def test_a_critical_kind_that_was_not_told_yet_does_not_wait():
    sent = [Sent(ago(1), ["spool_filling"])] * 9
    bad = line(2, severity=Severity.critical, kind="rows_lost")
    assert ready([line(), bad], sent, pace=PACE, now=NOW) == [line(), bad]
    assert ready([bad._replace(kind="spool_filling")], sent, pace=PACE, now=NOW) == ()
    assert ready([bad._replace(severity=Severity.warning)], sent, pace=PACE, now=NOW) == ()
    assert ready([bad._replace(closed_at=NOW)], sent, pace=PACE, now=NOW) == ()


def test_quiet_times_are_times_of_day_in_their_zone_and_may_pass_midnight():
    night = PACE._replace(quiet=((time(22), time(7)), (time(12), time(12, 30))))
    assert is_quiet(NOW, night)  # noon in New York
    assert not is_quiet(NOW + timedelta(minutes=30), night)
    assert is_quiet(NOW + timedelta(hours=10), night)
    assert is_quiet(NOW + timedelta(hours=18), night)
    assert not is_quiet(NOW + timedelta(hours=19), night)
    bad = line(2, severity=Severity.critical)
    assert ready([line(), bad], [], pace=night, now=NOW) == [bad]


def test_a_message_says_each_incident_once_and_how_it_stands():
    over = {"closed_at": NOW, "closed_because": "there is room"}
    told = compose([line(**over), line(event="closed", **over)], "https://example.org/runbook")
    assert (told.title, told.over) == ("[recovered] spool_filling:n1", True)
    assert told.body.splitlines()[1:] == [
        "Recovered after 60 s: there is room",
        "It fills.",
        "What to do: https://example.org/runbook#spool_filling",
    ]


def test_a_storm_is_counted_by_kind_and_the_worst_that_lasts_decides():
    many = [line(n) for n in range(20)]
    over = line(30, severity=Severity.critical, kind="rows_lost", closed_at=NOW, closed_because="")
    told = compose([*many, over], "runbook")
    assert told.title == "[WARNING] 21 incidents: spool_filling 20, rows_lost 1"
    assert told.severity is Severity.warning
    assert f"…and {20 - MOST_OF_A_KIND} more of spool_filling." in told.body
    assert told.body.count("What to do: ") == 2


@pytest.mark.parametrize("kind", list(IncidentKind))
def test_every_kind_names_its_section_of_the_runbook(kind):
    told = compose([line(kind=str(kind), key=f"{kind}:x")], "docs/runbook.md")
    assert told.body.endswith(f"What to do: docs/runbook.md#{kind}")


def test_who_escalates_and_how_often_it_was_seen_is_said():
    told = compose([line(escalates="desk", times_seen=7)], "runbook")
    assert "Escalated: the target desk did not take it." in told.body
    assert "Seen 7 times." in told.body
