"""What is subscribed on one connection, and what is to be asked next. Pure.

Alpaca says how many symbols an account may have only by refusing (405): the message is then
halved until it is taken. So the most important lines are had first, whatever the limit is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

MOST_A_MESSAGE: Final = 500


class Topic(NamedTuple):
    """A symbol, with its prints or only its quotes."""

    symbol: str
    prints: bool = True


class Batch(NamedTuple):
    """One message: subscribe (`adds`) or unsubscribe."""

    adds: bool
    topics: tuple[Topic, ...]

    def said(self) -> dict[str, object]:
        """Return it as it goes over the wire."""
        return {
            "action": "subscribe" if self.adds else "unsubscribe",
            "quotes": [topic.symbol for topic in self.topics],
            "trades": [topic.symbol for topic in self.topics if topic.prints],
        }


class Subscription:
    """Wanted, held, and how much of it the vendor allows."""

    def __init__(self) -> None:
        self.wanted: tuple[Topic, ...] = ()
        self.held: set[Topic] = set()
        self.capacity: int | None = None  # known once something was refused
        self._size = MOST_A_MESSAGE

    @property
    def left_out(self) -> list[Topic]:
        """Return what is wanted and beyond the limit."""
        return [] if self.capacity is None else list(self.wanted[self.capacity :])

    def want(self, topics: Sequence[Topic]) -> bool:
        """Take what is wanted, the most important first; say whether it is something new."""
        new = tuple(topics)
        changed = new != self.wanted
        self.wanted = new
        return changed

    def begin(self) -> None:
        """Take that a connection is new: nothing is subscribed on it."""
        self.held.clear()
        self.capacity, self._size = None, MOST_A_MESSAGE

    def due(self) -> Batch | None:
        """Return what is to be asked next; None: nothing."""
        target = self.wanted[: self.capacity]
        gone = sorted(self.held.difference(target))
        if gone:
            return Batch(False, tuple(gone[:MOST_A_MESSAGE]))
        missing = [topic for topic in target if topic not in self.held]
        return Batch(True, tuple(missing[: self._size])) if missing else None

    def settle(self, batch: Batch) -> None:
        """Take that a message was acknowledged."""
        (self.held.update if batch.adds else self.held.difference_update)(batch.topics)

    def too_many(self, batch: Batch) -> None:
        """Take that a message was refused for the number of its symbols."""
        if len(batch.topics) > 1:
            self._size = len(batch.topics) // 2
        else:
            self.capacity = len(self.held)
