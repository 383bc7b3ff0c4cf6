"""All of it as the one JSON document that the page draws; made at most twice a second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from ibcore.clock import monotonic
from ibcore.domain import WatchState
from ibcore.incidents import Severity
from sidecar.providers.switch_journal import Switched
from sidecar.web import timeline, verdict
from sidecar.web.eyes import Eyes
from sidecar.web.history import History, Known
from sidecar.web.live import Live
from sidecar.web.trace import HOUR_S, Point
from sidecar.web.verdict import Told

FRESH_S: Final = 0.5
_HOUR: Final = timedelta(seconds=HOUR_S)
_SHORTEST: Final = timedelta(minutes=10)
_SWITCHES: Final = 10
_NAMES: Final = 5


@dataclass(slots=True)
class _Cached:
    body: bytes = b""
    at: float = float("-inf")


class Document:
    """Makes the document for whoever looks."""

    def __init__(self, eyes: Eyes, history: History, *, runbook: str) -> None:
        self._eyes = eyes
        self._history = history
        self._runbook = runbook
        self._cached = _Cached()

    def body(self) -> bytes:
        """Return the document, at most half a second old."""
        known = self._history.ask()
        if monotonic() - self._cached.at > FRESH_S:
            self._cached = _Cached(self._dumps(known), monotonic())
        return self._cached.body

    def _dumps(self, known: Known) -> bytes:
        return orjson.dumps(self._make(known), default=str, option=orjson.OPT_NON_STR_KEYS)

    def _make(self, known: Known) -> dict[str, Any]:
        live = self._eyes.look()
        judged = verdict.judge(live, _told(known))
        reasons = verdict.not_ready(live)
        return {
            "level": judged.level,
            "sentence": judged.sentence,
            "more": judged.more,
            "ready": not reasons,
            "not_ready": reasons,
            "live": live,
            "timeline": self._timeline(live, known),
            "series": _series(self._eyes.trace.points, known),
            "history": {"read_at": known.read_at, "error": known.error},
            "switches": self._switches(known),
            "runbook": self._runbook,
            **known.news,
        }

    def _timeline(self, live: Live, known: Known) -> dict[str, Any]:
        switches = [(one.at, one.switches) for one in self._eyes.switches()]
        marks = [
            *timeline.earlier_marks(known.earlier.get("steps", ())),
            *timeline.session_marks(self._eyes.steps()),
            *timeline.provider_marks(switches, since=live.started_at),
        ]
        begin = _begin(live.at, [mark.at for mark in marks], known)
        order = [one.role for one in live.sessions]
        drawn = timeline.tracks(marks, begin=begin, end=live.at)
        named = [*order, timeline.PROVIDERS, *(track for track in drawn if track not in order)]
        tracks = [
            {"name": track, "segments": drawn.get(track, ())} for track in dict.fromkeys(named)
        ]
        return {"begin": begin, "end": live.at, "tracks": tracks}

    def _switches(self, known: Known) -> list[dict[str, Any]]:
        names = self._eyes.names()
        ours = [row for one in reversed(self._eyes.switches()) for row in _rows(one, names)]
        return [*ours, *known.earlier.get("switches", ())][:_SWITCHES]


def _begin(now: datetime, marked: Sequence[datetime], known: Known) -> datetime:
    """Return since when something is known; at most the last hour, at least ten minutes."""
    times = [*marked, *(row["at"] for row in known.earlier.get("minutes", ()))]
    return min(now - _SHORTEST, max(now - _HOUR, min(times, default=now)))


def _told(known: Known) -> Told:
    incidents = known.news.get("incidents", ())
    critical = sum(row["severity"] == Severity.critical for row in incidents)
    unserved = sum(
        row["state"] in (WatchState.failed, WatchState.over_budget)
        for row in known.news.get("unserved", ())
    )
    return Told(len(incidents), critical, unserved)


def _rows(switched: Switched, names: dict[int, str]) -> Iterator[dict[str, Any]]:
    groups: dict[tuple[str, str, str], list[Any]] = {}
    for one in switched.switches:
        key = (str(one.from_provider), str(one.to_provider), str(one.cause))
        groups.setdefault(key, []).append(one)
    for (old, new, cause), some in groups.items():
        called = sorted(names.get(one.instrument_id, str(one.instrument_id)) for one in some)
        yield {
            "at": switched.at,
            "from_provider": old,
            "to_provider": new,
            "cause": cause,
            "instruments": len(some),
            "stale_s": max((one.stale_s for one in some if one.stale_s is not None), default=None),
            "names": called[:_NAMES],
        }


def _series(points: Sequence[Point], known: Known) -> dict[str, list[Any]]:
    begin = points[0].at if points else None
    earlier = [
        Point(
            row["at"] + timedelta(seconds=30),
            row["ticks_per_s"],
            row["rows_per_s"],
            row["p50_ms"],
            row["p99_ms"],
        )
        for row in known.earlier.get("minutes", ())
        if begin is None or row["at"] < begin
    ]
    every = [*earlier, *points]
    return {
        "at": [_epoch_s(point.at) for point in every],
        "ticks_per_s": [_short(point.ticks_per_s) for point in every],
        "rows_per_s": [_short(point.rows_per_s) for point in every],
        "p50_ms": [_short(point.p50_ms) for point in every],
        "p99_ms": [_short(point.p99_ms) for point in every],
    }


def _epoch_s(at: datetime) -> int:
    return round(at.timestamp())


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
