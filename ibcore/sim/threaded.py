"""A gateway on a thread and an event loop of its own: for scripts and tests that have no loop.

    with ThreadedGateway(SimConfig(seed=7)) as gateway:
        IB().connect("127.0.0.1", gateway.port, clientId=1)
        assert gateway.ledger.sent_ticks

Everything that is asked of it runs on its loop, so what `ledger` hands out is a copy that no other
thread changes.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, TypeVar

from ibcore.sim.config import SimConfig
from ibcore.sim.server import Gateway

_T = TypeVar("_T")
_ANSWER_S: Final = 30.0


class LedgerView:
    """The ledger's attributes and methods, read on the gateway's loop; lists are copies."""

    def __init__(self, gateway: ThreadedGateway) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        value = self._gateway.ask(lambda inner: _copied(getattr(inner.ledger, name)))
        if not callable(value):
            return value

        def call(*args: Any, **keywords: Any) -> Any:
            return self._gateway.ask(lambda _inner: _copied(value(*args, **keywords)))

        return call


class ThreadedGateway:
    """One gateway and the thread that runs it; a context manager."""

    def __init__(self, config: SimConfig | None = None) -> None:
        self.config = config or SimConfig()
        self.host = self.config.host
        self.port = 0
        self.control_port: int | None = None
        self.ledger = LedgerView(self)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gateway: Gateway | None = None
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="sim-gateway", daemon=True)

    def __enter__(self) -> ThreadedGateway:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the thread; return when the port is bound, or raise what kept it from that."""
        self._thread.start()
        self._ready.result(_ANSWER_S)

    def stop(self) -> None:
        """Cut every session, release the port, end the thread; safe to call twice."""
        if self._thread.is_alive():
            self.ask(lambda gateway: gateway.request_stop())
            self._thread.join(_ANSWER_S)

    def ask(self, question: Callable[[Gateway], _T]) -> _T:
        """Run a function of the gateway on its loop and return what it returns."""

        async def answer(gateway: Gateway) -> _T:
            return question(gateway)

        return self._await(answer)

    def fault(self, name: str, for_s: float | None = None, **details: Any) -> Any:
        """Start or end a fault, as `ibkeeper sim fault` does; return what was done."""
        return self._await(lambda gateway: gateway.fault(name, for_s, **details))

    def _await(self, question: Callable[[Gateway], Coroutine[Any, Any, _T]]) -> _T:
        if self._loop is None or self._gateway is None or not self._thread.is_alive():
            raise RuntimeError("The gateway is not running: use it inside its `with` block.")
        asked = asyncio.run_coroutine_threadsafe(question(self._gateway), self._loop)
        return asked.result(_ANSWER_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        async with Gateway(self.config) as gateway:
            self._loop, self._gateway = asyncio.get_running_loop(), gateway
            self.port, self.control_port = gateway.port, gateway.control_port
            self._ready.set_result(None)
            await gateway.stopping.wait()


def _copied(value: Any) -> Any:
    if isinstance(value, Counter):
        return Counter(value)
    if isinstance(value, (deque, list, Iterator)):
        return list(value)
    return dict(value) if isinstance(value, dict) else value
