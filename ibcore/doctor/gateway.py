"""The gateway: is it there, does it speak a version that we do, is its clock right?

Only the first two messages of a connection are exchanged. The gateway takes a client id with the
third one, so no session notices, and it works while all of ours are open.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import anyio
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream

from ibcore.clock import utcnow
from ibcore.config import GatewaySettings
from ibcore.doctor import clocks
from ibcore.doctor.finding import Finding, failed, ok, skipped

NAMES: Final = ("gateway", "gateway version", "gateway clock")
# As the sidecar's sessions offer it.
_HELLO: Final = b"v157..178"
_MOST_BYTES: Final = 1024
_TIME: Final = re.compile(r"(\d{8}) (\d{2}:\d{2}:\d{2}) ?(.*)")


class Greeting(NamedTuple):
    """What a gateway says first. `at`: between our question and its answer."""

    version: int
    told: str
    at: datetime
    round_trip_s: float


class Rude(Exception):
    """It is no gateway, or one that does not want us."""


async def look(host: str, port: int, settings: GatewaySettings) -> list[Finding]:
    """Return what was found; the first look that fails skips the others."""
    name, where = NAMES[0], f"{host}:{port}"
    try:
        with anyio.fail_after(settings.connect_timeout_s):
            greeting = await greet(host, port)
    except TimeoutError:
        seen = f"{where} accepts connections and says nothing within "
        seen += f"{settings.connect_timeout_s:g} s"
        return _only(failed(name, seen, "Restart the gateway: it hangs. Is somebody logged in?"))
    except Rude as odd:
        remedy = "Add this machine to the gateway's trusted IPs; is it the API's port?"
        return _only(failed(name, f"{where} {odd}", remedy))
    except OSError as refused:
        remedy = "Start the gateway, enable its API, check IBKEEPER_GATEWAY__HOST and __PORT."
        return _only(failed(name, f"{where} cannot be reached ({_why(refused)})", remedy))
    return [ok(name, f"{where} answers"), version(greeting, settings), clock(greeting)]


async def greet(host: str, port: int) -> Greeting:
    """Exchange the first two messages, and hang up."""
    asked = utcnow()
    async with await anyio.connect_tcp(host, port, happy_eyeballs_delay=0.25) as stream:
        asked = utcnow()
        await stream.send(b"API\0" + len(_HELLO).to_bytes(4, "big") + _HELLO)
        fields = await _first_message(stream)
        took = utcnow() - asked
    if len(fields) < 2 or not fields[0].isdigit():
        raise Rude("answers in another language than the API's")
    return Greeting(int(fields[0]), fields[1], asked + took / 2, took / timedelta(seconds=1))


async def _first_message(stream: ByteStream) -> list[str]:
    received = BufferedByteReceiveStream(stream)
    try:
        length = int.from_bytes(await received.receive_exactly(4), "big")
        if not 0 < length <= _MOST_BYTES:
            raise Rude("answers in another language than the API's")
        body = await received.receive_exactly(length)
    except (anyio.IncompleteRead, anyio.BrokenResourceError, anyio.EndOfStream):
        raise Rude("hangs up without a word") from None
    return body.decode("utf-8", "replace").split("\0")


def version(greeting: Greeting, settings: GatewaySettings) -> Finding:
    """Judge what version of the API it speaks."""
    name, wanted = NAMES[1], settings.min_server_version
    if greeting.version < wanted:
        seen = f"it speaks version {greeting.version}, older than {wanted}"
        return failed(name, seen, "Install IB Gateway or TWS build 1023 or newer.")
    return ok(name, f"API version {greeting.version}")


def clock(greeting: Greeting) -> Finding:
    """Judge its clock by the time it tells, which is in whole seconds."""
    name, found = NAMES[2], _TIME.match(greeting.told)
    if found is None:
        return skipped(name, f"it tells no time that can be read: {greeting.told[:40]!r}")
    told = datetime.strptime(f"{found[1]} {found[2]}", "%Y%m%d %H:%M:%S")  # noqa: DTZ007
    ahead = clocks.ahead_s(told + timedelta(seconds=0.5), found[3], at=greeting.at)
    unsure_s = 0.5 + greeting.round_trip_s / 2
    return clocks.judge(name, ahead, unsure_s=unsure_s, whose="the gateway's machine")


def _why(refused: OSError) -> str:
    # anyio wraps what every address of the host said.
    cause = refused.__cause__ if isinstance(refused.__cause__, OSError) else refused
    return cause.strerror or str(cause) or type(cause).__name__


def _only(finding: Finding) -> list[Finding]:
    return [finding, *(skipped(name, "the gateway does not answer") for name in NAMES[1:])]
