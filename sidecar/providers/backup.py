"""What the router asks of a backup provider."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from ibcore.domain import Provider
from sidecar.lines import Wanted

Task = Callable[[], Coroutine[Any, Any, object]]


class Backup(Protocol):
    """A provider that stands ready: its lines are subscribed, its gate keeps its rows out."""

    @property
    def provider(self) -> Provider:
        """Return who it is."""

    @property
    def is_ready(self) -> bool:
        """Say whether its sessions are up."""

    def workers(self) -> dict[str, Task]:
        """Return its tasks by name; they end when cancelled."""

    def want(self, lines: Sequence[Wanted]) -> None:
        """Take every line that should stand ready; called about once a second."""

    def events(self, instrument_id: int) -> int:
        """Return how many ticks were heard of an instrument, whatever they said."""

    def activate(self, instrument_id: int) -> None:
        """Take that its rows are recorded from now on."""
