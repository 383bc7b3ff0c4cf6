"""Every kind of incident has its words, and its section in the runbook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ibcore.incidents import SEVERITY, Incident, IncidentKind, Severity

PAGE = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"


def test_the_runbook_has_a_section_for_each_kind_and_no_other():
    sections = re.findall(r"^## (\S+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted(str(kind) for kind in IncidentKind)


@pytest.mark.parametrize("kind", list(IncidentKind))
def test_a_section_says_what_happened_what_is_safe_what_to_check_and_what_to_do(kind):
    _, _, section = PAGE.read_text("utf-8").partition(f"## {kind}\n")
    section, _, _ = section.partition("\n## ")
    said = re.findall(r"^\*\*(.+?)\*\*", section, re.MULTILINE)
    assert said == ["What happened.", "What is safe.", "What to check.", "What to do."]


def test_every_kind_has_a_severity_which_one_incident_may_raise():
    assert SEVERITY.keys() == set(IncidentKind)
    quiet = Incident(IncidentKind.spool_filling, "main", "half", "sidecar main")
    loud = Incident(
        IncidentKind.spool_filling, "main", "full", "sidecar main", severity=Severity.critical
    )
    assert (quiet.row()["severity"], loud.row()["severity"]) == ("warning", "critical")
    assert quiet.key == loud.key == "spool_filling:main"
