"""Documents that repeat the code are held equal to it."""

from __future__ import annotations

import re
from pathlib import Path

from ibcore import config

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_and_no_other_is_documented():
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.split("<!-- settings", 1)[1]
    documented = re.findall(r"^\| `(IBKEEPER_[A-Z0-9_]+)`", table, flags=re.MULTILINE)
    assert documented == config.known_names()


def test_relative_links_in_the_documents_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    links = r"\]\((?!https?:|#)([^)#\s]+)"
    dead = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in pages
        for target in re.findall(links, page.read_text())
        if not (page.parent / target).exists()
    ]
    assert dead == []
