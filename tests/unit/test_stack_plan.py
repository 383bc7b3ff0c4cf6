"""What `ibkeeper up` would start is decided before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ibcore.config import GatewaySettings, PrefectSettings, Settings
from ibcore.domain import ContractSpec
from ibcore.errors import ConfigRefused
from ibcore.stack import demo
from ibcore.stack.plan import (
    Options,
    Plan,
    environment,
    gateway_child,
    make_plan,
    parse_gateway,
    prefect_environment,
    server_child,
    sidecar_child,
    worker_child,
)
from tests.canary import PASSWORD

HOME = Path("/state")


def planned(options: Options | None = None, **settings: object) -> Plan:
    return make_plan(
        Settings(**settings),  # type: ignore[arg-type]
        options or Options(),
        home=HOME,
        project=Path("/project"),
    )


def test_without_a_gateway_the_simulated_one_runs_and_every_port_is_needed() -> None:
    plan = planned()
    assert plan.simulated
    assert [(port.port, port.setting) for port in plan.ports] == [
        (4002, "IBKEEPER_GATEWAY__PORT"),
        (4003, "IBKEEPER_SIM__CONTROL_PORT"),
        (8010, "IBKEEPER_HTTP__PORT"),
        (4200, "IBKEEPER_PREFECT__PORT"),
    ]


def test_with_a_gateway_configured_nothing_is_simulated() -> None:
    plan = planned(gateway=GatewaySettings(host="10.0.0.5", port=4001))
    assert not plan.simulated
    assert plan.title == "gateway 10.0.0.5:4001"
    assert [port.port for port in plan.ports] == [8010, 4200]


def test_the_gateway_option_beats_the_settings() -> None:
    plan = planned(Options(gateway="gw:7497"), gateway=GatewaySettings(host="other"))
    assert (plan.gateway_host, plan.gateway_port, plan.simulated) == ("gw", 7497, False)


def test_without_prefect_its_port_is_not_needed() -> None:
    plan = planned(Options(prefect=False))
    assert plan.prefect_api is None
    assert 4200 not in [port.port for port in plan.ports]


@pytest.mark.parametrize("text", ["localhost", "localhost:", ":4002", "gw:99999", "gw:x", "gw:0"])
def test_a_malformed_gateway_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigRefused, match=r"127\.0\.0\.1:4002"):
        parse_gateway(text)


def test_a_gateway_may_be_an_ipv6_address() -> None:
    assert parse_gateway("[::1]:4002") == ("::1", 4002)


def test_a_tape_needs_the_simulated_gateway() -> None:
    with pytest.raises(ConfigRefused, match="tape"):
        planned(Options(tape=Path(__file__), gateway="gw:4002"))


def test_a_tape_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigRefused, match="no tape at /nowhere"):
        planned(Options(tape=Path("/nowhere")))


def test_children_are_told_home_database_and_gateway() -> None:
    environ = environment(planned(), {"PATH": "/bin"}, "postgresql://x")
    assert environ["PATH"] == "/bin"
    assert environ["IBKEEPER_HOME"] == "/state"
    assert environ["IBKEEPER_DATABASE_URL"] == "postgresql://x"
    assert environ["IBKEEPER_GATEWAY__HOST"] == "127.0.0.1"
    assert environ["IBKEEPER_GATEWAY__PORT"] == "4002"


def test_prefect_is_private_to_this_stack_and_does_not_phone_home() -> None:
    plan = planned(prefect=PrefectSettings(port=4321))
    base = {"PREFECT_API_KEY": PASSWORD, "PREFECT_API_URL": "https://cloud", "PREFECT_PROFILE": "x"}
    environ = prefect_environment(plan, base, "postgresql+asyncpg://y")
    assert "PREFECT_API_KEY" not in environ
    assert "PREFECT_PROFILE" not in environ
    assert environ["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"
    assert environ["PREFECT_HOME"] == "/state/prefect"
    assert environ["PREFECT_API_DATABASE_CONNECTION_URL"] == "postgresql+asyncpg://y"
    assert environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environ["DO_NOT_TRACK"] == "1"
    assert server_child(plan, environ).argv[-4:] == ("--host", "127.0.0.1", "--port", "4321")


def test_the_sidecar_is_restarted_at_any_time_and_prefect_once_all_was_ready() -> None:
    plan = planned()
    assert sidecar_child(plan, {}).restart
    assert not gateway_child(plan, {}).restart
    assert not server_child(plan, {}).restart
    assert server_child(plan, {}).restart_when_ready
    assert worker_child(plan, {}).restart_when_ready


def test_the_url_of_a_recorded_day_reaches_the_gateway_where_nobody_else_reads_it() -> None:
    url = "postgresql://keeper:hunter2@db/ibkeeper?day=2026-11-20"
    plan = planned(Options(tape=url, speed=10.0))
    child = gateway_child(plan, {"A": "b"})
    assert child.env == {"A": "b", "IBSIM_TAPE": url}
    assert child.argv[-2:] == ("--speed", "10")
    assert "hunter2" not in " ".join(child.argv) + plan.title
    assert plan.title == "simulated gateway playing the recorded day 2026-11-20 at 10×"


def test_the_tape_and_its_speed_reach_the_simulated_gateway() -> None:
    tape = Path(__file__)
    child = gateway_child(planned(Options(tape=tape, speed=60.0)), {})
    assert child.argv[-4:] == ("--tape", str(tape), "--speed", "60")


def test_the_demo_watch_list_leaves_lines_for_a_chain_snapshot() -> None:
    offered = [ContractSpec(f"S{n}") for n in range(200)]
    assert len(demo.choose(offered, tape=False, lines=100)) == demo.MODEL_LINES
    assert len(demo.choose(offered, tape=True, lines=100)) == 100 - demo.KEPT_FREE
    assert len(demo.choose(offered, tape=False, lines=30)) == 30 - demo.KEPT_FREE
    assert len(demo.choose(offered, tape=False, lines=1)) == 1
