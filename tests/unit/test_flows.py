"""The deployments as they are written: what scripts, schedules and people rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PREFECT: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
DEPLOYMENTS = {one["name"]: one for one in PREFECT["deployments"]}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_flow_is_named_as_its_deployment_and_runs_in_pool_ib(name: str) -> None:
    deployment = DEPLOYMENTS[name]
    file, function = deployment["entrypoint"].split(":")
    source = (ROOT / file).read_text("utf-8")
    assert f'name="{name}"' in source
    assert f"def {function}(" in source
    assert deployment["work_pool"]["name"] == "ib"
    assert deployment["enforce_parameter_schema"] is True
    assert deployment["description"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_schedules_are_in_new_york_time(name: str) -> None:
    for schedule in DEPLOYMENTS[name].get("schedules", []):
        assert schedule["timezone"] == "America/New_York"
        assert schedule["slug"]


def test_snapshots_wait_for_one_another() -> None:
    limit = DEPLOYMENTS["chain-snapshot"]["concurrency_limit"]
    assert (limit["limit"], limit["collision_strategy"]) == (1, "ENQUEUE")


def test_a_run_finds_the_project_wherever_it_was_deployed_from() -> None:
    (step,) = PREFECT["pull"]
    (arguments,) = step.values()
    assert arguments == {"directory": "{{ $PROJECT_ROOT }}"}
