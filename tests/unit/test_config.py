"""Settings are read once, frozen, and refuse what they do not know; secrets stay masked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from ibcore import config
from ibcore.errors import ConfigRefused


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(config.PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "ibkeeper.toml").write_text('[gateway]\nhost = "filed"\nport = 4001\n')
    monkeypatch.setenv("IBKEEPER_GATEWAY__HOST", "exported")
    settings = config.load()
    assert (settings.gateway.host, settings.gateway.port) == ("exported", 4001)


def test_a_misspelt_name_is_refused_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IBKEEPER_GATEWAY__PROT", "4001")
    with pytest.raises(ConfigRefused, match="Did you mean IBKEEPER_GATEWAY__PORT"):
        config.load()


def test_what_the_tests_are_told_is_no_setting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IBKEEPER_TEST_TIMESCALE_URL", "postgresql://somewhere")
    assert config.load() == config.Settings()


def test_a_misspelt_name_in_the_file_is_refused(tmp_path: Path):
    (tmp_path / "ibkeeper.toml").write_text("[gateway]\nprot = 4001\n")
    with pytest.raises(ConfigRefused, match="IBKEEPER_GATEWAY__PROT"):
        config.load()


def test_a_broken_file_is_refused_in_one_line(tmp_path: Path):
    (tmp_path / "ibkeeper.toml").write_text("[gateway\n")
    with pytest.raises(ConfigRefused, match=r"ibkeeper\.toml cannot be read"):
        config.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IBKEEPER_GATEWAY__PORT", "70000"),
        ("IBKEEPER_GATEWAY__CONNECT_TIMEOUT_S", "0"),
        ("IBKEEPER_SIDECAR__NAME", "Main; drop"),
        ("IBKEEPER_RECORDER__FLUSH_MS", "fast"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigRefused, match=name):
        config.load()


def test_settings_are_frozen():
    settings = config.load()
    with pytest.raises(ValidationError):
        settings.gateway.port = 1  # type: ignore[misc]


def test_the_database_password_is_masked_everywhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IBKEEPER_DATABASE_URL", "postgresql://me:canary-0815@db/x")
    assert "canary-0815" not in repr(config.load())


def test_a_refused_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IBKEEPER_DATABASE_URL", "postgresql://me:canary-0815@db/x")
    monkeypatch.setenv("IBKEEPER_GATEWAY__PORT", "none")
    with pytest.raises(ConfigRefused) as refused:
        config.load()
    assert "canary-0815" not in str(refused.value)
    assert refused.value.__cause__ is None
