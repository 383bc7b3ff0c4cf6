"""A section of docs/runbook.md, where that is beside the program: a link without a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"


def section(kind: str) -> str | None:
    """Return what to do about a kind of incident; None: the page is not here, or says nothing."""
    try:
        text = _PAGE.read_text("utf-8")
    except OSError:
        return None
    found = re.search(rf"^## {re.escape(kind)}\n.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return None if found is None else found[0]
