"""ib_async 2.0.1, hardened: the only place that touches its private parts.

`harden` repairs module state once; `make_ib` returns an IB whose wrapper reports every message
to a sink before (and independently of) the Ticker; `ask_time` and `sever` are a probe that
jumps the library's queue and a close that cannot hang. Any other version of ib_async is
refused: what is repaired here may be broken differently there. tests/unit/test_ib_compat.py
names every private attribute used, so that a new version fails there first.
"""

# ruff: noqa: N802, N803 (the overridden methods keep the vendor's names)

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from datetime import timezone, tzinfo
from importlib.metadata import version
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import ib_async.client
import ib_async.connection
import ib_async.util
import ib_async.wrapper
from eventkit import event as eventkit_event
from eventkit.ops import create as eventkit_create
from eventkit.ops import timing as eventkit_timing
from ib_async import IB, Client, IBDefaults
from ib_async.wrapper import Wrapper

from ibcore.clock import now_us
from ibcore.config import TickDefaults
from ibcore.errors import ConfigRefused, StreamGarbled
from ibcore.notices import REQUEST_INVALID
from sidecar.ib_client import FramingClient
from sidecar.ib_ticks import TickReader
from sidecar.tick_sink import TickSink

SUPPORTED: Final = "2.0.1"
BURSTS_PER_S: Final = 15
CURRENT_TIME_FRAME: Final = b"49\x001\x00"

# Missing in 2.0.1's maps (wrapper.py:82-147): each such tick dies in an AssertionError that the
# decoder logs with a traceback. Names are those of the vendor's TickTypeEnum.
PRICE_TICKS: Final = {
    57: "lastRthTrade",
    78: "creditmanMarkPrice",
    79: "creditmanSlowMarkPrice",
    92: "etfNavClose",
    93: "etfNavPriorClose",
    94: "etfNavBid",
    95: "etfNavAsk",
    96: "etfNavLast",
    97: "etfFrozenNavLast",
    98: "etfNavHigh",
    99: "etfNavLow",
    101: "estimatedIpoMidpoint",
    102: "finalIpoLast",
}
SIZE_TICKS: Final = {22: "openInterest"}
GENERIC_TICKS: Final = {60: "bondFactorMultiplier", 90: "delayedHalted"}
GREEKS_TICKS: Final = {53: "custGreeks"}


class _CompatWrapper(Wrapper):
    """ib_async's Wrapper, with validation errors that end their request."""

    def error(
        self, reqId: int, errorCode: int, errorString: str, advancedOrderRejectJson: str
    ) -> None:
        super().error(reqId, errorCode, errorString, advancedOrderRejectJson)
        # wrapper.py:1529 takes 321 for a warning, so the request would wait for ever.
        if errorCode == REQUEST_INVALID and reqId in self._futures:
            if self.ib.RaiseRequestErrors:
                failure = ib_async.wrapper.RequestError(reqId, errorCode, errorString)
                self._endReq(reqId, failure, success=False)  # type: ignore[no-untyped-call]
            else:
                self._endReq(reqId)  # type: ignore[no-untyped-call]


class _TapWrapper(_CompatWrapper):
    """Tell the sink of each packet, data type and error first; `TickReader` tells it the ticks.

    A line subscribed by request id alone has no Ticker: nothing is coalesced, nothing is keyed
    by conId, and a message costs half (docs/decisions/record-only.md).
    """

    sink: TickSink

    def tcpDataArrived(self) -> None:
        self.sink.packet(now_us())
        super().tcpDataArrived()  # type: ignore[no-untyped-call]

    def marketDataType(self, reqId: int, marketDataId: int) -> None:
        self.sink.data_type(reqId, marketDataId)
        super().marketDataType(reqId, marketDataId)

    def tickSnapshotEnd(self, reqId: int) -> None:
        self.sink.snapshot_end(reqId)
        super().tickSnapshotEnd(reqId)

    def error(
        self, reqId: int, errorCode: int, errorString: str, advancedOrderRejectJson: str
    ) -> None:
        self.sink.notice(reqId, errorCode, errorString)
        super().error(reqId, errorCode, errorString, advancedOrderRejectJson)


def current_loop() -> asyncio.AbstractEventLoop:
    """Return the running loop, or a new one where none runs; never a remembered one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        return loop


def harden(installed: str | None = None) -> None:
    """Repair the installed ib_async, or refuse it. Doing it twice changes nothing."""
    found = installed or version("ib_async")
    if found != SUPPORTED:
        raise ConfigRefused(
            f"ib_async {found} is installed, ibkeeper is made for {SUPPORTED} only.",
            remedy=f"Nothing was started. Install it: pip install ib_async=={SUPPORTED}.",
        )
    _replace_loop_getters()
    _extend_tick_maps()
    # What these two say at ERROR reaches us as typed errors and notices; said once is enough.
    logging.getLogger("ib_async.client").setLevel(logging.CRITICAL)
    logging.getLogger("ib_async.wrapper").setLevel(logging.CRITICAL)


def make_ib(
    defaults: TickDefaults, sink: TickSink | None = None, *, messages_per_s: int | None = 45
) -> IB:
    """Return a new, unconnected IB whose every tick message reaches `sink` first.

    `messages_per_s` None: the library paces nothing and queues nothing, whoever sends does.
    """
    harden()
    ib = IB(defaults=ib_defaults(defaults))
    wrapper: _CompatWrapper
    if sink is None:
        wrapper = _CompatWrapper(ib, defaults=ib_defaults(defaults))
    else:
        tapped = _TapWrapper(ib, defaults=ib_defaults(defaults))
        tapped.sink = sink
        wrapper = tapped
    ib.wrapper = wrapper
    ib.client = FramingClient(wrapper)
    _pace(ib.client, messages_per_s)
    ib.client.apiEnd += ib.disconnectedEvent
    # ib.py:414 answers every restored link with one more account-summary subscription.
    ib.errorEvent -= ib._onError
    if sink is not None:
        TickReader(ib.client, sink)
    return ib


def ib_defaults(defaults: TickDefaults) -> IBDefaults:
    """Return the configured defaults as ib_async takes them."""
    return IBDefaults(
        emptyPrice=defaults.empty_price,
        emptySize=defaults.empty_size,
        unset=defaults.unset,
        timezone=_zone(defaults.timezone),
    )


async def ask_time(ib: IB, timeout_s: float) -> bool:
    """Ask for the current time ahead of the library's queue; say whether it came in time.

    The queue (client.py:324) may hold seconds of requests. Its 45 messages a second leave room
    for this one below the 50 at which IB closes the socket.
    """
    answer = ib.wrapper.startReq("currentTime")
    # A lost socket fails the future while nobody waits for it any more.
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())
    ib.client.conn.sendMsg(ib.client._prefix(CURRENT_TIME_FRAME))
    done, _ = await asyncio.wait({answer}, timeout=timeout_s)
    return bool(done) and not answer.cancelled() and answer.exception() is None


def stream_error(ib: IB) -> StreamGarbled | None:
    """Return why the client gave the connection up by itself; None: it did not."""
    return ib.client.stream_error if isinstance(ib.client, FramingClient) else None


async def sever(ib: IB) -> None:
    """Close the socket at once and fail whatever still waits for an answer.

    Not `ib.disconnect()`: that one flushes first (and hangs on a dead peer, connection.py:46) and
    leaves pending requests waiting for ever (ib.py:382).
    """
    transport = ib.client.conn.transport
    if transport is None:
        ib.client.reset()
        return
    lost = asyncio.get_running_loop().create_future()

    def on_lost(_reason: str) -> None:
        if not lost.done():
            lost.set_result(None)

    ib.client.conn.disconnected += on_lost
    transport.abort()
    await lost


def _pace(client: Client, messages_per_s: int | None) -> None:
    if messages_per_s is None:
        client.MaxRequests = 0
        return
    # client.py:324 lets a whole second's worth go at once. The next burst leaves a second later,
    # but if the first was read late the gateway counts both in one second and hangs up: measured
    # 50 arrivals for 45 sent. Small bursts leave only what the lateness itself compresses.
    client.MaxRequests = max(1, messages_per_s // BURSTS_PER_S)
    client.RequestsInterval = client.MaxRequests / messages_per_s  # type: ignore[assignment]


def _replace_loop_getters() -> None:
    # util.py:498 remembers the first loop for ever: the second asyncio.run gets a closed one.
    for module in (ib_async.util, ib_async.client, ib_async.connection, ib_async.wrapper):
        vars(module)["getLoop"] = current_loop
    # eventkit/util.py:19 asks the policy, which does not know a loop made by a loop_factory.
    for event_module in (eventkit_event, eventkit_create, eventkit_timing):
        vars(event_module)["get_event_loop"] = current_loop


def _extend_tick_maps() -> None:
    pairs: tuple[tuple[MutableMapping[int, str], dict[int, str]], ...] = (
        (ib_async.wrapper.PRICE_TICK_MAP, PRICE_TICKS),
        (ib_async.wrapper.SIZE_TICK_MAP, SIZE_TICKS),
        (ib_async.wrapper.GENERIC_TICK_MAP, GENERIC_TICKS),
        (ib_async.wrapper.GREEKS_TICK_MAP, GREEKS_TICKS),
    )
    for known, missing in pairs:
        for tick_type, name in missing.items():
            known.setdefault(tick_type, name)


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigRefused(
            f"IBKEEPER_DEFAULTS__TIMEZONE: there is no time zone {name}.",
            remedy="Nothing was started. Use UTC or a name like America/New_York.",
        ) from None
