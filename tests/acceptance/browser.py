"""Debian's Chromium without a head, for tests of pages; what it complains of is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    TimeoutError,  # noqa: A004
    sync_playwright,
)

from ibcore.clock import monotonic

_NAMES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def chromium() -> str:
    """Return Chromium's path, or skip the test."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    return found


@contextmanager
def browsing() -> Iterator[Browser]:
    """Run one browser."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, and everything it complained of or asked for."""

    def __init__(self, browser: Browser, url: str, *, size: dict[str, int] | None = None) -> None:
        self.page: Page = browser.new_page(viewport=size or DESKTOP)  # type: ignore[arg-type]
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._saw)
        self.page.goto(url)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _saw(self, request: Request) -> None:
        self.asked.add(request.url)

    def until(self, expression: str, *, within_s: float = 20.0) -> None:
        """Wait until a JavaScript expression is true on the page."""
        # Not wait_for_function: it evaluates text in the page, and the page's policy forbids that.
        ends_at = monotonic() + within_s
        while not self.page.evaluate(expression):
            assert monotonic() < ends_at, f"it never came true: {expression}"
            self.page.wait_for_timeout(50)

    def until_says(self, selector: str, words: str, *, within_s: float = 20.0) -> None:
        """Wait until an element shows some words."""
        try:
            self.page.locator(selector, has_text=words).first.wait_for(timeout=within_s * 1_000)
        except TimeoutError:
            said = f"{selector} says {self.text(selector)!r}, not {words!r}"
            raise AssertionError(f"{said}\n{self.text('main')}") from None

    def text(self, selector: str) -> str:
        """Return what an element shows."""
        return self.page.locator(selector).first.inner_text()

    @property
    def overflow_px(self) -> int:
        """Return how far the page is wider than the window."""
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(width))
