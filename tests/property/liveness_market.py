"""A market in simulated time, for the ward: lines that tick by chance, and outages that are known.

Lines tick by a Poisson process whose rate follows the hour (busy open, slow lunch, busy close, a
few in the extended hours), in the hours that IB would list. An outage silences lines; a cure of
the ward works on it as it would at IB: what is asked for again speaks, unless the cause lasts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from ibcore.liveness.health import OUTAGES, Cure, CureState, LineCause
from ibcore.liveness.hours import Hours, Phase, parse
from ibcore.liveness.patient import CureNote
from ibcore.liveness.ward import Ward

NEW_YORK = ZoneInfo("America/New_York")
STOCKS, OPTIONS = "STK USD", "OPT USD"
# Mean seconds between ticks: stocks of every temper, options that hardly move.
MEANS = {
    **{n: (STOCKS, mean) for n, mean in enumerate((0.3, 0.5, 1.0, 2.0, 4.0, 8.0), 1)},
    **{n: (OPTIONS, mean) for n, mean in enumerate((1.0, 5.0, 15.0, 40.0, 120.0, 400.0), 11)},
}


class Kind(Enum):
    """What goes wrong; all but the first two are announced by IB."""

    dead_line = "dead_line"
    silent_farm = "silent_farm"
    farm_back_dead = "farm_back_dead"
    link_back_dead = "link_back_dead"
    link_lost = "link_lost"
    competing = "competing"


@dataclass
class Outage:
    """One outage: which lines, from when; `ends` None: until they are asked for again."""

    kind: Kind
    begins: datetime
    lines: frozenset[int]
    ends: datetime | None = None
    found_after_s: float | None = None
    over_after_s: float | None = None
    begun: bool = False

    def __post_init__(self) -> None:
        seconds = 0.0 if self.ends is None else (self.ends - self.begins).total_seconds()
        self.lasts_s = seconds


def hours_of(day: datetime, *, closes: str = "1600", holiday: bool = False) -> Hours:
    """Return the hours of a day as IB lists them, with the day after it."""
    first, later = (f"{day + timedelta(days=n):%Y%m%d}" for n in (0, 1))
    if holiday:
        listed = f"{first}:CLOSED"
        return parse(f"{listed};{later}:0400-{later}:2000", f"{listed};{later}:0930-{later}:1600",
                     "US/Eastern")  # fmt: skip
    late = "2000" if closes == "1600" else "1700"
    return parse(
        f"{first}:0400-{first}:{late};{later}:0400-{later}:2000",
        f"{first}:0930-{first}:{closes};{later}:0930-{later}:1600",
        "US/Eastern",
    )


@dataclass
class Market:
    """Plays seconds of a day against a ward, and notes what the ward claims."""

    dice: random.Random
    hours: Hours
    quietness: float = 1.0
    outages: list[Outage] = field(default_factory=list)
    alarms: list[tuple[datetime, int, str]] = field(default_factory=list)
    cures: list[CureNote] = field(default_factory=list)
    lines: dict[int, tuple[str, float]] = field(default_factory=lambda: dict(MEANS))

    def __post_init__(self) -> None:
        self.ward = Ward()
        self._silenced: set[int] = set()
        self._asked: set[int] = set()

    def play(self, start: datetime, seconds: int) -> None:
        """Play a stretch of time, second by second, from a session that has just begun."""
        self._hold(0.0, start)
        self.ward.ready(0.0)
        self._asked = set(self.lines)
        second, step = 0, 1
        while second < seconds:
            now, utc = float(second), start + timedelta(seconds=second)
            self._begin_and_end(now, utc, step)
            self._tick(now, utc, step)
            for note in self.ward.turn(now, utc):
                self._take(note)
            self._note(now, utc)
            step = self._step(utc)
            second += step

    def _step(self, utc: datetime) -> int:
        """Return the seconds to the next turn: many while nothing can happen."""
        troubled = any(one.over_after_s is None and one.begins <= utc for one in self.outages)
        steps = {Phase.closed: 20, Phase.unknown: 20, Phase.extended: 5, Phase.open: 1}
        return 1 if troubled else steps[self.hours.phase(utc)]

    def _hold(self, now: float, utc: datetime) -> None:
        for number, (group, _) in self.lines.items():
            self.ward.hold(number, group=group, hours=self.hours, now=now, utc=utc)

    def _begin_and_end(self, now: float, utc: datetime, step: int) -> None:
        for outage in self.outages:
            if 0 <= (utc - outage.begins).total_seconds() < step and not outage.begun:
                outage.begun = True
                self._silenced |= outage.lines
                announce(self.ward, outage, now)
            if outage.ends is not None and outage.ends <= utc:
                self._end(outage, now)

    def _end(self, outage: Outage, now: float) -> None:
        if outage.kind is Kind.farm_back_dead:
            self.ward.farm_back("usfarm", now)
            outage.ends = None
        elif outage.kind is Kind.link_back_dead:
            self.ward.link_back(now)
            outage.ends = None
        else:
            self._silenced -= outage.lines
            outage.ends = None
            if outage.kind is Kind.link_lost:
                self.ward.link_back(now)

    def _tick(self, now: float, utc: datetime, step: int) -> None:
        pace = self._pace(utc) * step
        for number, (_, mean) in self.lines.items():
            if number in self._silenced:
                continue
            asked = number in self._asked
            if asked or (pace and self.dice.random() < 1 - 2.718281828 ** (-pace / mean)):
                self.ward.heard(number, now, utc)
        self._asked.clear()

    def _pace(self, utc: datetime) -> float:
        match self.hours.phase(utc):
            case Phase.closed | Phase.unknown:
                return 0.0
            case Phase.extended:
                return 0.01 / self.quietness
        clock = utc.astimezone(NEW_YORK)
        lunch = 12 <= clock.hour < 14
        busy = (clock.hour, clock.minute // 30) in {(9, 1), (15, 1)}
        return (3.0 if busy else 0.4 if lunch else 1.0) / self.quietness

    def _take(self, note: CureNote) -> None:
        self.cures.append(note)
        if note.cure is not Cure.re_request or note.state is not CureState.running:
            return
        assert note.instrument_id is not None
        self._asked.add(note.instrument_id)
        if not any(o.begun and o.ends for o in self.outages if note.instrument_id in o.lines):
            self._silenced.discard(note.instrument_id)

    def _note(self, now: float, utc: datetime) -> None:
        for line in self.ward.health(now):
            hurt = [o for o in self.outages if line.instrument_id in o.lines and o.begins <= utc]
            if line.cause not in OUTAGES:
                continue
            current = [o for o in hurt if o.over_after_s is None]
            broken = any(o.kind is Kind.farm_back_dead and o.begun and o.ends for o in self.outages)
            # IB says that a farm is broken and not which lines are of it: silence since is one.
            if not current and not (broken and line.cause is LineCause.farm):
                self.alarms.append((utc, line.instrument_id, str(line.cause)))
        for outage in self.outages:
            self._measure(outage, utc)

    def _measure(self, outage: Outage, utc: datetime) -> None:
        if utc < outage.begins or outage.over_after_s is not None:
            return
        age = (utc - outage.begins).total_seconds()
        told = {n.instrument_id for n in self.cures[-100:] if n.begun_at >= outage.begins}
        out = {h.instrument_id for h in self.ward.health(0.0) if h.cause in OUTAGES}
        if outage.found_after_s is None and outage.lines & (told | out):
            outage.found_after_s = age
        if not outage.lines & (self._silenced | out) and age > 1:
            outage.over_after_s = age


def announce(ward: Ward, outage: Outage, now: float) -> None:
    """Tell the ward what IB would say as the outage begins."""
    match outage.kind:
        case Kind.farm_back_dead:
            ward.farm_broken("usfarm", now)
        case Kind.link_back_dead | Kind.link_lost:
            ward.link_lost()
        case Kind.competing:
            for number in outage.lines:
                ward.competing(number)
