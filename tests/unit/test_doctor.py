"""Verdicts that are pure: clocks, server versions, modes, access; and what live trading refuses."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ibcore.config import known_names, secret_names
from ibcore.doctor import clocks, database, disk, files, prefect
from ibcore.doctor.finding import failed, healthy, ok, require_healthy, warning
from ibcore.doctor.prefect import Access
from ibcore.errors import ConfigRefused, LiveRefused
from tests.canary import PASSWORD

NOON = datetime(2026, 11, 27, 12, 0, 0, tzinfo=timezone.utc)
SERVER = {"version": "16.3", "number": 160003, "login": "ann"} | {
    "standby": False,
    "read_only": False,
}


@pytest.mark.parametrize(
    ("told", "zone"),
    [
        ("2026-11-27 12:00:03", "Greenwich Mean Time"),
        ("2026-11-27 07:00:03", "Eastern Standard Time"),
        ("2026-11-27 07:00:03", "America/New_York"),
        ("2026-11-27 13:00:03", "Central European Standard Time"),
        ("2026-11-27 17:45:03", "Nepal Time"),  # nobody knows it: a whole quarter of an hour away
    ],
)
def test_a_clock_is_read_in_the_zone_that_it_names(told: str, zone: str) -> None:
    ahead = clocks.ahead_s(datetime.fromisoformat(told), zone, at=NOON)
    assert ahead == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("ahead", "verdict"), [(0.4, "ok"), (-1.9, "ok"), (3.0, "warning"), (-11.0, "failed")]
)
def test_a_clock_is_wrong_beyond_what_cannot_be_told(ahead: float, verdict: str) -> None:
    assert clocks.judge("clock", ahead, unsure_s=0.5, whose="it").verdict == verdict


def test_an_old_server_and_one_that_takes_no_writes_are_refused() -> None:
    assert database.server(SERVER).verdict == "ok"
    old = database.server(SERVER | {"number": 130012, "version": "13.12"})
    assert (old.verdict, old.remedy) == ("failed", "Use PostgreSQL 14 or newer.")
    reader = database.server(SERVER | {"read_only": True})
    assert (reader.verdict, "another login" in reader.remedy) == ("failed", True)
    replica = database.server(SERVER | {"standby": True, "read_only": True})
    assert (replica.verdict, "primary" in replica.remedy) == ("failed", True)


def test_timescaledb_is_welcome_and_not_needed() -> None:
    there = database.timescale({"installed": "2.17.2", "available": "2.17.2"})
    assert (there.verdict, "2.17.2" in there.seen) == ("ok", True)
    for facts in ({"installed": None, "available": None}, {"installed": None, "available": "2"}):
        without = database.timescale(facts)
        assert (without.verdict, "day partitions" in without.seen) == ("ok", True)


@pytest.mark.parametrize(
    ("access", "host", "bound", "verdict"),
    [
        (Access(open=True, ours=None), "127.0.0.1", {"127.0.0.1"}, "ok"),
        (Access(open=True, ours=None), "localhost", {"0.0.0.0"}, "failed"),
        (Access(open=True, ours=None), "127.0.0.1", {"127.0.0.1", "::"}, "failed"),
        (Access(open=True, ours=None), "127.0.0.1", None, "warning"),
        (Access(open=True, ours=None), "prefect.example.org", None, "failed"),
        (Access(open=False, ours=None), "prefect.example.org", None, "failed"),
        (Access(open=False, ours=False), "127.0.0.1", {"127.0.0.1"}, "failed"),
        (Access(open=False, ours=True), "127.0.0.1", {"0.0.0.0"}, "ok"),
    ],
)
def test_prefect_is_on_loopback_or_has_a_password(
    access: Access, host: str, bound: set[str] | None, verdict: str
) -> None:
    found = prefect.judge(access, host, None if bound is None else frozenset(bound))
    assert (found.verdict, bool(found.remedy)) == (verdict, verdict != "ok")


def test_a_settings_file_with_a_secret_is_its_owners_alone(tmp_path: Path) -> None:
    toml = tmp_path / "ibkeeper.toml"
    assert files.settings_file(toml).verdict == "skipped"
    toml.write_text("[gateway]\nport = 4001\n")
    toml.chmod(0o644)
    assert files.settings_file(toml).verdict == "ok"
    toml.write_text(f'[alerts]\ntargets = "json://ann:{PASSWORD}@host/"\n')
    found = files.settings_file(toml)
    assert (found.verdict, found.remedy) == ("failed", f"chmod 600 {toml}")
    assert "alerts.targets" in found.seen
    assert PASSWORD not in found.seen
    toml.chmod(0o600)
    assert files.settings_file(toml).verdict == "ok"
    toml.write_text("[alerts\n")
    assert files.settings_file(toml).verdict == "failed"


def test_a_state_folder_that_others_look_into_is_told_with_its_remedy(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert {each.verdict for each in files.look(home, toml=home / "no")} == {"skipped"}
    home.mkdir(mode=0o755)
    (home / "run.json").touch(mode=0o644)
    found = {each.name: each for each in files.look(home, toml=home / "no")}
    assert found["state folder"].remedy == f"chmod 700 {home}"
    assert found["run.json"].remedy == f"chmod 600 {home / 'run.json'}"
    home.chmod(0o711)  # where root started it, PostgreSQL's account passes through
    (home / "run.json").chmod(0o600)
    found = {each.name: each for each in files.look(home, toml=home / "no")}
    assert [found[name].verdict for name in ("state folder", "run.json")] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("free_mib", "wanted_mib", "verdict"),
    [
        (2048, 2048, "ok"),
        (2047, 2048, "warning"),
        (512, 2048, "warning"),
        (511, 2048, "failed"),
        (100, 100, "ok"),
        (99, 100, "failed"),
    ],
)
def test_a_disk_is_judged_by_what_may_come_at_once(
    free_mib: int, wanted_mib: int, verdict: str
) -> None:
    found = disk.judge("d", free_mib << 20, wanted_mib << 20, of="it takes", remedy="Free some.")
    assert found.verdict == verdict
    assert found.seen == f"{free_mib:,} MiB are free; it takes {wanted_mib:,} MiB"


@pytest.mark.sings
def test_alpacas_keys_in_a_file_that_others_read_are_told(tmp_path: Path) -> None:
    toml = tmp_path / "ibkeeper.toml"
    toml.write_text(f'[alpaca]\nkey_id = "PK"\nsecret_key = "{PASSWORD}"\n')
    toml.chmod(0o644)
    found = files.settings_file(toml)
    assert (found.verdict, found.remedy) == ("failed", f"chmod 600 {toml}")
    assert "alpaca.key_id, alpaca.secret_key" in found.seen


def test_live_trading_names_the_finding_and_its_remedy() -> None:
    fine = [ok("gateway", "answers"), warning("alert targets", "none", "Set some.")]
    require_healthy(fine)
    assert healthy(fine)
    with pytest.raises(LiveRefused) as refused:
        require_healthy([*fine, failed("schema", "at 0012", "Run it."), failed("home", "x", "y")])
    assert str(refused.value) == (
        "Live trading does not start: schema: at 0012. 1 more failed: see ibkeeper doctor."
        " Nothing was sent. Run it."
    )
    assert isinstance(refused.value, ConfigRefused)


def test_every_secret_setting_is_known_by_its_place() -> None:
    names = {"IBKEEPER_" + "__".join(name).upper() for name in secret_names()}
    assert names <= set(known_names())
    assert {"IBKEEPER_DATABASE_URL", "IBKEEPER_ALERTS__HEARTBEAT_URL"} <= names


def test_a_minute_of_an_unknown_zone_is_still_seen() -> None:
    told = NOON.replace(tzinfo=None) + timedelta(hours=5, minutes=45, seconds=-60)
    assert clocks.ahead_s(told, "Nepal Time", at=NOON) == pytest.approx(-60.0)
