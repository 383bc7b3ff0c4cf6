"""The ears that every test of this suite has: what they hear, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import canary
from tests.canary import PASSWORD, WORDS


def report(*sections: tuple[str, str], outcome: str = "passed") -> pytest.TestReport:
    return pytest.TestReport(
        "tests/x.py::test_it",
        ("tests/x.py", 1, "test_it"),
        {},
        outcome,  # type: ignore[arg-type]
        None if outcome == "passed" else "Boom",
        "teardown",
        sections,
    )


def judged(request: pytest.FixtureRequest, made: pytest.TestReport) -> pytest.TestReport:
    canary.judge(request.node, made)
    return made


@pytest.mark.parametrize("word", WORDS)
def test_a_secret_in_the_output_fails_the_test_with_the_line_it_stands_in(
    request: pytest.FixtureRequest, word: str
) -> None:
    clean = judged(request, report(("Captured stderr call", "well\nand good")))
    assert (clean.outcome, clean.longrepr) == ("passed", None)
    heard = judged(request, report(("Captured log call", f"well\n  no: {word}-1\nend")))
    assert heard.outcome == "failed"
    assert f"Captured log call: no: {word}-1" in heard.longreprtext
    assert "end" not in heard.longreprtext.split()


def test_one_that_failed_anyway_says_it_beside_its_own_reason(
    request: pytest.FixtureRequest,
) -> None:
    heard = judged(request, report(("Captured stdout call", PASSWORD), outcome="failed"))
    assert heard.longreprtext == "Boom"
    assert heard.sections[-1][0] == "canary"


def test_a_secret_in_a_file_is_heard_unless_it_must_be_there_and_is_private(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    left = tmp_path / "logs" / "sidecar.log"
    left.parent.mkdir()
    left.write_bytes(b"\0\1" + PASSWORD.encode())
    assert "logs/sidecar.log" in judged(request, report()).longreprtext
    left.unlink()
    (tmp_path / "run.json").write_text(PASSWORD)
    (tmp_path / "run.json").chmod(0o600)
    assert judged(request, report()).passed


@pytest.mark.sings
def test_one_that_is_marked_may_sing(request: pytest.FixtureRequest) -> None:
    assert judged(request, report(("Captured stdout call", PASSWORD))).passed


def test_what_is_read_of_a_process_is_given_back_or_refused() -> None:
    assert canary.silent("all\nwell") == "all\nwell"
    with pytest.raises(AssertionError, match="the canary sings"):
        canary.silent(f"all\n{PASSWORD}")
