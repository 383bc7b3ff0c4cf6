"""The whole examination: everything at once, findings in one order."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from anyio import to_thread

from ibcore import db
from ibcore.config import Settings
from ibcore.doctor import alert_targets, alpaca, database, disk, files, gateway, prefect
from ibcore.doctor.finding import Finding, Verdict, failed, skipped
from ibcore.errors import ConfigRefused
from ibcore.stack.home import RunFile, read_run

LOOPBACK: Final = "127.0.0.1"
Look = Callable[[], Awaitable[list[Finding]]]


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; return what was found, without anything secret."""
    home = settings.home.expanduser().absolute()
    run = read_run(home)
    looks: list[Look] = [
        lambda: _gateway(settings, run),
        lambda: _standby(settings),
        lambda: alpaca.look(settings.alpaca),
        lambda: _database(settings, run),
        lambda: prefect.look(_prefect_api(run)),
        lambda: alert_targets.look(settings.alerts, live=settings.orders.live),
        lambda: to_thread.run_sync(files.look, home),
        lambda: disk.look(settings, _known_url(settings, run)),
    ]
    found: list[list[Finding]] = [[] for _ in looks]

    async def take(number: int, look: Look) -> None:
        found[number] = await look()

    async with anyio.create_task_group() as group:
        for number, look in enumerate(looks):
            group.start_soon(take, number, look, name=f"doctor {number}")
    return [finding.masked() for part in found for finding in part]


async def _gateway(settings: Settings, run: RunFile | None) -> list[Finding]:
    host, port = settings.gateway.host, settings.gateway.port
    if run is not None:
        host, port = str(run.gateway["host"]), int(run.gateway["port"])
    found = await gateway.look(host or LOOPBACK, port, settings.gateway)
    if host is None and not settings.orders.live and found[0].verdict == "failed":
        why = "none is set: ibkeeper up will simulate one"
        return [skipped(name, why) for name in gateway.NAMES]
    return found


async def _standby(settings: Settings) -> list[Finding]:
    if settings.standby.host is None:
        return [skipped(f"standby {gateway.NAMES[0]}", "none is set")]
    found = await gateway.look(settings.standby.host, settings.standby.port, settings.gateway)
    # Nothing leans on it as long as the primary is well.
    verdicts = {Verdict.failed: Verdict.warning}
    return [
        each._replace(
            name=f"standby {each.name}",
            verdict=verdicts.get(each.verdict, each.verdict),
            remedy=each.remedy.replace("IBKEEPER_GATEWAY__", "IBKEEPER_STANDBY__"),
        )
        for each in found
    ]


async def _database(settings: Settings, run: RunFile | None) -> list[Finding]:
    if run is None and settings.database_url is None and not settings.orders.live:
        why = "none is set: ibkeeper up will run its own"
        return [skipped(name, why) for name in database.NAMES]
    try:
        url = _database_url(settings, run)
    except ConfigRefused as unknown:
        return [failed(database.NAMES[0], str(unknown.args[0]), unknown.remedy)]
    return await database.look(url)


def _database_url(settings: Settings, run: RunFile | None) -> str:
    return run.database_url if run is not None else db.resolve_url(settings)


def _known_url(settings: Settings, run: RunFile | None) -> str | None:
    try:
        return _database_url(settings, run)
    except ConfigRefused:
        return None


def _prefect_api(run: RunFile | None) -> str | None:
    given = os.environ.get("PREFECT_API_URL") or None
    return (run.prefect_api if run is not None else None) or given
