"""Alpaca's error codes: the only place that knows them, each with what a person should do.

https://docs.alpaca.markets/docs/streaming-market-data (errors), and for 412 and 413 the page of
the option stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ibcore.errors import VendorDenied, VendorRefused

SYMBOL_LIMIT: Final = 405
# Answers to what was asked last; every other error is about the connection.
ANSWERS: Final = frozenset({400, 405, 410, 413})

_KEYS: Final = "Check IBKEEPER_ALPACA__KEY_ID and IBKEEPER_ALPACA__SECRET_KEY"
_PLAN: Final = (
    "Subscribe to this feed at Alpaca (OPRA needs a signed agreement too), or choose another with"
    " IBKEEPER_ALPACA__STOCK_FEED or IBKEEPER_ALPACA__OPTION_FEED"
)
_LATER: Final = "It is tried again"
_REPORT: Final = "This is a fault of ibkeeper: please report it"


class Code(NamedTuple):
    """What a code means for us. `denied`: only a person can change it."""

    remedy: str
    denied: bool = False


CODES: Final[Mapping[int, Code]] = {
    400: Code(_REPORT),
    401: Code(_KEYS, denied=True),
    402: Code(_KEYS, denied=True),
    403: Code(_LATER),
    404: Code(_LATER),
    405: Code("Watch fewer lines, or upgrade the data subscription at Alpaca"),
    406: Code("End what else uses these keys: an account has one connection a feed"),
    407: Code("This machine is too slow for what is watched: watch less"),
    409: Code(_PLAN, denied=True),
    410: Code(_REPORT),
    411: Code(_KEYS, denied=True),
    412: Code(_REPORT),
    413: Code(_REPORT),
    429: Code("Ask less often: IBKEEPER_ALPACA__GREEKS_S"),
    500: Code(_LATER),
}
_UNKNOWN: Final = Code(_LATER)
# Of HTTP: who may not ask is told 401 or 403, whichever of the two reasons it is.
_NOT_ALLOWED: Final = Code(f"{_KEYS}. {_PLAN}", denied=True)
_HTTP: Final[Mapping[int, Code]] = {401: _NOT_ALLOWED, 403: _NOT_ALLOWED}


def refused(what: str, code: int, words: str) -> VendorRefused:
    """Return the error of a refusal on a stream."""
    return _error(what, code, words, CODES.get(code, _UNKNOWN))


def http_refused(what: str, status: int) -> VendorRefused:
    """Return the error of an HTTP status that is no success."""
    return _error(what, status, "over HTTP", _HTTP.get(status) or CODES.get(status, _UNKNOWN))


def _error(what: str, code: int, words: str, meant: Code) -> VendorRefused:
    kind = VendorDenied if meant.denied else VendorRefused
    return kind(f"Alpaca refused {what}: {code} {words}.", code=code, remedy=f"{meant.remedy}.")
