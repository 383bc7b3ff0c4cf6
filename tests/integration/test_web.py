"""The sidecar's HTTP side: a real process, a real database, a simulated gateway, real requests."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from ibcore.clock import monotonic
from ibcore.sim.server import Gateway, SimConfig
from tests.integration.gateways import eventually
from tests.integration.test_sidecar import Process, Sql, locked, started
from tests.ports import free_port

pytestmark = [pytest.mark.anyio, pytest.mark.paired]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "status-page.md"
FAST = SimConfig(symbols=("AAPL", "MSFT"), cadence_scale=0.2)


@dataclass
class Web:
    """A sidecar and a client of its page."""

    process: Process
    gateway: Gateway
    client: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def json(self, path: str = "/status.json") -> Any:
        return (await self.get(path)).json()

    async def stream_states(self) -> list[str]:
        """Return the states of the stream session on the time line."""
        tracks = {one["name"]: one for one in (await self.json())["timeline"]["tracks"]}
        return [part["state"] for part in tracks["stream"]["segments"]]

    async def samples(self) -> dict[str, list[Sample]]:
        text = (await self.get("/metrics")).text
        found: dict[str, list[Sample]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(sample)
        return found

    async def until(self, path: str, status: int, *, within_s: float = 20.0) -> httpx.Response:
        """Ask until the answer has a status."""
        ends_at = monotonic() + within_s
        while True:
            try:
                answer = await self.get(path)
                if answer.status_code == status:
                    return answer
            except httpx.TransportError:
                answer = None
            assert monotonic() < ends_at, answer.text if answer else self.process.said
            await asyncio.sleep(0.05)


@pytest.fixture
def sql(db_url: str) -> Any:
    made = Sql(db_url)
    yield made
    made.close()


@asynccontextmanager
async def serving(db_url: str, home: Path, **settings: Any) -> AsyncIterator[Web]:
    """Run a gateway and a sidecar with two lines, until its page answers."""
    port = free_port()
    given = {"DATABASE_URL": db_url, "HTTP__PORT": port, "LIVENESS__HOURS": "always"} | settings
    async with (
        Gateway(FAST) as gateway,
        started(home, GATEWAY__PORT=gateway.port, **given) as process,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5.0) as client,
    ):
        web = Web(process, gateway, client)
        await web.until("/healthz", 200, within_s=45.0)
        yield web


async def test_ready_means_that_rows_stream_and_are_committed(
    db_url: str, sql: Sql, tmp_path: Path
) -> None:
    sql.watch("AAPL", "MSFT")
    async with serving(db_url, tmp_path) as web:
        await web.until("/readyz", 200)
        assert await web.json("/readyz") == {"ready": True, "not_ready": {}}
        await web.gateway.fault("1100", 2.0)
        answer = await web.until("/readyz", 503)
        assert "lost the link to IB" in answer.json()["not_ready"]["stream_session"]
        await web.until("/readyz", 200)
        await web.gateway.fault("refuse", 2.0)
        answer = await web.until("/readyz", 503)
        assert list(answer.json()["not_ready"]) == ["stream_session"]
        await web.until("/readyz", 200)


async def test_a_database_that_takes_no_rows_is_named_within_seconds_and_the_page_lives_on(
    db_url: str, sql: Sql, tmp_path: Path
) -> None:
    sql.watch("AAPL", "MSFT")
    async with serving(db_url, tmp_path) as web:
        await web.until("/readyz", 200)
        await eventually(lambda: sql.quotes() > 20, within_s=20.0)
        async with locked(db_url):
            answer = await web.until("/readyz", 503)
            assert list(answer.json()["not_ready"]) == ["database"]
            before = (await web.json())["live"]["feed"]
            assert before["waiting_rows"] > 20
            began = monotonic()
            assert (await web.get("/healthz")).status_code == 200
            assert monotonic() - began < 1.0, "the page waits for no database"
        await web.until("/readyz", 200)
        await eventually(lambda: sql.one(ROWS) > before["committed_total"])


async def test_health_says_which_parts_run(db_url: str, sql: Sql, tmp_path: Path) -> None:
    async with serving(db_url, tmp_path) as web:
        parts = (await web.json("/healthz"))["parts"]
        assert {"recorder", "session stream", "watch", "liveness", "journal"} <= parts.keys()
        assert parts["recorder"] is True


async def test_metrics_are_what_prometheus_can_read_and_what_the_database_says(
    db_url: str, sql: Sql, tmp_path: Path
) -> None:
    sql.watch("AAPL", "MSFT")
    async with serving(db_url, tmp_path) as web:
        await web.until("/readyz", 200)
        await eventually(lambda: sql.quotes() > 50, within_s=20.0)
        first, rows, later = await web.samples(), sql.one(ROWS), await web.samples()
        assert one(first, "ibkeeper_rows_committed_total") <= rows + 200
        assert one(later, "ibkeeper_ticks_total") > 0
        assert one(later, "ibkeeper_ready") == 1
        assert one(later, "ibkeeper_session_state", role="stream", state="ready") == 1
        assert one(later, "ibkeeper_session_connects_total", role="orders") == 1
        assert one(later, "ibkeeper_lines", cause="ticking") == 2
        assert one(later, "ibkeeper_instruments", provider="ib") == 2
        assert one(later, "ibkeeper_market_data_lines_used") == 2
        assert 0 < one(later, "ibkeeper_commit_latency_seconds", quantile="0.99") < 5
        assert one(later, "ibkeeper_incidents_open", severity="critical") == 0
        assert later["ibkeeper_build_info"][0].labels["sidecar"] == "main"
        await well_named(web, later)


ROWS = "SELECT coalesce(sum(rows), 0) FROM ibkeeper.ingest_batch"


def one(samples: dict[str, list[Sample]], name: str, **labels: str) -> float:
    (value,) = [s.value for s in samples[name] if labels.items() <= s.labels.items()]
    return float(value)


async def well_named(web: Web, samples: dict[str, list[Sample]]) -> None:
    """Units are base units, counters end in _total, and the page documents each."""
    documented = set(re.findall(r"`(ibkeeper_[a-z_]+)", PAGE.read_text()))
    ours = {name for name in samples if name.startswith("ibkeeper_")}
    assert ours <= documented, ours - documented
    assert not [name for name in ours if re.search(r"_(ms|millis|mib|kb|percent)\b", name)]
    text = (await web.get("/metrics")).text
    counters = re.findall(r"^# TYPE (ibkeeper_\w+) counter", text, flags=re.MULTILINE)
    assert counters
    assert all(name.endswith("_total") for name in counters)


async def test_a_name_that_is_not_this_machine_is_refused(db_url: str, tmp_path: Path) -> None:
    async with serving(db_url, tmp_path) as web:
        for host in ("evil.example", "evil.example:8010", "127.0.0.1.evil.example", ""):
            for path in ("/", "/status.json", "/metrics", "/healthz"):
                answer = await web.get(path, host=host)
                assert answer.status_code == 421, host
                assert "ibkeeper" not in answer.text
        for good in ("localhost", "localhost:9999", "127.0.0.1:80", "[::1]:8010"):
            assert (await web.get("/healthz", host=good)).status_code == 200


async def test_nothing_can_be_changed_and_every_answer_is_guarded(
    db_url: str, tmp_path: Path
) -> None:
    async with serving(db_url, tmp_path) as web:
        for verb in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert (await web.client.request(verb, "/status.json")).status_code == 405
        for path in ("/", "/page.js", "/status.json", "/nothing", "/docs", "/openapi.json"):
            answer = await web.get(path)
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in answer.headers
        assert (await web.get("/nothing")).status_code == 404
        assert (await web.get("/openapi.json")).status_code == 404
        assert (await web.get("/runbook/session_down")).text.startswith("## session_down")
        assert (await web.get("/runbook/..%2f..%2fetc%2fpasswd")).status_code == 404


async def test_nothing_of_the_page_comes_from_elsewhere() -> None:
    assets = ROOT / "sidecar" / "web" / "assets"
    for file in assets.iterdir():
        named = set(re.findall(r"https?://[^\s\"'`)]+", file.read_text()))
        assert named <= {"http://www.w3.org/2000/svg"}, file.name


async def test_a_taken_port_costs_the_page_and_nothing_else(
    db_url: str, sql: Sql, tmp_path: Path
) -> None:
    sql.watch("AAPL")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with (
            Gateway(FAST) as gateway,
            started(
                tmp_path, DATABASE_URL=db_url, GATEWAY__PORT=gateway.port, HTTP__PORT=port
            ) as process,
        ):
            await eventually(lambda: sql.quotes() > 20, within_s=30.0)
            process.child.send_signal(signal.SIGTERM)
            assert await process.ended() == 0
    (line,) = [line for line in process.said.splitlines() if "status_page_waits" in line]
    said = json.loads(line)
    assert f"Port {port}" in said["why"]
    assert "IBKEEPER_HTTP__PORT" in said["why"]


async def test_a_browser_that_stays_connected_does_not_hold_up_the_end(
    db_url: str, sql: Sql, tmp_path: Path
) -> None:
    sql.watch("AAPL")
    async with serving(db_url, tmp_path) as web:
        await web.json()
        began = monotonic()
        web.process.child.send_signal(signal.SIGTERM)
        assert await web.process.ended() == 0
        assert monotonic() - began < 5.0
    assert "Traceback" not in web.process.said


async def test_many_viewers_cost_one_reading_of_the_database(
    db_url: str, sql: Sql, tmp_path: Path
) -> None:
    async with serving(db_url, tmp_path) as web:
        await web.json()
        for _ in range(200):
            await web.json()
        connections = sql.one(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'ibkeeper status page main'"
        )
        assert connections == 1
        began = monotonic()
        read = {(await web.json())["history"]["read_at"] for _ in range(50)}
        assert len(read) <= 2 + (monotonic() - began), "once a second, however many ask"


async def test_what_happened_before_this_start_is_on_the_time_line(
    db_url: str, sql: Sql, tmp_path: Path
) -> None:
    sql.watch("AAPL")
    async with serving(db_url, tmp_path) as web:
        await web.until("/readyz", 200)
        await eventually(lambda: sql.quotes() > 20, within_s=20.0)
        web.process.child.kill()
        await web.process.ended()
    async with serving(db_url, tmp_path) as web:
        await web.until("/readyz", 200)
        states = await web.stream_states()
        while "down" not in states:
            await asyncio.sleep(0.1)
            states = await web.stream_states()
        assert states[-1] == "ready"
        assert states.index("ready") < states.index("down")
