"""`ibkeeper status`: what works, what does not, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Final

import anyio
import psycopg
import typer
from anyio import to_thread

from ibcore import config, db
from ibcore.clock import now_us
from ibcore.config import Settings
from ibcore.errors import IbkeeperError, SchemaMismatch
from ibcore.log import mask
from ibcore.stack import home as homes
from ibcore.stack import prefect_api, spool_depth
from ibcore.stack.reading import Reading, rates, take
from ibcore.stack.report import Facts, Report, judge
from ibcore.stack.spool_depth import SpoolDepth

# Two heartbeats apart: rates are differences.
_BETWEEN_READINGS_S: Final = 1.2


def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """Exit with 0 when everything is ready, with 1 when not."""
    report = judge(anyio.run(_find_out, config.load()))
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2, default=str))
    else:
        for line in lines(report):
            typer.echo(line)
    raise typer.Exit(0 if report.ready else 1)


def lines(report: Report) -> list[str]:
    """Return the report as a person reads it."""
    said = report.as_dict()
    text = [f"ready      {'yes' if report.ready else 'no'}"]
    text.append(
        f"database   {_yes(said['database']['reachable'])}  {said['database']['url'] or ''}"
    )
    if said["sidecar"] is not None:
        text += _feed_lines(said)
    if report.facts.spool is not None:
        text.append(_spool_line(report.facts.spool))
    if said["prefect"] is not None:
        text.append(_prefect_line(said["prefect"]))
    text += [f"problem    {problem}" for problem in report.problems]
    text += [f"hint       {hint}" for hint in report.hints]
    return text


def _feed_lines(said: dict[str, Any]) -> list[str]:
    sidecar, feed, used = said["sidecar"], said["feed"], said["lines"]
    sessions = ", ".join(f"{item['role']} {item['state']}" for item in said["sessions"])
    watched = ", ".join(f"{count} {state}" for state, count in said["watch"].items())
    providers = ", ".join(f"{count} from {name}" for name, count in said["providers"].items())
    age = feed["newest_quote_age_s"]
    return [
        f"sidecar    {sidecar['state']}, heartbeat {_figure(sidecar['heartbeat_age_s'])} s ago",
        f"sessions   {sessions or 'none'}",
        f"feed       {_figure(feed['ticks_per_s'])} ticks/s, {_figure(feed['rows_per_s'])} rows/s, "
        f"p50 {_figure(feed['latency_p50_ms'])} ms, p99 {_figure(feed['latency_p99_ms'])} ms, "
        f"newest quote {_figure(age)} s old",
        f"lines      {used['used']} of {used['limit']}",
        f"watch      {watched or 'nothing'}",
        f"providers  {providers or 'nothing is taken from anybody'}",
        *(
            f"sink       {sink['name']}: {sink['published']:,} rows, {sink['error'] or 'ok'}"
            for sink in said["sinks"]
        ),
    ]


def _spool_line(spool: SpoolDepth) -> str:
    return (
        f"spool      {spool.rows:,} rows in {spool.batches:,} batches, {spool.bytes / 2**20:,.1f} "
        f"of {spool.cap_bytes / 2**20:,.0f} MiB, oldest {_figure(spool.oldest_s)} s, "
        f"{spool.quarantined} in quarantine"
    )


def _prefect_line(prefect: dict[str, Any]) -> str:
    deployments = ", ".join(prefect["deployments"]) or "none"
    api, worker = _yes(prefect["api"]), _yes(prefect["worker"])
    return f"prefect    server {api}, worker {worker}, deployments: {deployments}"


async def _find_out(settings: Settings) -> Facts:
    run = homes.read_run(settings.home)
    facts = Facts(
        settings.sidecar.name,
        up_running=run is not None,
        simulated=run is not None and run.simulated,
        tape=run is not None and run.tape is not None,
        prefect_expected=run is not None and run.prefect_api is not None,
        spool=await to_thread.run_sync(_spool, settings),
    )
    if run is None and settings.database_url is None:
        return replace(
            facts, database_error=f"Nothing runs in {settings.home}. Start it: ibkeeper up."
        )
    if run is not None and run.prefect_api is not None:
        prefect = await to_thread.run_sync(prefect_api.state, run.prefect_api)
        facts = replace(facts, prefect=prefect)
    url = run.database_url if run else db.resolve_url(settings)
    return await _ask_database(replace(facts, database_url=mask(url)), url)


def _spool(settings: Settings) -> SpoolDepth | None:
    cap = settings.recorder.spool_mib * 2**20
    return spool_depth.read(settings.spool_file, now_us=now_us(), cap_bytes=cap)


async def _ask_database(facts: Facts, url: str) -> Facts:
    try:
        async with await db.connect(url, application="status") as conn:
            await db.check_schema(conn)
            with db.translated():
                return await _read(conn, facts)
    except SchemaMismatch as mismatch:
        return replace(facts, schema_error=str(mismatch))
    except (IbkeeperError, psycopg.Error) as away:
        return replace(facts, database_error=str(away))


async def _read(conn: db.Connection, facts: Facts) -> Facts:
    first = await take(conn, facts.sidecar_name, quotes=0)
    known = replace(facts, reading=first)
    if judge(known).problems:
        return known
    await anyio.sleep(_BETWEEN_READINGS_S)
    second: Reading = await take(conn, facts.sidecar_name, quotes=0)
    return replace(known, reading=second, rates=rates(first, second))


def _yes(fact: bool) -> str:
    return "ok" if fact else "NOT OK"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"
