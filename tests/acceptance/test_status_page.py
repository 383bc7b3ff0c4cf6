"""What the status page shows a person, in a real browser, while the simulator misbehaves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ibcore import db
from ibcore.cli.sim import ask
from ibcore.domain import ContractSpec
from ibcore.embedded import Server
from tests.acceptance.browser import PHONE, Watched, browsing
from tests.acceptance.system import System, running_system

pytestmark = [pytest.mark.paired, pytest.mark.timeout(150)]

SYMBOLS = ("AAPL", "MSFT", "SPY")
# Silence tells within seconds, whatever the clock in New York says.
QUICK = {
    "IBKEEPER_LIVENESS__HOURS": "always",
    "IBKEEPER_LIVENESS__EVERY_S": "0.1",
    "IBKEEPER_LIVENESS__SILENCE_S": "3",
    "IBKEEPER_LIVENESS__VERIFY_S": "2",
    "IBKEEPER_SIDECAR__POLL_S": "0.2",
}
BACKED = {
    "IBKEEPER_STANDBY__HOST": "127.0.0.1",
    "IBKEEPER_FAILOVER__STALENESS_S": "3",
    "IBKEEPER_FAILOVER__HEALTHY_S": "3",
    "IBKEEPER_FAILOVER__DWELL_S": "1",
}
ALL_TICK = "All 3 lines tick. p99 "
WAITING = "Number(document.querySelectorAll('#figures dd')[8].innerText.replace(/\\D/g, ''))"
RHYTHM_KNOWN = "document.querySelector('#lines').innerText.split('silence over').length === 4"
DRAWN = "document.querySelectorAll('#latency path.line, #rate path.line').length >= 4"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as running:
        yield running


def started(system: System) -> System:
    """Start the gateway and a sidecar with three lines."""
    system.settings |= QUICK
    system.start_gateway("--cadence", "0.2")
    system.wait_for(system.gateway_listens, within_s=20.0, what="a gateway")
    system.watch(*(ContractSpec(symbol) for symbol in SYMBOLS))
    system.start_sidecar()
    system.wait_for(lambda: listens(system), within_s=30.0, what="a page")
    return system


def listens(system: System) -> bool:
    return "status_page" in system.logs()


@pytest.fixture
def system(postgres_url: str, tmp_path: Path) -> Iterator[System]:
    with running_system(postgres_url, tmp_path) as made:
        yield started(made)


@pytest.fixture
def page(browser: Browser, system: System) -> Iterator[Watched]:
    """Open the page; at the end nothing was complained of, nothing asked for elsewhere."""
    watched = opened(browser, system)
    yield watched
    watched.page.close()
    assert watched.complaints == []
    assert all(url.startswith(address(system)) for url in watched.asked)


def opened(browser: Browser, system: System, size: dict[str, int] | None = None) -> Watched:
    watched = Watched(browser, address(system), size=size)
    watched.until_says("h1", ALL_TICK)
    return watched


def address(system: System) -> str:
    return f"http://127.0.0.1:{system.http_port}/"


def misbehave(system: System, name: str, for_s: float | None = None, **more: object) -> None:
    """Start a fault; one without an end stays until `behave`, however late the page is told."""
    command = {"do": "fault", "name": name, "for": for_s, "values": {}, **more}
    next(ask(system.control_port, command))


def behave(system: System) -> None:
    misbehave(system, "clear")


def test_a_quiet_day_is_one_calm_sentence_with_lines_sessions_and_charts(
    page: Watched, system: System
) -> None:
    assert page.text("#badge .word") == "Well"
    assert page.page.title() == "✓ Well – ibkeeper main"
    page.until(DRAWN, within_s=40.0)
    lines = page.page.locator("#lines tbody tr")
    assert [lines.nth(at).locator("strong").inner_text() for at in range(3)] == list(SYMBOLS)
    assert [lines.nth(at).locator(".state").inner_text() for at in range(3)] == ["ticks"] * 3
    assert page.page.locator("#sessions tbody tr").count() == 3
    page.until_says("#timeline .name", "stream: ready")
    page.until_says("#timeline .name", "rows from: ib")
    page.until_says("#gaps", "Nothing is missing.")
    page.until_says("#incidents", "Nothing is wrong that anybody was told of.")
    page.until_says("#switches", "There is no backup provider.")
    for units in ("/s", "ms", "of 2 GiB", "of 100"):
        assert units in page.text("#figures") + page.text("#latency .readout")
    assert page.overflow_px == 0
    now = page.page.locator("#rate .readout")
    page.page.locator("#rate").focus()
    page.page.keyboard.press("ArrowLeft")
    assert not now.inner_text().startswith("now")


def test_a_lost_link_and_its_return_are_told_as_they_happen(page: Watched, system: System) -> None:
    misbehave(system, "1100")
    page.until_says("h1", "The stream session is up, but its gateway has lost the link to IB.")
    assert page.text("#badge .word") == "Trouble"
    assert page.text("#lines tbody .state") == "out: link to IB"
    assert page.text("#sessions tbody .state") == "link to IB lost"
    assert page.page.get_attribute("body", "data-level") == "trouble"
    page.until("document.querySelector('#timeline .s-link-lost') !== null")
    behave(system)
    page.until_says("h1", ALL_TICK)
    page.until("document.body.dataset.level === 'good'")
    page.page.locator("summary").click()
    page.until_says("#changes", "link lost")


def test_a_gateway_that_refuses_is_a_session_that_waits_and_then_a_gap(
    page: Watched, system: System
) -> None:
    misbehave(system, "refuse")
    page.until_says("h1", "The stream session is lost and waits")
    page.until_says("#sessions", "Nobody answers at 127.0.0.1")
    page.until_says("#gaps", "still open")
    page.until("document.querySelector('#timeline .s-waiting') !== null")
    assert page.page.get_attribute("body", "data-level") == "trouble"
    behave(system)
    page.until_says("h1", ALL_TICK, within_s=30.0)
    page.until_says("#gaps", "session lost")
    page.until("!document.querySelector('#gaps').innerText.includes('still open')")
    assert "2 ×" in page.text("#sessions tbody tr")


def test_a_line_that_dies_is_named_and_so_is_its_cure(page: Watched, system: System) -> None:
    page.until(RHYTHM_KNOWN, within_s=40.0)
    misbehave(system, "silent", 20.0, line="AAPL")
    page.until_says("h1", "1 of 3 lines is out: dead line.", within_s=30.0)
    assert page.text("#lines tbody tr strong") == "AAPL", "what is out stands first"
    assert page.text("#lines tbody tr .state") == "out: dead line"
    page.until_says("#cures", "re request")
    page.until_says("#cures", "the line stayed silent")
    page.until_says("h1", ALL_TICK, within_s=40.0)


def test_a_backup_that_takes_over_is_told_by_sentence_lines_time_line_and_switches(
    browser: Browser, postgres_url: str, tmp_path: Path
) -> None:
    with running_system(postgres_url, tmp_path) as system:
        system.settings |= BACKED | {"IBKEEPER_STANDBY__PORT": str(system.standby_port)}
        system.start_standby("--cadence", "0.2")
        watched = opened(browser, started(system))
        watched.until_says("#lines", "standby ticks", within_s=30.0)
        misbehave(system, "refuse", 12.0)
        watched.until_says("#more", "Rows are taken from a backup: 3 from standby.", within_s=30.0)
        assert watched.page.get_attribute("body", "data-level") == "attention"
        assert watched.text("#lines .state.backup") == "standby"
        watched.until_says("#switches", "ib → standby")
        watched.until("document.querySelector('#timeline .s-standby') !== null")
        watched.until_says("#figures", "rows from standby 3")
        watched.until_says("#switches", "standby → ib", within_s=60.0)
        watched.until_says("#figures", "rows from ib 3", within_s=30.0)
        watched.until_says("h1", ALL_TICK)
        watched.page.close()
        assert watched.complaints == []


def test_on_a_phone_nothing_is_cut_off_and_nothing_scrolls_sideways(
    browser: Browser, system: System
) -> None:
    phone = opened(browser, system, PHONE)
    phone.until(DRAWN, within_s=40.0)
    assert phone.overflow_px == 0
    misbehave(system, "1100")
    phone.until_says("#lines", "out: link to IB")
    assert phone.overflow_px == 0
    cut = "[...document.querySelectorAll('td')].filter(td => td.scrollWidth > td.clientWidth + 1)"
    assert phone.page.evaluate(f"{cut}.length") == 0
    phone.page.close()
    assert phone.complaints == []


def test_a_sidecar_that_is_gone_is_told_and_met_again_without_a_reload(
    browser: Browser, system: System
) -> None:
    watched = opened(browser, system)
    system.kill("sidecar")
    watched.until_says("#offline", "The sidecar does not answer")
    assert "What is shown is of" in watched.text("#offline")
    system.start_sidecar()
    watched.until("document.querySelector('#offline').hidden", within_s=40.0)
    watched.until_says("h1", ALL_TICK, within_s=30.0)
    watched.until_says("#gaps", "sidecar down")
    watched.until("document.querySelector('#timeline .s-down') !== null")
    watched.page.close()
    assert all("Failed to load" in one or "ERR_" in one for one in watched.complaints)


def test_while_the_database_is_away_the_page_says_so_and_stays_live(
    browser: Browser, tmp_path: Path
) -> None:
    # A short path: with a long one (a worker's) PostgreSQL has a port, another after each start.
    with tempfile.TemporaryDirectory(prefix="ibk-") as folder, Server(Path(folder)) as server:
        db.migrate(server.url())
        system = System(server.url(), tmp_path)
        try:
            watched = opened(browser, started(system))
            watched.until("document.querySelector('#gaps td') !== null")
            server.stop()
            watched.until_says("h1", "The database is away;", within_s=30.0)
            watched.until_says("#stale", "Everything else is live.")
            assert "All 3 lines tick." in watched.text("#more")
            watched.until(f"{WAITING} > 20")
            server.__enter__()
            watched.until_says("h1", ALL_TICK, within_s=40.0)
            watched.until("document.querySelector('#stale').hidden", within_s=30.0)
            watched.page.close()
            assert watched.complaints == []
        finally:
            system.stop()
