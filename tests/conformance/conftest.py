"""Appends the table of decoded messages to the test report."""

from __future__ import annotations

import pytest

from ibcore.sim import messages
from tests.conformance import report
from tests.conformance.examples import HOT_ENCODERS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which messages both clients decoded, and how many values they agreed on."""
    passed = terminalreporter.stats.get("passed", [])
    recorded = (record for test in passed for record in test.user_properties)
    lines = report.table(row for name, row in recorded if name == report.PROPERTY)
    if lines:
        terminalreporter.section("messages decoded alike by ib_async 2.0.1 and ibapi 10.46.1")
        for line in lines:
            terminalreporter.write_line(line)
        total = len({*messages.MESSAGES, *HOT_ENCODERS})
        terminalreporter.write_line(f"{len(lines) - 1} of {total} message types")
