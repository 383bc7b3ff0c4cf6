"""The ping to somebody outside, healthchecks-style: when it stops, they tell people.

It is the only one who notices that the whole machine is gone. Its URL is a secret: never logged.
"""

from __future__ import annotations

from typing import NoReturn

import anyio
import httpx
from pydantic import SecretStr

from ibcore import log

_log = log.get_logger(__name__)
TIMEOUT_S = 10.0


async def ping(url: SecretStr, *, every_s: float) -> NoReturn:
    """Ping for ever; one that fails is the next one's business, and the receiver's to notice."""
    address = url.get_secret_value()
    log.hide(address)
    failing = False
    async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=True) as client:
        while True:
            try:
                (await client.get(address)).raise_for_status()
                failing = False
            except (httpx.HTTPError, httpx.InvalidURL) as failed:
                if not failing:  # its text holds the URL
                    _log.warning("outside_heartbeat_failed", why=type(failed).__name__)
                failing = True
            await anyio.sleep(every_s)
