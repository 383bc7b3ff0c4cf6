"""One claimed request: what is asked, how far it is, and how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from ibcore.db import Connection
from ibcore.domain import RequestState


@dataclass(slots=True)
class Progress:
    """How far the work is, in units of its kind; written to the row a few times a second."""

    done: int = 0
    total: int | None = None

    def report(self, done: int, total: int | None = None) -> None:
        """Say how many units are done, and of how many when that is known."""
        self.done = done
        if total is not None:
            self.total = total


@dataclass(frozen=True, slots=True)
class Job:
    """A request in the hands of this sidecar. `ends_at` is on the monotonic clock."""

    id: UUID
    kind: str
    payload: dict[str, Any]
    ends_at: float
    progress: Progress = field(default_factory=Progress)


Store = Callable[[Connection], Awaitable[dict[str, Any]]]


class Done(NamedTuple):
    """Finished work: `store` writes it and returns the result, in the closing transaction."""

    store: Store


Handler = Callable[[Job], Awaitable[Done]]


@dataclass(frozen=True, slots=True)
class Ending:
    """The terminal state of a job."""

    state: RequestState
    error_kind: str | None = None
    error: str | None = None
    store: Store | None = None
