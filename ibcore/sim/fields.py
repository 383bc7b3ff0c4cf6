"""A cursor over the fields of one request: takes them in order, strictly, or raises `Malformed`.

Numbers are read as TWS reads them, in Java: ASCII digits, integers of 32 bits. What it cannot read
is answered 320 in words that were seen (dshe/InterReact#4, wboayue/rust-ibapi#259), with the id of
the request if that was read already; what it can read and does not accept is answered 321.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,10}")
_NUMBER: Final = re.compile(
    r"[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?)"
)
_QUOTED: Final = 100  # characters of a bad value that are repeated


class Malformed(Exception):
    """The request cannot be read; `req_id` is -1 where even that is unknown."""

    def __init__(self, reason: str, req_id: int = -1) -> None:
        super().__init__(reason)
        self.req_id = req_id

    code = 320

    def answer(self) -> str:
        """Return the text of the error."""
        about = f"Message id {self.req_id}. " if self.req_id != -1 else ""
        return f"Error reading request.{about} {self}"


class Invalid(Malformed):
    """The request can be read, and what it says is not accepted."""

    code = 321

    def answer(self) -> str:
        """Return the text of the error."""
        return f"Error validating request.-'bR' : cause - {self}"


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
            raise Malformed(f"Unable to read field {self._at}: it is missing.", self.req_id)
        self._at += 1
        return self._fields[self._at - 1]

    def integer(self, default: int = 0) -> int:
        """Take an integer; empty means `default`."""
        value = self.text()
        if not value:
            return default
        if not _INTEGER.fullmatch(value) or not -(2**31) <= int(value) < 2**31:
            raise self._unparsable(value)
        return int(value)

    def number(self, default: float = 0.0) -> float:
        """Take a finite number; empty means `default`."""
        value = self.text()
        if not value:
            return default
        if not _NUMBER.fullmatch(value):
            raise self._unparsable(value)
        result = float(value.rstrip("dDfF"))
        if not math.isfinite(result):
            raise Invalid(f"{value[:_QUOTED]} is not a number to ask with", self.req_id)
        return result

    def flag(self) -> bool:
        """Take a 0/1 field; the official client also writes True and False."""
        value = self.text()
        if value not in {"", "0", "1", "True", "False", "true", "false"}:
            raise self._unparsable(value)
        return value in {"1", "True", "true"}

    def _unparsable(self, value: str) -> Malformed:
        java = "Unable to parse data. java.lang.NumberFormatException: For input string:"
        return Malformed(f'{java} "{value[:_QUOTED]}"', self.req_id)

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
            raise Malformed(f"{extra} fields too many.", self.req_id)
