"""The way in: one connection, welcomed and authenticated within one deadline, or a typed error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from ibcore.calendar import is_open
from ibcore.errors import (
    GatewayRefused,
    GatewayTimeout,
    SessionFailed,
    SessionLost,
    StreamGarbled,
)
from sidecar.providers.alpaca import codes
from sidecar.providers.alpaca.wire import HEADERS, Message, decode, encode

QUEUED: Final = 256
LARGEST_FRAME: Final = 4 * 2**20
CLOSE_S: Final = 1.0
LATER: Final = "It is connected anew."
# At its debug level the library writes every frame, the one with the keys too.
_quiet: Final = logging.getLogger("sidecar.providers.alpaca.websockets")


class Pace(NamedTuple):
    """How patient a stream is, in seconds."""

    connect_s: float = 5.0  # one deadline: TCP, TLS, welcome, authentication
    answer_s: float = 10.0  # for a subscription to be acknowledged
    ping_s: float = 10.0  # between pings, and for each to be answered
    silent_s: float = 120.0  # without data while the market is open: connected anew
    steady_s: float = 5.0  # a connection that held for less is a failure more
    denied_s: float = 300.0  # before keys, or a feed, that were denied are tried again
    is_open: Callable[[datetime], bool] = is_open  # whether the market trades


PATIENT: Final = Pace()


class Keys(NamedTuple):
    """Who we are at Alpaca. Not for logs."""

    key_id: str
    secret_key: str

    def __repr__(self) -> str:
        return "Keys(**********)"


async def opened(name: str, url: str, *, keys: Keys, pace: Pace) -> ClientConnection:
    """Return a socket that has authenticated; raise a SessionFailed that says why not."""
    try:
        return await _connected(name, url, keys, pace)
    except TimeoutError:
        raise GatewayTimeout(
            f"Alpaca's stream {name} did not open within {pace.connect_s:g} s.", remedy=LATER
        ) from None
    except InvalidStatus as refused:
        status = refused.response.status_code
        raise codes.http_refused(f"the stream {name}", status) from None
    except ConnectionClosed as closed:
        raise closed_by(name, closed) from None
    except (OSError, WebSocketException, ImportError) as failed:  # a proxy may need a library
        raise GatewayRefused(
            f"Alpaca's stream {name} cannot be reached ({type(failed).__name__}).",
            remedy=f"Check the network and IBKEEPER_ALPACA__STREAM_URL. {LATER}",
        ) from None


def closed_by(name: str, closed: ConnectionClosed) -> SessionLost:
    """Return the error of a connection that ended."""
    said = closed.rcvd
    why = f"closed by Alpaca: {said.code} {said.reason[:100]}" if said else "cut, or dead"
    return SessionLost(f"Alpaca's stream {name} was {why.strip()}.", remedy=LATER)


def refusal(name: str, told: Message) -> SessionFailed:
    """Return the error that an error message means."""
    code, words = told.get("code"), str(told.get("msg", ""))[:200]
    return codes.refused(f"the stream {name}", code if isinstance(code, int) else 0, words)


async def _connected(name: str, url: str, keys: Keys, pace: Pace) -> ClientConnection:
    _quiet.setLevel(logging.WARNING)
    with anyio.fail_after(pace.connect_s):
        socket = await connect(
            url,
            additional_headers=HEADERS,
            open_timeout=None,
            ping_interval=pace.ping_s,
            ping_timeout=pace.ping_s,
            close_timeout=CLOSE_S,
            max_size=LARGEST_FRAME,
            max_queue=QUEUED,
            logger=_quiet,
        )
        try:
            await _introduce(name, socket, keys)
        except BaseException:
            socket.transport.abort()
            raise
    return socket


async def _introduce(name: str, socket: ClientConnection, keys: Keys) -> None:
    await _expect(name, socket, "connected")
    said = {"action": "auth", "key": keys.key_id, "secret": keys.secret_key}
    await socket.send(encode(said))
    await _expect(name, socket, "authenticated")


async def _expect(name: str, socket: ClientConnection, word: str) -> None:
    (told, *more) = decode(await socket.recv()) or [{}]
    if told.get("T") == "error":
        raise refusal(name, told)
    if more or (told.get("T"), told.get("msg")) != ("success", word):
        raise StreamGarbled(f"Alpaca did not say {word!r}.", remedy=LATER)
