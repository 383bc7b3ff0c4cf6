"""Judges the system from facts: what `ibkeeper status` says, as a pure function.

`ready` is false as long as there is one problem. A hint is worth reading but blocks nothing: a
real market may be closed, a tape may have ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from ibcore.stack.prefect_api import PrefectState
from ibcore.stack.reading import Rates, Reading
from ibcore.stack.spool_depth import SpoolDepth

QUOTE_OLD_S: Final = 15.0
SPOOL_LOW: Final = 0.8
SINK_SILENT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What could be found out; None where nothing could."""

    sidecar_name: str
    up_running: bool = False
    simulated: bool = False
    tape: bool = False
    database_url: str | None = None
    database_error: str | None = None
    schema_error: str | None = None
    reading: Reading | None = None
    rates: Rates | None = None
    spool: SpoolDepth | None = None
    prefect_expected: bool = False
    prefect: PrefectState | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict with its reasons."""

    facts: Facts
    problems: tuple[str, ...]
    hints: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Say whether everything that should run, runs."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return the form that `--json` prints."""
        facts, reading = self.facts, self.facts.reading or Reading()
        sidecar = asdict(reading.sidecar) if reading.sidecar else None
        return {
            "ready": self.ready,
            "problems": list(self.problems),
            "hints": list(self.hints),
            "database": {
                "reachable": facts.database_error is None,
                "url": facts.database_url,
                "error": facts.database_error,
            },
            "schema": {
                "ok": facts.database_error is None and facts.schema_error is None,
                "error": facts.schema_error,
            },
            "sidecar": sidecar,
            "sessions": [asdict(session) for session in reading.sessions],
            "feed": _feed(facts, reading),
            "spool": asdict(facts.spool) if facts.spool else None,
            "lines": _lines(reading),
            "watch": dict(reading.watch),
            "providers": dict(reading.providers),
            "incidents": [asdict(incident) for incident in reading.incidents],
            "sinks": [asdict(sink) for sink in reading.sinks],
            "prefect": _prefect(facts),
        }


def judge(facts: Facts) -> Report:
    """Weigh the facts."""
    problems = (*_spool_problems(facts.spool), *_problems(facts))
    return Report(facts, problems, tuple(_hints(facts)))


def _spool_problems(spool: SpoolDepth | None) -> Iterator[str]:
    if spool is not None and spool.share >= SPOOL_LOW:
        yield (
            f"The spool is at {spool.share:.0%} of its cap; above it only trades are kept whole. "
            "Bring the database back, or raise IBKEEPER_RECORDER__SPOOL_MIB."
        )


def _problems(facts: Facts) -> Iterator[str]:
    if facts.database_error is not None:
        yield facts.database_error
        return
    if facts.schema_error is not None:
        yield facts.schema_error
        return
    yield from _sidecar_problems(facts, facts.reading or Reading())
    if facts.prefect_expected:
        yield from _prefect_problems(facts.prefect)


def _sidecar_problems(facts: Facts, reading: Reading) -> Iterator[str]:
    sidecar = reading.sidecar
    start_it = "Start it: ibkeeper up, or python -m sidecar."
    if sidecar is None or sidecar.heartbeat_age_s is None:
        yield f"No sidecar named {facts.sidecar_name} has ever written a heartbeat. {start_it}"
        return
    if sidecar.is_silent:
        yield (
            f"The sidecar {sidecar.name} has been silent for {sidecar.heartbeat_age_s:.0f} s "
            f"(last state: {sidecar.state}). {start_it}"
        )
        return
    stream = reading.session("stream")
    if stream is None or stream.state != "ready":
        state = f"{stream.state}: {stream.reason or 'no reason given'}" if stream else "not opened"
        yield (
            f"The stream session is not ready ({state}). "
            "Check that the gateway runs, and IBKEEPER_GATEWAY__HOST and __PORT."
        )
    yield from _quote_problems(facts, reading)


def _quote_problems(facts: Facts, reading: Reading) -> Iterator[str]:
    age = reading.newest_quote_age_s
    if not facts.simulated:
        return
    if age is None:
        yield "No quote has been committed yet. Wait some seconds; see ibkeeper watch ls."
    elif age > QUOTE_OLD_S and not facts.tape:
        yield f"The newest quote is {age:.0f} s old. See ibkeeper watch ls and the sidecar's log."


def _prefect_problems(prefect: PrefectState | None) -> Iterator[str]:
    if prefect is None or not prefect.api:
        yield "The Prefect server does not answer yet. See prefect.log in the logs folder."
        return
    if not prefect.worker:
        yield "No Prefect worker is online. See worker.log in the logs folder."
    if not prefect.ready and prefect.worker:
        yield "The deployment chain-snapshot is not registered. Run: prefect deploy --all."


def _hints(facts: Facts) -> Iterator[str]:
    if facts.spool is not None and facts.spool.quarantined:
        yield (
            f"{facts.spool.quarantined} batches are in the quarantine of the spool. "
            "See feed_gap, and docs/operations.md."
        )
    reading = facts.reading
    if reading is None:
        return
    for incident in reading.incidents:
        yield f"{incident.severity}: {incident.summary} See docs/runbook.md#{incident.kind}."
    for sink in reading.sinks:
        if sink.error is None and sink.silent_s > SINK_SILENT_S:
            yield f"Nobody publishes to {sink.name} any more. Start it: ibkeeper sinks run."
    if not reading.watch:
        yield "Nothing is watched. Add something: ibkeeper watch add SYMBOL."
    failed = reading.watch.get("failed", 0) + reading.watch.get("over_budget", 0)
    if failed:
        yield f"{failed} watched lines do not stream. See ibkeeper watch ls."
    age = reading.newest_quote_age_s
    if (facts.tape or not facts.simulated) and (age is None or age > QUOTE_OLD_S):
        since = "yet" if age is None else f"for {age:.0f} s"
        yield f"No quote {since}: the market may be closed, or the tape has ended."


def _feed(facts: Facts, reading: Reading) -> dict[str, Any]:
    rates, sidecar = facts.rates, reading.sidecar
    return {
        "ticks_per_s": round(rates.ticks_per_s, 1) if rates else None,
        "rows_per_s": round(rates.rows_per_s, 1) if rates else None,
        "latency_p50_ms": sidecar.latency_p50_ms if sidecar else None,
        "latency_p99_ms": sidecar.latency_p99_ms if sidecar else None,
        "newest_quote_age_s": reading.newest_quote_age_s,
    }


def _lines(reading: Reading) -> dict[str, Any]:
    sidecar = reading.sidecar
    return {
        "used": sidecar.lines_used if sidecar else None,
        "limit": sidecar.lines_limit if sidecar else None,
    }


def _prefect(facts: Facts) -> dict[str, Any] | None:
    if not facts.prefect_expected:
        return None
    prefect = facts.prefect or PrefectState(api=False, worker=False, deployments=())
    return {
        "api": prefect.api,
        "worker": prefect.worker,
        "deployments": list(prefect.deployments),
    }
