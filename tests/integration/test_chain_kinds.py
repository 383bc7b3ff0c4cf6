"""Chains of every kind of underlying; listings are kept for the day and compared between days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from ibcore.errors import RequestFailed
from ibcore.policy import LineBudget, Pacer
from ibcore.sim.requests import MarketData
from ibcore.sim.server import Gateway, SimConfig
from ibcore.sim.session import Session
from ibcore.sim.subscriptions import Subscriptions
from sidecar.chain_reading import Lane
from sidecar.chains import ChainSnapshots
from sidecar.tap import LineTap
from tests.integration.hand_clock import OnMonday
from tests.integration.sweeping import connected, silent_gateway
from tests.integration.test_chains import FAST, MONDAY, UNPACED, Opened, _details_asked, job, stored

pytestmark = pytest.mark.anyio


async def taken(
    url: str,
    gateway: Gateway,
    *requests: dict[str, Any],
    now: Callable[[], datetime] = MONDAY.utcnow,
    lines: int = 100,
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Take snapshots one after the other, as one start of a sidecar."""
    tap, found = LineTap(), []
    async with gateway, connected(gateway, tap) as ib:
        ib.client.MaxRequests = 0
        lane = Lane(Opened(ib), tap, Pacer(FAST))
        take = ChainSnapshots([lane], budget=LineBudget(lines), url=url, now=now)
        for request in requests:
            result, rows = await stored(url, await take(job(**request)))
            mine = [row for row in rows if str(row["snapshot_id"]) == result["snapshot_id"]]
            found += [(result, mine)]
    return found


@pytest.mark.parametrize(
    ("wanted", "sec_type", "trading_class", "multiplier"),
    [
        ({"underlying": "SPX", "sec_type": "IND", "trading_class": "SPX"}, "OPT", "SPX", "100"),
        ({"underlying": "SPX", "sec_type": "IND", "trading_class": "SPXW"}, "OPT", "SPXW", "100"),
        ({"underlying": "AMD", "trading_class": "AMD1"}, "OPT", "AMD1", "100"),
        ({"underlying": "QQQ"}, "OPT", "QQQ", "100"),
        ({"underlying": "ES", "sec_type": "FUT"}, "FOP", "ES", "50"),
    ],
)
async def test_a_chain_of_every_kind_has_the_contracts_of_its_class(
    db_url: str, wanted: dict[str, Any], sec_type: str, trading_class: str, multiplier: str
) -> None:
    few = {"expiries": 1, "strikes": 3}
    [(result, rows)] = await taken(db_url, Gateway(UNPACED), {**wanted, **few})
    assert (result["expected"], result["complete"]) == (6, 6)
    query = """SELECT DISTINCT sec_type, trading_class, multiplier FROM ibkeeper.instrument
                WHERE id = ANY(%s)"""
    with psycopg.connect(db_url) as conn:
        ids = [row["instrument_id"] for row in rows]
        assert conn.execute(query, [ids]).fetchall() == [(sec_type, trading_class, multiplier)]
    for row in rows:
        assert row["own_iv"] == pytest.approx(row["iv"], abs=0.05)
        assert row["iv_difference"] == pytest.approx(row["own_iv"] - row["iv"])


async def test_spx_and_spxw_of_one_expiry_are_two_contracts_a_strike(db_url: str) -> None:
    both = [
        {
            "underlying": "SPX",
            "sec_type": "IND",
            "trading_class": name,
            "min_dte": 20,
            "max_dte": 26,
        }
        for name in ("SPX", "SPXW")
    ]
    (_, monthly), (_, weekly) = await taken(db_url, Gateway(UNPACED), *both)
    third = {row["expiry"] for row in monthly}
    assert len(third) == 1
    assert third <= {row["expiry"] for row in weekly}
    assert not {row["con_id"] for row in monthly} & {row["con_id"] for row in weekly}


async def test_expiries_are_chosen_by_days_and_strikes_by_delta(db_url: str) -> None:
    window = {"underlying": "AAPL", "min_dte": 5, "max_dte": 20, "min_delta": 0.2, "rights": "C"}
    [(_, rows)] = await taken(db_url, Gateway(UNPACED), window)
    monday = MONDAY.utcnow().date()
    days = {(row["expiry"] - monday).days for row in rows}
    assert days
    assert min(days) >= 5
    assert max(days) <= 20
    assert {row["right"] for row in rows} == {"C"}
    deltas = [row["delta"] for row in rows if row["delta"] is not None]
    assert min(deltas) > 0.12
    assert max(deltas) < 0.88
    assert min(deltas) < 0.35


async def test_an_expiry_that_ib_names_and_does_not_list_spoils_no_other(db_url: str) -> None:
    gateway = Gateway(UNPACED)
    options = gateway.source.universe.options("AAPL")
    first = min(option.expiry for option in options)
    gateway.source.universe._options["AAPL"] = [o for o in options if o.expiry != first] + [
        next(o for o in options if o.expiry == first and o.right == "C")
    ]
    [(result, rows)] = await taken(
        db_url, gateway, {"underlying": "AAPL", "expiries": 2, "strikes": 2, "rights": "P"}
    )
    assert result["expected"] == 2
    assert {f"{row['expiry']:%Y%m%d}" for row in rows} != {first}


async def test_a_new_start_asks_for_no_listing_of_the_same_day_again(db_url: str) -> None:
    request = {"underlying": "AAPL", "expiries": 2, "strikes": 2}
    first, second = Gateway(UNPACED), Gateway(UNPACED)
    [(_, rows)] = await taken(db_url, first, request)
    [(_, again)] = await taken(db_url, second, request)
    assert _details_asked(first.ledger) == 1 + 2 * 2
    assert _details_asked(second.ledger) == 1, "the underlying only"
    assert [row["con_id"] for row in rows] == [row["con_id"] for row in again]


async def test_new_and_delisted_strikes_are_recorded_and_a_changed_list_is_asked_anew(
    db_url: str,
) -> None:
    request = {"underlying": "AAPL", "expiries": 1, "strikes": 2}
    await taken(db_url, Gateway(UNPACED), request, now=_days_ago(1))
    changed = Gateway(UNPACED)
    universe = changed.source.universe
    first = min(option.expiry for option in universe.options("AAPL"))
    gone = min(o.strike for o in universe.options("AAPL") if o.expiry == first)
    universe._options["AAPL"] = [o for o in universe.options("AAPL") if o.strike != gone]
    await taken(db_url, changed, request)
    assert _details_asked(changed.ledger) == 1 + 2
    query = "SELECT DISTINCT listed_on, added, delisted FROM ibkeeper.chain_listing ORDER BY 1"
    with psycopg.connect(db_url) as conn:
        (_, *before), (_, added, delisted) = conn.execute(query).fetchall()
    assert before == [None, None]
    assert (added, [float(strike) for strike in delisted]) == ([], [gone])


def _days_ago(days: int) -> Callable[[], datetime]:
    return lambda: MONDAY.utcnow() - timedelta(days=days)


class Refusing(Subscriptions):
    """Refuses every line on an option with one code."""

    code = 354

    def open(self, session: Session, request: MarketData, *, now: float, snapshot_s: float) -> None:
        if request.spec.sec_type == "OPT" and request.spec.right == "P":
            session.error(request.req_id, self.code, "Requested market data is not subscribed.")
        else:
            super().open(session, request, now=now, snapshot_s=snapshot_s)


@pytest.mark.parametrize(("code", "state"), [(354, "no_permission"), (200, "error")])
async def test_a_refused_contract_says_so_with_ibs_code(db_url: str, code: int, state: str) -> None:
    gateway = Gateway(UNPACED)
    refusing = Refusing(
        gateway.source,
        gateway.ledger,
        farms=gateway.farms,
        permissions=gateway.permissions,
        limit=gateway.config.lines,
    )
    refusing.code = code
    gateway.subscriptions = refusing
    request = {"underlying": "AAPL", "expiries": 1, "strikes": 2, "min_dte": 7}
    [(result, rows)] = await taken(db_url, gateway, request)
    assert result["states"] == {"complete": 2, state: 2}
    assert (result["complete"], result["partial"], result["missing"]) == (2, 0, 2)
    refused = [row for row in rows if row["state"] == state]
    assert {row["error_code"] for row in refused} == {code}
    assert all(f"IB {code}: " in row["missing_fields"] for row in refused)


async def test_far_options_without_a_bid_are_waited_for_a_moment_only(db_url: str) -> None:
    request = {"underlying": "SPY", "expiries": 1, "strikes": 36, "contract_deadline_s": 15}
    [(result, rows)] = await taken(db_url, Gateway(UNPACED), request)
    without = [row for row in rows if row["bid"] is None]
    assert without
    assert {row["state"] for row in without} == {"partial"}
    assert {row["missing_fields"] for row in without} == {"bid"}
    assert result["seconds"] < 15


async def test_with_many_free_lines_snapshots_cost_one_message_a_contract(
    db_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.chain_plan.SNAPSHOT_S", 0.5)
    config = replace(UNPACED, lines=None, snapshot_s=0.2)
    gateway, tap = Gateway(config), LineTap()
    async with gateway, connected(gateway, tap) as ib:
        ib.client.MaxRequests = 0
        budget = LineBudget(2_000)
        lane = Lane(Opened(ib), tap, Pacer(40))
        take = ChainSnapshots([lane], budget=budget, url=db_url, now=MONDAY.utcnow)
        done = await take(job(lasts_s=60, underlying="TSLA", expiries=2, strikes=40))
        result, rows = await stored(db_url, done)
    options = [r for r in gateway.ledger.requests if r.msg_id == 1 and "OPT" in r.fields]
    cancels = [r for r in gateway.ledger.requests if r.msg_id == 2]
    assert len(options) == len(rows) == result["expected"] > 80
    assert len(cancels) == 1, "the underlying's line"
    assert budget.used == 0


async def test_two_connections_share_the_lines_and_need_half_the_time(db_url: str) -> None:
    gateway = Gateway(UNPACED)
    taps = [LineTap(), LineTap()]
    async with (
        gateway,
        connected(gateway, taps[0]) as one,
        connected(gateway, taps[1], client_id=13) as two,
    ):
        lanes = [Lane(Opened(ib), tap, Pacer(40)) for ib, tap in zip((one, two), taps, strict=True)]
        take = ChainSnapshots(lanes, budget=LineBudget(100), url=db_url, now=MONDAY.utcnow)
        result, _ = await stored(db_url, await take(job(underlying="TSLA", strikes=20)))
        asked = [r for r in gateway.ledger.requests if r.msg_id == 1 and "OPT" in r.fields]
    by_session = {number: [r for r in asked if r.session_no == number] for number in (1, 2)}
    assert len(asked) == result["complete"] == 80
    assert min(len(found) for found in by_session.values()) > 20
    assert result["floor_s"] == pytest.approx(160 / 80)


async def test_a_delisted_underlying_and_an_option_less_one_say_so(db_url: str) -> None:
    with pytest.raises(RequestFailed, match="IB knows no contract GONE STK SMART"):
        await taken(db_url, Gateway(UNPACED), {"underlying": "GONE"})
    gateway = silent_gateway(UNPACED, lambda _contract: False)
    gateway.source.universe._options.pop("AMD")
    with pytest.raises(RequestFailed, match="AMD has no options"):
        await taken(db_url, gateway, {"underlying": "AMD"})


async def test_on_a_half_day_options_end_with_the_session(db_url: str) -> None:
    clock = OnMonday()
    half_day = clock.utcnow() + timedelta(days=4)  # Friday after Thanksgiving, noon
    gateway = Gateway(SimConfig(messages_per_second=None, clock=clock))
    request = {"underlying": "SPY", "expiries": 1, "strikes": 2, "min_dte": 0, "max_dte": 0}
    [(_, rows)] = await taken(db_url, gateway, request, now=lambda: half_day)
    with psycopg.connect(db_url) as conn:
        years = conn.execute("SELECT years FROM ibkeeper.chain_expiry").fetchall()
    assert {f"{row['expiry']:%Y-%m-%d}" for row in rows} == {"2026-11-27"}
    assert years[0][0] == pytest.approx(1 / (365 * 24), rel=0.05), "an hour to 13:00, not four"
