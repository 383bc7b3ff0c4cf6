"""ib_async 2.0.1's Client with a read path that does not slow down when it is behind.

Part of `ib_compat`: made there, for that version only. Which messages are handed on, in what
order, and what the client knows after them is the vendor's (client.py:356-412); a property test
drives both with the same bytes.
"""

# ruff: noqa: N802 (the overridden methods keep the vendor's names)

from __future__ import annotations

from typing import Any, Final

from ib_async import Client

from ibcore.errors import StreamGarbled
from sidecar.framing import Frames

NEXT_VALID_ID: Final = 9
MANAGED_ACCOUNTS: Final = 15


class FramingClient(Client):
    """Cuts what it reads with `Frames`; a stream that cannot be cut ends the connection."""

    def __init__(self, wrapper: Any) -> None:
        self.stream_error: StreamGarbled | None = None
        super().__init__(wrapper)  # type: ignore[no-untyped-call]

    def reset(self) -> None:
        """Forget the connection, and with it what was read and not handed on."""
        super().reset()  # type: ignore[no-untyped-call]
        self._frames = Frames()

    def _onSocketHasData(self, data: bytes) -> None:
        if self.stream_error is not None:
            return
        if self._tcpDataArrived:
            self._tcpDataArrived()
        self._numBytesRecv += len(data)
        self._frames.add(data)
        try:
            # Looked up anew for each message: one of them may end the connection (reset).
            while (text := self._frames.next()) is not None:
                fields = text.split("\0")
                fields.pop()
                self._numMsgRecv += 1
                if not self._take(fields):
                    return
        except StreamGarbled as garbled:
            self._give_up(garbled)
        if self._tcpDataProcessed:
            self._tcpDataProcessed()

    def _take(self, fields: list[str]) -> bool:
        """Hand on one message; False when it ended the connection."""
        if not self._serverVersion and len(fields) == 2:
            return self._greeted(int(fields[0]))
        if not self._apiReady:
            self._look_for_start(fields)
        self.decoder.interpret(fields)
        return True

    def _greeted(self, version: int) -> bool:
        self._serverVersion = version
        if version < self.MinClientVersion:
            self._onSocketDisconnected("TWS/gateway version must be >= 972")  # type: ignore[no-untyped-call]
            return False
        self.decoder.serverVersion = version
        self.connState = Client.CONNECTED
        self.startApi()  # type: ignore[no-untyped-call]
        self.wrapper.connectAck()
        return True

    def _look_for_start(self, fields: list[str]) -> None:
        message = int(fields[0])
        if message == NEXT_VALID_ID:
            _, _, valid_id = fields
            self.updateReqId(int(valid_id))  # type: ignore[no-untyped-call]
            self._hasReqId = True
        elif message == MANAGED_ACCOUNTS:
            _, _, accounts = fields
            self._accounts = [account for account in accounts.split(",") if account]
        if self._hasReqId and self._accounts:
            self._apiReady = True
            self.apiStart.emit()

    def _give_up(self, garbled: StreamGarbled) -> None:
        self.stream_error = garbled
        self._frames = Frames()
        if self.conn.transport is not None:
            self.conn.transport.abort()
        self.apiError.emit(str(garbled))
