"""A drill by a click in the Prefect UI: `ibkeeper up` as it is, Chromium, and nothing beside it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.acceptance.browser import Watched, browsing, chromium
from tests.acceptance.up import Up

pytestmark = [pytest.mark.prefect, pytest.mark.paired, pytest.mark.timeout(420)]

WIDE = {"width": 1400, "height": 2400}
QUOTES = "SELECT count(*) FROM ibkeeper.quote"
DRILL = "SELECT scenario || ', ' || verdict FROM ibkeeper.drill"
STEPS = "SELECT count(*) FROM ibkeeper.drill_step JOIN ibkeeper.drill d ON d.id = drill_id"
HOLD = "SELECT objectives ->> 'hold_s' FROM ibkeeper.drill"
NAME = "clicked-by-hand"


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    chromium()  # skips where there is none
    made = Up(tmp_path / "home")
    made.start()
    try:
        made.wait_for(lambda: "ready after" in made.said(), within_s=240.0, what="ready")
        made.wait_for(lambda: made.value(QUOTES), within_s=30.0, what="quotes")
        yield made
    finally:
        made.clean_up()


def page_of(up: Up) -> str:
    """Return the address of the page of the deployment."""
    prefect = f"http://127.0.0.1:{up.ports['IBKEEPER_PREFECT__PORT']}"
    named = f"{prefect}/api/deployments/name/failover-drill/failover-drill"
    with urllib.request.urlopen(named, timeout=30) as answer:
        return f"{prefect}/deployments/deployment/{json.load(answer)['id']}"


def field(page: Page, title: str) -> Locator:
    """Return a field of the run form, by its title."""
    return page.locator(".schema-form-property", has_text=title).last


def ask_for_a_drill(page: Page) -> None:
    """Fill in the run form: another scenario than the usual one, and shorter."""
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("link", name="Custom run").click()
    page.locator(".p-label", has_text="Run Name").locator("input").fill(NAME)
    field(page, "Scenario").get_by_role("button", name="drop").press("ArrowDown")
    page.locator(".p-select-option", has_text="refuse").click()
    field(page, "Hold for (s)").locator("input").fill("2")
    # This test runs at any hour.
    field(page, "Even while the market is open").get_by_role("switch").click()
    page.get_by_role("button", name="Submit").click()


def test_a_drill_that_is_clicked_in_the_prefect_ui_runs_to_its_verdict(up: Up) -> None:
    with browsing() as browser:
        page = Watched(browser, page_of(up), size=WIDE).page
        ask_for_a_drill(page)
        # The form leads back to the runs of the deployment, and this one to its page.
        page.get_by_role("link", name=NAME).click()
        expect(page.locator("[class*=state-badge]").first).to_have_text(
            "Completed", timeout=120_000
        )
        page.locator(".p-tab", has_text="Artifacts").click()
        page.locator("a[href*='/artifacts/artifact/']", has_text="refuse on main: passed").click()
        shown = page.locator("table", has_text="objective (s)")
        expect(shown).to_contain_text("noticed", timeout=30_000)
        expect(shown).to_contain_text("recovered")
        expect(page.locator("table", has_text="moment")).to_contain_text("first tick")
        expect(page.locator("img[src^='data:image/png']")).to_be_visible()
    assert up.value(DRILL) == "refuse, passed"
    assert up.value(STEPS) >= 4
    assert float(up.value(HOLD)) == 2.0
