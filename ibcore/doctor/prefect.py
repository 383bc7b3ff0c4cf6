"""Prefect: is its server there, who reaches it, does it ask who that is?

Whoever reaches Prefect's API without a password can run flows, approve a live batch, and read
what runs said. So it stays on loopback, or it has a password.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Final, NamedTuple

import httpx
import psutil

from ibcore.doctor.finding import Finding, failed, ok, skipped, warning

NAMES: Final = ("prefect", "prefect access")
TIMEOUT_S: Final = 5.0
_LOCK_UP: Final = (
    "Start it with --host 127.0.0.1, or set PREFECT_SERVER_API_AUTH_STRING there and "
    "PREFECT_API_AUTH_STRING for the worker, behind TLS."
)


class Access(NamedTuple):
    """How the API answers: without a password, and with ours (None: we have none)."""

    open: bool
    ours: bool | None


async def look(api: str | None, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Return what was found of the server at `api`; None: none is expected."""
    if api is None:
        return _both("no Prefect runs here, and PREFECT_API_URL is not set")
    url = httpx.URL(api)
    try:
        # A proxy of the environment has no business between two processes of one machine.
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=not _local(url.host)) as client:
            (await client.get(f"{api}/health")).raise_for_status()
            access = await _access(client, api, environ)
    except (httpx.HTTPError, httpx.InvalidURL) as away:
        seen = f"{url.host}:{url.port} does not answer ({type(away).__name__})"
        remedy = "Start it (ibkeeper up), or correct PREFECT_API_URL; see logs/prefect.log."
        return [failed(NAMES[0], seen, remedy), skipped(NAMES[1], "it does not answer")]
    found = ok(NAMES[0], f"{url.host}:{url.port} answers")
    return [found, judge(access, url.host, listening(url.port) if _local(url.host) else None)]


async def _access(client: httpx.AsyncClient, api: str, environ: Mapping[str, str]) -> Access:
    asked = f"{api}/admin/version"
    if (await client.get(asked)).status_code not in (401, 403):
        return Access(open=True, ours=None)
    word, key = environ.get("PREFECT_API_AUTH_STRING"), environ.get("PREFECT_API_KEY")
    if word is None and key is None:
        return Access(open=False, ours=None)
    user, _, password = (word or "").partition(":")
    headers = {} if word else {"Authorization": f"Bearer {key}"}
    auth = httpx.BasicAuth(user, password) if word else None
    answer = await client.get(asked, headers=headers, auth=auth)
    return Access(open=False, ours=answer.status_code not in (401, 403))


def judge(access: Access, host: str, bound: frozenset[str] | None) -> Finding:
    """Judge who may come in. `bound`: where it listens; None: that cannot be seen from here."""
    name = NAMES[1]
    if not access.open:
        if access.ours:
            return ok(name, "it asks for a password, and takes ours")
        seen = "it asks for a password and " + (
            "has none of us" if access.ours is None else "refuses ours"
        )
        return failed(name, seen, "Set PREFECT_API_AUTH_STRING to user:password of the server.")
    if not _local(host):
        return failed(name, f"{host} takes commands from anybody, without a password", _LOCK_UP)
    if bound is None:
        seen = "without a password; where it listens cannot be seen"
        return warning(name, seen, "Run this as the user who runs Prefect.")
    if wide := sorted(address for address in bound if not _local(address)):
        seen = f"it listens on {', '.join(wide)} without a password: anybody who reaches it is in"
        return failed(name, seen, _LOCK_UP)
    return ok(name, f"on {', '.join(sorted(bound))} only, without a password")


def listening(port: int | None) -> frozenset[str] | None:
    """Return the addresses of this machine on which somebody listens on `port`."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return None
    found = frozenset(
        each.laddr.ip
        for each in connections
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port
    )
    return found or None


def _local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _both(why: str) -> list[Finding]:
    return [skipped(name, why) for name in NAMES]
