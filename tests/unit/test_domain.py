"""The vocabulary holds together: transition tables are total, rows are what COPY writes."""

from __future__ import annotations

import pytest

from ibcore import domain
from ibcore.clock import datetime_from_us, now_us, us_from_datetime, utcnow

MACHINES = {
    domain.SessionState: domain.SESSION_TRANSITIONS,
    domain.RequestState: domain.REQUEST_TRANSITIONS,
    domain.WatchState: domain.WATCH_TRANSITIONS,
}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.__name__)
def test_every_state_has_its_row_in_the_transition_table(machine):
    table = MACHINES[machine]
    assert set(table) == set(machine)
    assert set().union(*table.values()) <= set(machine)


def test_a_finished_request_never_moves_again():
    for state in (domain.RequestState.completed, domain.RequestState.failed):
        assert not any(
            domain.may_move(domain.REQUEST_TRANSITIONS, state, new) for new in domain.RequestState
        )


def test_market_rows_share_their_first_columns():
    shared = ("ts", "recv_ts", "instrument_id", "seq", "epoch", "provider", "quality")
    for row in (domain.Quote, domain.Trade, domain.Greeks, domain.Stat):
        assert row._fields[:7] == shared


def test_microseconds_of_the_database_epoch_round_trip():
    moment = utcnow()
    assert datetime_from_us(us_from_datetime(moment)) == moment
    assert abs(us_from_datetime(utcnow()) - now_us()) < 1_000_000
