"""What one look found: a verdict, what was seen, the remedy; and what live trading makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ibcore.domain import StrEnum
from ibcore.errors import LiveRefused
from ibcore.log import mask


class Verdict(StrEnum):
    """How bad it is; only `failed` stops anything."""

    ok = "ok"
    warning = "warning"
    failed = "failed"
    skipped = "skipped"


class Finding(NamedTuple):
    """One thing that was looked at. `remedy` is empty where there is nothing to do."""

    name: str
    verdict: Verdict
    seen: str
    remedy: str = ""

    def masked(self) -> Finding:
        """Return the same without anything secret."""
        return self._replace(seen=mask(self.seen), remedy=mask(self.remedy))


def ok(name: str, seen: str) -> Finding:
    """Return that it is as it should be."""
    return Finding(name, Verdict.ok, seen)


def skipped(name: str, why: str) -> Finding:
    """Return that it could not be looked at, or need not be."""
    return Finding(name, Verdict.skipped, why)


def warning(name: str, seen: str, remedy: str) -> Finding:
    """Return that it works and somebody should know."""
    return Finding(name, Verdict.warning, seen, remedy)


def failed(name: str, seen: str, remedy: str) -> Finding:
    """Return that it must be mended."""
    return Finding(name, Verdict.failed, seen, remedy)


def healthy(findings: Iterable[Finding]) -> bool:
    """Say whether nothing failed."""
    return all(each.verdict is not Verdict.failed for each in findings)


def require_healthy(findings: Iterable[Finding]) -> None:
    """Raise LiveRefused, naming the first thing that failed and its remedy."""
    sick = [each for each in findings if each.verdict is Verdict.failed]
    if not sick:
        return
    more = f" {len(sick) - 1} more failed: see ibkeeper doctor." if sick[1:] else ""
    raise LiveRefused(
        f"Live trading does not start: {sick[0].name}: {sick[0].seen}.{more} Nothing was sent.",
        remedy=sick[0].remedy,
    )
