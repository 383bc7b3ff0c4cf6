"""Greeks by polling: `GET /v1beta1/options/snapshots`, at most 100 symbols a request.

Every failure is typed, noted once until it is over, and followed by a longer wait: as long as the
vendor says (429), else 1, 2, 4 … 60 s. Nothing is raised out of `run` for what the network does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import anyio
import httpx

from ibcore.clock import unix_ns
from ibcore.errors import (
    GatewayRefused,
    GatewayTimeout,
    SessionFailed,
    StreamGarbled,
    VendorDenied,
    VendorRefused,
)
from ibcore.log import get_logger
from ibcore.policy import BACKOFF_MAX_S, backoff_s
from sidecar.providers.alpaca import codes
from sidecar.providers.alpaca.door import Keys

log = get_logger(__name__)

PATH: Final = "/v1beta1/options/snapshots"
MOST_SYMBOLS: Final = 100
TIMEOUT_S: Final = 5.0
_WHAT: Final = "the snapshots of options"
_LATER: Final = "It is asked again."
_RATE_LIMIT: Final = 429

Snapshot = Mapping[str, Any]


class Snapshots:
    """Asks for the snapshots of what is wanted, over and over."""

    def __init__(
        self,
        url: str,
        *,
        keys: Keys,
        feed: str,
        every_s: float,
        denied_s: float,
        symbols: Callable[[], Sequence[str]],
        take: Callable[[Mapping[str, Snapshot]], Awaitable[None]],
    ) -> None:
        self._url = url
        self._keys = keys
        self._feed = feed
        self._every_s = every_s
        self._denied_s = denied_s
        self._symbols = symbols
        self._take = take
        self._failures = 0
        self.failure: SessionFailed | None = None

    async def run(self) -> None:
        """Ask every `every_s`, until cancelled."""
        headers = {
            "APCA-API-KEY-ID": self._keys.key_id,
            "APCA-API-SECRET-KEY": self._keys.secret_key,
        }
        async with httpx.AsyncClient(
            base_url=self._url, headers=headers, timeout=TIMEOUT_S
        ) as client:
            while True:
                wait_s = await self._turn(client)
                await anyio.sleep(wait_s)

    async def _turn(self, client: httpx.AsyncClient) -> float:
        """Ask once for everything; return how long to wait."""
        try:
            for some in _in_hundreds(self._symbols()):
                await self._take(await self._ask(client, some))
        except SessionFailed as failed:
            return self._failed(failed)
        if self.failure is not None:
            log.info("alpaca_snapshots_again")
        self._failures, self.failure = 0, None
        return self._every_s

    def _failed(self, failed: SessionFailed) -> float:
        if type(failed) is not type(self.failure):
            log.warning("alpaca_snapshots_failed", why=str(failed), kind=type(failed).__name__)
        self._failures += 1
        self.failure = failed
        if isinstance(failed, VendorDenied):
            return self._denied_s
        told_s = failed.wait_s if isinstance(failed, _TooOften) else 0.0
        return max(self._every_s, told_s, backoff_s(self._failures))

    async def _ask(self, client: httpx.AsyncClient, symbols: Sequence[str]) -> dict[str, Snapshot]:
        found: dict[str, Snapshot] = {}
        query = {"symbols": ",".join(symbols), "feed": self._feed, "limit": str(MOST_SYMBOLS)}
        for _ in symbols:  # a page has at least one of them
            told = await self._page(client, query)
            snapshots = told["snapshots"].items()
            found |= {symbol: one for symbol, one in snapshots if isinstance(one, dict)}
            token = told.get("next_page_token")
            if not token:
                break
            query["page_token"] = str(token)
        return found

    async def _page(self, client: httpx.AsyncClient, query: Mapping[str, str]) -> dict[str, Any]:
        try:
            response = await client.get(PATH, params=query)
            if response.status_code == _RATE_LIMIT:
                raise _TooOften(_asked_wait_s(response.headers))
            if not response.is_success:
                raise codes.http_refused(_WHAT, response.status_code)
            told = response.json()
        except httpx.TimeoutException:
            raise GatewayTimeout(
                f"Alpaca did not send {_WHAT} within {TIMEOUT_S:g} s.", remedy=_LATER
            ) from None
        except httpx.HTTPError as failed:
            raise GatewayRefused(
                f"Alpaca cannot be asked for {_WHAT} ({type(failed).__name__}).",
                remedy="Check the network and IBKEEPER_ALPACA__DATA_URL.",
            ) from None
        except ValueError:
            told = None
        if not isinstance(told, dict) or not isinstance(told.get("snapshots"), dict):
            raise StreamGarbled(f"What Alpaca sent for {_WHAT} is none.", remedy=_LATER)
        return told


class _TooOften(VendorRefused):
    """Alpaca says that it is asked too often (429)."""

    def __init__(self, wait_s: float) -> None:
        refused = codes.http_refused(_WHAT, _RATE_LIMIT)
        super().__init__(str(refused.args[0]), code=_RATE_LIMIT, remedy=refused.remedy)
        self.wait_s = wait_s


def _asked_wait_s(headers: Mapping[str, str]) -> float:
    """Return how long the vendor wants us to wait, at most a minute; 0: it does not say."""
    try:
        if "Retry-After" in headers:
            wait_s = float(headers["Retry-After"])
        else:
            wait_s = float(headers["X-RateLimit-Reset"]) - unix_ns() / 1e9
    except (KeyError, ValueError):
        return 0.0
    return min(max(wait_s, 0.0), BACKOFF_MAX_S)


def _in_hundreds(symbols: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(symbols), MOST_SYMBOLS):
        yield symbols[start : start + MOST_SYMBOLS]
