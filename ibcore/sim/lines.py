"""Lines: market-data subscriptions, and the messages that bring one up to date with its board."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ibcore.sim import wire
from ibcore.sim.board import (
    COMPUTATIONS,
    DEFAULT_TICKS,
    GENERIC_TICKS,
    PRICE_TICKS,
    SHOWN,
    SIZE_OF,
    SIZE_TICKS,
    STRING_TICKS,
    Board,
    Tick,
)
from ibcore.sim.contracts import Contract
from ibcore.sim.ledger import LineKey
from ibcore.sim.permissions import DELAY_S, LIVE_ONLY, TWINS

if TYPE_CHECKING:
    from ibcore.sim.session import Session


class Line:
    """One subscription of one session. `ends_at` is set for snapshots (monotonic seconds)."""

    __slots__ = (
        *("bare", "behind", "contract", "dead", "ends_at", "key", "req_id", "sent", "session"),
        *("twins", "wants"),
    )

    def __init__(
        self,
        session: Session,
        req_id: int,
        contract: Contract,
        *,
        generic: tuple[int, ...],
        delayed: bool = False,
        bare: bool = False,
    ) -> None:
        self.session = session
        self.req_id = req_id
        self.contract = contract
        self.key: LineKey = (session.number, session.client_id, req_id, contract.con_id)
        self.bare = bare  # no quotes, no prints: only the generic ticks
        self.wants = wanted_ticks(contract, generic, bare=bare)
        self.twins: Mapping[int, int] = {}
        if delayed:
            self.twins = TWINS
            self.wants = tuple(tick for tick in self.wants if tick not in LIVE_ONLY)
        self.sent: dict[int, float | str] = {}
        self.behind = False
        self.dead = False  # the client believes in it, and nothing will ever come
        self.ends_at: float | None = None

    def catch_up(self, board: Board) -> None:
        """Send every wanted value that differs from what was sent last."""
        for data in self._changes(board):
            self.session.send_tick(self.key, data)
        self.behind = False

    def hide_quotes(self) -> None:
        """Show no bid and no ask: the market is closed, and this line is not frozen."""
        self.wants = tuple(tick for tick in self.wants if tick not in (0, 1, 2, 3))
        for side in (1, 2):
            kind = self.twins.get(side, side)
            self.session.send_tick(self.key, wire.tick_price(self.req_id, kind, "-1", "0", 0))

    def send_exactly(self, tick: Tick) -> None:
        """Send one tick of a tape as it stands, even if it repeats a value, if it is asked for."""
        computed = tick.tick_type in COMPUTATIONS and self.contract.is_option and not self.bare
        if not computed and tick.tick_type not in self.wants:
            return
        self.session.send_tick(self.key, self._message(tick))

    def _message(self, tick: Tick) -> bytes:
        self.sent[tick.tick_type] = tick.value
        if tick.tick_type not in SIZE_OF:
            return self._single(tick.tick_type, tick.value)
        self.sent[SIZE_OF[tick.tick_type]] = tick.size
        price, size = wire.number(float(tick.value)), wire.number(tick.size)
        return wire.tick_price(self.req_id, self._shown(tick.tick_type), price, size, 0)

    def _shown(self, tick_type: int) -> int:
        return self.twins.get(tick_type, tick_type)

    def _changes(self, board: Board) -> Iterator[bytes]:
        values, sent = board.values, self.sent
        for tick_type in self.wants:
            value = values.get(tick_type)
            if value is None or sent.get(tick_type) == value:
                continue
            sent[tick_type] = value
            if tick_type in SIZE_OF:
                yield from self._priced(tick_type, float(value), board)
            else:
                yield self._single(tick_type, value)
        if self.contract.is_option and not self.bare:
            yield from self._computations(board)

    def _priced(self, tick_type: int, value: float, board: Board) -> Iterator[bytes]:
        """Yield a price with its size, then the size again: TWS repeats it (ib_insync#29)."""
        size_type = SIZE_OF[tick_type]
        size = float(board.values.get(size_type, 0.0)) if self.contract.sec_type != "IND" else 0.0
        self.sent[size_type] = size
        written = wire.number(size)
        # Bit 0: may be executed automatically. Last prices do not carry it.
        mask = 0 if tick_type == 4 else 1
        kind = self._shown(tick_type)
        yield wire.tick_price(self.req_id, kind, wire.number(value), written, mask)
        yield wire.tick_size(self.req_id, self._shown(size_type), written)

    def _single(self, tick_type: int, value: float | str) -> bytes:
        kind = self._shown(tick_type)
        if tick_type in COMPUTATIONS:
            return wire.tick_computation(self.req_id, kind, str(value))
        if tick_type in STRING_TICKS:
            late = tick_type == 45 and self.twins
            text = str(int(value) - DELAY_S) if late else str(value)
            return wire.tick_string(self.req_id, kind, text)
        written = wire.number(float(value))
        if tick_type in SIZE_TICKS:
            return wire.tick_size(self.req_id, kind, written)
        if tick_type in PRICE_TICKS:
            return wire.tick_price(self.req_id, kind, written, "0", 0)
        return wire.tick_generic(self.req_id, kind, written)

    def _computations(self, board: Board) -> Iterator[bytes]:
        for tick_type in COMPUTATIONS:
            value = board.computations.get(tick_type)
            if value is not None and self.sent.get(tick_type) != value:
                self.sent[tick_type] = value
                yield wire.tick_computation(self.req_id, self._shown(tick_type), value)


def wanted_ticks(
    contract: Contract, generic: tuple[int, ...], *, bare: bool = False
) -> tuple[int, ...]:
    """Return the tick types of a line, in the order in which they are sent."""
    always = () if bare else SHOWN.get(contract.sec_type, DEFAULT_TICKS)
    extra = [tick for number in generic for tick in GENERIC_TICKS.get(number, ())]
    return tuple(dict.fromkeys([*always, *extra]))
