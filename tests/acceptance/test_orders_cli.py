"""`ibkeeper orders`, run as a person runs it, on a real sidecar and a simulated gateway."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.gateway_orders import placed, two_calls
from tests.acceptance.system import System, running_system

NAME = "cli"


@pytest.fixture
def system(postgres_url: str, tmp_path: Path) -> Iterator[System]:
    """Run a gateway and a sidecar that knows its account."""
    with running_system(postgres_url, tmp_path) as running:
        running.name = NAME
        running.start_gateway()
        running.wait_for(running.gateway_listens, within_s=30, what="the gateway listens")
        running.start_sidecar()
        known = "SELECT count(*) FROM ibkeeper.account_state WHERE sidecar = %s"
        running.wait_for(
            lambda: running.value(known, (NAME,)) == 1, within_s=30, what="the account"
        )
        yield running


def orders(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "IBKEEPER_DATABASE_URL": system.db_url}
    environ |= {"IBKEEPER_HOME": str(system.home), "IBKEEPER_SIDECAR__NAME": NAME}
    command = [sys.executable, "-W", "error", "-m", "ibcore.cli.__main__", "orders"]
    return subprocess.run(
        [*command, *arguments], env=environ, capture_output=True, text=True, check=False
    )


def states_of(system: System) -> list[str]:
    rows = system.ask("SELECT state FROM ibkeeper.v_order WHERE batch = 'by hand' ORDER BY line")
    return [state for (state,) in rows]


@pytest.mark.timeout(120)
def test_a_batch_is_tried_sent_once_changed_and_cancelled(system: System) -> None:
    file = system.home / "orders.csv"
    file.write_text(
        "symbol,side,quantity,order_type,limit_price\nSPY,BUY,5,MKT,\nSPY,BUY,3,LMT,1\n"
    )
    submit = ("submit", str(file), "--key", "by hand", "--wait", "3")
    assert "Dry run: nothing was sent." in orders(system, *submit).stdout
    assert "There is no batch" in orders(system, "show", "by hand").stdout
    assert orders(system, *submit, "--send").returncode == 0
    system.wait_for(lambda: states_of(system) == ["filled", "acked"], within_s=10, what="answers")
    again = orders(system, *submit, "--send").stdout
    assert "nothing is sent twice" in again
    assert "filled     5 at " in again
    assert "acked" in again
    assert orders(system, "modify", "by hand", "2", "--limit-price", "2").returncode == 0
    assert "1 cancels asked for" in orders(system, "cancel", "by hand").stdout
    ended = "SELECT count(*) FROM ibkeeper.v_order WHERE batch = 'by hand' AND state = 'done'"
    system.wait_for(lambda: system.value(ended) == 2, within_s=10, what="both changes done")
    file.write_text("symbol,side,quantity\nSPY,BUY,x\n")
    bad = orders(system, "submit", str(file), "--key", "bad", "--send")
    assert bad.returncode == 2
    assert "line 2, column quantity: 'x' is no plain number" in bad.stderr


def osi(leg: str) -> str:
    symbol, expiry, right, strike = leg.split()
    return f"{symbol:<6}{expiry[2:]}{right}{round(float(strike) * 1000):08d}"


@pytest.mark.timeout(180)
def test_a_spread_of_a_csv_file_is_tried_leg_by_leg_and_filled(system: System) -> None:
    file = system.home / "spread.csv"
    head = "symbol,side,quantity,limit_price,sec_type,legs\n"
    low, high = two_calls()

    def submit(key: str, legs: str, *more: str) -> subprocess.CompletedProcess[str]:
        file.write_text(f"{head}AAPL,BUY,2,9,BAG,+1 {low}; {legs}\n")
        return orders(system, "submit", str(file), "--key", key, "--wait", "10", *more)

    unreadable = submit("bad", f"1 {high}", "--send")
    assert unreadable.returncode == 2
    assert f"column legs: '+1 {low}; 1 {high}' leg 2, '1 {high}', is no leg" in unreadable.stderr
    unknown = submit("unknown", "-1 AAPL 20151224 C 750", "--send")
    assert unknown.returncode == 2
    assert "line 1, column legs, leg 2, AAPL OPT 20151224 750 C SMART: IB knows" in unknown.stderr
    assert placed(system) == 0

    tried = submit("spread", f"-1 {high}")
    assert tried.returncode == 0, tried.stderr
    bought, sold = [line.split() for line in tried.stdout.splitlines() if " held, " in line]
    assert (bought[:3], sold[:3]) == (["BUY", "2", "AAPL"], ["SELL", "2", "AAPL"])
    assert "0 held, 2 after" in " ".join(bought)
    assert "0 held, -2 after" in " ".join(sold)
    assert placed(system) == 0

    sent = submit("spread", f"-1 {high}", "--send")
    assert "filled     2 at " in sent.stdout, sent.stdout + sent.stderr
    assert f"AAPL (+1 {osi(low)}; -1 {osi(high)}) LMT" in sent.stdout
    legs = "SELECT count(*) FROM ibkeeper.execution WHERE sec_type = 'OPT' AND quantity = 2"
    system.wait_for(lambda: system.value(legs) == 2, within_s=10, what="both legs")
    rows = system.ask(
        "SELECT e.side, n.strike::float8 FROM ibkeeper.order_intent i"
        " CROSS JOIN LATERAL jsonb_array_elements(i.legs) AS l(leg)"
        " JOIN ibkeeper.instrument n ON n.con_id = (l.leg ->> 'con_id')::bigint"
        " JOIN ibkeeper.execution e ON e.con_id = n.con_id AND e.intent_id = i.id"
        " WHERE i.sec_type = 'BAG' ORDER BY n.strike"
    )
    assert rows == [("BUY", float(low.split()[-1])), ("SELL", float(high.split()[-1]))]
    slipped = "SELECT slippage FROM ibkeeper.v_order WHERE sec_type = 'BAG'"
    assert abs(system.value(slipped)) < 5
    assert "nothing is sent twice" in submit("spread", f"-1 {high}", "--send").stdout
    assert placed(system) == 1
