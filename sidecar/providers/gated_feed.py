"""A feed behind a gate: it folds every message, so that it is up to date when its gate opens."""

from __future__ import annotations

from typing import Final

from ibcore.clock import now_us
from ibcore.domain import Provider, Quote
from sidecar import fold
from sidecar.feed import Feed
from sidecar.line import Line, OpenLine
from sidecar.providers.gate import Gate
from sidecar.rejects import RejectBook

# What the row of a takeover says it came from: a bid.
_BID: Final = 1
# Whether trading is halted is asked of the feed itself, not only told by a row.
_KEPT: Final = frozenset({"halted"})


class GatedFeed(Feed):
    """The feed of one of several providers."""

    def __init__(self, gate: Gate, *, epoch: int, provider: Provider, rejects: RejectBook) -> None:
        super().__init__(gate, epoch=epoch, provider=provider, rejects=rejects)
        self._set_aside: dict[int, OpenLine] | None = None

    def activate(self, instrument_id: int) -> None:
        """Take that the gate is open for an instrument: its book, as it stands, becomes a row.

        The database has the book of the provider that was left, which is old. Prints that were
        heard behind the gate stay unrecorded: their time is over. Statistics are rows again at
        their next tick.
        """
        self._recv_ts = now_us()
        for live in self._lines.values():
            if live.line.instrument_id != instrument_id:
                continue
            if live.book != fold.EMPTY_BOOK:
                self._recorder.record(Quote(*self._head(live, False), _BID, *live.book))
            stats = live.instrument.stats
            for name in stats.keys() - _KEPT:
                del stats[name]

    def in_step(self, instrument_id: int) -> bool:
        """Say whether the last print heard is the last that was recorded, by whomever."""
        known = self._instruments.get(instrument_id)
        return known is None or known.last == self._recorder.last_print(instrument_id)

    # drills

    def deafen(self) -> None:
        """Hear nothing until `listen`: a drill."""
        if self._set_aside is None:
            self._set_aside, self._lines = self._lines, {}

    def listen(self) -> None:
        """Hear again."""
        if self._set_aside is not None:
            self._lines, self._set_aside = self._set_aside, None

    def open_line(self, req_id: int, line: Line) -> None:
        """Take the messages of `req_id` as being about `line`."""
        super().open_line(req_id, line)
        if self._set_aside is not None:
            self._set_aside[req_id] = self._lines.pop(req_id)

    def close_line(self, req_id: int) -> None:
        """Stop listening to `req_id`."""
        super().close_line(req_id)
        if self._set_aside is not None:
            self._set_aside.pop(req_id, None)
