"""Why a request failed, with a name that a flow can act on and a text that a person can."""

from __future__ import annotations

import re

from ibcore.errors import IbkeeperError, RequestFailed


class Refused(RequestFailed):
    """The sidecar could not do what was asked."""

    def __init__(self, kind: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.kind = kind


def kind_of(error: IbkeeperError) -> str:
    """Return the name of the failure: `unknown_underlying`, `session_lost`, …"""
    if isinstance(error, Refused):
        return error.kind
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
