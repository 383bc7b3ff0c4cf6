"""The official client with its own threads, and a wrapper that keeps what it hears."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.wrapper import EWrapper

from ibcore import clock


class OfficialClient(EWrapper, EClient):  # type: ignore[misc]
    """EClient and EWrapper in one, as IB's samples have it; every callback is noted."""

    def __init__(self) -> None:
        EClient.__init__(self, self)
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        self.news = threading.Condition(threading.RLock())

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name.startswith("_") or name not in _CALLBACKS:
            return value

        def note(*arguments: Any) -> Any:
            with self.news:
                self.heard.append((name, arguments))
                self.news.notify_all()
            return value(*arguments)

        return note

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """Return the arguments of every call of a callback so far."""
        with self.news:
            return [arguments for called, arguments in self.heard if called == name]

    def until(self, condition: Callable[[], Any], within_s: float = 15.0) -> Any:
        """Wait until the condition holds for what has been heard; return its value."""
        ends = clock.monotonic() + within_s
        with self.news:
            while not (value := condition()):
                left = ends - clock.monotonic()
                assert left > 0, [item for item in self.heard if item[0] != "tickPrice"][-20:]
                self.news.wait(left)
        return value

    def first(self, name: str, which: Callable[..., bool] = lambda *_: True) -> tuple[Any, ...]:
        """Wait for a call of a callback and return its arguments."""

        def found() -> list[tuple[Any, ...]]:
            return [arguments for arguments in self.of(name) if which(*arguments)]

        return self.until(found)[0]  # type: ignore[no-any-return]


_CALLBACKS = {
    name for name in vars(EWrapper) if not name.startswith("_") and not name.endswith("ProtoBuf")
} - {"logAnswer"}


@contextmanager
def official_client(port: int, client_id: int = 1) -> Iterator[OfficialClient]:
    """Connect the official client, run its loop on a thread, disconnect at the end."""
    client = OfficialClient()
    client.connect("127.0.0.1", port, client_id)
    reader = client.reader  # gone from the client once it is disconnected
    loop = threading.Thread(target=client.run, name="ibapi-loop")
    loop.start()
    try:
        yield client
    finally:
        # Not the client's own `disconnect`: it forgets the version of the server, and its loop
        # dies of that over a message that it still has. Without a socket it ends by itself.
        reader.conn.disconnect()
        loop.join(10)
        reader.join(10)
        assert not loop.is_alive()


def contract(**given: Any) -> Contract:
    """Build the client's own contract."""
    made = Contract()
    for name, value in {"exchange": "SMART", "currency": "USD", **given}.items():
        setattr(made, name, value)
    return made
