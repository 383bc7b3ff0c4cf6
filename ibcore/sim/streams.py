"""Streams: subscriptions other than market-data lines, told of every event on their contract.

One owner for tick-by-tick lines, depth, real-time bars and bars kept up to date: it knows which
session has which request, and which contracts somebody must go on watching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from ibcore.sim.contracts import Contract
from ibcore.sim.observed import Event
from ibcore.sim.source import Source

if TYPE_CHECKING:
    from ibcore.sim.session import Session


class Stream(Protocol):
    """One subscription."""

    session: Session
    req_id: int
    contract: Contract
    kind: str  # what a cancel must be for

    def take(self, event: Event, at_s: float) -> None:
        """Hear of an event."""

    def turn(self, at_s: float) -> None:
        """Look at the clock."""


class Streams:
    """All streams of all sessions."""

    def __init__(self, source: Source, quiet: Callable[[Any], bool]) -> None:
        self._source = source
        self._quiet = quiet  # whether a farm or the link keeps a contract's data back
        self._by_con_id: dict[int, list[Stream]] = {}
        self._by_request: dict[tuple[int, int], Stream] = {}
        self._dead: set[Stream] = set()  # their clients believe in them

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._by_request.values()))

    def count(self, kind: str) -> int:
        """Return how many there are of a kind."""
        return sum(stream.kind == kind for stream in self._by_request.values())

    def knows(self, session: Session, req_id: int) -> bool:
        """Whether this request id is taken."""
        return (session.number, req_id) in self._by_request

    def add(self, stream: Stream, now: float) -> None:
        """Start to tell a stream of what happens."""
        self._source.watch(stream.contract, now)
        self._by_request[stream.session.number, stream.req_id] = stream
        self._by_con_id.setdefault(stream.contract.con_id, []).append(stream)

    def cancel(self, session: Session, req_id: int, kind: str) -> bool:
        """End a stream; say whether there was one of that kind."""
        stream = self._by_request.get((session.number, req_id))
        if stream is None or stream.kind != kind:
            return False
        self._drop(stream)
        return True

    def drop_all(self, session: Session) -> None:
        """End every stream of a session."""
        for stream in self:
            if stream.session is session:
                self._drop(stream)

    def kill(self, streams: Iterable[Stream]) -> int:
        """Let streams go silent for good; return how many that were."""
        dead = set(streams) - self._dead
        self._dead |= dead
        return len(dead)

    def quiet(self, stream: Stream) -> bool:
        """Whether a stream may not speak now."""
        return stream in self._dead or self._quiet(stream)

    def _drop(self, stream: Stream) -> None:
        self._dead.discard(stream)
        del self._by_request[stream.session.number, stream.req_id]
        streams = self._by_con_id[stream.contract.con_id]
        streams.remove(stream)
        if not streams:
            del self._by_con_id[stream.contract.con_id]
        self._source.unwatch(stream.contract)

    def apply(self, events: Iterable[Event], at_s: float) -> None:
        """Tell the streams of a contract what happened to it."""
        for event in events:
            for stream in self._by_con_id.get(event.con_id, ()):
                if not self.quiet(stream):
                    stream.take(event, at_s)

    def turn(self, at_s: float) -> None:
        """Let every stream look at the clock."""
        for stream in self._by_request.values():
            if not self.quiet(stream):
                stream.turn(at_s)
