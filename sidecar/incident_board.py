"""Incidents opened and closed by parts that must not wait for the database.

Whoever writes the fact itself opens its incident in the same transaction (`queries.sql`); this
is for those who have none: a level, a cause, a state of a socket. What is said again before it
could be written replaces what waits, so a storm about one thing is one entry. Bounded: news about
a further thing is not taken (and counted) while `limit` things wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import psycopg

from ibcore import db
from ibcore.incidents import Incident, IncidentKind, key_of
from ibcore.log import get_logger
from sidecar.outbox import LIMIT, Outbox

log = get_logger(__name__)


class Word(NamedTuple):
    """What is to be said of one key: the query and its parameters."""

    query: str
    row: Mapping[str, Any]


class IncidentBoard:
    """Opens and closes incidents in order, whenever the database is there."""

    def __init__(self, url: str, *, limit: int = LIMIT) -> None:
        self.dropped = 0
        self._limit = limit
        # One more than there can be keys: a key waits once, and is put again when it has changed.
        self._outbox: Outbox[str] = Outbox(url, self._store, name="incidents", limit=limit + 1)
        self._words: dict[str, tuple[Word, ...]] = {}
        self._open: set[str] = set()

    def open(self, incident: Incident) -> None:
        """Open an incident, or say that it was seen again; never waits."""
        if incident.key not in self._open:
            log.warning("incident", kind=str(incident.kind), summary=incident.summary)
        self._open.add(incident.key)
        self._say(incident.key, Word("open_incident", incident.row()))

    def close(self, kind: IncidentKind, about: str, because: str) -> None:
        """Close an incident; nothing happens where none is open."""
        key = key_of(kind, about)
        if key in self._open:
            log.info("incident_over", kind=str(kind), because=because)
        self._open.discard(key)
        self._say(key, Word("close_incident", {"key": key, "reason": because}))

    async def run(self) -> None:
        """Write what is said, for ever."""
        await self._outbox.run()

    async def drain(self, deadline_s: float) -> bool:
        """Wait until everything said is written; False when the deadline came first."""
        return await self._outbox.drain(deadline_s)

    def _say(self, key: str, word: Word) -> None:
        waiting = self._words.get(key)
        if waiting is None:
            if len(self._words) >= self._limit:
                self.dropped += 1
                return
            self._outbox.put(key)
            self._words[key] = (word,)
        elif waiting[-1].query == word.query:
            self._words[key] = (*waiting[:-1], word)
        else:
            # Of open, close, open the last two matter: the first was over before it was told.
            self._words[key] = (*waiting[-1:], word)

    async def _store(self, connection: db.Connection, key: str) -> None:
        words = self._words[key]
        try:
            for word in words:
                await connection.execute(db.QUERIES[word.query], word.row)
        except (psycopg.IntegrityError, psycopg.DataError):
            del self._words[key]  # refused, and not to be said again
            raise
        if self._words[key] is words:
            del self._words[key]
        else:  # said anew while this was written
            self._outbox.put(key)
