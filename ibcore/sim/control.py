"""The control port: JSON lines over loopback, one command a line, for people and tests.

    {"do": "stats"}                                  -> one line
    {"do": "ledger", "since": 0, "limit": 1000}      -> {"ok": true, "count": n}, then n lines
    {"do": "requests"} / {"do": "sessions"}          -> the same
    {"do": "orders"}                                 -> the same: steps and fills, by time
    {"do": "universe"}                               -> symbols, and contracts worth watching
    {"do": "entries", "kinds": [...], "session": 1, "client": 0, "line": 7, "order": 3}
                                -> {"ok": true, "until": "end"}, entries by time, {"end": n}
    {"do": "fault", "name": "drop", "for": 20, "client": 1, "values": {...}} -> one line
    {"do": "faults"}                                 -> the catalogue, one line a fault
    {"do": "stop"}                                   -> one line; the process then ends

An error is {"ok": false, "error": "..."}; the connection stays open.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from typing import Any, Final, Protocol

import structlog

from ibcore.sim import entries, faults, plans, suggestions
from ibcore.sim.config import SimConfig
from ibcore.sim.faultengine import Done
from ibcore.sim.ledger import Ledger, decode
from ibcore.sim.listener import Listener
from ibcore.sim.source import Source

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

_PAGE: Final = 200  # lines, some milliseconds: then everybody else has a turn

Command = dict[str, Any]


class Controlled(Protocol):
    """What the control port needs of the gateway."""

    config: SimConfig
    ledger: Ledger
    source: Source

    def describe(self) -> dict[str, object]:
        """Return the address, the seed and the state."""

    async def disturb(self, name: str, for_s: float | None, given: Mapping[str, Any]) -> Done:
        """Start or end a fault; return what was done and how to repeat it."""

    def request_stop(self) -> None:
        """Ask whoever runs the gateway to stop it."""


class ControlPort:
    """Serves one gateway's control port."""

    def __init__(self, gateway: Controlled, port: int) -> None:
        self._gateway = gateway
        self._listener = Listener("127.0.0.1", port, self._accept)
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> int:
        """Bind to loopback and return the port."""
        await self._listener.open()
        return self._listener.port

    async def stop(self) -> None:
        """Close the port and its connections."""
        await self._listener.stop()
        for writer in self._writers.values():
            writer.transport.abort()
        if self._writers:
            await asyncio.wait(list(self._writers))

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="sim-control")
        self._writers[task] = writer
        task.add_done_callback(self._writers.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                await self._answer(line, writer)
        except (ConnectionError, ValueError):
            pass  # the peer went away, or sent a line without end
        except Exception:
            log.exception("sim_control_failed")
        finally:
            writer.transport.abort()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            command = json.loads(line)
            lines = await self._run(command)
        except KeyError as error:
            lines = iter([{"ok": False, "error": f"{error} is missing"}])
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            lines = iter([{"ok": False, "error": str(error)}])
        for number, item in enumerate(lines, 1):
            if item is not None:
                writer.write(json.dumps(item).encode() + b"\n")
            if item is None or number % _PAGE == 0:
                await writer.drain()
                await asyncio.sleep(0)  # a fast reader lets `drain` return at once
        await writer.drain()

    async def _run(self, command: Command) -> Iterator[object]:
        gateway = self._gateway
        match command["do"]:
            case "stats":
                return iter([{"ok": True, **gateway.describe(), **gateway.ledger.stats()}])
            case "universe":
                return iter([{"ok": True, **suggestions.universe(gateway.source)}])
            case "fault":
                done = await gateway.disturb(*_fault(command))
                return iter([{"ok": True, **asdict(done)}])
            case "faults":
                return _counted(faults.listed())
            case "stop":
                gateway.request_stop()
                return iter([{"ok": True}])
            case "entries":
                return _until_end(_entries(gateway.ledger, command))
            case "ledger":
                return _ticks(gateway.ledger, command)
            case other if other in _LISTS:
                return _counted(_LISTS[other](gateway.ledger))
            case other:
                raise ValueError(
                    f"no command is called {other!r}; {faults.nearest(str(other), _KNOWN)}"
                )


def _ticks(ledger: Ledger, command: Command) -> Iterator[object]:
    limit = command.get("limit")
    held = ledger.held(int(command.get("since", 0)), None if limit is None else int(limit))
    head: dict[str, object] = {"ok": True, "count": len(held)}
    return chain([head], (decode(entry)._asdict() for entry in held))


def _fault(command: Command) -> tuple[str, float | None, dict[str, Any]]:
    values = command.get("values", {})
    if not isinstance(values, dict):
        raise ValueError("values is an object of parameters")
    options = {key: command[key] for key in plans.OPTIONS if command.get(key) is not None}
    return str(command["name"]), command.get("for"), {**values, **options}


def _entries(ledger: Ledger, command: Command) -> Iterator[object]:
    numbers = {name: command.get(name) for name in ("session", "client", "line", "order")}
    kinds = tuple(command.get("kinds") or entries.KINDS)
    since = int(command.get("since", 0))
    wanted = entries.Wanted(kinds, **numbers, since=since)
    return entries.with_pauses(ledger, wanted)


_LISTS: Final[dict[object, Callable[[Ledger], Iterable[object]]]] = {
    "requests": lambda ledger: (item._asdict() for item in ledger.requests),
    "orders": lambda ledger: ledger.orders.lines(),
    "sessions": lambda ledger: (item._asdict() for item in ledger.sessions),
}
_KNOWN: Final = ("stats", "ledger", "entries", "universe", "fault", "faults", "stop",
                 "requests", "orders", "sessions")  # fmt: skip


def _counted(items: Iterable[object]) -> Iterator[object]:
    """Count first: the ring may lose its oldest entries while a slow reader reads."""
    listed = list(items)
    yield {"ok": True, "count": len(listed)}
    yield from listed


def _until_end(items: Iterator[object]) -> Iterator[object]:
    """Say at the end how many there were: to count first would be to decode all of them."""
    yield {"ok": True, "until": "end"}
    number = 0
    for item in items:
        number += item is not None
        yield item
    yield {"end": number}
