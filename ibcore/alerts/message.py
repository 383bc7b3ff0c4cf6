"""The words of a message: what happened, whether it is over, and where the runbook is. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from ibcore.incidents import Severity
from ibcore.log import mask

# Of one kind in one message; the rest is counted.
MOST_OF_A_KIND: Final = 5
_WORST: Final = (Severity.critical, Severity.warning, Severity.info)


class Line(NamedTuple):
    """A row of the outbox with its incident. `event`: opened, worse, again or closed."""

    id: int
    incident_id: UUID
    event: str
    severity: Severity
    escalates: str | None
    created_at: datetime
    attempts: int
    next_at: datetime
    kind: str
    key: str
    summary: str
    opened_at: datetime
    closed_at: datetime | None
    closed_because: str | None
    times_seen: int


class Message(NamedTuple):
    """What a target is sent. `over`: everything in it is over."""

    title: str
    body: str
    severity: Severity
    over: bool


def compose(lines: Sequence[Line], runbook: str) -> Message:
    """Make one message of some lines; what is said of one incident is said once.

    `runbook`: address of docs/runbook.md, to which the section is added.
    """
    newest = list({line.incident_id: line for line in lines}.values())
    running = [line for line in newest if line.closed_at is None]
    severity = _worst(running or newest)
    body = "\n\n".join(
        _section(kind, [line for line in newest if line.kind == kind], runbook)
        for kind in Counter(line.kind for line in newest)
    )
    return Message(_title(newest, severity), mask(body), severity, over=not running)


def trial(who: str, runbook: str) -> Message:
    """Return the message of `ibkeeper alerts test`."""
    return Message(
        "[test] ibkeeper can reach you",
        f"{who} tried this target. Nothing has happened.\nRunbook: {runbook}",
        Severity.info,
        over=False,
    )


def _worst(lines: Sequence[Line]) -> Severity:
    return next(one for one in _WORST if any(line.severity == one for line in lines))


def _title(lines: Sequence[Line], severity: Severity) -> str:
    over = all(line.closed_at is not None for line in lines)
    tag = "recovered" if over else str(severity).upper()
    if len(lines) == 1:
        again = "again: " if lines[0].event == "again" else ""
        return mask(f"[{tag}] {again}{lines[0].key}")
    kinds = Counter(line.kind for line in lines).most_common()
    told = ", ".join(f"{kind} {count}" for kind, count in kinds[:5])
    return f"[{tag}] {len(lines)} incidents: {told}{', …' if len(kinds) > 5 else ''}"


def _section(kind: str, lines: Sequence[Line], runbook: str) -> str:
    # What still lasts first.
    ordered = sorted(lines, key=lambda line: line.closed_at is not None)
    said = [_say(line) for line in ordered[:MOST_OF_A_KIND]]
    if left := len(lines) - MOST_OF_A_KIND:
        said += [f"…and {left} more of {kind}."] if left > 0 else []
    return "\n".join([*said, f"What to do: {runbook}#{kind}"])


def _say(line: Line) -> str:
    since = f"{line.opened_at:%Y-%m-%d %H:%M:%S} UTC"
    said = [f"{line.key} ({line.severity}, since {since}, incident {str(line.incident_id)[:8]})"]
    if line.closed_at is not None:
        lasted = (line.closed_at - line.opened_at).total_seconds()
        said.append(f"Recovered after {lasted:.0f} s: {line.closed_because}")
    said.append(line.summary)
    if line.times_seen > 1:
        said.append(f"Seen {line.times_seen} times.")
    if line.escalates:
        said.append(f"Escalated: the target {line.escalates} did not take it.")
    return "\n".join(said)
