"""Settings of alerts: who is told of incidents, and how often."""

from __future__ import annotations

from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator

from ibcore.settings.section import PositiveFloat, Section

_WINDOW: Final = r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d"


class AlertSettings(Section):
    """Who is told of incidents, and how often."""

    targets: SecretStr | None = Field(
        None, description="Apprise URLs with blanks between, each with `name=` before it or not."
    )
    escalation: SecretStr | None = Field(
        None, description="The same, for what is critical and was not delivered in time."
    )
    escalate_after_s: PositiveFloat = Field(60.0, description="How long that may take.")
    level: Literal["info", "warning", "critical"] = Field(
        "warning", description="What is less severe stands in the table only."
    )
    burst: int = Field(5, ge=1, description="Messages a target gets in ten minutes.")
    gather_s: float = Field(1.0, ge=0, le=5, description="What comes within it is one message.")
    expire_h: PositiveFloat = Field(24.0, description="How long a message is tried for.")
    quiet: str = Field(
        "",
        pattern=rf"^({_WINDOW}(,\s*{_WINDOW})*)?$",
        description="Times of day when only critical incidents are told: 22:00-07:00, …",
    )
    timezone: str = Field("America/New_York", description="Of `quiet`.")
    runbook_url: str = Field("docs/runbook.md", description="Where your people read it.")
    heartbeat_url: SecretStr | None = Field(
        None, description="Pinged by the sidecar; who runs it tells you when the pings stop."
    )
    heartbeat_s: PositiveFloat = Field(60.0, description="How often.")

    @field_validator("timezone")
    @classmethod
    def _a_zone(cls, name: str) -> str:
        try:
            return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name} is no time zone, such as America/New_York") from None
