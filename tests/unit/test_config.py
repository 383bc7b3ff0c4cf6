"""Settings are read once, frozen, and refuse what they do not know; secrets stay masked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from ibcore import config
from ibcore.errors import ConfigRefused
from tests.canary import PASSWORD, SONG


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
    monkeypatch.setenv("IBKEEPER_DATABASE_URL", f"postgresql://me:{PASSWORD}@db/x")
    assert PASSWORD not in repr(config.load())


def test_a_refused_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IBKEEPER_DATABASE_URL", f"postgresql://me:{PASSWORD}@db/x")
    monkeypatch.setenv("IBKEEPER_GATEWAY__PORT", "none")
    with pytest.raises(ConfigRefused) as refused:
        config.load()
    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None


def test_alpaca_needs_both_of_its_keys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("IBKEEPER_ALPACA__KEY_ID", f"{SONG}-key")
    with pytest.raises(ConfigRefused, match="go together") as refused:
        config.load()
    assert SONG not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "feed"),
    [("STOCK_FEED", "iex"), ("STOCK_FEED", "delayed_sip"), ("OPTION_FEED", "indicative")],
)
def test_a_lesser_feed_is_refused_unless_it_is_accepted_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, feed: str
):
    monkeypatch.setenv(f"IBKEEPER_ALPACA__{name}", feed)
    assert not config.load().alpaca.is_set
    monkeypatch.setenv("IBKEEPER_ALPACA__KEY_ID", f"{SONG}-key")
    monkeypatch.setenv("IBKEEPER_ALPACA__SECRET_KEY", f"{SONG}-secret")
    with pytest.raises(ConfigRefused, match="IBKEEPER_ALPACA__ACCEPT_INDICATIVE") as refused:
        config.load()
    assert SONG not in str(refused.value)
    monkeypatch.setenv("IBKEEPER_ALPACA__ACCEPT_INDICATIVE", "true")
    settings = config.load()
    assert settings.alpaca.is_set
    assert SONG not in repr(settings)


@pytest.mark.parametrize(
    ("name", "url", "why"),
    [
        ("STREAM_URL", "https://stream.data.alpaca.markets", "must begin with wss://"),
        ("STREAM_URL", "ws://stream.data.alpaca.markets", "unencrypted"),
        ("DATA_URL", "http://data.alpaca.markets", "unencrypted"),
        ("DATA_URL", "https://", "name a host"),
    ],
)
def test_an_address_that_would_show_the_keys_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, why: str
):
    monkeypatch.setenv(f"IBKEEPER_ALPACA__{name}", url)
    with pytest.raises(ConfigRefused, match=why):
        config.load()


def test_keys_stay_out_of_the_error_of_a_section_made_by_hand():
    with pytest.raises(ValidationError) as refused:
        config.AlpacaSettings(key_id=f"{SONG}-key", stock_feed="iex")  # type: ignore[arg-type]
    assert SONG not in str(refused.value)
