"""The whole ledger as one list in the order of time: what was sent, asked, opened and broken.

Every entry names its session, client, line (request id) and order as far as it has them, so that
one question, "what happened to order 7 of client 1", has one answer. What is not wanted is not
decoded, and nothing is decoded before it is its turn: a gateway that tells a million entries goes
on serving its clients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Any, Final, TypeAlias

from ibcore.sim import places
from ibcore.sim.ledger import (
    FaultRecord,
    Frame,
    Ledger,
    Received,
    SessionRecord,
    decode,
    decode_frame,
)

Entry: TypeAlias = dict[str, Any]

KINDS: Final = ("fault", "session", "request", "order", "message", "tick")
_PAUSE: Final = 200  # entries, some milliseconds
_PLACE_ORDER, _CANCEL_ORDER = 3, 4
_EXECUTION: Final = f"{places.EXECUTION}\0".encode()


@dataclass(frozen=True)
class Wanted:
    """Which entries: None is any."""

    kinds: tuple[str, ...] = KINDS
    session: int | None = None
    line: int | None = None
    order: int | None = None
    since: int = 0  # skip the ticks before this number
    client: int | None = None

    def takes(self, entry: Entry) -> bool:
        """Whether an entry is wanted; one that names no session, line or order is of none."""
        return all(
            wanted is None or entry.get(name) == wanted
            for name, wanted in (
                ("session_no", self.session),
                ("client_id", self.client),
                ("req_id", self.line),
                ("order_id", self.order),
            )
        )


def entries(ledger: Ledger, wanted: Wanted | None = None) -> Iterator[Entry]:
    """Yield the wanted entries in the order of their times."""
    told = with_pauses(ledger, wanted or Wanted())
    return (entry for entry in told if entry is not None)


def with_pauses(ledger: Ledger, chosen: Wanted) -> Iterator[Entry | None]:
    """Yield the wanted entries, and None after many that are not, to give others a turn."""
    unknown = set(chosen.kinds) - set(KINDS)
    if unknown:
        raise ValueError(f"no entries are called {', '.join(sorted(unknown))}; {', '.join(KINDS)}")
    lists = [_LISTS[kind](ledger, chosen) for kind in KINDS if kind in chosen.kinds]
    merged = merge(*lists, key=lambda entry: int(entry["at_ns"]))
    return _chosen(merged, chosen)


def _chosen(merged: Iterable[Entry], chosen: Wanted) -> Iterator[Entry | None]:
    for number, entry in enumerate(merged):
        if chosen.takes(entry):
            yield entry
        elif number % _PAUSE == 0:
            yield None


def _fault(record: FaultRecord) -> Entry:
    return {"kind": "fault", **record._asdict()}


def _session(record: SessionRecord) -> Entry:
    return {"kind": "session", **record._asdict()}


def _request(received: Received) -> Entry:
    entry: Entry = {"kind": "request", **received._asdict()}
    if received.msg_id in (_PLACE_ORDER, _CANCEL_ORDER):
        entry["order_id"] = received.req_id
    return entry


def _ticks(ledger: Ledger, wanted: Wanted) -> Iterator[Entry]:
    held = ledger.held(wanted.since) if wanted.order is None else []
    for entry in held:
        session, client, line, _contract = entry[1]
        if (
            wanted.session in (None, session)
            and wanted.client in (None, client)
            and wanted.line in (None, line)
        ):
            yield {"kind": "tick", **decode(entry)._asdict()}


def _order(record: dict[str, object]) -> Entry:
    return {"kind": "order", **record}


def _messages(ledger: Ledger, wanted: Wanted) -> Iterator[Entry]:
    frames = ledger.frames()
    placed = {(event.client_id, event.order_id) for event in ledger.orders.events}
    follower = places.OrderFollower()
    for frame in frames:  # a fault may send a commission before its execution
        if frame[3][4:].startswith(_EXECUTION):
            follower.order_id(places.split(frame[3]))
    for frame in frames:
        if wanted.session in (None, frame[1]) and wanted.client in (None, frame[2]):
            yield _message(frame, follower, placed)


def _message(frame: Frame, follower: places.OrderFollower, placed: set[tuple[int, int]]) -> Entry:
    message = decode_frame(frame)
    entry: Entry = {"kind": "message", **message._asdict()}
    fields = (str(message.msg_id), *message.fields)
    numbers = {
        "req_id": places.integer(fields, places.REQUEST_AT.get(message.msg_id)),
        "order_id": follower.order_id(fields),
    }
    about = (message.client_id, numbers["req_id"])
    if message.msg_id == places.ERROR and about in placed:
        numbers["order_id"] = about[1]  # 201, 202 and their like carry the order's id
    entry.update({name: number for name, number in numbers.items() if number is not None})
    return entry


_Lister: TypeAlias = Callable[[Ledger, Wanted], Iterator[Entry]]
_LISTS: Final[dict[str, _Lister]] = {
    "fault": lambda ledger, _wanted: map(_fault, list(ledger.faults)),
    "session": lambda ledger, _wanted: map(_session, list(ledger.sessions)),
    "request": lambda ledger, _wanted: map(_request, list(ledger.requests)),
    "order": lambda ledger, _wanted: map(_order, ledger.orders.lines()),
    "message": _messages,
    "tick": _ticks,
}
