"""`ibkeeper status` is ready only when everything is, and every problem comes with a remedy."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ibcore.cli.status import lines
from ibcore.stack.prefect_api import PrefectState
from ibcore.stack.reading import Rates, Reading, rates
from ibcore.stack.report import Facts, judge
from tests.unit.test_view import NOON, SIDECAR, STREAM

READING = Reading(SIDECAR, (STREAM,), (), {"active": 34}, 0.2)
PREFECT = PrefectState(api=True, worker=True, deployments=("chain-snapshot/chain-snapshot",))
FACTS = Facts(
    "main",
    up_running=True,
    simulated=True,
    database_url="postgresql://somewhere",
    reading=READING,
    rates=Rates(1000.0, 400.0),
    prefect_expected=True,
    prefect=PREFECT,
)


def facts(reading: dict[str, Any] | None = None, **changes: Any) -> Facts:
    return replace(FACTS, reading=replace(READING, **(reading or {})), **changes)


def test_everything_well_is_ready_without_a_word() -> None:
    report = judge(FACTS)
    assert report.ready
    assert report.problems == report.hints == ()


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (facts(database_error="The database cannot be used."), "cannot be used"),
        (facts(schema_error="The schema is old. Run: ibkeeper db migrate."), "db migrate"),
        (facts({"sidecar": None}), "ever written a heartbeat"),
        (facts({"sidecar": replace(SIDECAR, heartbeat_age_s=7.0)}), "silent for 7 s"),
        (facts({"sessions": ()}), "stream session is not ready"),
        (facts({"sessions": (replace(STREAM, state="waiting", reason="refused"),)}), "refused"),
        (facts({"newest_quote_age_s": None}), "No quote has been committed"),
        (facts({"newest_quote_age_s": 40.0}), "newest quote is 40 s old"),
        (facts(prefect=None), "Prefect server does not answer"),
        (facts(prefect=replace(PREFECT, worker=False)), "No Prefect worker"),
        (facts(prefect=replace(PREFECT, deployments=())), "prefect deploy --all"),
    ],
)
def test_one_broken_part_is_not_ready_and_named(broken: Facts, says: str) -> None:
    report = judge(broken)
    assert not report.ready
    assert len(report.problems) == 1
    assert says in report.problems[0]


def test_a_quiet_real_market_is_a_hint_not_a_problem() -> None:
    report = judge(facts({"newest_quote_age_s": 4000.0}, simulated=False))
    assert report.ready
    assert "market may be closed" in report.hints[0]


def test_a_tape_that_has_ended_is_a_hint() -> None:
    report = judge(facts({"newest_quote_age_s": 40.0}, tape=True))
    assert report.ready
    assert "tape has ended" in report.hints[0]


def test_failed_and_missing_lines_are_hinted_at() -> None:
    assert "2 watched lines" in judge(facts({"watch": {"failed": 1, "over_budget": 1}})).hints[0]
    assert "watch add" in judge(facts({"watch": {}})).hints[0]


def test_without_prefect_the_section_is_null() -> None:
    report = judge(facts(prefect_expected=False, prefect=None))
    assert report.ready
    assert report.as_dict()["prefect"] is None


def test_the_json_form_has_every_section() -> None:
    said = json.loads(json.dumps(judge(FACTS).as_dict(), default=str))
    assert said["ready"] is True
    assert said["feed"] == {
        "ticks_per_s": 1000.0,
        "rows_per_s": 400.0,
        "latency_p50_ms": 14.2,
        "latency_p99_ms": 31.0,
        "newest_quote_age_s": 0.2,
    }
    assert said["lines"] == {"used": 34, "limit": 100}
    assert said["watch"] == {"active": 34}
    assert said["sessions"][0]["state"] == "ready"
    assert said["database"]["reachable"]
    assert said["schema"]["ok"]


def test_the_text_form_says_the_same() -> None:
    text = "\n".join(lines(judge(FACTS)))
    for expected in ("ready      yes", "stream ready", "1,000.0 ticks/s", "34 of 100", "worker ok"):
        assert expected in text
    assert "problem" in "\n".join(lines(judge(facts({"sidecar": None}))))


def test_rates_are_differences_between_heartbeats_of_one_run() -> None:
    later = replace(
        SIDECAR, heartbeat_at=NOON.replace(second=2), ticks_total=100_500, rows_total=40_100
    )
    assert rates(READING, replace(READING, sidecar=later)) == Rates(250.0, 50.0)
    assert rates(READING, READING) is None
    assert rates(None, READING) is None
    assert rates(READING, replace(READING, sidecar=replace(later, epoch=4))) is None
