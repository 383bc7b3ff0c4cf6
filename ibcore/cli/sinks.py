"""`ibkeeper sinks`: publish committed rows to Redis and NATS."""

from __future__ import annotations

import signal

import anyio
import typer

from ibcore import config, db, log, roles
from ibcore.config import Settings
from ibcore.errors import ConfigRefused
from ibcore.sinks import pump
from ibcore.sinks.sink import Sink

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Publish committed rows to Redis and NATS."""


@app.command("run")
def run() -> None:
    """Publish until Ctrl-C or SIGTERM; each sink goes on where it was."""
    settings = config.load()
    log.configure(settings.log)
    sinks = configured(settings)
    anyio.run(_until_stopped, roles.url_as(db.resolve_url(settings), "writer"), sinks)


def configured(settings: Settings) -> list[Sink]:
    """Return the sinks that are set, or raise ConfigRefused."""
    chosen, sinks = settings.sinks, list[Sink]()
    try:
        if chosen.redis_url is not None:
            from ibcore.sinks.redis import RedisSink

            url = chosen.redis_url.get_secret_value()
            sinks.append(RedisSink(url, stream_rows=chosen.stream_rows))
        if chosen.nats_url is not None:
            from ibcore.sinks.nats import NatsSink

            url = chosen.nats_url.get_secret_value()
            sinks.append(NatsSink(url, stream_rows=chosen.stream_rows))
    except ModuleNotFoundError as missing:
        raise ConfigRefused(
            f"A sink is set, but the package {missing.name} is not installed.",
            remedy=f"Nothing was started. Run: pip install 'ibkeeper[{missing.name}]'",
        ) from None
    if not sinks:
        raise ConfigRefused(
            "No sink is set.",
            remedy="Set IBKEEPER_SINKS__REDIS_URL or IBKEEPER_SINKS__NATS_URL.",
        )
    return sinks


async def _until_stopped(url: str, sinks: list[Sink]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pump.run, url, sinks, name="sinks")
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                break
        tasks.cancel_scope.cancel()
