"""Settings of the sidecar's status page."""

from __future__ import annotations

from pydantic import Field

from ibcore.settings.section import Section


class HttpSettings(Section):
    """Where the sidecar shows how it is; always on loopback."""

    port: int = Field(
        8010, ge=0, le=65535, description="Of the status page and /metrics, on loopback; 0: none."
    )
