"""Stretches of time: union, intersection, difference, length. Pure; half-open, aware moments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from ibcore.calendar import DEFAULT_EXCHANGE, session_hours

Span = tuple[datetime, datetime]


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the same time without overlaps, in order."""
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if begin >= end:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def shared(left: Iterable[Span], right: Iterable[Span]) -> list[Span]:
    """Return the time that is in both."""
    ours, theirs = union(left), union(right)
    return [(max(a, c), min(b, d)) for a, b in ours for c, d in theirs if max(a, c) < min(b, d)]


def without(spans: Iterable[Span], cut: Iterable[Span]) -> list[Span]:
    """Return the time of `spans` that is not in `cut`."""
    left = union(spans)
    for begin, end in union(cut):
        left = [
            piece
            for a, b in left
            for piece in ((a, min(b, begin)), (max(a, end), b))
            if piece[0] < piece[1]
        ]
    return left


def seconds(spans: Iterable[Span]) -> float:
    """Return how long they are together."""
    return sum((end - begin).total_seconds() for begin, end in union(spans))


def slices(spans: Iterable[Span], most: int) -> list[Span]:
    """Return the same time in about `most` equal pieces, each within one span."""
    whole = union(spans)
    each_s = seconds(whole) / most
    return [piece for span in whole for piece in _cut(span, round(seconds([span]) / each_s))]


def _cut(span: Span, pieces: int) -> list[Span]:
    (begin, end), count = span, max(1, pieces)
    edges = [begin + (end - begin) * n / count for n in range(count)] + [end]
    return list(pairwise(edges))


def days(begin: date, end: date) -> list[date]:
    """Return the dates from `begin` up to `end`, which is not one of them."""
    return [begin + timedelta(days=n) for n in range((end - begin).days)]


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a date there; a day of a clock change has 23 or 25 hours."""
    return datetime.combine(day, time(), zone).astimezone(ZoneInfo("UTC"))


def market(begin: datetime, end: datetime, *, exchange: str = DEFAULT_EXCHANGE) -> list[Span]:
    """Return the regular hours of an exchange between two moments; early closes included."""
    dates = days((begin - timedelta(days=1)).date(), (end + timedelta(days=2)).date())
    hours: Sequence[Span | None] = [session_hours(day, exchange=exchange) for day in dates]
    return shared([(begin, end)], [span for span in hours if span is not None])
