"""Whole days of the ward in simulated time: nothing is claimed that is not, nothing is missed."""

from __future__ import annotations

import os
import random
import zlib
from datetime import datetime, timedelta, timezone

import pytest

from ibcore.liveness.health import Cure
from ibcore.log import get_logger
from tests.property.liveness_market import (
    MEANS,
    NEW_YORK,
    OPTIONS,
    STOCKS,
    Kind,
    Market,
    Outage,
    hours_of,
)

log = get_logger(__name__)
DAY_S = 24 * 3600


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Return dice of the test's own seed, the same on every run; IBKEEPER_TEST_SEED is another."""
    seed = int(os.environ.get("IBKEEPER_TEST_SEED", zlib.crc32(request.node.name.encode())))
    log.warning("dice", seed=seed)
    return random.Random(seed)


def utc_of(text: str) -> datetime:
    """Return a moment in New York, in UTC; a day begins and ends there."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(timezone.utc)


DAYS = {
    "a quiet day": ("2026-11-24", {}, 5.0),
    "a half day": ("2026-11-27", {"closes": "1300"}, 1.0),
    "a holiday": ("2026-11-26", {"holiday": True}, 1.0),
    "the day the clocks go back": ("2026-11-01", {"holiday": True}, 1.0),
    "the first day of winter time": ("2026-11-02", {}, 1.0),
    "the first day of summer time": ("2027-03-15", {}, 1.0),
    "the day the clocks go forward": ("2027-03-14", {"holiday": True}, 1.0),
}


@pytest.mark.parametrize("name", DAYS)
def test_a_whole_day_without_an_outage_raises_no_alarm(name: str, dice: random.Random) -> None:
    text, hours, quietness = DAYS[name]
    start = utc_of(text)
    market = Market(dice, hours_of(start.astimezone(NEW_YORK), **hours), quietness)
    market.play(start, DAY_S)
    assert market.alarms == []
    assert market.cures == []


NIGHT = {
    # As the gateway tells it: the link goes several times, and comes back with lines kept.
    "a nightly reset": ("2026-11-24T23:45:00", 300),
    # The session is away for hours, on Sunday.
    "a weekly login": ("2026-11-22T01:00:00", 8 * 3600),
}


@pytest.mark.parametrize("name", NIGHT)
def test_a_planned_night_raises_no_alarm_and_every_line_lives_in_the_morning(
    name: str, dice: random.Random
) -> None:
    text, lasts = NIGHT[name]
    begins = utc_of(text)
    market = Market(dice, hours_of(begins.astimezone(NEW_YORK), holiday=name != "a nightly reset"))
    ends = begins + timedelta(seconds=lasts)
    market.outages = [Outage(Kind.link_back_dead, begins, frozenset(MEANS), ends)]
    market.play(begins - timedelta(hours=1), 14 * 3600)
    assert market.alarms == []
    assert market.outages[0].over_after_s is not None
    assert {note.cure for note in market.cures} == {Cure.re_request}


def outages_of(dice: random.Random, count: int) -> list[Outage]:
    """Draw outages over the liquid hours, five to a day, each alone for an hour."""
    stocks = frozenset(n for n, (group, _) in MEANS.items() if group == STOCKS)
    options = frozenset(n for n, (group, _) in MEANS.items() if group == OPTIONS)
    lively = [n for n, (_, mean) in MEANS.items() if mean <= 2.0]
    drawn = []
    for number in range(count):
        kind = list(Kind)[number % len(Kind)]
        begins = utc_of("2026-11-24T10:00:00") + timedelta(
            seconds=3_600 * (number % 5) + dice.randrange(1_200)
        )
        lines = dice.choice((stocks, options))
        if kind is Kind.dead_line:
            lines = frozenset({dice.choice(lively)})
        elif kind in (Kind.link_back_dead, Kind.link_lost, Kind.competing):
            lines = stocks | options
        lasting = kind not in (Kind.dead_line, Kind.silent_farm)
        ends = begins + timedelta(seconds=dice.randrange(2, 300)) if lasting else None
        drawn.append(Outage(kind, begins, lines, ends))
    return drawn


@pytest.mark.parametrize("tenth", range(10))
def test_none_of_fifty_outages_is_missed_and_each_is_over_soon(
    tenth: int, dice: random.Random
) -> None:
    start = utc_of("2026-11-24T09:30:00")
    market = Market(dice, hours_of(start.astimezone(NEW_YORK)))
    market.outages = outages_of(dice, 50)[5 * tenth : 5 * tenth + 5]
    market.play(start, 5 * 3600)
    assert market.alarms == []
    for outage in market.outages:
        assert outage.found_after_s is not None, outage
        assert outage.over_after_s is not None, outage
        assert outage.over_after_s <= outage.lasts_s + 240, outage
