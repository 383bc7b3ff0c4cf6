"""The form of a run: Prefect's UI draws it from the schema of the parameters."""

from __future__ import annotations

from ibcore.form import in_order

__all__ = ["in_order"]
