"""How a column is declared: type, nullability, default, and a comment, always."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import DateTime, Double, Identity, MetaData, text
from sqlmodel import Field, SQLModel

SCHEMA: Final = "ibkeeper"
METADATA: Final = MetaData(schema=SCHEMA)
TIMESTAMP: Final = DateTime(timezone=True)


class Row(SQLModel):
    """What every table shares: the schema's own metadata."""

    metadata = METADATA


def described(comment: str, **more: Any) -> dict[str, Any]:
    """Return table arguments: a comment, always, and dialect options."""
    return {"comment": comment, **more}


def column(comment: str, kind: Any, *, null: bool = False, **more: Any) -> Any:
    """Declare a column. `default` is SQL; `key`, `identity`, `references` as they say."""
    default: str | None = more.pop("default", None)
    identity: bool = more.pop("identity", False)
    key: bool = more.pop("key", False)
    keywords: dict[str, Any] = {"comment": comment}
    if key:
        keywords["autoincrement"] = False  # an integer key would become SERIAL
    if default is not None:
        keywords["server_default"] = text(default)
    return Field(
        default=None,
        sa_type=kind,
        nullable=null,
        primary_key=key or identity,
        foreign_key=more.pop("references", None),
        sa_column_args=[Identity()] if identity else [],
        sa_column_kwargs=keywords,
        **more,
    )


def number(comment: str) -> Any:
    """Declare a nullable double: a value that IB may leave empty."""
    return column(comment, Double, null=True)


def moment(comment: str, *, null: bool = False, **more: Any) -> Any:
    """Declare a moment in UTC."""
    return column(comment, TIMESTAMP, null=null, **more)
