"""The whole ledger as one list in the order of time: what was sent, asked, opened and broken.

Every entry names its session, client, line (request id) and order as far as it has them, so that
one question, "what happened to order 7", has one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Any, Final, TypeAlias

from ibcore.sim import places
from ibcore.sim.ledger import FaultRecord, Ledger, Received, SentMessage, SentTick, SessionRecord

Entry: TypeAlias = dict[str, Any]

KINDS: Final = ("fault", "session", "request", "order", "message", "tick")
_PLACE_ORDER, _CANCEL_ORDER = 3, 4


@dataclass(frozen=True)
class Wanted:
    """Which entries: None is any."""

    kinds: tuple[str, ...] = KINDS
    session: int | None = None
    line: int | None = None
    order: int | None = None
    since: int = 0  # skip the ticks before this number

    def takes(self, entry: Entry) -> bool:
        """Whether an entry is wanted; one that names no session, line or order is of none."""
        return all(
            wanted is None or entry.get(name) == wanted
            for name, wanted in (
                ("session_no", self.session),
                ("req_id", self.line),
                ("order_id", self.order),
            )
        )


def entries(ledger: Ledger, wanted: Wanted | None = None) -> Iterator[Entry]:
    """Yield the wanted entries in the order of their times."""
    chosen = wanted or Wanted()
    unknown = set(chosen.kinds) - set(KINDS)
    if unknown:
        raise ValueError(f"no entries are called {', '.join(sorted(unknown))}; {', '.join(KINDS)}")
    lists = [_LISTS[kind](ledger, chosen) for kind in KINDS if kind in chosen.kinds]
    merged = merge(*lists, key=lambda entry: int(entry["at_ns"]))
    return (entry for entry in merged if chosen.takes(entry))


def _fault(record: FaultRecord) -> Entry:
    return {"kind": "fault", **record._asdict()}


def _session(record: SessionRecord) -> Entry:
    return {"kind": "session", **record._asdict()}


def _request(received: Received) -> Entry:
    entry: Entry = {"kind": "request", **received._asdict()}
    if received.msg_id in (_PLACE_ORDER, _CANCEL_ORDER):
        entry["order_id"] = received.req_id
    return entry


def _tick(tick: SentTick) -> Entry:
    return {"kind": "tick", **tick._asdict()}


def _order(record: dict[str, object]) -> Entry:
    return {"kind": "order", **record}


def _messages(ledger: Ledger) -> Iterator[Entry]:
    follower = places.OrderFollower()
    messages = ledger.sent_messages
    for message in messages:  # a fault may send a commission before its execution
        follower.order_id((str(message.msg_id), *message.fields))
    for message in messages:
        yield _message(message, follower)


def _message(message: SentMessage, follower: places.OrderFollower) -> Entry:
    entry: Entry = {"kind": "message", **message._asdict()}
    fields = (str(message.msg_id), *message.fields)
    numbers = {
        "req_id": places.integer(fields, places.REQUEST_AT.get(message.msg_id)),
        "order_id": follower.order_id(fields),
    }
    entry.update({name: number for name, number in numbers.items() if number is not None})
    return entry


_Lister: TypeAlias = Callable[[Ledger, Wanted], Iterator[Entry]]
_LISTS: Final[dict[str, _Lister]] = {
    "fault": lambda ledger, _wanted: map(_fault, list(ledger.faults)),
    "session": lambda ledger, _wanted: map(_session, list(ledger.sessions)),
    "request": lambda ledger, _wanted: map(_request, list(ledger.requests)),
    "order": lambda ledger, _wanted: map(_order, ledger.orders.lines()),
    "message": lambda ledger, _wanted: _messages(ledger),
    "tick": lambda ledger, wanted: map(_tick, ledger.since(wanted.since)),
}
