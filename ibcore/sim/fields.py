"""A cursor over the fields of one request: takes them in order, strictly, or raises `Malformed`."""

from __future__ import annotations

import math
from collections.abc import Sequence


class Malformed(Exception):
    """The request cannot be read; `req_id` is -1 where even that is unknown."""

    def __init__(self, reason: str, req_id: int = -1) -> None:
        super().__init__(reason)
        self.req_id = req_id


class Unsupported(Malformed):
    """The message id is unknown, or known and not simulated."""


class Fields:
    """A cursor over the fields of one request."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields
        self._at = 0
        self.req_id = -1

    def text(self) -> str:
        """Take the next field as it is."""
        if self._at >= len(self._fields):
            raise Malformed(f"field {self._at} is missing", self.req_id)
        self._at += 1
        return self._fields[self._at - 1]

    def integer(self, default: int = 0) -> int:
        """Take an integer; empty means `default`."""
        value = self.text()
        if not value:
            return default
        try:
            return int(value)
        except ValueError:
            raise Malformed(f"{value!r} is not an integer", self.req_id) from None

    def number(self, default: float = 0.0) -> float:
        """Take a finite number; empty means `default`."""
        value = self.text()
        if not value:
            return default
        try:
            result = float(value)
        except ValueError:
            raise Malformed(f"{value!r} is not a number", self.req_id) from None
        if not math.isfinite(result):
            raise Malformed(f"{value!r} is not a finite number", self.req_id)
        return result

    def flag(self) -> bool:
        """Take a 0/1 field; the official client also writes True and False."""
        value = self.text()
        if value not in {"", "0", "1", "True", "False", "true", "false"}:
            raise Malformed(f"{value!r} is not a flag", self.req_id)
        return value in {"1", "True", "true"}

    def request_id(self) -> int:
        """Take the request id and remember it for error messages."""
        self.req_id = self.integer(-1)
        return self.req_id

    def skip(self, count: int) -> None:
        """Pass over fields that mean nothing here."""
        for _ in range(count):
            self.text()

    def rest(self) -> None:
        """Pass over whatever is left."""
        self._at = len(self._fields)

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self._at != len(self._fields):
            extra = len(self._fields) - self._at
            raise Malformed(f"{extra} fields too many", self.req_id)
