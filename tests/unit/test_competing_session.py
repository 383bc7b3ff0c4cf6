"""Another login has the data: one line asks for all, once a minute, and all return with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from itertools import pairwise

from ibcore.liveness.health import Cure, LineCause
from ibcore.liveness.hours import ALWAYS
from ibcore.liveness.ladder import PROBE_EVERY_S
from ibcore.liveness.ward import Ward

BEGINS = datetime(2026, 11, 30, 15, tzinfo=timezone.utc)
LINES = range(1, 21)
VERIFY_S = 10.0


class Story:
    """Twenty lines, second by second: what was asked for, and when."""

    def __init__(self) -> None:
        self.ward = Ward(verify_s=VERIFY_S)
        self.now = 0.0
        self.asked: list[tuple[float, int]] = []
        for number in LINES:
            self.ward.hold(number, group="STK USD", hours=ALWAYS, now=0.0, utc=BEGINS)
        self.ward.ready(0.0)
        self.second(spoke=LINES)

    def second(self, *, spoke: Iterable[int] = (), taken: Iterable[int] = ()) -> None:
        self.now += 1.0
        utc = BEGINS + timedelta(seconds=self.now)
        for number in spoke:
            self.ward.heard(number, self.now, utc)
        for number in taken:
            self.ward.competing(number)
        for note in self.ward.turn(self.now, utc):
            if note.cure is Cure.re_request and note.instrument_id and note.ended_at is None:
                self.asked.append((self.now, note.instrument_id))

    def taken_one_after_the_other(self) -> None:
        for number in LINES:
            self.second(taken=[number])


def test_however_the_notices_come_one_line_asks_once_a_minute() -> None:
    story = Story()
    story.taken_one_after_the_other()
    for _ in range(600):
        story.second()
    moments = [at for at, _ in story.asked]
    assert len(moments) >= 5, "data returns by itself"
    assert all(b - a >= PROBE_EVERY_S for a, b in pairwise(moments))


def test_when_the_line_that_asked_speaks_the_others_are_asked_for_too() -> None:
    story = Story()
    story.taken_one_after_the_other()
    while not story.asked:
        story.second()
    (_, first), left_at = story.asked[0], story.now
    while {number for _, number in story.asked} != set(LINES):
        story.second(spoke=[first])
        assert story.now - left_at <= VERIFY_S + 2
    story.second(spoke=LINES)
    assert {one.cause for one in story.ward.health(story.now)} == {LineCause.ticking}
