"""Who is let in, and to how much; the refusals in the vendor's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ibcore.sim.alpaca.frames import Message

STOCK_FEEDS: Final = frozenset({"sip", "iex", "delayed_sip"})
OPTION_FEEDS: Final = frozenset({"opra", "indicative"})

_WORDS: Final = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    412: "option messages are only available in MsgPack format",
    413: "star subscription is not allowed for option quotes",
    500: "internal error",
}


@dataclass(slots=True)
class Rules:
    """What an account is allowed; change it while the server runs, it is read each time."""

    key_id: str = "PKTEST"
    secret_key: str = "sim-secret-key"
    feeds: frozenset[str] = STOCK_FEEDS | OPTION_FEEDS
    connections: int = 1  # on each endpoint
    symbols: int | None = None  # distinct symbols on a stream; None: any number
    auth_s: float = 10.0  # from the welcome
    page: int = 100  # snapshots in one answer


def error(code: int) -> Message:
    """Return the message of a refusal."""
    return {"T": "error", "code": code, "msg": _WORDS[code]}


def feed_of(path: str) -> str | None:
    """Return the feed of a stream's path; None: there is no such stream."""
    match path.split("/"):
        case ["", "v2", feed] if feed in STOCK_FEEDS:
            return feed
        case ["", "v1beta1", feed] if feed in OPTION_FEEDS:
            return feed
    return None
