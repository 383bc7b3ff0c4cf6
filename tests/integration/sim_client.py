"""A bare TWS client of the simulator's tests, and helpers that wait for a condition."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ib_async import IB, StartupFetchNONE

from ibcore.sim.server import Gateway
from sidecar.ib_compat import harden, sever

harden()


class RawClient:
    """Speaks the protocol field by field, as badly as a test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, *fields: object) -> None:
        self.send_bytes("".join(f"{field}\0" for field in fields).encode())

    def send_bytes(self, body: bytes) -> None:
        self.writer.write(struct.pack(">I", len(body)) + body)

    async def receive(self) -> list[str]:
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        return (await self._reader.readexactly(length)).decode().split("\0")[:-1]

    async def until(self, msg_id: int) -> list[list[str]]:
        """Receive up to and including the first message of that number."""
        frames: list[list[str]] = []
        while not frames or frames[-1][0] != str(msg_id):
            frames.append(await self.receive())
        return frames

    async def closed(self) -> bytes:
        """Read until the server closes; return what was left."""
        try:
            return await self._reader.read()
        except ConnectionError:
            return b""

    async def greet(self, versions: str = "v157..178") -> None:
        self.writer.write(b"API\0")
        self.send_bytes(versions.encode())


@asynccontextmanager
async def raw_client(gateway: Gateway, client_id: int | None = 1) -> AsyncIterator[RawClient]:
    """Connect; with a client id also through the handshake, up to the last farm notice."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    client = RawClient(reader, writer)
    try:
        if client_id is not None:
            await client.greet()
            await client.receive()
            client.send(71, 2, client_id, "")
            for _ in range(5):
                await client.receive()
        yield client
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            writer.transport.abort()


@asynccontextmanager
async def ib_client(gateway: Gateway, client_id: int = 1) -> AsyncIterator[IB]:
    """Connect the real ib_async."""
    ib = IB()
    await ib.connectAsync(
        "127.0.0.1", gateway.port, clientId=client_id, fetchFields=StartupFetchNONE, readonly=True
    )
    try:
        yield ib
    finally:
        await sever(ib)


async def eventually(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until the condition holds."""

    async def poll() -> None:
        while not condition():  # noqa: ASYNC110 (any condition, also of another process)
            await asyncio.sleep(0.01)

    await asyncio.wait_for(poll(), within_s)


def market_data(req_id: int, **given: object) -> list[object]:
    """Build reqMktData (1); whatever is not given is blank."""
    return [
        *(1, 11, req_id, *contract(given)),
        *(0, given.get("generic", ""), given.get("snapshot", 0), 0, ""),
    ]


def contract_details(req_id: int, **given: object) -> list[object]:
    """Build reqContractDetails (9)."""
    return [9, 8, req_id, *contract(given), 0, "", "", ""]


def contract(given: dict[str, object]) -> list[object]:
    """Return the twelve fields of a contract."""
    names = "con_id symbol sec_type expiry strike right multiplier exchange primary currency local"
    return [given.get(name, "") for name in (*names.split(), "trading_class")]
