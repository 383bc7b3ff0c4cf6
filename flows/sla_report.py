"""The daily and the weekly report of connection-sla: figures, a picture, a row."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import anyio.to_thread
from prefect import State
from prefect.artifacts import acreate_markdown_artifact
from prefect.states import Completed

from flows.chain_plot import markdown as inline
from flows.client import Client
from flows.lateness import planned_or_now
from ibcore import config, db
from ibcore.calendar import NEW_YORK, trading_date
from ibcore.clock import utcnow
from ibcore.sla import reading
from ibcore.sla.burning import wanted
from ibcore.sla.figures import ROWS_A_SLICE, SLICES, breached, figures
from ibcore.sla.spans import Span, midnight, without

_DAYS: Final = {"daily": 1, "weekly": 7}
MOST_INSTRUMENTS: Final = 100
_SAMPLE: Final = (
    f"Latency: commit minus receive, of the first {ROWS_A_SLICE} quotes and {ROWS_A_SLICE} trades"
    f" in each of {SLICES} slices of the scheduled time. Without a row first, then by p99."
)


async def make(kind: str, day: date | None) -> State[Any]:
    """Compute, show and store the report of the days that end with `day` (in New York).

    Without one: with the day before the run was planned for, however late it starts.
    """
    last = day or trading_date(planned_or_now()) - timedelta(days=1)
    begin = midnight(last - timedelta(days=_DAYS[kind] - 1), NEW_YORK)
    # Of a day that is not over: what is over of it.
    end = max(begin, min(midnight(last + timedelta(days=1), NEW_YORK), utcnow()))
    settings = config.load()
    async with Client.from_settings().opened() as conn:
        made = {
            each.sidecar: await figures(conn, each.sidecar, (begin, end), settings=settings)
            for each in await reading.facts(conn)
        }
        breaches = sum(breached(one) for one in made.values())
        await reading.note(conn, kind, (begin, end), breaches=breaches, figures=made)
        for name, one in made.items():
            promised = await wanted(conn, name, (begin, end), settings)
            await _show(conn, kind, name, one, span=(begin, end), promised=promised)
    said = "; ".join(f"{name}: {_share(one['availability'])}" for name, one in made.items())
    return Completed(message=f"{kind} until {last}: {said or 'no sidecar'}", data=made)


async def _show(
    conn: db.Connection,
    kind: str,
    sidecar: str,
    one: Mapping[str, Any],
    *,
    span: Span,
    promised: Sequence[Span],
) -> None:
    ready = await reading.ready(conn, sidecar, span)
    about = {"sidecar": sidecar, "begin": span[0], "end": span[1]}
    minutes = await reading.rows(conn, "sla_latency", about)
    title = f"{sidecar}, {span[0].astimezone(NEW_YORK):%d %b %Y}, {kind}"
    shown = (promised[0][0], promised[-1][1]) if promised else span
    missed = without(promised, ready)
    png = await anyio.to_thread.run_sync(
        lambda: picture(ready, missed, minutes, span=shown, title=title)
    )
    await acreate_markdown_artifact(
        key=f"connection-sla-{kind}-{sidecar}".replace("_", "-"),
        markdown=f"{text(one)}\n\n{inline(png, caption=title)}\n{instruments(one)}",
        description=f"{sidecar}: {_share(one['availability'])} of the scheduled time",
    )


def text(one: Mapping[str, Any]) -> str:
    """Return the figures as a markdown table."""
    told = [
        ("availability", _share(one["availability"]), f"≥ {one['objective']:.3%}"),
        ("scheduled, ready", f"{_min(one['scheduled_s'])}, {_min(one['up_s'])}", ""),
        ("error budget spent", f"{one['spent_s']:.1f} s", f"{one['budget_s']:.1f} s"),
        ("burn rate of the period", _number(one["burn"], "×"), "≤ 1"),
        ("losses of the session", str(one["losses"]), ""),
        ("mean time to recovery", _number(one["mttr_s"], " s"), ""),
        ("longest", _number(one["longest_loss_s"], " s"), ""),
        ("attempts: connected, failed", f"{one['connected']}, {one['refused']}", ""),
        ("connecting: median", _number(one["connect_p50_ms"], " ms"), "< 5,000 ms"),
        ("connecting: longest", _number(one["connect_max_ms"], " ms"), "< 5,000 ms"),
        ("waits of 1, 2, 4 … 60 s", f"{one['waits_as_promised']} of {one['waits']}", "all"),
        ("commit latency, median minute", _number(one["latency_p50_ms"], " ms"), ""),
        ("commit latency, worst p99", _number(one["latency_p99_ms"], " ms"), "< 1,000 ms"),
    ]
    lines = ["| figure | value | promise |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {value} | {bound} |" for name, value, bound in told)])


def instruments(one: Mapping[str, Any]) -> str:
    """Return coverage and commit latency of each instrument as a markdown table, worst first."""
    lines = [
        "| instrument | minutes with a quote | commit latency p50 | p99 | rows sampled |",
        "| --- | --- | --- | --- | --- |",
    ]
    latency, silent = one["latency"], {"sampled": 0, "p50_ms": None, "p99_ms": None}
    worst = [*(name for name in one["coverage"] if name not in latency), *latency]
    for name in worst[:MOST_INSTRUMENTS]:
        of, share = latency.get(name, silent), one["coverage"].get(name, 0.0)
        told = (_number(of["p50_ms"], " ms"), _number(of["p99_ms"], " ms"), f"{of['sampled']:,}")
        lines.append(f"| {name} | {share:.1%} | {' | '.join(told)} |")
    return "\n".join([*lines, "", _SAMPLE])


def picture(
    ready: Sequence[Span],
    missed: Sequence[Span],
    minutes: Sequence[Mapping[str, Any]],
    *,
    span: Span,
    title: str,
) -> bytes:
    """Return a PNG: when the session was ready and when it should have been, and the latency."""
    # Not at import: matplotlib takes a second, and a check draws nothing.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    figure.suptitle(title)
    for spans, colour in ((ready, "tab:green"), (missed, "tab:red")):
        for a, b in spans:
            above.axvspan(a, b, color=colour)
    above.set(yticks=[], title="session ready (green), promised and not (red)")
    at = [row["minute"] for row in minutes]
    for name in ("p50_ms", "p99_ms"):
        values = [row[name] for row in minutes]
        below.plot(at, values, label=name.replace("_ms", ""), lw=0.8, marker=".", ms=3)
    below.set(xlim=span, ylabel="commit latency (ms)", xlabel="UTC")
    below.grid(visible=True, alpha=0.3)
    if minutes:
        below.legend()
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=110)
    return held.getvalue()


def _share(value: float | None) -> str:
    return "nothing was scheduled" if value is None else f"{value:.3%}"


def _number(value: float | None, unit: str) -> str:
    return "none" if value is None else f"{value:,.1f}{unit}"


def _min(value: float) -> str:
    return f"{value / 60:,.1f} min"
