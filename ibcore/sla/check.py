"""What one look found, held against its bounds. Pure: facts and `now` in, findings out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ibcore.incidents import Incident, IncidentKind, Severity

# The sidecar writes its heartbeat every second. A look comes every two minutes and a run needs some
# 20 s to start: silence is told within three minutes.
SILENT_AFTER_S: Final = 15.0
NOT_READY_S: Final = 60.0
STALE_AFTER_S: Final = 60.0
LATENCY_P99_MS: Final = 1_000.0
OVERDUE_S: Final = 30.0


class Facts(NamedTuple):
    """What the rows say of one sidecar. None: nothing is known, which is no breach by itself."""

    sidecar: str
    state: str
    heartbeat_age_s: float
    not_ready_s: float | None
    stale_lines: Sequence[str]
    active_lines: int
    latency_p99_ms: float | None
    open_gaps: int


class Finding(NamedTuple):
    """One figure of one sidecar and the bound that it keeps or not."""

    sidecar: str
    name: str
    value: float | None
    bound: float
    unit: str
    kept: bool
    note: str = ""


def findings(facts: Facts, *, market_open: bool, planned: str | None) -> list[Finding]:
    """Hold a sidecar's figures against their bounds.

    `market_open`: silence of a line counts only then. `planned`: name of the announced window that
    this is in, in which a session may be away.
    """
    f = facts
    silent = f.heartbeat_age_s >= SILENT_AFTER_S
    away = (f.not_ready_s or 0.0) >= NOT_READY_S
    stale = len(f.stale_lines) if market_open and not silent else 0
    named = ", ".join(f.stale_lines[:10])
    slow = (f.latency_p99_ms or 0.0) >= LATENCY_P99_MS
    age = (f.heartbeat_age_s, SILENT_AFTER_S, "s", not silent, f.state)
    session = (f.not_ready_s, NOT_READY_S, "s", not away or planned is not None, planned or "")
    return [
        Finding(f.sidecar, "heartbeat age", *age),
        Finding(f.sidecar, "session not ready", *session),
        Finding(f.sidecar, "stale lines", stale, 0, f"of {f.active_lines}", not stale, named),
        Finding(f.sidecar, "latency p99", f.latency_p99_ms, LATENCY_P99_MS, "ms", not slow),
        Finding(f.sidecar, "open gaps", f.open_gaps, 0, "", not f.open_gaps),
    ]


def to_open(facts: Facts) -> list[Incident]:
    """Return the incidents that a look opens; sessions and lines tell of themselves."""
    found = []
    if facts.heartbeat_age_s >= SILENT_AFTER_S:
        found.append(_silent(facts))
    elif (facts.latency_p99_ms or 0.0) >= LATENCY_P99_MS:
        found.append(_slow(facts))
    return found


def to_close(facts: Facts) -> list[tuple[IncidentKind, str, str]]:
    """Return kind, whom it is about and why, of the incidents that a look ends."""
    if facts.heartbeat_age_s >= SILENT_AFTER_S:
        return []  # nothing is known of it
    over = [(IncidentKind.sidecar_silent, facts.sidecar, "the heartbeat is back")]
    if facts.latency_p99_ms is None or facts.latency_p99_ms < LATENCY_P99_MS:
        over.append((IncidentKind.latency_high, facts.sidecar, "it is below its bound"))
    return over


def _silent(facts: Facts) -> Incident:
    stopped = facts.state == "stopped"
    what = "was stopped and is not running" if stopped else "is silent"
    return Incident(
        IncidentKind.sidecar_silent,
        facts.sidecar,
        f"The sidecar {facts.sidecar} {what}: no heartbeat for {facts.heartbeat_age_s:.0f} s. "
        "Nothing is recorded and no order leaves; what was committed is safe.",
        "connection-sla",
        {"age_s": round(facts.heartbeat_age_s), "state": facts.state},
        severity=Severity.warning if stopped else Severity.critical,
    )


def _slow(facts: Facts) -> Incident:
    return Incident(
        IncidentKind.latency_high,
        facts.sidecar,
        f"Ticks of the sidecar {facts.sidecar} took {facts.latency_p99_ms:,.0f} ms to their commit "
        "(99th percentile). None is lost.",
        "connection-sla",
        {"p99_ms": facts.latency_p99_ms},
    )
