"""What is worth telling a person: the kinds of incidents, how bad each is, and its words.

An incident is a row, opened in the transaction of the fact (`queries.sql`: `open_incident`) and
closed by whoever sees that it is over. It is told once: the key says what it is about, and while
an incident of that key is open it is only seen again (flows that fail again are told again, in
growing intervals). Every kind has a section in docs/runbook.md; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ibcore.domain import StrEnum


class Severity(StrEnum):
    """Who has to know, and how soon."""

    info = "info"
    warning = "warning"
    critical = "critical"


class IncidentKind(StrEnum):
    """What happened; the names of the sections of docs/runbook.md."""

    rows_lost = "rows_lost"
    spool_filling = "spool_filling"
    gap_unfilled = "gap_unfilled"
    sink_down = "sink_down"
    session_down = "session_down"
    lines_out = "lines_out"
    line_refused = "line_refused"
    competing_session = "competing_session"
    failed_over = "failed_over"
    backup_down = "backup_down"
    order_rejected = "order_rejected"
    order_unknown = "order_unknown"
    order_change_unknown = "order_change_unknown"
    order_doubled = "order_doubled"
    order_external = "order_external"
    order_id_rollback = "order_id_rollback"
    kill_switch_engaged = "kill_switch_engaged"
    live_refused = "live_refused"
    orders_break = "orders_break"
    alert_target_down = "alert_target_down"
    sidecar_silent = "sidecar_silent"
    sla_check_silent = "sla_check_silent"
    latency_high = "latency_high"
    flow_failed = "flow_failed"
    slo_burning = "slo_burning"
    drill_alert = "drill_alert"
    drill_failed = "drill_failed"


SEVERITY: Final[Mapping[IncidentKind, Severity]] = {
    IncidentKind.rows_lost: Severity.critical,
    IncidentKind.spool_filling: Severity.warning,
    IncidentKind.gap_unfilled: Severity.warning,
    IncidentKind.sink_down: Severity.warning,
    IncidentKind.session_down: Severity.critical,
    IncidentKind.lines_out: Severity.critical,
    IncidentKind.line_refused: Severity.warning,
    IncidentKind.competing_session: Severity.critical,
    IncidentKind.failed_over: Severity.warning,
    IncidentKind.backup_down: Severity.warning,
    IncidentKind.order_rejected: Severity.warning,
    IncidentKind.order_unknown: Severity.critical,
    IncidentKind.order_change_unknown: Severity.warning,
    IncidentKind.order_doubled: Severity.critical,
    IncidentKind.order_external: Severity.info,
    IncidentKind.order_id_rollback: Severity.warning,
    IncidentKind.kill_switch_engaged: Severity.critical,
    IncidentKind.live_refused: Severity.critical,
    IncidentKind.orders_break: Severity.critical,
    IncidentKind.alert_target_down: Severity.critical,
    IncidentKind.sidecar_silent: Severity.critical,
    IncidentKind.sla_check_silent: Severity.critical,
    IncidentKind.latency_high: Severity.warning,
    IncidentKind.flow_failed: Severity.warning,
    IncidentKind.slo_burning: Severity.warning,
    IncidentKind.drill_alert: Severity.critical,
    IncidentKind.drill_failed: Severity.warning,
}


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident to open. `about`: whom it is of; one is open for a kind and that.

    `summary` says in one line what happened and what is safe; `opened_by` who noticed.
    """

    kind: IncidentKind
    about: str
    summary: str
    opened_by: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity | None = None

    @property
    def key(self) -> str:
        """Return what makes it the same incident when it is noticed again."""
        return key_of(self.kind, self.about)

    def row(self) -> dict[str, Any]:
        """Return the parameters of `open_incident`."""
        return {
            "key": self.key,
            "kind": str(self.kind),
            "severity": str(self.severity or SEVERITY[self.kind]),
            "summary": self.summary,
            "opened_by": self.opened_by,
            "detail": orjson.dumps(dict(self.detail), default=str).decode(),
        }


def key_of(kind: IncidentKind, about: str) -> str:
    """Return the key of an incident of this kind about `about`."""
    return f"{kind}:{about}"
