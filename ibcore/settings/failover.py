"""Settings of the backup gateway, and of when rows are taken from it."""

from __future__ import annotations

from pydantic import Field

from ibcore.failover import Rules
from ibcore.settings.section import Port, PositiveFloat, Section


class FailoverSettings(Section):
    """When an instrument goes to a backup provider, and when it comes back."""

    staleness_s: PositiveFloat = Field(60.0, description="Silent for longer: to the backup.")
    retries: int = Field(5, ge=1, description="…or after so many failed attempts to connect.")
    healthy_s: PositiveFloat = Field(120.0, description="Well for so long: back to the better one.")
    dwell_s: PositiveFloat = Field(120.0, description="No second switch of a line within this.")

    @property
    def rules(self) -> Rules:
        """Return them as the decision takes them."""
        return Rules(self.staleness_s, self.retries, self.healthy_s, self.dwell_s)


class StandbySettings(Section):
    """A second IB gateway with a user of its own, kept warm; without `host` there is none."""

    host: str | None = Field(None, description="Host of the standby gateway; unset: none.")
    port: Port = Field(4002, description="Its API port.")
    client_id: int = Field(20, ge=0, description="Client id there; one connection, read-only.")
    lines: int = Field(100, ge=1, description="Market-data lines its user is allowed.")
