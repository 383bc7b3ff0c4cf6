"""The values that everything else speaks of, and the transition table of every state machine.

Market rows are NamedTuples whose fields stand in the order of the table's columns: a row is
what COPY writes, unchanged. `ts` and `recv_ts` are microseconds since 2000-01-01 UTC
(`ibcore.clock`); prices and sizes are floats as IB sends them, None where IB sends "empty".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple, TypeVar


class StrEnum(str, Enum):
    """Members are their own SQL and JSON text (the standard one needs Python 3.11)."""

    def __str__(self) -> str:
        return str(self.value)


class Quality(StrEnum):
    """How good the data is, row by row; IB's market data types 1 to 4, and vendors' samples."""

    live = "live"
    frozen = "frozen"
    delayed = "delayed"
    delayed_frozen = "delayed_frozen"
    indicative = "indicative"


class Provider(StrEnum):
    """Who the row came from."""

    ib = "ib"
    standby = "standby"
    alpaca = "alpaca"


class GreeksKind(StrEnum):
    """What the computation stands on, and whose it is.

    `model`: IB's model; `bid`, `ask`, `last`: IB's inversion at that price. `vendor`: as a backup
    vendor computed it, by a model of its own. `computed`: by ibkeeper, from the middle of bid and
    ask (`ibcore.option_model`), where a backup vendor gave none.
    """

    bid = "bid"
    ask = "ask"
    last = "last"
    model = "model"
    vendor = "vendor"
    computed = "computed"


class TradeSource(StrEnum):
    """Which message a print was read from.

    `last`: tick 4/5, the change of IB's last price or size, sampled by IB every 250 ms.
    `rt_volume`: tick 48 (generic 233), `rt_trade_volume`: tick 77 (375): print by print, with
    exchange time. `tick_by_tick`: the tick-by-tick feed, or a backup vendor's stream of prints.
    """

    last = "last"
    rt_volume = "rt_volume"
    rt_trade_volume = "rt_trade_volume"
    tick_by_tick = "tick_by_tick"


class SessionState(StrEnum):
    """One API connection; drawn in docs/states.md."""

    waiting = "waiting"
    connecting = "connecting"
    ready = "ready"
    stopped = "stopped"


class RequestState(StrEnum):
    """A request of a flow or an operator to the sidecar; drawn in docs/states.md."""

    requested = "requested"
    claimed = "claimed"
    completed = "completed"
    failed = "failed"
    expired = "expired"


class WatchState(StrEnum):
    """A line of the watch list; drawn in docs/states.md."""

    pending = "pending"
    active = "active"
    failed = "failed"
    over_budget = "over_budget"


class QuoteState(StrEnum):
    """What a chain snapshot got for one contract; docs/chains.md."""

    complete = "complete"
    partial = "partial"
    no_quote = "no_quote"
    missing = "missing"
    no_permission = "no_permission"
    error = "error"


class AlertState(StrEnum):
    """What one target is told of one incident; drawn in docs/states.md."""

    waiting = "waiting"
    delivered = "delivered"
    expired = "expired"


class GapCause(StrEnum):
    """Why rows that IB sent, or would have sent, are not there.

    `spool_full`: above the cap of the spool quotes were conflated, or dropped. `memory_full`:
    neither the disk nor the database took anything. `batch_damaged`, `spool_damaged`: the disk
    did not give back what was written. `batch_refused`: the database does not take the rows.
    `line_refused`, `over_budget`: a wanted line is not streamed (noted by a trigger on `watch`).
    """

    spool_full = "spool_full"
    memory_full = "memory_full"
    batch_damaged = "batch_damaged"
    spool_damaged = "spool_damaged"
    batch_refused = "batch_refused"
    line_refused = "line_refused"
    over_budget = "over_budget"


class RejectReason(StrEnum):
    """Why a tick was not believed; what it said is in `rejected_tick`, not in the market tables.

    `unreadable`: no number where a number belongs. `not_finite`: NaN or infinite. `out_of_range`:
    larger than anything real. `negative_price`, `negative_amount`: where there can be none.
    `too_fine`: more decimals than any exchange quotes. `too_long`: a text. `too_many`: a storm;
    `alike` counts what has no row of its own.
    """

    unreadable = "unreadable"
    not_finite = "not_finite"
    out_of_range = "out_of_range"
    negative_price = "negative_price"
    negative_amount = "negative_amount"
    too_fine = "too_fine"
    too_long = "too_long"
    too_many = "too_many"


SESSION_TRANSITIONS: Final[Mapping[SessionState, frozenset[SessionState]]] = {
    SessionState.waiting: frozenset({SessionState.connecting, SessionState.stopped}),
    SessionState.connecting: frozenset(
        {SessionState.ready, SessionState.waiting, SessionState.stopped}
    ),
    SessionState.ready: frozenset({SessionState.waiting, SessionState.stopped}),
    SessionState.stopped: frozenset(),
}

REQUEST_TRANSITIONS: Final[Mapping[RequestState, frozenset[RequestState]]] = {
    RequestState.requested: frozenset({RequestState.claimed, RequestState.expired}),
    RequestState.claimed: frozenset(
        {RequestState.completed, RequestState.failed, RequestState.expired}
    ),
    RequestState.completed: frozenset(),
    RequestState.failed: frozenset(),
    RequestState.expired: frozenset(),
}

ALERT_TRANSITIONS: Final[Mapping[AlertState, frozenset[AlertState]]] = {
    AlertState.waiting: frozenset({AlertState.delivered, AlertState.expired}),
    AlertState.delivered: frozenset(),
    AlertState.expired: frozenset(),
}

WATCH_TRANSITIONS: Final[Mapping[WatchState, frozenset[WatchState]]] = {
    WatchState.pending: frozenset({WatchState.active, WatchState.failed, WatchState.over_budget}),
    WatchState.active: frozenset({WatchState.pending, WatchState.failed}),
    WatchState.failed: frozenset({WatchState.pending}),
    WatchState.over_budget: frozenset({WatchState.pending}),
}

_S = TypeVar("_S")


def may_move(table: Mapping[_S, frozenset[_S]], old: _S, new: _S) -> bool:
    """Say whether the machine described by `table` allows the step."""
    return new in table[old]


class Quote(NamedTuple):
    """The best bid and ask after one tick that changed them. One row per change."""

    ts: int
    recv_ts: int
    instrument_id: int
    seq: int
    epoch: int
    provider: str
    quality: str
    tick_type: int
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None


class Trade(NamedTuple):
    """A market print. `ts` is exchange time where the source gives one, else `recv_ts`."""

    ts: int
    recv_ts: int
    instrument_id: int
    seq: int
    epoch: int
    provider: str
    quality: str
    tick_type: int
    source: str
    price: float
    size: float | None
    volume: float | None
    vwap: float | None


class Greeks(NamedTuple):
    """One option computation. IV and delta are fractions, theta is per day, vega per vol point."""

    ts: int
    recv_ts: int
    instrument_id: int
    seq: int
    epoch: int
    provider: str
    quality: str
    kind: str
    iv: float | None
    delta: float | None
    gamma: float | None
    vega: float | None
    theta: float | None
    option_price: float | None
    pv_dividend: float | None
    underlying_price: float | None
    price_based: bool | None


class Stat(NamedTuple):
    """One changed statistic of an instrument: `field` is a column of `instrument_stat`."""

    ts: int
    recv_ts: int
    instrument_id: int
    seq: int
    epoch: int
    provider: str
    quality: str
    tick_type: int
    field: str
    value: float | str


MarketRow = Quote | Trade | Greeks | Stat


class Endpoint(NamedTuple):
    """Where a gateway listens and who we are there."""

    host: str
    port: int
    client_id: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port} (client id {self.client_id})"


class ContractSpec(NamedTuple):
    """What a person asks for, before IB has qualified it. `expiry` is YYYYMMDD or YYYYMM."""

    symbol: str
    sec_type: str = "STK"
    exchange: str = "SMART"
    currency: str = "USD"
    primary_exchange: str = ""
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    trading_class: str = ""
    con_id: int = 0

    def __str__(self) -> str:
        parts = (self.symbol, self.sec_type, self.expiry, f"{self.strike:g}" if self.strike else "")
        return " ".join(part for part in (*parts, self.right, self.exchange) if part)
