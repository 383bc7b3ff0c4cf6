"""What can go wrong, as one small tree, and the one place that decides retryable or fatal.

    IbkeeperError                 exit code 1
    ├── ConfigRefused             3  settings are missing, malformed or unsafe
    │   └── LiveRefused              what live trading leans on is not well
    ├── InstanceConflict          4  another process holds the lock of this name
    ├── DatabaseUnavailable       1  retryable
    │   └── SchemaMismatch        3  the schema is older or newer than this code
    ├── CursorTooOld              1  the ledger does not reach back to a stored cursor
    ├── PortTaken                 1
    ├── ChildDied                 1
    ├── AlertNotTaken             1  a target of alerts refused or did not answer
    ├── SymbolUnmapped            1  a contract that another vendor's symbols cannot name
    ├── SessionFailed             1  could not open, or lost, an API connection
    │   ├── GatewayRefused           nobody listens there (retryable)
    │   ├── GatewayTimeout           no answer within the deadline (retryable)
    │   ├── ClientIdInUse            code 326: wait for the old session (retryable)
    │   ├── ApiReadOnly              it takes no orders from the API (retryable)
    │   ├── GatewayTooOld            server version below the minimum (fatal)
    │   ├── StreamGarbled            what it sends cannot be cut into messages (retryable)
    │   ├── SessionLost              the socket went away (retryable)
    │   └── VendorRefused            a vendor of data said no, by a code (retryable)
    │       └── VendorDenied         …to these keys, or to this subscription (fatal)
    └── RequestFailed             1  a request to gateway or sidecar ended without its answer
        ├── RequestTimedOut          no answer in time: unknown, never "empty"
        ├── RequestRejected          the gateway said no (code and text)
        └── NotReady                 no session to ask (retryable)

A message says what happened, what is safe, and what to do next, in that order.
"""

from __future__ import annotations


class IbkeeperError(Exception):
    """Something ibkeeper can name went wrong."""

    exit_code = 1
    retryable = False

    def __init__(self, message: str = "", *, remedy: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())
        self.remedy = remedy

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text} {self.remedy}".strip() if self.remedy else text


class ConfigRefused(IbkeeperError):
    """The settings are missing, malformed or unsafe."""

    exit_code = 3


class LiveRefused(ConfigRefused):
    """Live trading does not start: something that it leans on is not well."""


class InstanceConflict(IbkeeperError):
    """Another process of this name holds the lock."""

    exit_code = 4


class AlertNotTaken(IbkeeperError):
    """A target of alerts did not take a message."""


class SymbolUnmapped(IbkeeperError):
    """The contract has no symbol that the other vendor knows."""


class DatabaseUnavailable(IbkeeperError):
    """The database cannot be reached."""

    retryable = True


class SchemaMismatch(DatabaseUnavailable):
    """The database schema is not the one this code was written for."""

    exit_code = 3
    retryable = False


class CursorTooOld(IbkeeperError):
    """The ledger does not reach back to a stored cursor."""


class PortTaken(IbkeeperError):
    """A port that ibkeeper needs is in use."""


class ChildDied(IbkeeperError):
    """A process that ibkeeper started ended by itself."""


class SessionFailed(IbkeeperError):
    """The API connection could not be opened, or was lost."""

    retryable = True


class GatewayRefused(SessionFailed):
    """Nobody listens on the gateway's address."""


class GatewayTimeout(SessionFailed):
    """The gateway did not finish the handshake within the deadline."""


class ClientIdInUse(SessionFailed):
    """The gateway says that this client id is connected already (326)."""


class ApiReadOnly(SessionFailed):
    """The gateway takes no orders from the API: it is in read-only mode."""


class GatewayTooOld(SessionFailed):
    """The gateway speaks an API older than build 1023."""

    retryable = False


class StreamGarbled(SessionFailed):
    """The gateway's bytes cannot be cut into messages."""


class SessionLost(SessionFailed):
    """The connection to the gateway went away."""


class VendorRefused(SessionFailed):
    """The vendor of data refused what was asked; later it may not."""

    def __init__(self, message: str = "", *, code: int = 0, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class VendorDenied(VendorRefused):
    """The vendor of data does not let these keys in, or not to this feed."""

    retryable = False


class RequestFailed(IbkeeperError):
    """A request ended without its answer."""


class RequestTimedOut(RequestFailed):
    """No answer came in time; what the answer would have been is unknown."""

    retryable = True


class RequestRejected(RequestFailed):
    """The gateway refused the request."""

    def __init__(self, message: str = "", *, code: int = 0, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class NotReady(RequestFailed):
    """There is no ready session to send the request on."""

    retryable = True


def is_retryable(error: BaseException) -> bool:
    """Decide whether trying again later can help. Unknown errors are fatal: they are bugs."""
    if isinstance(error, IbkeeperError):
        return error.retryable
    return isinstance(error, ConnectionError | TimeoutError | OSError)
