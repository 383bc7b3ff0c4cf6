"""One Prefect server for all tests of flows."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator

import pytest

from tests.acceptance.prefect_runs import everything_of
from tests.canary import silent

PREFECT_START_S = 150


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run one Prefect server for the session."""
    quiet = {
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "DO_NOT_TRACK": "1",
    }
    before = {name: os.environ.get(name) for name in quiet}
    os.environ.update(quiet)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            from prefect.testing.utilities import prefect_test_harness

            with prefect_test_harness(server_startup_timeout=PREFECT_START_S):
                yield
                from prefect.settings import PREFECT_API_URL

                # Of all runs of the session: parameters, logs, states, artifacts.
                silent(everything_of(str(PREFECT_API_URL.value())))
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@pytest.fixture
def leave_nothing_to_collect() -> Iterator[None]:
    """Collect what Prefect leaves open here, where its warnings are known, not in another test."""
    yield
    gc.collect()


@pytest.fixture
def settings(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the flow find the database as it does under `ibkeeper up`."""
    monkeypatch.setenv("IBKEEPER_DATABASE_URL", postgres_url)
