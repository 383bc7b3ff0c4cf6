"""What Prometheus is told, in a registry of its own. Names: docs/status-page.md."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from ibcore.domain import SessionState
from ibcore.incidents import Severity
from ibcore.link_states import LinkState
from ibcore.liveness.health import LineCause
from sidecar.web import verdict
from sidecar.web.eyes import Eyes
from sidecar.web.history import History
from sidecar.web.live import FeedNow, Live

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The exposition of one sidecar."""

    def __init__(self, eyes: Eyes, history: History) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Sight(eyes, history))
        ProcessCollector(registry=self._registry)

    def body(self) -> bytes:
        """Return everything as text."""
        return generate_latest(self._registry)


class _Sight(Collector):
    def __init__(self, eyes: Eyes, history: History) -> None:
        self._eyes = eyes
        self._history = history

    def describe(self) -> Iterable[Metric]:
        """Return nothing: names need no look at the sidecar."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield everything that is known now."""
        live = self._eyes.look()
        yield from _process(live)
        yield from _sessions(live)
        yield from _lines(live)
        yield from _feed(live.feed)
        yield _latency(live.feed)
        yield from _store(live)
        yield from _providers(live)
        if (incidents := self._history.known.news.get("incidents")) is not None:
            counts = Counter(row["severity"] for row in incidents)
            yield _gauge(
                "incidents_open",
                "Incidents that are open, as last read from the database.",
                {(str(one),): counts[str(one)] for one in Severity}.items(),
                ("severity",),
            )


def _process(live: Live) -> Iterator[Metric]:
    labels = ("version", "python", "sidecar")
    known = [((live.version, platform.python_version(), live.sidecar), 1.0)]
    yield _gauge("build_info", "What runs; always 1.", known, labels)
    yield _plain("ready", "1: rows stream and are committed.", not verdict.not_ready(live))
    yield _plain(
        "event_loop_lag_seconds",
        "Longest that the event loop was late in the last minute.",
        live.rates.loop_lag_s,
    )


def _sessions(live: Live) -> Iterator[Metric]:
    states = {(one.role, str(s)): one.state is s for one in live.sessions for s in SessionState}
    links = {(one.role, str(s)): one.link is s for one in live.sessions for s in LinkState}
    yield _gauge(
        "session_state", "1: the session is in this state.", states.items(), ("role", "state")
    )
    yield _gauge(
        "session_link",
        "1: the gateway's link to IB is in this state.",
        links.items(),
        ("role", "state"),
    )
    yield _gauge(
        "session_failures",
        "Failed attempts since the session was last ready.",
        {(one.role,): one.failures for one in live.sessions}.items(),
        ("role",),
    )
    connects = CounterMetricFamily(
        "ibkeeper_session_connects", "Times the session became ready.", labels=("role",)
    )
    for one in live.sessions:
        connects.add_metric((one.role,), one.connects)
    yield connects


def _lines(live: Live) -> Iterator[Metric]:
    counts = Counter(line.cause for line in live.lines)
    yield _gauge(
        "lines",
        "Streamed lines by the cause of their silence; ticking: none.",
        {(str(cause),): counts[cause] for cause in LineCause}.items(),
        ("cause",),
    )
    yield _plain("market_data_lines_used", "Market-data lines in use.", live.lines_used)
    yield _plain("market_data_lines_limit", "Market-data lines allowed.", live.lines_limit)


def _feed(feed: FeedNow) -> Iterator[Metric]:
    yield _counter("ticks", "Tick messages heard since the start.", feed.ticks_total)
    yield _counter("rows", "Market rows made since the start.", feed.rows_total)
    yield _counter("rows_committed", "Market rows committed.", feed.committed_total)
    yield _counter("rows_lost", "Market rows given up; see feed_gap.", feed.lost_rows)
    yield _plain("rows_waiting", "Market rows that wait to be committed.", feed.waiting_rows)
    yield _plain("oldest_batch_age_seconds", "How long the oldest batch has waited.", feed.oldest_s)


def _latency(feed: FeedNow) -> Metric:
    quantiles = {"0.5": feed.p50_ms, "0.99": feed.p99_ms, "1": feed.max_ms}
    return _gauge(
        "commit_latency_seconds",
        "Commit minus receive of the rows of the last minute; quantile 1: the maximum.",
        {(name,): value / 1_000 for name, value in quantiles.items() if value is not None}.items(),
        ("quantile",),
    )


def _store(live: Live) -> Iterator[Metric]:
    yield _plain("database_up", "1: the database answers and rows are committed.", live.database.ok)
    yield _plain(
        "database_silent_seconds", "Since the last heartbeat was committed.", live.database.silent_s
    )
    yield _plain("spool_bytes", "Bytes of batches in the spool's file.", live.spool.bytes)
    yield _plain("spool_rows", "Rows of batches in the spool's file.", live.spool.rows)
    yield _plain("spool_limit_bytes", "Cap of the spool.", live.spool.limit_bytes)


def _providers(live: Live) -> Iterator[Metric]:
    view = live.providers
    yield _gauge(
        "instruments",
        "Instruments by the provider that their rows are taken from.",
        {(str(one),): count for one, count in view.instruments.items()}.items(),
        ("provider",),
    )
    yield _gauge(
        "backup_ready",
        "1: the backup provider stands ready.",
        {(str(one.provider),): one.ready for one in view.backups}.items(),
        ("provider",),
    )
    yield _counter("provider_switches", "Switches of providers.", view.switches_total)


def _gauge(
    name: str,
    words: str,
    values: Iterable[tuple[Sequence[str], float]],
    labels: Sequence[str],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"ibkeeper_{name}", words, labels=labels)
    for key, value in values:
        family.add_metric(key, float(value))
    return family


def _plain(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ibkeeper_{name}", words, value=float(value))


def _counter(name: str, words: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"ibkeeper_{name}", words, value=float(value))
