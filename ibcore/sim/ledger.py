"""The ledger: what was sent and what was asked, in order, with wall-clock times.

Append-only and independent of what clients believe: the oracle of every no-loss and
no-duplicate test. A frame is kept as the very bytes that went into the socket buffer, with the
time of that write; `sent_ticks` and `sent_messages` decode them. What a fault swallowed was not
sent and is not here; the fault is, in `faults`. The lists are rings when a limit is set, and then
`forgotten` and `stats` count what fell out. `entries` tells all of it by session, line and
order.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeAlias

from ibcore import clock
from ibcore.sim import places, wire
from ibcore.sim.config import Clock
from ibcore.sim.orderledger import OrderLedger


class SentTick(NamedTuple):
    """One market-data message as it went out; `fields` is the text after the tick type."""

    at_ns: int
    session_no: int
    client_id: int
    req_id: int
    con_id: int
    msg_id: int
    tick_type: int
    fields: tuple[str, ...]


class Received(NamedTuple):
    """One request as it came in; `verdict` is `ok`, or why it was refused."""

    at_ns: int
    session_no: int
    client_id: int
    msg_id: int
    req_id: int
    fields: tuple[str, ...]
    verdict: str


class SessionRecord(NamedTuple):
    """One step in the life of a connection: opened, started, refused, closed."""

    at_ns: int
    session_no: int
    client_id: int
    event: str
    detail: str


class SentMessage(NamedTuple):
    """One other frame as it went out; `msg_id` is -1 where a fault spoiled even that."""

    at_ns: int
    session_no: int
    client_id: int
    msg_id: int
    fields: tuple[str, ...]


class FaultRecord(NamedTuple):
    """One step in the life of a fault: planned, started, ended; `plan` is how to repeat it."""

    at_ns: int
    number: int
    name: str
    event: str
    plan: str
    detail: str


# Which subscription a tick was sent for: session number, client id, request id, contract id.
# A plain tuple of ints, so that entries drop out of the garbage collector's sight: a million
# tracked ones make it stop the loop for a tenth of a second.
LineKey: TypeAlias = tuple[int, int, int, int]
Entry: TypeAlias = tuple[int, LineKey, bytes]
Frame: TypeAlias = tuple[int, int, int, bytes]  # time, session number, client id, bytes

# Where the tick type stands, by message; the request id is the field before it.
_TICK_TYPE_AT = {1: 3, 2: 3, 21: 2, 45: 3, 46: 3}


class Ledger:
    """What one gateway did."""

    def __init__(self, *, limit: int | None = None, wall: Clock = clock) -> None:
        self._ticks: deque[Entry] = deque(maxlen=limit)
        self.requests: deque[Received] = deque(maxlen=limit)
        self.sessions: deque[SessionRecord] = deque(maxlen=limit)
        self.faults: deque[FaultRecord] = deque(maxlen=limit)
        self._messages: deque[Frame] = deque(maxlen=limit)
        self.counts: Counter[str] = Counter()
        self.orders = OrderLedger(limit=limit, wall=wall)
        self.tick_count = 0

    def ticks(self, at_ns: int, sent: Sequence[tuple[LineKey, bytes]]) -> None:
        """Note the ticks of one socket write."""
        self.tick_count += len(sent)
        self._ticks.extend((at_ns, key, data) for key, data in sent)

    def messages(self, at_ns: int, session_no: int, client_id: int, sent: list[bytes]) -> None:
        """Note the other frames of one socket write."""
        self.counts["messages"] += len(sent)
        self._messages.extend((at_ns, session_no, client_id, data) for data in sent)

    def fault(self, record: FaultRecord) -> None:
        """Note a step in the life of a fault."""
        self.faults.append(record)
        if record.event == "started":
            self.counts[f"fault_{record.name}"] += 1

    def request(self, received: Received) -> None:
        """Note one request."""
        self.requests.append(received)
        self.counts["requests" if received.verdict == "ok" else "requests_refused"] += 1

    def session(self, record: SessionRecord) -> None:
        """Note a step in the life of a connection."""
        self.sessions.append(record)
        self.counts[f"sessions_{record.event}"] += 1

    @property
    def forgotten(self) -> int:
        """How many ticks fell out of the ring."""
        return self.tick_count - len(self._ticks)

    @property
    def sent_ticks(self) -> list[SentTick]:
        """Decode every tick that is still held; build it once, not in a loop."""
        return list(self.since(0))

    @property
    def sent_messages(self) -> list[SentMessage]:
        """Decode every other frame that is still held."""
        return [decode_frame(frame) for frame in self.frames()]

    def since(self, number: int) -> Iterator[SentTick]:
        """Decode the ticks from the `number`th ever sent on."""
        return map(decode, self.held(number))

    def held(self, number: int = 0, limit: int | None = None) -> list[Entry]:
        """Return the ticks from the `number`th on as they are kept; `decode` reads one."""
        first = max(number - self.forgotten, 0)
        return list(islice(self._ticks, first, None if limit is None else first + limit))

    def frames(self) -> list[Frame]:
        """Return the other frames as they are kept; `decode_frame` reads one."""
        return list(self._messages)

    def stats(self) -> dict[str, int]:
        """Return the counters."""
        requests = self.counts["requests"] + self.counts["requests_refused"]
        return {
            **self.counts,
            "ticks": self.tick_count,
            "ticks_forgotten": self.forgotten,
            "messages_forgotten": self.counts["messages"] - len(self._messages),
            "requests_forgotten": requests - len(self.requests),
            "orders_forgotten": self.orders.forgotten,
        }


def by_line(ticks: Iterable[SentTick]) -> dict[tuple[int, int], list[SentTick]]:
    """Group ticks by (session number, request id), order kept."""
    lines: dict[tuple[int, int], list[SentTick]] = {}
    for tick in ticks:
        lines.setdefault((tick.session_no, tick.req_id), []).append(tick)
    return lines


def decode(entry: Entry) -> SentTick:
    """Read one kept tick."""
    at_ns, key, data = entry
    fields = wire.unframe(data)
    msg_id = int(fields[0])
    place = _TICK_TYPE_AT[msg_id]
    return SentTick(at_ns, *key, msg_id, int(fields[place]), fields[place + 1 :])


def decode_frame(frame: Frame) -> SentMessage:
    """Read one other frame."""
    at_ns, session_no, client_id, data = frame
    fields = places.split(data)
    return SentMessage(at_ns, session_no, client_id, places.message_id(fields), tuple(fields[1:]))
