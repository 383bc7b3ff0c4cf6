"""Live mode on a machine that is not well: nothing is sent, all is recorded, people are told."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from ibcore import db
from ibcore.batch import submit
from ibcore.batch.line import OrderLine
from ibcore.batch.submit import Batch, Order
from ibcore.domain import ContractSpec
from tests.acceptance.system import System, running_system
from tests.integration.inboxes import Inbox, http_inbox

pytestmark = [pytest.mark.paired, pytest.mark.timeout(120)]

SPY = ContractSpec("SPY", "STK", "SMART", "USD")
STATES = "SELECT state FROM ibkeeper.v_order WHERE batch = 'early'"
OPEN = "SELECT summary FROM ibkeeper.incident WHERE kind = 'live_refused' AND closed_at IS NULL"
QUOTES = "SELECT count(*) FROM ibkeeper.quote"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with http_inbox() as made:
        yield made


def submit_one(system: System) -> None:
    async def run() -> None:
        spy = system.value("SELECT id FROM ibkeeper.instrument WHERE symbol = 'SPY'")
        line = OrderLine(symbol="SPY", side="BUY", quantity=1, limit_price=Decimal("1.00"))
        async with db.opened(system.db_url, application="test") as conn:
            await submit.submit(conn, Batch("early", "DU1234567", [Order(line, spy)], "a test"))

    anyio.run(run)


def test_a_failed_check_shuts_the_gate_names_its_remedy_and_lets_ticks_through(
    db_url: str, tmp_path: Path, inbox: Inbox
) -> None:
    with running_system(db_url, tmp_path) as system:
        system.settings = {
            "IBKEEPER_ORDERS__LIVE": "true",
            "IBKEEPER_ALERTS__TARGETS": inbox.url,
            "IBKEEPER_GATEWAY__HOST": "127.0.0.1",
            "PREFECT_API_URL": "",
        }
        tmp_path.chmod(0o755)
        system.start_gateway()
        # Or the first check, which is told, finds nobody listening there.
        system.wait_for(system.gateway_listens, within_s=30, what="the gateway listens")
        system.watch(SPY)
        system.start_sidecar()
        system.wait_for(lambda: system.value(QUOTES) > 0, within_s=30, what="ticks")
        system.wait_for(lambda: bool(system.ask(OPEN)), within_s=20, what="the refusal")
        submit_one(system)
        said = system.value(OPEN)
        assert "Live trading does not start: state folder:" in said
        assert f"chmod 700 {tmp_path}" in said
        recorded = system.value(QUOTES)
        system.wait_for(lambda: system.value(QUOTES) > recorded, within_s=10, what="more ticks")
        assert system.ask(STATES) == [("intent",)]
        system.wait_for(lambda: "live_refused" in str(inbox.messages), within_s=10, what="a page")

        tmp_path.chmod(0o700)
        system.wait_for(lambda: system.ask(STATES) == [("acked",)], within_s=30, what="the order")
        system.wait_for(lambda: not system.ask(OPEN), within_s=5, what="the end of the incident")
