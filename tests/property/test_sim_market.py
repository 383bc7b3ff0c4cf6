"""The model: option maths against themselves, chains, and the same path for the same seed."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest

from ibcore.sim import chains, hours, options
from ibcore.sim.catalogue import CATALOGUE
from ibcore.sim.config import SimConfig
from ibcore.sim.contracts import Spec, Universe, option, stock
from ibcore.sim.ledger import Ledger
from ibcore.sim.market import Market
from ibcore.sim.wire import tick_size

TODAY = date(2026, 11, 23)


class StillClock:
    """Stands at one moment; the market is moved by hand."""

    def monotonic(self) -> float:
        return 0.0

    def utcnow(self) -> datetime:
        return datetime(2026, 11, 23, 15, tzinfo=timezone.utc)

    def unix_ns(self) -> int:
        return 1_795_446_000_000_000_000


def terms(sign: float) -> options.Terms:
    strikes = np.linspace(60.0, 150.0, 19)
    same = np.ones_like(strikes)
    return options.Terms(100 * same, strikes, 0.35 * same, sign * same)


def test_calls_and_puts_keep_parity() -> None:
    vol = np.full(19, 0.3)
    calls, puts = terms(1), terms(-1)
    forward = calls.spot - calls.strike * np.exp(-options.RATE * calls.years)
    assert options.price(calls, vol) - options.price(puts, vol) == pytest.approx(forward)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_implied_volatility_inverts_the_price(sign: float) -> None:
    vol = np.linspace(0.15, 0.9, 19)
    found = options.implied_vol(terms(sign), options.price(terms(sign), vol))
    assert found == pytest.approx(vol, rel=1e-6)


def test_a_price_that_no_volatility_explains_has_none() -> None:
    below_parity = np.full(19, 0.01)
    found = options.implied_vol(terms(1), below_parity)
    assert np.isnan(found[0])
    assert options.implied_vol(terms(1), np.full(19, -1.0)) == pytest.approx(np.nan, nan_ok=True)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_greeks_are_the_slopes_of_the_price(sign: float) -> None:
    at, vol, step = terms(sign), np.full(19, 0.3), 1e-4
    greeks = options.greeks(at, vol)

    def price(**changed: object) -> options.Array:
        return options.price(at._replace(**changed), vol)

    up, down = price(spot=at.spot + step), price(spot=at.spot - step)
    assert greeks.delta == pytest.approx((up - down) / (2 * step), abs=1e-6)
    assert greeks.gamma == pytest.approx((up - 2 * greeks.price + down) / step**2, abs=1e-4)
    a_point_more = options.price(at, vol + step) - options.price(at, vol - step)
    assert greeks.vega == pytest.approx(a_point_more / (2 * step) / 100, abs=1e-6)
    aging = (price(years=at.years - step) - price(years=at.years + step)) / (2 * step)
    assert greeks.theta == pytest.approx(aging / 365, abs=1e-6)


@pytest.mark.parametrize("ahead", range(0, 400, 13))
def test_a_chain_has_about_a_dozen_expiries_in_the_future(ahead: int) -> None:
    today = TODAY + timedelta(days=ahead)
    listed = chains.expiries(today)
    assert len(listed) == 12
    assert listed == sorted(set(listed))
    assert listed[0] >= today
    assert all(day.weekday() == 4 for day in listed)


def test_no_two_contracts_share_an_id() -> None:
    names = list(CATALOGUE.values())
    contracts = [stock(name) for name in names]
    for name in names:
        contracts += chains.chain(name, TODAY)
    assert len({contract.con_id for contract in contracts}) == len(contracts)
    assert max(contract.con_id for contract in contracts) < 2**31


def test_a_contract_has_the_same_id_on_every_day() -> None:
    apple = CATALOGUE["AAPL"]
    today = {c.local_symbol: c.con_id for c in chains.chain(apple, TODAY)}
    later = {c.local_symbol: c.con_id for c in chains.chain(apple, TODAY + timedelta(days=7))}
    shared = today.keys() & later.keys()
    assert len(shared) > 100
    assert all(today[symbol] == later[symbol] for symbol in shared)


def test_a_description_finds_what_it_leaves_open() -> None:
    apple = CATALOGUE["AAPL"]
    universe = Universe([stock(apple), *chains.chain(apple, TODAY)])
    expiry = f"{chains.expiries(TODAY)[3]:%Y%m%d}"
    wild = Spec(symbol="AAPL", sec_type="OPT", expiry=expiry, right="C", exchange="SMART")
    found = universe.find(wild)
    assert len(found) == len(chains.strikes(apple.spot, (chains.expiries(TODAY)[3] - TODAY).days))
    assert {contract.right for contract in found} == {"C"}
    assert universe.find(Spec(symbol="AAPL", sec_type="OPT", local_symbol=found[0].local_symbol))
    assert universe.find(Spec(symbol="AAPL", sec_type="STK", currency="EUR")) == []
    assert universe.find(Spec(con_id=265598, sec_type="OPT")) == []


def test_the_local_symbol_is_the_osi_one() -> None:
    contract = option(CATALOGUE["SPY"], date(2026, 12, 18), 602.5, right="P")
    assert contract.local_symbol == "SPY   261218P00602500"


def path_of(seed: int) -> list[dict[int, float | str]]:
    market = Market(SimConfig(seed=seed, symbols=("AAPL", "SPY"), clock=StillClock()))
    chain = market.universe.options("SPY")[40]
    boards = [market.watch(market.universe.stocks["AAPL"], 0.0), market.watch(chain, 0.0)]
    seen = []
    for step in range(1, 40):
        market.advance(step * 0.1 + 0.001)
        seen += [dict(board.values) for board in boards]
        seen.append(dict(boards[1].computations))
    return seen


def test_the_same_seed_gives_the_same_path_and_another_does_not() -> None:
    assert path_of(7) == path_of(7)
    assert path_of(7) != path_of(8)


def test_quotes_are_never_crossed_and_stand_on_the_grid() -> None:
    market = Market(SimConfig(symbols=("TSLA",), clock=StillClock()))
    board = market.watch(market.universe.stocks["TSLA"], 0.0)
    for step in range(1, 400):
        market.advance(step * 0.1 + 0.001)
        bid, ask = float(board.values[1]), float(board.values[2])
        assert 0 < bid < ask
        assert round(bid * 100) == pytest.approx(bid * 100)


def test_trading_hours_close_at_the_weekend() -> None:
    written = hours.sessions(date(2026, 11, 27), "0930", "1600")
    assert written.startswith("20261127:0930-20261127:1600;20261128:CLOSED;20261129:CLOSED;")


def test_the_ledger_forgets_the_oldest_and_says_how_many() -> None:
    ledger = Ledger(limit=3)
    key = (1, 10, 7, 265598)
    ledger.ticks(1, [(key, tick_size(7, 0, str(size))) for size in range(5)])
    assert ledger.forgotten == 2
    assert [tick.fields for tick in ledger.sent_ticks] == [("2",), ("3",), ("4",)]
    assert [tick.fields for tick in ledger.since(4)] == [("4",)]


def test_a_setting_that_makes_no_sense_is_refused() -> None:
    for wrong in (
        {"symbols": ("NOPE",)},
        {"speed": 0.0},
        {"rate": -1.0},
        {"rate": 1.0, "tape": "x"},
    ):
        with pytest.raises(ValueError, match=r"NOPE|above 0|either"):
            SimConfig(**wrong)
