"""Every fault of the catalogue, ordered with `ibkeeper sim fault` over the control port."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from ibcore.cli.sim import app
from ibcore.sim.config import SimConfig
from ibcore.sim.contracts import Spec
from ibcore.sim.faults import CATALOGUE
from ibcore.sim.orders import Order
from ibcore.sim.threaded import ThreadedGateway
from tests.integration.sim_client import raw_client

GIVEN = {"notice": ["code=2148", "text=strange days, 'indeed'"], "clear": ["fault=silent"]}


@pytest.fixture
def gateway() -> Iterator[ThreadedGateway]:
    with ThreadedGateway(SimConfig(control_port=0, cadence_scale=0.1, farm_wake_s=0)) as running:
        yield running


def sim(gateway: ThreadedGateway, *arguments: str) -> list[str]:
    """Run `ibkeeper sim` against a gateway; return what it prints."""
    result = CliRunner().invoke(app, [*arguments, "--control-port", str(gateway.control_port)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def fill_half(gateway: ThreadedGateway) -> None:
    """Have an order that is half filled: `fill` and `correct` need one."""
    asked = "action=BUY total_quantity=10 order_type=LMT lmt_price=1.0 tif=GTC transmit=1"
    order = Order(dict(pair.split("=") for pair in asked.split()))
    gateway.ask(lambda inner: inner.trading.by_hand.enter(order, Spec(con_id=265598)))
    gateway.fault("fill", shares=5)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_fault_is_ordered_repeated_and_found_in_the_ledger(
    gateway: ThreadedGateway, name: str
) -> None:
    if name in ("fill", "correct"):
        fill_half(gateway)
    _done, repeat = sim(gateway, "fault", name, *GIVEN.get(name, []), "--seed", "11")
    command = shlex.split(repeat.partition("repeat: ibkeeper sim ")[2])
    assert command[:2] == ["fault", name]
    if name != "fill":  # nothing is left to fill
        assert sim(gateway, *command)[1] == repeat
    sim(gateway, "fault", "clear")
    life = [json.loads(line) for line in sim(gateway, "ledger", "--json", "--kind", "fault")]
    mine = [entry for entry in life if entry["name"] == name and "seed 11" in entry["plan"]]
    lasts = CATALOGUE[name].lasts is not None
    assert [entry["event"] for entry in mine].count("started") == (1 if name == "fill" else 2)
    assert [entry["event"] for entry in mine].count("ended") == (2 if lasts else 0)


def test_a_planned_fault_that_is_cleared_is_told_as_forgotten(gateway: ThreadedGateway) -> None:
    sim(gateway, "fault", "mute", "--after", "60", "--client", "3")
    sim(gateway, "fault", "clear")
    life = [json.loads(line) for line in sim(gateway, "ledger", "--json", "--kind", "fault")]
    events = [entry["event"] for entry in life if entry["name"] == "mute"]
    assert events == ["planned", "forgotten"]


def test_the_ledger_is_asked_by_client(gateway: ThreadedGateway) -> None:
    async def greet() -> None:
        async with raw_client(gateway, 5):  # type: ignore[arg-type]
            pass

    asyncio.run(greet())
    ask = ("ledger", "--json", "--kind", "message", "--client")
    told = [json.loads(line) for line in sim(gateway, *ask, "5")]
    assert {entry["client_id"] for entry in told} == {5}
    assert sim(gateway, *ask, "6") == []
