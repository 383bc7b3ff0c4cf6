"""Which of the waiting lines go to a target now, as one message, and which wait. Pure.

Everything that is ready goes together: a storm is a few messages, not a thousand. The first goes
at once; the gap after it doubles from message to message so that `burst` of them fill ten minutes.
A kind of critical incident that was not told in that time never waits for a gap. While the target
takes nothing it is tried at growing intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from ibcore.alerts.message import Line
from ibcore.incidents import Severity

WINDOW_S: Final = 600.0
RETRY_MOST_S: Final = 120.0


class Pace(NamedTuple):
    """The bounds. `quiet`: times of day at which only what is critical is told."""

    burst: int
    gather_s: float
    quiet: tuple[tuple[time, time], ...]
    zone: ZoneInfo


class Sent(NamedTuple):
    """A message that the target took."""

    at: datetime
    kinds: Sequence[str]


def ready(
    lines: Sequence[Line], sent: Sequence[Sent], *, pace: Pace, now: datetime
) -> Sequence[Line]:
    """Return what is to be sent now as one message; empty: nothing."""
    if any(line.attempts and line.next_at > now for line in lines):
        return ()  # it is being sent, or the target rests after a failure
    if is_quiet(now, pace):
        lines = [line for line in lines if line.severity is Severity.critical]
    gathered = timedelta(seconds=pace.gather_s)
    if not any(line.created_at + gathered <= now for line in lines):
        return ()
    if sent and now < sent[-1].at + _gap(len(sent), pace) and not _unheard(lines, sent):
        return ()
    return lines


def retry_s(attempts: int) -> float:
    """Return how long a target rests after failure number `attempts`, in seconds."""
    return float(min(2.0 ** min(attempts - 1, 16), RETRY_MOST_S))


def is_quiet(now: datetime, pace: Pace) -> bool:
    """Say whether only critical incidents are told at this time of day."""
    here = now.astimezone(pace.zone).time()
    return any(
        begin <= here < end if begin <= end else here >= begin or here < end
        for begin, end in pace.quiet
    )


def _gap(messages: int, pace: Pace) -> timedelta:
    return timedelta(seconds=WINDOW_S / 2 ** max(0, pace.burst - messages))


def _unheard(lines: Sequence[Line], sent: Sequence[Sent]) -> bool:
    heard = {kind for message in sent for kind in message.kinds}
    return any(
        line.severity is Severity.critical and line.closed_at is None and line.kind not in heard
        for line in lines
    )
