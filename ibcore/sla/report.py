"""The figures of a period, and how fast the error budget burns. Pure: spans and rows in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from ibcore.incidents import Severity
from ibcore.policy import backoff_s
from ibcore.sla.spans import Span, days, market, seconds, shared, without
from ibcore.windows import Windows

# Google's multi-window burn rates: both windows must burn, so that a short spike and an old one
# that is over page nobody.
BURNS: Final = (
    (timedelta(hours=1), timedelta(minutes=5), 14.4, Severity.critical),
    (timedelta(hours=6), timedelta(minutes=30), 6.0, Severity.critical),
    (timedelta(days=3), timedelta(hours=6), 1.0, Severity.warning),
)
LONGEST_BURN: Final = timedelta(days=3)


class Uptime(NamedTuple):
    """How long the session was to be ready, and was."""

    scheduled_s: float
    up_s: float

    @property
    def share(self) -> float | None:
        """Return up over scheduled; None when nothing was scheduled."""
        return self.up_s / self.scheduled_s if self.scheduled_s else None


class Burn(NamedTuple):
    """A pair of windows that both spend the error budget at `rate` times its pace or faster."""

    long: timedelta
    short: timedelta
    rate: float
    measured: float
    severity: Severity


def scheduled(begin: datetime, end: datetime, windows: Windows, *, hours: str) -> list[Span]:
    """Return when the session is to be ready, without the announced windows.

    `hours`: regular (of the exchange) or always.
    """
    whole = market(begin, end) if hours == "regular" else [(begin, end)]
    return without(whole, announced(begin, end, windows))


def announced(begin: datetime, end: datetime, windows: Windows) -> list[Span]:
    """Return the announced windows between two moments, by the wall clock of their zone."""
    zone = windows.zone
    found = []
    first = begin.astimezone(zone).date() - timedelta(days=1)
    for day in days(first, end.astimezone(zone).date() + timedelta(days=1)):
        for window in windows.windows:
            if window.weekday not in (None, day.weekday()):
                continue
            last = day if window.begins <= window.ends else day + timedelta(days=1)
            opens = datetime.combine(day, window.begins, zone).astimezone(begin.tzinfo)
            # Where the clock is put back the hour comes twice: the window lasts to the second.
            closes = datetime.combine(last, window.ends.replace(fold=1), zone)
            found.append((opens, closes.astimezone(begin.tzinfo)))
    return shared([(begin, end)], found)


def uptime(ready: Sequence[Span], wanted: Sequence[Span]) -> Uptime:
    """Return how much of the wanted time the session was ready."""
    return Uptime(seconds(wanted), seconds(shared(ready, wanted)))


def burns(
    ready: Sequence[Span], wanted: Sequence[Span], *, objective: float, now: datetime
) -> Burn | None:
    """Return the worst pair of windows that burns now, or None.

    In the short window what was missed counts against all of it, not against what of it was
    promised: a second at the open, or of the first connect ever, would burn a minute's budget.
    """
    for long, short, rate, severity in BURNS:
        slow = _burn(ready, wanted, objective, (now - long, now))
        fast = (
            _away_s(ready, wanted, (now - short, now)) / (1.0 - objective) / short.total_seconds()
        )
        if min(slow, fast) >= rate:
            return Burn(long, short, rate, slow, severity)
    return None


def _burn(ready: Sequence[Span], wanted: Sequence[Span], objective: float, span: Span) -> float:
    share = uptime(ready, shared(wanted, [span])).share
    return 0.0 if share is None else (1.0 - share) / (1.0 - objective)


def _away_s(ready: Sequence[Span], wanted: Sequence[Span], span: Span) -> float:
    return seconds(without(shared(wanted, [span]), ready))


def adherence(waits: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return how many waits there were and how many were 1, 2, 4 … 60 s, as promised.

    `waits` are rows of the query `sla_waits`.
    """
    kept = sum(abs(row["backoff_s"] - backoff_s(max(1, row["attempt"]))) < 1e-6 for row in waits)
    return len(waits), kept


def recovery(losses: Sequence[Mapping[str, Any]], *, end: datetime) -> dict[str, Any]:
    """Return count, mean and longest time to recovery; one that lasts counts until `end`."""
    lasted = [((row["to_ts"] or end) - row["from_ts"]).total_seconds() for row in losses]
    return {
        "losses": len(lasted),
        "mttr_s": sum(lasted) / len(lasted) if lasted else None,
        "longest_loss_s": max(lasted, default=None),
    }


def budget(of: Uptime, objective: float) -> dict[str, Any]:
    """Return the availability and what is left of the time that it may be away."""
    allowed = (1.0 - objective) * of.scheduled_s
    spent = of.scheduled_s - of.up_s
    return {
        "objective": objective,
        "scheduled_s": of.scheduled_s,
        "up_s": of.up_s,
        "availability": of.share,
        "budget_s": allowed,
        "spent_s": spent,
        "burn": spent / allowed if allowed else None,
    }
