"""`ibkeeper kill-switch`, `limits` and `arm`, run as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ibcore import kill_file


def ibkeeper(*arguments: str, url: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IBKEEPER_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "ibcore.cli.__main__", *arguments],
        env={**environment, "IBKEEPER_DATABASE_URL": url, "IBKEEPER_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_the_kill_switch_is_engaged_shown_and_lifted_by_name_and_reason(
    db_url: str, tmp_path: Path
) -> None:
    at = {"url": db_url, "home": tmp_path}
    assert ibkeeper("kill-switch", "on", "--reason", "flood", **at).returncode == 0
    shown = json.loads(ibkeeper("kill-switch", "show", "--json", **at).stdout)
    assert (shown["engaged"], shown["rows"][0]["reason"]) == (True, "flood")
    for missing in (("--by", "ann"), ("--reason", "done"), ("--by", " ", "--reason", "done")):
        assert ibkeeper("kill-switch", "off", *missing, **at).returncode == 2
    assert ibkeeper("kill-switch", "off", "--by", "ann", "--reason", "done", **at).returncode == 0
    assert ibkeeper("kill-switch", "show", **at).stdout.startswith("off\n")


def test_without_a_database_the_kill_switch_is_a_file(tmp_path: Path) -> None:
    at = {"url": "postgresql://nobody@127.0.0.1:1/none", "home": tmp_path}
    done = ibkeeper("kill-switch", "on", "--reason", "flood", **at)
    assert done.returncode == 0
    assert f"On by file instead: {kill_file.path(tmp_path)}" in done.stdout
    shown = ibkeeper("kill-switch", "show", **at).stdout
    assert shown.startswith("on\n")
    assert "flood" in shown
    assert "cannot be read, so nothing is sent" in shown


def test_limits_are_set_with_a_trail_and_nonsense_is_refused(db_url: str, tmp_path: Path) -> None:
    at = {"url": db_url, "home": tmp_path}
    for value in ("100", "50"):
        done = ibkeeper("limits", "set", "max_quantity", value, "--by", "ann", **at)
        assert done.returncode == 0, done.stderr
    assert done.stdout == "max_quantity of *: 100 -> 50.\n"
    assert ibkeeper("limits", "unset", "max_quantity", "--reason", "why not", **at).returncode == 0
    trail = json.loads(ibkeeper("limits", "history", "--json", **at).stdout)
    assert [(row["before"], row["value"]) for row in trail] == [
        ("50", None), ("100", "50"), (None, "100"),
    ]  # fmt: skip
    assert json.loads(ibkeeper("limits", "ls", "--json", **at).stdout) == []
    for name, value in (("max_quantity", "1e3"), ("max_luck", "1"), ("trading_hours", "some")):
        refused = ibkeeper("limits", "set", name, value, **at)
        assert refused.returncode == 2
        assert "Nothing was changed." in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("U1", "--for", "2h"), 0, "U1 is armed until "),
        (("U1", "--off"), 0, "U1 is disarmed."),
        (("DU1",), 2, "DU1 is a paper account."),
        (("U1", "--for", "25h"), 2, "Give at most 24h."),
        (("U1", "--for", "soon"), 2, "is no duration"),
        ((), 0, "paper accounts only"),
    ],
)
def test_arming_is_for_live_accounts_and_ends(
    db_url: str, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = ibkeeper("arm", *arguments, url=db_url, home=tmp_path)
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True)
