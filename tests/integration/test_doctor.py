"""The doctor before real patients: each finding is made to fail by what makes it fail in life."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from ibcore import db, roles
from ibcore.config import AlertSettings, AlpacaSettings, GatewaySettings, Settings
from ibcore.doctor import alert_targets, alpaca, database, disk, gateway, prefect
from ibcore.doctor.finding import Finding
from ibcore.embedded import Server
from ibcore.sim.alpaca import Vendor
from ibcore.sim.alpaca.rules import Rules
from ibcore.sim.server import Gateway, SimConfig
from tests.canary import PASSWORD as CANARY
from tests.integration.gateways import deaf, listening, refusing, rude
from tests.integration.sim_client import ib_client
from tests.integration.test_cli import Cli, cli, db_cli  # noqa: F401 (fixtures)

PATIENT = GatewaySettings()


def verdicts(found: list[Finding]) -> dict[str, str]:
    return {each.name: str(each.verdict) for each in found}


@pytest.mark.anyio
async def test_a_gateway_that_answers_is_well_and_no_session_notices() -> None:
    async with Gateway(SimConfig()) as sim, ib_client(sim, 10) as ib:
        found = await gateway.look("127.0.0.1", sim.port, PATIENT)
        assert verdicts(found) == dict.fromkeys(gateway.NAMES, "ok")
        assert found[1].seen == "API version 178"
        assert await ib.reqCurrentTimeAsync()
        assert list(sim.sessions) == [10]


@pytest.mark.anyio
async def test_a_closed_port_a_mute_one_and_a_rude_one_are_told_apart() -> None:
    async with refusing() as port:
        closed = await gateway.look("127.0.0.1", port, PATIENT)
    async with listening(deaf) as port:
        quick = GatewaySettings(connect_timeout_s=0.3)
        mute = await gateway.look("127.0.0.1", port, quick)
    async with listening(rude) as port:
        hung_up = await gateway.look("127.0.0.1", port, PATIENT)
    for found in (closed, mute, hung_up):
        assert verdicts(found) == dict(
            zip(gateway.NAMES, ("failed", "skipped", "skipped"), strict=True)
        )
    assert "cannot be reached" in closed[0].seen
    assert "Start the gateway" in closed[0].remedy
    assert "says nothing within 0.3 s" in mute[0].seen
    assert "trusted IPs" in hung_up[0].remedy


@pytest.mark.anyio
async def test_another_server_on_the_port_is_no_gateway() -> None:
    async def stranger(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(stranger) as port:
        found = await gateway.look("127.0.0.1", port, PATIENT)
    assert "another language" in found[0].seen


@pytest.mark.anyio
async def test_an_old_gateway_is_named_with_the_build_to_install() -> None:
    async with Gateway(SimConfig(server_version=163)) as sim:
        found = await gateway.look("127.0.0.1", sim.port, PATIENT)
    assert verdicts(found)["gateway version"] == "failed"
    assert found[1].seen == "it speaks version 163, older than 177"
    assert "build 1023" in found[1].remedy


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("seconds", "verdict"), [(0, "ok"), (-5, "warning"), (30, "failed"), (-3600, "failed")]
)
async def test_a_gateway_whose_clock_is_wrong_is_seen(seconds: int, verdict: str) -> None:
    async with Gateway(SimConfig()) as sim:
        sim.skewed.skew_s = float(seconds)
        found = await gateway.look("127.0.0.1", sim.port, PATIENT)
    assert verdicts(found)["gateway clock"] == verdict
    assert (verdict == "ok") or "chrony" in found[2].remedy


@pytest.mark.anyio
async def test_a_migrated_database_is_well_without_timescaledb(db_url: str) -> None:
    found = await database.look(db_url)
    assert verdicts(found) == dict.fromkeys(database.NAMES, "ok")
    assert [each.seen for each in found[-2:]] == ["ibkeeper_writer", "ibkeeper_flows"]


@pytest.mark.anyio
async def test_a_database_that_is_not_there_is_one_finding() -> None:
    async with refusing() as port:
        found = await database.look(f"postgresql://ann:{CANARY}@127.0.0.1:{port}/ibkeeper")
    assert verdicts(found) == dict.fromkeys(database.NAMES, "skipped") | {"database": "failed"}
    assert "IBKEEPER_DATABASE_URL" in found[0].remedy
    assert CANARY not in str(found)


@pytest.mark.anyio
async def test_a_schema_that_is_behind_or_newer_is_told_with_what_to_run(
    postgres_server: Server,
) -> None:
    with fresh_database(postgres_server, "behind") as url:
        empty = await database.look(url)
        db.migrate(url, to="0012")
        behind = await database.look(url)
        db.migrate(url)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("UPDATE ibkeeper.alembic_version SET version_num = '9999'")
        newer = await database.look(url)
    for found in (empty, behind, newer):
        states = verdicts(found)
        assert (states["schema"], states["role writer"]) == ("failed", "skipped")
    assert "ibkeeper db migrate" in behind[3].remedy
    assert "newer ibkeeper" in newer[3].remedy


@pytest.mark.anyio
async def test_a_login_that_may_only_read_and_one_without_roles_are_told(db_url: str) -> None:
    found = await database.look(roles.login_url(db_url, "reader"))
    states = verdicts(found)
    assert (states["role writer"], states["role flows"]) == ("failed", "failed")
    assert "which may only read" in found[0].seen
    assert "may not INSERT quote" in found[-2].seen
    assert "docs/operations.md" in found[-2].remedy
    with login(db_url, "one_for_all") as url:
        own = await database.look(url)
    assert verdicts(own)["role writer"] == "warning"
    assert own[-2].seen.startswith("one_for_all does it")


@contextmanager
def fresh_database(server: Server, name: str) -> Iterator[str]:
    with psycopg.connect(server.url("postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield server.url(name)
        finally:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def login(url: str, name: str) -> Iterator[str]:
    """Make a login that may do everything in the schema and take no role of ours."""
    who = sql.Identifier(name)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(who))
        try:
            conn.execute(sql.SQL("GRANT USAGE ON SCHEMA ibkeeper TO {}").format(who))
            conn.execute(sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA ibkeeper TO {}").format(who))
            yield roles.login_url(url, "reader").replace("ibkeeper_reader", name)
        finally:
            conn.execute(sql.SQL("DROP OWNED BY {}").format(who))
            conn.execute(sql.SQL("DROP ROLE {}").format(who))


@contextmanager
def web(answer: Callable[[str, str | None], int], host: str = "127.0.0.1") -> Iterator[int]:
    """Run an HTTP server that answers as Prefect's does: by path, and by who asks."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer(self.path, self.headers.get("Authorization")))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((host, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


LET_IN = f"Basic {b64encode(f'op:{CANARY}'.encode()).decode()}"


def locked(path: str, auth: str | None) -> int:
    """Let in who knows the password; anybody may ask for the health."""
    return 200 if path.endswith("/health") or auth == LET_IN else 401


@pytest.mark.anyio
async def test_prefect_on_every_address_without_a_password_is_refused() -> None:
    with web(lambda _path, _auth: 200, host="0.0.0.0") as port:
        found = await prefect.look(f"http://127.0.0.1:{port}/api", {})
        assert verdicts(found) == {"prefect": "ok", "prefect access": "failed"}
        assert "0.0.0.0 without a password" in found[1].seen
        assert "PREFECT_SERVER_API_AUTH_STRING" in found[1].remedy
    with web(lambda _path, _auth: 200) as port:
        found = await prefect.look(f"http://127.0.0.1:{port}/api", {})
        assert verdicts(found) == {"prefect": "ok", "prefect access": "ok"}


@pytest.mark.anyio
async def test_a_password_that_we_do_not_have_or_that_is_wrong_is_told() -> None:
    with web(locked, host="0.0.0.0") as port:
        api = f"http://127.0.0.1:{port}/api"
        assert "has none of us" in (await prefect.look(api, {}))[1].seen
        wrong = await prefect.look(api, {"PREFECT_API_AUTH_STRING": f"op:{CANARY}-not"})
        assert (wrong[1].verdict, CANARY in str(wrong)) == ("failed", False)
        right = await prefect.look(api, {"PREFECT_API_AUTH_STRING": f"op:{CANARY}"})
        assert right[1].verdict == "ok"


@pytest.mark.anyio
async def test_a_prefect_that_is_expected_and_away_is_a_failure() -> None:
    async with refusing() as port:
        found = await prefect.look(f"http://127.0.0.1:{port}/api", {})
    assert verdicts(found) == {"prefect": "failed", "prefect access": "skipped"}
    assert verdicts(await prefect.look(None, {})) == dict.fromkeys(prefect.NAMES, "skipped")


@pytest.mark.anyio
async def test_alert_targets_are_known_and_found_or_told() -> None:
    targets = f"good=json://localhost/{CANARY} odd=xyz://{CANARY}@host lost=json://no.invalid/x"
    given = AlertSettings(
        targets=SecretStr(targets),
        escalation=SecretStr(f"boss=discord://1234567890/{CANARY}"),
        heartbeat_url=SecretStr(f"ftp://host/{CANARY}"),
    )
    found = await alert_targets.look(given, live=False)
    assert verdicts(found) == {
        "alert target good": "ok",
        "alert target odd": "failed",
        "alert target lost": "failed",
        "alert target boss": "ok",
        "outside heartbeat": "failed",
    }
    assert "no.invalid: the name is not found" in found[2].seen
    assert CANARY not in str(found)


@pytest.mark.anyio
@pytest.mark.parametrize(("live", "verdict"), [(False, "warning"), (True, "failed")])
async def test_nobody_to_tell_is_a_warning_and_with_real_money_a_failure(
    live: bool, verdict: str
) -> None:
    found = await alert_targets.look(AlertSettings(), live=live)
    assert verdicts(found) == {"alert targets": verdict, "outside heartbeat": "skipped"}


def keys_of(vendor: Vendor, **changed: object) -> AlpacaSettings:
    return AlpacaSettings.model_validate(
        {
            "key_id": vendor.rules.key_id,
            "secret_key": vendor.rules.secret_key,
            "stream_url": vendor.stream_url,
            "data_url": vendor.data_url,
            **changed,
        }
    )


@pytest.mark.anyio
async def test_an_alpaca_that_takes_the_keys_is_well_and_no_stream_of_it_is_opened() -> None:
    async with Vendor(Rules(secret_key=CANARY)) as vendor:
        found = await alpaca.look(keys_of(vendor))
        lesser = keys_of(vendor, stock_feed="iex", option_feed="indicative", accept_indicative=True)
        named = await alpaca.look(lesser)
        assert vendor.connects == []
        assert {path.split("?")[1] for path in vendor.asked} == {
            "symbols=SPY&feed=sip",
            "symbols=SPY240119C00470000&feed=opra",
            "symbols=SPY&feed=iex",
            "symbols=SPY240119C00470000&feed=indicative",
        }
    assert verdicts(found) == dict.fromkeys(alpaca.NAMES, "ok")
    assert [each.seen for each in named[2:]] == [
        "iex: one exchange of many: a part of the market",
        "indicative: no quotes of the market: derived by Alpaca, trades 15 minutes late",
    ]
    assert CANARY not in str(found)


@pytest.mark.anyio
async def test_keys_that_alpaca_does_not_know_and_a_feed_it_does_not_sell_us_are_told_apart() -> (
    None
):
    async with Vendor(Rules(feeds=frozenset({"sip", "indicative"}))) as vendor:
        wrong = await alpaca.look(keys_of(vendor, secret_key=CANARY))
        poor = await alpaca.look(keys_of(vendor))
    assert verdicts(wrong) == dict(
        zip(alpaca.NAMES, ("warning", "ok", "skipped", "skipped"), strict=True)
    )
    assert "does not know the keys" in wrong[0].seen
    assert "IBKEEPER_ALPACA__KEY_ID" in wrong[0].remedy
    assert CANARY not in str(wrong)
    assert verdicts(poor) == dict(zip(alpaca.NAMES, ("ok", "ok", "ok", "warning"), strict=True))
    assert "does not permit querying opra" in poor[3].seen
    assert "__OPTION_FEED" in poor[3].remedy


@pytest.mark.anyio
async def test_an_alpaca_that_is_away_is_a_warning_and_one_that_is_not_set_is_none() -> None:
    async with Vendor() as vendor:
        pass
    away = await alpaca.look(keys_of(vendor))
    assert verdicts(away) == dict(
        zip(alpaca.NAMES, ("warning", "warning", "skipped", "skipped"), strict=True)
    )
    assert "IBKEEPER_ALPACA__DATA_URL" in away[0].remedy
    assert "IBKEEPER_ALPACA__STREAM_URL" in away[1].remedy
    assert verdicts(await alpaca.look(AlpacaSettings())) == {"alpaca": "skipped"}


@pytest.mark.anyio
async def test_a_spool_that_may_outgrow_its_disk_is_told_and_so_is_the_database_beside_it(
    postgres_url: str, tmp_path: Path
) -> None:
    home = tmp_path / "not" / "yet"
    small = Settings.model_validate({"home": home, "recorder": {"spool_mib": 1}})
    found = await disk.look(small, postgres_url)
    assert verdicts(found) == {"spool disk": "ok", "database disk": "ok"}
    vast = Settings.model_validate({"home": home, "recorder": {"spool_mib": 1 << 40}})
    found = await disk.look(vast, postgres_url)
    assert verdicts(found) == {"spool disk": "warning", "database disk": "warning"}
    assert "IBKEEPER_RECORDER__SPOOL_MIB" in found[0].remedy
    assert "a spool on the same disk takes, and brings" in found[1].seen
    assert verdicts(await disk.look(small, None))["database disk"] == "skipped"
    reader = await disk.look(small, roles.login_url(postgres_url, "reader"))
    assert verdicts(reader)["database disk"] == "skipped"


def test_the_command_tells_all_of_it_and_ends_with_1_when_something_failed(
    db_cli: Cli,  # noqa: F811
) -> None:
    db_cli.set(
        IBKEEPER_GATEWAY__HOST="127.0.0.1",
        IBKEEPER_GATEWAY__PORT="1",
        IBKEEPER_ALERTS__TARGETS=f"desk=json://ann:{CANARY}@localhost/x bad=xyz://{CANARY}",
        PREFECT_API_URL="",
    )
    said = db_cli("doctor")
    assert said.returncode == 1
    assert "127.0.0.1:1 cannot be reached" in said.stdout.replace("\n", " ")
    machine = db_cli("doctor", "--json")
    told = json.loads(machine.stdout)
    assert (machine.returncode, told["healthy"]) == (1, False)
    states = {each["name"]: each["verdict"] for each in told["findings"]}
    assert states["gateway"] == states["alert target bad"] == "failed"
    assert states["database"] == states["alert target desk"] == "ok"
    assert all(each["remedy"] for each in told["findings"] if each["verdict"] == "failed")
    assert CANARY not in said.stdout + said.stderr + machine.stdout + machine.stderr


def test_a_standby_that_is_away_is_a_warning_with_its_own_settings(
    cli: Cli,  # noqa: F811
) -> None:
    cli.set(
        PREFECT_API_URL="",
        IBKEEPER_GATEWAY__PORT="1",
        IBKEEPER_STANDBY__HOST="127.0.0.1",
        IBKEEPER_STANDBY__PORT="1",
    )
    said = cli("doctor", "--json")
    found = {each["name"]: each for each in json.loads(said.stdout)["findings"]}
    assert (said.returncode, found["standby gateway"]["verdict"]) == (0, "warning")
    assert "IBKEEPER_STANDBY__HOST" in found["standby gateway"]["remedy"]


def test_before_anything_runs_nothing_is_wrong(cli: Cli) -> None:  # noqa: F811
    cli.set(PREFECT_API_URL="", IBKEEPER_GATEWAY__PORT="1")
    said = cli("doctor")
    assert said.returncode == 0, said.stdout
    assert "ibkeeper up will simulate one" in said.stdout.replace("\n", " ")
