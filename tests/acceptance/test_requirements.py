"""REQ-002 in its own words: the scenarios of the Gherkin file, against real processes."""

from __future__ import annotations

import asyncio
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ib_async import IB, Contract, Option, StartupFetchNONE, Stock
from pytest_bdd import given, parsers, scenarios, then, when

from ibcore import db
from ibcore.config import TickDefaults
from ibcore.domain import ContractSpec
from ibcore.stack.demo import suggested
from sidecar.ib_compat import harden, make_ib, sever
from sidecar.qualify import qualify_contracts_async
from tests.acceptance.gateway_orders import placed
from tests.acceptance.system import System, running_system

pytestmark = pytest.mark.paired

scenarios("REQ-002_ib_gateway_integration.feature")

READY = "SELECT count(*) FROM ibkeeper.session WHERE ready_at IS NOT NULL"
QUOTES = "SELECT count(*) FROM ibkeeper.quote"
NEWEST = "SELECT coalesce(max(recv_ts), 'epoch') FROM ibkeeper.quote"


@pytest.fixture(scope="module")
def system(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run the processes once for all scenarios, on a database of their own."""
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as conn:
        conn.execute("DROP DATABASE IF EXISTS requirements")
        conn.execute("CREATE DATABASE requirements")
    url = postgres_server.url("requirements")
    db.migrate(url)
    with running_system(url, tmp_path_factory.mktemp("system")) as running:
        yield running


def an_option(system: System) -> ContractSpec:
    offered = asyncio.run(suggested(system.control_port))
    return next(spec for spec in offered if (spec.symbol, spec.sec_type) == ("AAPL", "OPT"))


@given("a simulated gateway and a sidecar that watches AAPL and an option on it")
def a_running_system(system: System) -> None:
    if system.value("SELECT count(*) FROM ibkeeper.watch") == 0:
        system.start_gateway()
        system.wait_for(system.gateway_listens, within_s=15, what="a listening gateway")
        system.watch(ContractSpec("AAPL"), an_option(system))
        system.start_sidecar()
    system.wait_for(lambda: system.value(QUOTES) > 0, within_s=20, what="a first quote")


@then("every session that became ready did so within 5 seconds of its attempt")
def sessions_are_fast(system: System) -> None:
    system.wait_for(lambda: system.value(READY) >= 2, within_s=10, what="both sessions ready")
    slow = "SELECT count(*) FROM ibkeeper.session WHERE ready_at IS NOT NULL AND connect_ms > 5000"
    assert system.value(slow) == 0


@when(
    "the gateway is killed and stays away until the sidecar waits for the third time",
    target_fixture="before",
)
def gateway_goes_away(system: System) -> int:
    before = int(system.value("SELECT coalesce(max(id), 0) FROM ibkeeper.session_event"))
    system.kill("gateway")
    system.wait_for(lambda: 4.0 in waits(system, before), within_s=15, what="a wait of 4 s")
    return before


@then("the waits journalled in session_event are 1, 2 and 4 seconds")
def waits_double(system: System, before: int) -> None:
    assert waits(system, before)[:3] == [1.0, 2.0, 4.0]


def waits(system: System, since: int) -> list[float]:
    rows = system.ask(
        """SELECT backoff_s FROM ibkeeper.session_event
            WHERE role = 'stream' AND backoff_s > 0 AND id > %s ORDER BY id""",
        (since,),
    )
    return [wait for (wait,) in rows]


@when("the gateway returns")
def gateway_returns(system: System) -> None:
    system.start_gateway()


@then(parsers.parse("quotes flow again within {seconds:d} seconds without help"))
def quotes_flow_again(system: System, seconds: int) -> None:
    before = system.value(NEWEST)
    system.wait_for(
        lambda: system.value(NEWEST) > before, within_s=seconds, what="a quote after the outage"
    )


@when(parsers.parse("quotes have flowed for {seconds:d} seconds"))
def quotes_flow(system: System, seconds: int) -> None:
    flowed = """SELECT extract(epoch FROM max(recv_ts) - min(recv_ts)) FROM ibkeeper.quote
                 WHERE epoch = (SELECT max(epoch) FROM ibkeeper.quote)"""
    system.wait_for(
        lambda: system.value(flowed) >= seconds, within_s=seconds + 10, what="flowing quotes"
    )


@then("the 99th percentile of commit minus receive time is below 500 milliseconds")
def rows_are_queryable_fast(system: System) -> None:
    late = system.value(
        """SELECT 1e3 * percentile_cont(0.99) WITHIN GROUP
                    (ORDER BY extract(epoch FROM b.committed_at - q.recv_ts))
             FROM ibkeeper.quote q
             JOIN ibkeeper.ingest_batch b
               ON b.epoch = q.epoch AND q.seq BETWEEN b.first_seq AND b.last_seq"""
    )
    assert 0 < late < 500


@then("greeks of the option are in SQL with delta, gamma, vega and theta")
def greeks_are_there(system: System) -> None:
    whole = """SELECT count(*) FROM ibkeeper.greeks WHERE kind = 'model'
                  AND num_nulls(delta, gamma, vega, theta, iv) = 0"""
    system.wait_for(lambda: system.value(whole) > 0, within_s=10, what="model greeks")


@then("quote_latest holds one row an instrument, equal to its newest quote")
def cache_is_the_newest_quote(system: System) -> None:
    def differing() -> int:
        return int(
            system.value(
                """SELECT count(*) FROM ibkeeper.quote_latest l
                    CROSS JOIN LATERAL (SELECT * FROM ibkeeper.quote q
                                         WHERE q.instrument_id = l.instrument_id
                                         ORDER BY epoch DESC, seq DESC LIMIT 1) q
                    WHERE (q.bid, q.bid_size, q.ask, q.ask_size)
                          IS DISTINCT FROM (l.bid, l.bid_size, l.ask, l.ask_size)"""
            )
        )

    system.wait_for(lambda: differing() == 0, within_s=5, what="the cache equals the newest quotes")
    assert system.value("SELECT count(*) FROM ibkeeper.quote_latest") == 2


@when(
    "AAPL, an unknown symbol, AAPL again and an ambiguous option are qualified",
    target_fixture="qualified",
)
def contracts_are_qualified(system: System) -> dict[str, Any]:
    asked: list[Contract] = [
        Stock("AAPL", "SMART", "USD"),
        Stock("NOSUCH", "SMART", "USD"),
        Stock("AAPL", "SMART", "USD"),
        Option("AAPL", an_option(system).expiry, 0.0, "C", "SMART"),
    ]
    before = [copy(asdict(contract)) for contract in asked]
    results = asyncio.run(_qualified(system.port, asked))
    return {"asked": asked, "before": before, "results": results}


async def _qualified(port: int, contracts: list[Contract]) -> list[Any]:
    ib = make_ib(TickDefaults())
    await ib.connectAsync("127.0.0.1", port, clientId=77, timeout=5, fetchFields=StartupFetchNONE)
    try:
        return list(await qualify_contracts_async(ib, *contracts))
    finally:
        await sever(ib)


@then("there are 4 results: a contract, None, a contract, None")
def results_are_n_for_n(qualified: dict[str, Any]) -> None:
    first, unknown, again, ambiguous = qualified["results"]
    assert (unknown, ambiguous) == (None, None)
    assert first.conId == again.conId > 0


@then("the contracts that were passed in are unchanged")
def inputs_are_unchanged(qualified: dict[str, Any]) -> None:
    assert [asdict(contract) for contract in qualified["asked"]] == qualified["before"]


@when("a client is made with IBDefaults of nan, nan, nan and UTC", target_fixture="client")
def client_with_defaults() -> IB:
    harden()
    return make_ib(TickDefaults())


@then("its tickers start with nan prices and nan sizes")
def tickers_start_empty(client: IB) -> None:
    ticker = client.wrapper.startTicker(1, Contract(conId=1, secType="STK"), "mktData")
    client.wrapper.priceSizeTick(1, 1, -1.0, 0.0)
    assert math.isnan(ticker.bid)
    assert math.isnan(ticker.bidSize)
    assert math.isnan(ticker.last)


@then("quote_latest of AAPL has timestamp, shortable and the volume rates of 3, 5 and 10 minutes")
def enhanced_fields(system: System) -> None:
    present = """SELECT count(*) FROM ibkeeper.v_quote_latest WHERE sec_type = 'STK'
                    AND num_nulls(recv_ts, shortable, volume_rate_3min, volume_rate_5min,
                                  volume_rate_10min, halted, volume, last_ts) = 0"""
    system.wait_for(lambda: system.value(present) == 1, within_s=10, what="the enhanced fields")


@then("the option has no volume rates, because IB sends them for stocks only")
def no_rates_for_options(system: System) -> None:
    rated = """SELECT count(*) FROM ibkeeper.v_quote_latest WHERE sec_type = 'OPT'
                  AND num_nonnulls(volume_rate_3min, volume_rate_5min, volume_rate_10min) > 0"""
    assert system.value(rated) == 0


@when(
    "a market, a limit and a stop order of AAPL are submitted as one batch, twice",
    target_fixture="submitted",
)
def orders_are_submitted(system: System) -> list[str]:
    account = "SELECT count(*) FROM ibkeeper.account_state"
    system.wait_for(lambda: system.value(account) == 1, within_s=20, what="the account")
    bid, ask = system.ask(
        "SELECT bid, ask FROM ibkeeper.v_quote_latest WHERE symbol = 'AAPL' AND sec_type = 'STK'"
    )[0]
    file = system.home / "orders.csv"
    file.write_text(
        "symbol,side,quantity,order_type,limit_price,stop_price\n"
        "AAPL,BUY,1,MKT,,\n"
        f"AAPL,BUY,2,LMT,{ask * 1.01:.2f},\n"
        f"AAPL,BUY,3,STP,,{bid * 0.99:.2f}\n"
    )
    return [_submitted(system, file) for _ in range(2)]


def _submitted(system: System, file: Path) -> str:
    command = [sys.executable, "-m", "ibcore.cli", "orders", "submit", str(file)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("IBKEEPER_")}
    done = subprocess.run(
        [*command, "--key", "requirement", "--send", "--wait", "0"],
        env={**kept, "IBKEEPER_DATABASE_URL": system.db_url, "IBKEEPER_HOME": str(system.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@then(
    parsers.parse(
        "within {seconds:d} seconds all three are filled, with their price and commission in SQL"
    )
)
def orders_are_filled(system: System, submitted: list[str], seconds: int) -> None:
    whole = """SELECT order_type, filled::int FROM ibkeeper.v_order
                WHERE state = 'filled' AND num_nulls(average_price, commission) = 0
                ORDER BY line"""
    three = [("MKT", 1), ("LMT", 2), ("STP", 3)]
    system.wait_for(lambda: system.ask(whole) == three, within_s=seconds, what="three fills")
    assert "nothing is sent twice" in submitted[1]


@then("the gateway was asked to place exactly three orders")
def orders_went_once(system: System) -> None:
    assert placed(system) == 3


README = Path(__file__).resolve().parents[2] / "README.md"
RECIPES = re.findall(r"```sql\n(.*?)```", README.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("number", range(1, 6))
def test_the_queries_of_the_readme_run_on_the_demo(system: System, number: int) -> None:
    a_running_system(system)
    rows = system.ask(RECIPES[number - 1])
    # The fourth looks for missing rows, the fifth needs a chain snapshot that nobody took here.
    assert bool(rows) == (number in {1, 2, 3})
