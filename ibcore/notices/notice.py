"""What a code can be about, how bad it can be, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple


class Scope(Enum):
    """What a notice is about."""

    request = "request"
    order = "order"
    line = "line"
    farm = "farm"
    link = "link"
    session = "session"


class Severity(Enum):
    """How bad it is."""

    info = "info"
    warning = "warning"
    error = "error"


class Action(Enum):
    """What ibkeeper does about it."""

    note = "note"
    fail_request = "fail_request"
    drop_line = "drop_line"
    resubscribe = "resubscribe"
    verify_lines = "verify_lines"
    mark_stale = "mark_stale"
    fail_session = "fail_session"
    mark_delayed = "mark_delayed"


class Notice(NamedTuple):
    """One IB code and what it means to us."""

    code: int
    scope: Scope
    severity: Severity
    action: Action
    meaning: str


def graded(scope: Scope, severity: Severity, action: Action, listed: str) -> Iterator[Notice]:
    """Read lines of `code meaning`; all of them are graded alike."""
    for line in listed.strip().splitlines():
        code, _, meaning = line.strip().partition(" ")
        yield Notice(int(code), scope, severity, action, meaning)
