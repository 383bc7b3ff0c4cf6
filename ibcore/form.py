"""The form of a run: Prefect's UI draws it from the schema of the parameters."""

from __future__ import annotations

from typing import Any


def in_order(schema: dict[str, Any]) -> None:
    """Number the fields of a model's schema (a pydantic `json_schema_extra`).

    Prefect keeps schemas as JSONB, which sorts keys by their length; its UI goes by `position`.
    """
    for place, field in enumerate(schema.get("properties", {}).values()):
        field["position"] = place
