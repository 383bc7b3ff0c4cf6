"""Failover with the settings as they come: a minute of waiting, so it runs beside other tests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ibcore.config import FailoverSettings, LivenessSettings
from ibcore.domain import Provider
from tests.integration.gateways import eventually
from tests.integration.test_failover import paired, stored, switches

pytestmark = pytest.mark.anyio


@pytest.mark.timeout(150)
async def test_with_the_settings_as_they_come_it_switches_at_60_to_65_s_of_staleness(
    db_url: str,
) -> None:
    usual = LivenessSettings(hours="always")
    async with paired(db_url, FailoverSettings(), usual) as pair:
        await pair.primary.fault("1100", 100)
        await eventually(lambda: pair.active() == {Provider.standby}, within_s=80)
        await eventually(lambda: any(row.provider == "standby" for row in stored(db_url)))
    kept = stored(db_url)
    for switch in switches(db_url):
        of_it = [row for row in kept if row.con_id == switch.con_id]
        last = max(row.recv_ts for row in of_it if row.provider == "ib")
        first = min(row.recv_ts for row in of_it if row.provider == "standby")
        assert timedelta(seconds=59.5) <= switch.at - last <= timedelta(seconds=65)
        assert first - switch.at <= timedelta(seconds=2)
    assert {switch.cause for switch in switches(db_url)} == {"stale"}
