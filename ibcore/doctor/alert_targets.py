"""Alert targets: does Apprise know them, can their hosts be found? Nothing is sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Final

import anyio
import httpx
from anyio import to_thread

from ibcore.alerts.target import Target, named_urls
from ibcore.config import AlertSettings
from ibcore.doctor.finding import Finding, failed, ok, skipped, warning
from ibcore.errors import ConfigRefused

RESOLVE_S: Final = 5.0


async def look(settings: AlertSettings, *, live: bool) -> list[Finding]:
    """Return a finding a target, one that there is none, and one of the outside heartbeat."""
    found = [await _target(name, url) for name, url in _all(settings)]
    return [*(found or [_nobody(live=live)]), await _outside(settings)]


def _all(settings: AlertSettings) -> Iterator[tuple[str, str]]:
    yield from named_urls(settings.targets, prefix="target")
    yield from named_urls(settings.escalation, prefix="escalation")


def _nobody(*, live: bool) -> Finding:
    remedy = "Set IBKEEPER_ALERTS__TARGETS, then try it: ibkeeper alerts test."
    say = failed if live else warning
    return say("alert targets", "none is set: nobody is told of anything", remedy)


async def _target(name: str, url: str) -> Finding:
    called = f"alert target {name}"
    try:
        target = Target(name, url)
    except ConfigRefused as unknown:
        return failed(called, str(unknown.args[0]), unknown.remedy)
    if target.host is None:
        return ok(called, f"{target.service}, at its own address; try it: ibkeeper alerts test")
    return await _resolved(called, target.host, f"{target.service} at {target.host}")


async def _outside(settings: AlertSettings) -> Finding:
    called = "outside heartbeat"
    if settings.heartbeat_url is None:
        return skipped(called, "not set: nobody outside misses this machine")
    try:
        url = httpx.URL(settings.heartbeat_url.get_secret_value())
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        remedy = "Correct IBKEEPER_ALERTS__HEARTBEAT_URL: https://…"
        return failed(called, "it is no http or https address", remedy)
    return await _resolved(called, url.host, f"{url.scheme} at {url.host}")


async def _resolved(called: str, host: str, seen: str) -> Finding:
    try:
        with anyio.fail_after(RESOLVE_S):
            await to_thread.run_sync(socket.getaddrinfo, host, None, abandon_on_cancel=True)
    except (OSError, UnicodeError):  # TimeoutError is an OSError
        return failed(called, f"{seen}: the name is not found", "Check the host and the network.")
    return ok(called, f"{seen}; try it: ibkeeper alerts test")
