"""After an outage of Prefect: late looks come by the hundred, and every late report is made.

Server, worker and `prefect deploy` are real; the outage is that the worker starts days late.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psycopg
import pytest

from ibcore.clock import monotonic
from tests.acceptance.system import _Pause
from tests.acceptance.test_prefect_gone import POOL, Prefect

pytestmark = [pytest.mark.prefect, pytest.mark.paired, pytest.mark.timeout(400)]

NAMES = ("connection-sla", "connection-report")
DAYS = timedelta(days=4)  # a daily report is due after five nights of the week
LOOKS = 12  # what is made of a schedule of the past: two more than enough to fill every place


def wait_for(condition: Callable[[], bool], *, within_s: float, what: str) -> None:
    pause, began = _Pause(), monotonic()
    while not condition():
        assert monotonic() - began < within_s, f"after {within_s:g} s still not: {what}"
        pause.briefly()


def asked(prefect: Prefect, path: str, body: Any = None) -> Any:
    """Ask as Prefect's own client does: again where the server is busy (its SQLite is locked)."""
    answers: list[Any] = []

    def answered() -> bool:
        try:
            answers.append(prefect.ask(path, body))
        except OSError as busy:  # a timeout is one, and every refusal
            if isinstance(busy, HTTPError) and busy.code != 503:
                raise
        return bool(answers)

    wait_for(answered, within_s=90, what=f"an answer about {path}")
    return answers[0]


def has_pool(prefect: Prefect) -> bool:
    """Make the pool unless it is there: a busy server may have made it and not said so."""
    if not prefect.has(f"work_pools/{POOL}"):
        with suppress(OSError):
            prefect.ask("work_pools/", {"name": POOL, "type": "process"})
    return prefect.has(f"work_pools/{POOL}")


def late(prefect: Prefect, since: datetime) -> None:
    """Let Prefect's scheduler make what would have run since then, had it been there."""
    for name in NAMES:
        deployment = asked(prefect, f"deployments/name/{name}/{name}")["id"]
        until = {"start_time": since.isoformat(), "end_time": (since + DAYS).isoformat()}
        asked(prefect, f"deployments/{deployment}/schedule", until | {"max_runs": LOOKS})


def runs(prefect: Prefect, before: datetime) -> list[dict[str, Any]]:
    """Return what was planned before then."""
    planned = {"flow_runs": {"expected_start_time": {"before_": before.isoformat()}}}
    found: list[dict[str, Any]] = asked(prefect, "flow_runs/filter", planned)
    return found


def is_report(run: dict[str, Any]) -> bool:
    return run["parameters"].get("request", {}).get("report") in ("daily", "weekly")


def ended(run: dict[str, Any]) -> bool:
    return run["state_type"] in ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")


def test_late_reports_are_all_made_while_late_looks_are_cancelled_around_them(
    db_url: str, tmp_path: Path
) -> None:
    began = datetime.now(timezone.utc)
    prefect = Prefect(tmp_path, db_url)
    with ExitStack() as running:
        running.enter_context(prefect.server())
        wait_for(lambda: prefect.has("health"), within_s=150, what="Prefect's server")
        wait_for(lambda: has_pool(prefect), within_s=60, what="the pool")
        words = [word for name in NAMES for word in ("--name", name)]
        with prefect.run("deploy", "-m", "prefect", "--no-prompt", "deploy", *words) as deploy:
            assert deploy.wait(timeout=90) == 0, (tmp_path / "deploy.log").read_text()
        late(prefect, began - DAYS)
        reports = [run["id"] for run in runs(prefect, began) if is_report(run)]
        assert len(reports) >= 2
        running.enter_context(prefect.worker())

        def all_ended() -> bool:
            return all(ended(run) for run in runs(prefect, began))

        wait_for(all_ended, within_s=200, what=f"the end of {len(reports)} reports and the looks")
        found = {run["id"]: run["state_type"] for run in runs(prefect, began)}
    assert [found[each] for each in reports] == ["COMPLETED"] * len(reports)
    assert list(found.values()).count("CANCELLED") >= 2  # else there was no rush
    with psycopg.connect(db_url) as conn:
        made = conn.execute("SELECT count(*) FROM ibkeeper.sla_report WHERE kind <> 'check'")
        assert made.fetchone() == (len(reports),)
