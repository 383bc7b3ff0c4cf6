"""Which accounts are paper: the letters that IB gives them."""

from __future__ import annotations

from typing import Final

# IB names a paper account after the live one with D in front: DU…, and DF… of an adviser.
PAPER_PREFIXES: Final = ("DU", "DF")


def is_paper(account: str) -> bool:
    """Say whether `account` is a paper account; everything else is treated as live."""
    return account.startswith(PAPER_PREFIXES)
