"""What people see of every deployment before they run it, and what a late run of each does."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest
import yaml
from psycopg.rows import dict_row

from ibcore.calendar import is_open, trading_date
from tests.acceptance.prefect_runs import MARKS

pytestmark = [*MARKS, pytest.mark.usefixtures("leave_nothing_to_collect")]

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    one["name"]: one
    for one in yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
}
SCHEDULED = sorted(name for name, one in DEPLOYMENTS.items() if one.get("schedules"))


def flow_of(name: str) -> Any:
    file, function = DEPLOYMENTS[name]["entrypoint"].split(":")
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    return getattr(module, function)


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from schema["properties"].items()
    for model, shape in schema["definitions"].items():
        for name, field in shape.get("properties", {}).items():
            yield f"{model}.{name}", field


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_says_what_it_is_how_it_is_found_and_how_many_may_run(name: str) -> None:
    deployment = DEPLOYMENTS[name]
    assert len(deployment["description"].split()) > 15
    assert deployment["tags"]
    limit = deployment["concurrency_limit"]
    assert limit["limit"] >= 1
    assert limit["collision_strategy"] in ("ENQUEUE", "CANCEL_NEW")
    assert deployment["enforce_parameter_schema"] is True
    assert flow_of(name).description


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_parameter_has_a_help_text_in_the_form(name: str) -> None:
    from prefect.utilities.callables import parameter_schema

    schema = parameter_schema(flow_of(name)).model_dump()
    silent = [where for where, field in fields(schema) if not field.get("description")]
    # A list of choices has the title of its own definition.
    silent += [
        where for where, field in fields(schema) if not (field.get("title") or "$ref" in field)
    ]
    assert silent == []


def test_every_schedule_gives_parameters_that_the_flow_takes() -> None:
    for name, deployment in DEPLOYMENTS.items():
        for given in (deployment, *deployment.get("schedules", [])):
            if given.get("parameters"):
                flow_of(name).validate_parameters(given["parameters"])


def test_the_page_of_operations_says_what_a_late_run_of_each_does() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    table = page.partition("### Runs that start late")[2].partition("\n#")[0]
    assert [name for name in SCHEDULED if f"| `{name}`" not in table] == []


async def scheduled_run(name: str, late: timedelta) -> Any:
    """Let Prefect's own scheduler make a run that was to start `late` ago."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
    from prefect.client.schemas.schedules import IntervalSchedule

    planned = datetime.now(timezone.utc) - late
    each = IntervalSchedule(interval=timedelta(days=36500), anchor_date=planned)
    async with get_client() as client:
        made = await client.create_deployment(
            await client.create_flow(flow_of(name)),
            f"late by {late} ({planned.timestamp()})",
            schedules=[DeploymentScheduleCreate(schedule=each, active=True)],
        )
        window = {
            "start_time": planned - timedelta(hours=1),
            "end_time": datetime.now(timezone.utc),
        }
        asked = {key: moment.isoformat() for key, moment in window.items()}
        await client._client.post(f"/deployments/{made}/schedule", json=asked)
        only = DeploymentFilter(id=DeploymentFilterId(any_=[made]))
        (run,) = await client.read_flow_runs(deployment_filter=only)
    assert run.auto_scheduled
    return run


def start(name: str, late: timedelta, **request: Any) -> Any:
    """Start that run now, as a worker does that comes back after an outage."""
    from prefect.flow_engine import run_flow

    async def begin() -> Any:
        run = await scheduled_run(name, late)
        flow = flow_of(name)
        given = {"request": request} if request else {}
        parameters = flow.validate_parameters(given)
        return await run_flow(flow, flow_run=run, parameters=parameters, return_type="state")

    return anyio.run(begin)


HOUR = timedelta(hours=1)


@pytest.mark.usefixtures("prefect_server", "settings", "db_url")
@pytest.mark.parametrize(
    ("name", "late"),
    [
        ("chain-snapshot", HOUR),
        ("connection-sla", HOUR),
        ("failover-drill", HOUR),
        ("maintenance", 30 * HOUR),
    ],
)
def test_a_late_run_that_nobody_needs_any_more_skips_itself(name: str, late: timedelta) -> None:
    state = start(name, late)
    assert (state.type, state.name) == ("COMPLETED", "Skipped"), state.message
    assert "late, " in state.message


@pytest.mark.usefixtures("prefect_server", "settings", "db_url")
def test_a_late_maintenance_is_done() -> None:
    state = start("maintenance", 5 * HOUR)
    assert (state.type, state.name) == ("COMPLETED", "Completed"), state.message


@pytest.mark.usefixtures("prefect_server", "settings", "db_url")
def test_a_late_backfill_goes_on_unless_the_market_is_open() -> None:
    state = start("gap-backfill", 5 * HOUR)
    if is_open(datetime.now(timezone.utc)):
        assert state.name == "Skipped"
    else:  # it asked, and nobody was there
        assert "The sidecar has never run on this database." in state.message


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_late_report_of_orders_is_of_the_day_it_was_planned_for(db_url: str) -> None:
    state = start("order-report", 50 * HOUR)
    planned = datetime.now(timezone.utc) - 50 * HOUR
    assert state.message.startswith(f"{trading_date(planned)}: 0 orders")


@pytest.mark.usefixtures("prefect_server", "settings")
def test_a_late_report_of_the_connection_is_of_the_day_before_it_was_planned(db_url: str) -> None:
    start("connection-report", 50 * HOUR, report="daily")
    planned = datetime.now(timezone.utc) - 50 * HOUR
    with psycopg.connect(db_url, row_factory=dict_row) as conn:
        (row,) = conn.execute("SELECT to_ts FROM ibkeeper.sla_report").fetchall()
    assert trading_date(row["to_ts"]) == trading_date(planned)


@pytest.mark.usefixtures("prefect_server", "settings", "db_url")
def test_a_run_by_hand_is_never_late() -> None:
    begin: Callable[[], Any] = partial(flow_of("maintenance"), return_state=True)
    assert anyio.run(begin).name == "Completed"
