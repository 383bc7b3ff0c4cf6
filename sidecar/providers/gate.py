"""The gate before the recorder: rows of one provider pass where that provider is the active one.

What comes late from a provider that was left is dropped here, whatever it is (`late` counts it;
`passed`, what is recorded). A row gets its `seq` as it passes, so the numbers stay unbroken.
"""

from __future__ import annotations

from typing import Protocol

from ibcore.domain import MarketRow
from sidecar.feed import RowSink
from sidecar.fold import Print


class NumberedSink(RowSink, Protocol):
    """What a gate needs of the recorder."""

    @property
    def seq(self) -> int:
        """Return the number of the last row."""

    def heard_of(self, provider: str) -> None:
        """Count a message of a backup, which became a row."""


class Gate:
    """Stands before the recorder for one provider; open for every instrument if `primary`."""

    def __init__(self, recorder: NumberedSink, *, primary: bool) -> None:
        self._recorder = recorder
        self._primary = primary
        # The instruments for which it stands otherwise than it does for all others.
        self._otherwise: set[int] = set()
        self.late = 0
        self.passed = 0

    def move(self, instrument_id: int, *, is_open: bool) -> None:
        """Open or shut the gate for one instrument."""
        if is_open is self._primary:
            self._otherwise.discard(instrument_id)
        else:
            self._otherwise.add(instrument_id)

    def is_open(self, instrument_id: int) -> bool:
        """Say whether rows of an instrument pass."""
        return (instrument_id in self._otherwise) is not self._primary

    def next_seq(self) -> int:
        """Return the number that the next row has if it passes."""
        return self._recorder.seq + 1

    def record(self, row: MarketRow) -> None:
        """Let a row pass, or drop it."""
        if (row.instrument_id in self._otherwise) is self._primary:
            self.late += 1
            return
        self.passed += 1
        self._recorder.next_seq()
        self._recorder.record(row)
        if not self._primary:
            self._recorder.heard_of(row.provider)

    def forget(self, instrument_id: int, field: str) -> None:
        """Let it pass that a statistic has no value any more."""
        if self.is_open(instrument_id):
            self._recorder.forget(instrument_id, field)

    def last_print(self, instrument_id: int) -> Print | None:
        """Return the last print that was recorded, of whichever provider."""
        return self._recorder.last_print(instrument_id)

    def heard(self, messages: int = 1) -> None:
        """Count tick messages; of a backup only what is recorded counts."""
        if self._primary:
            self._recorder.heard(messages)
