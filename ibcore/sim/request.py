"""The base of every request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """One request; `msg_id` is its number on the wire."""

    msg_id: int
    req_id: int = -1
