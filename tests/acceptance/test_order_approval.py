"""Live batches in Prefect: a person types the account's name, and limits are looked at again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from ibcore.sim.config import SimConfig
from ibcore.sim.threaded import ThreadedGateway
from tests.acceptance.prefect_runs import MARKS
from tests.acceptance.system import System, running_system
from tests.canary import PASSWORD

pytestmark = [*MARKS, pytest.mark.usefixtures("leave_nothing_to_collect", "prefect_server")]
LIVE = "U7654321"


def in_six_hours() -> str:
    """Return a minute of New York that is far away."""
    then = datetime.now(ZoneInfo("America/New_York")) + timedelta(hours=6)
    return f"{then:%H:%M}-{then + timedelta(minutes=1):%H:%M}"


LIMITS = {
    "allowed_accounts": LIVE,
    "max_quantity": "100",
    "max_notional": "1000000",
    "price_collar_percent": "100",
    "max_working_orders": "50",
    "max_orders_per_s": "20",
    "max_orders_per_day": "1000",
    "max_daily_loss": "100000",
    "duplicate_window_s": "0",
    "max_position": "1000",
    "no_orders_between": in_six_hours(),
    "margin_check": "off",
}


@pytest.fixture(scope="module")
def system(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run a gateway with a live account, and a sidecar that may trade it."""
    with (
        ThreadedGateway(SimConfig(account=LIVE)) as gateway,
        running_system(postgres_url, tmp_path_factory.mktemp("live")) as running,
    ):
        running.port = gateway.port
        running.name = "live"
        running.settings = {
            "IBKEEPER_ORDERS__LIVE": "true",
            # Somebody has to be told, or live trading does not start; nobody listens there.
            "IBKEEPER_ALERTS__TARGETS": f"json://ann:{PASSWORD}@127.0.0.1:9/hook",
        }
        running.start_sidecar()
        known = "SELECT count(daily_pnl) FROM ibkeeper.account_state WHERE account = %s"
        running.wait_for(lambda: running.value(known, (LIVE,)) > 0, within_s=30, what="the account")
        yield running
        for name in LIMITS:
            limit(running, name, None)


@pytest.fixture(autouse=True)
def _settings(settings: None, system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBKEEPER_HOME", str(system.home))
    monkeypatch.setenv("IBKEEPER_SIDECAR__NAME", system.name)
    monkeypatch.setenv("IBKEEPER_ORDERS__LIVE", "true")


def limit(system: System, name: str, value: str | None) -> None:
    system.ask(
        "INSERT INTO ibkeeper.risk_limit (name, value, set_by) VALUES (%s, %s, 'ann') RETURNING id",
        (name, value),
    )


async def run_and_answer(key: str, said: dict[str, str], *, meanwhile: Any = None) -> Any:
    """Run the flow, and answer it as a person does once it waits."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterStateName
    from prefect.client.schemas.filters import FlowRunFilterState as State
    from prefect.client.schemas.responses import SetStateStatus

    from flows.order_batch import OrderBatchParameters, order_batch

    lines = [{"symbol": "SPY", "side": "BUY", "quantity": 5, "limit_price": 400}]
    request = OrderBatchParameters(
        batch_key=key, account=LIVE, orders=lines, dry_run=False, what_if=False, follow_s=2,
        approval_s=60,
    )  # fmt: skip
    run = asyncio.create_task(order_batch(request, return_state=True))
    paused = FlowRunFilter(state=State(name=FlowRunFilterStateName(any_=["Paused"])))
    answer = None
    async with get_client() as client:
        while not run.done() and (answer is None or answer.status != SetStateStatus.ACCEPT):
            await anyio.sleep(0.2)
            for waiting in await client.read_flow_runs(flow_run_filter=paused):
                if meanwhile is not None and answer is None:
                    meanwhile()
                # Refused for a moment: Prefect says "Paused" before it has the form's schema.
                answer = await client.resume_flow_run(waiting.id, run_input=said)
    return await run


def answered(key: str, said: dict[str, str], **more: Any) -> Any:
    return anyio.run(partial(run_and_answer, key, said, **more))


def sent(system: System, key: str) -> list[str]:
    rows = system.ask("SELECT state FROM ibkeeper.v_order WHERE batch = %s", (key,))
    return [state for (state,) in rows]


YES = {"account": LIVE, "approved_by": "ann"}


def test_a_live_batch_goes_only_with_limits_arming_and_a_persons_word(system: System) -> None:
    bare = answered("bare", YES)
    assert bare.is_failed()
    assert "max_daily_loss: not set" in bare.message
    assert "arming: armed never" in bare.message
    for name, value in LIMITS.items():
        limit(system, name, value)
    system.ask(
        "INSERT INTO ibkeeper.arming (account, armed_until, set_by)"
        " VALUES (%s, now() + interval '10 minutes', 'ann') RETURNING id",
        (LIVE,),
    )
    wrong = answered("wrong", {"account": "yes", "approved_by": "ann"})
    assert "was not approved: 'yes' was typed" in wrong.message
    tightened = answered("later", YES, meanwhile=lambda: limit(system, "max_quantity", "1"))
    assert "max_quantity: 5; allowed: 1" in tightened.message
    limit(system, "max_quantity", "100")
    assert [sent(system, key) for key in ("bare", "wrong", "later")] == [[], [], []]
    good = answered("good", YES)
    assert good.is_completed(), good.message
    system.wait_for(lambda: sent(system, "good") == ["acked"], within_s=10, what="the order's ack")
    who = system.value("SELECT approved_by FROM ibkeeper.order_batch WHERE key = 'good'")
    assert who == "ann"
