"""Steps of the sessions, and switches of providers, as segments of a time line. Pure.

A segment lasts until the next one of its track; the last one lasts until now. What a killed
sidecar left open ends with its last heartbeat (`down`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ibcore.domain import Provider, SessionState
from ibcore.failover import Switch
from ibcore.link_states import LinkState
from ibcore.notices import classify
from sidecar.journal import Entry
from sidecar.session import VERIFIED, link_after

PROVIDERS = "rows from"


@dataclass(frozen=True, slots=True)
class Mark:
    """From `at` on a track is in `state`."""

    track: str
    at: datetime
    state: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a track in one state."""

    begin: datetime
    end: datetime
    state: str
    why: str | None


def tracks(
    marks: Iterable[Mark], *, begin: datetime, end: datetime
) -> Mapping[str, tuple[Segment, ...]]:
    """Return the segments of every track between two moments."""
    by_track: dict[str, list[Mark]] = {}
    for mark in sorted(marks, key=lambda mark: mark.at):
        by_track.setdefault(mark.track, []).append(mark)
    return {track: tuple(_segments(some, begin, end)) for track, some in by_track.items()}


def _segments(marks: Sequence[Mark], begin: datetime, end: datetime) -> Iterator[Segment]:
    open_: Segment | None = None
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        until = end if following is None else following.at
        if until <= begin:
            continue
        part = Segment(max(mark.at, begin), min(until, end), mark.state, mark.why)
        if open_ is not None and open_.state == part.state:
            open_ = replace(open_, end=part.end)
            continue
        if open_ is not None:
            yield open_
        open_ = part
    if open_ is not None:
        yield open_


def session_marks(entries: Iterable[Entry]) -> Iterator[Mark]:
    """Return what the steps of this process say."""
    for entry in entries:
        step, attempt = entry.step, entry.attempt
        link = LinkState.up if attempt is None else attempt.link
        why = _why(step.code, step.reason)
        yield Mark(step.role, step.at, state_of(step.new_state, link), why)


def earlier_marks(rows: Iterable[Mapping[str, object]]) -> Iterator[Mark]:
    """Return what rows of `session_event` of earlier starts say."""
    links: dict[str, LinkState] = {}
    for row in rows:
        role, at = str(row["role"]), row["at"]
        assert isinstance(at, datetime)
        code = row["code"] if isinstance(row["code"], int) else None
        reason = None if row["reason"] is None else str(row["reason"])
        link = link_of(links.get(role, LinkState.up), code, reason)
        state = state_of(str(row["state"]), link)
        links[role] = link if row["state"] == SessionState.ready else LinkState.up
        yield Mark(role, at, state, _why(code, reason))


def link_of(before: LinkState, code: int | None, reason: str | None) -> LinkState:
    """Return the link after a step that is a notice, from what its row says."""
    if reason == VERIFIED:
        return LinkState.up
    if code is None:
        return before
    return link_after(classify(code, has_request=False), verifies=True) or before


def state_of(state: str, link: LinkState) -> str:
    """Return one word for a session and its link."""
    if state != SessionState.ready or link is LinkState.up:
        return str(state)
    return f"link {link}" if link is LinkState.lost else str(link)


def provider_marks(
    switches: Iterable[tuple[datetime, Sequence[Switch]]], *, since: datetime
) -> Iterator[Mark]:
    """Return who the rows were taken from, beginning at the primary at `since`."""
    yield Mark(PROVIDERS, since, str(Provider.ib), None)
    away: dict[int, Provider] = {}
    for at, some in switches:
        for switch in some:
            away[switch.instrument_id] = switch.to_provider
            if switch.to_provider is Provider.ib:
                del away[switch.instrument_id]
        counts = Counter(away.values())
        state = max(counts, key=lambda one: counts[one]) if counts else Provider.ib
        causes = ", ".join(sorted({str(switch.cause) for switch in some}))
        yield Mark(PROVIDERS, at, str(state), f"{_where(counts)} ({causes})")


def _where(counts: Counter[Provider]) -> str:
    if not counts:
        return "every instrument from the primary"
    return ", ".join(f"{count} from {provider}" for provider, count in counts.items())


def _why(code: int | None, reason: str | None) -> str | None:
    return reason if code is None or reason is None else f"{reason} ({code})"
