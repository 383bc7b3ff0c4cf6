"""Settings of the gateway, and of the lines that it streams."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ibcore.settings.section import Port, PositiveFloat, Section
from ibcore.windows import Windows, windows


class GatewaySettings(Section):
    """IB Gateway or TWS. Without `host` the simulated gateway is used by `ibkeeper up`."""

    host: str | None = Field(None, description="Host of the gateway; unset: simulated by `up`.")
    port: Port = Field(4002, description="API port: 4002 paper gateway, 4001 live, 7497 TWS.")
    client_id: int = Field(10, ge=0, description="Client id n: stream n, sweep n+1, orders n+2.")
    connect_timeout_s: PositiveFloat = Field(5.0, description="One deadline for connecting.")
    heartbeat_s: PositiveFloat = Field(5.0, description="How often reqCurrentTime is asked.")
    heartbeat_timeout_s: PositiveFloat = Field(3.0, description="How long it may take to answer.")
    knock_s: PositiveFloat = Field(2.0, description="How often a refusing port is knocked at.")
    min_server_version: int = Field(177, ge=157, description="Oldest API spoken: build 1023.")
    market_data_type: Literal[1, 2, 3, 4] = Field(1, description="1 live 2 frozen 3 delayed 4 both")
    lines: int = Field(100, ge=1, description="Market-data lines the user is allowed.")
    messages_per_s: int = Field(
        45, ge=1, le=46, description="Pacing; a tenth more may leave at once, IB closes at 50."
    )
    sweep_connections: Literal[1, 2] = Field(
        1, description="For chains; 2: also client id n+3, chains twice as fast."
    )
    nightly_reset: str = Field("23:40-01:45", description="A loss in it is planned; empty: none.")
    weekly_login: str = Field("Sun 00:45-12:00", description="The same, for the weekly 2FA login.")
    reset_zone: str = Field("America/New_York", description="Zone of these two windows.")

    @model_validator(mode="after")
    def _windows_can_be_read(self) -> GatewaySettings:
        _ = self.windows
        return self

    @property
    def windows(self) -> Windows:
        """Return the hours in which a lost session is planned."""
        return windows(self.nightly_reset, self.weekly_login, self.reset_zone)


class LivenessSettings(Section):
    """When a silent line is suspicious, and how long it has to show that it lives."""

    every_s: PositiveFloat = Field(1.0, description="How often every line is looked at.")
    verify_s: PositiveFloat = Field(10.0, description="A suspect line has so long to tick.")
    silence_s: PositiveFloat = Field(
        30.0, description="No shorter silence of a line is suspicious."
    )
    hours: Literal["contract", "always"] = Field(
        "contract", description="When lines should tick: IB's hours of each, or at any time."
    )
    session_down_s: PositiveFloat = Field(30.0, description="A lost session is told after this.")
