"""The data desk: what the gateway observes, remembers and streams beside market-data lines.

Long answers are jobs: generators that do a little work a step, run a few steps in each turn of the
pump, so that ten years of bars for one client delay nobody's ticks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import structlog

from ibcore.sim.archive import Archive
from ibcore.sim.config import Clock, SimConfig
from ibcore.sim.historypacing import HistoryPacing
from ibcore.sim.observed import Observer
from ibcore.sim.source import Change, Source
from ibcore.sim.streams import Stream, Streams
from ibcore.sim.tally import Tally

if TYPE_CHECKING:
    from ibcore.sim.session import Session

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

Job: TypeAlias = Iterator[None]
_STEPS: Final = 12  # days of minutes a turn: some ten milliseconds


class DataDesk:
    """Everything about data that is not a market-data line."""

    def __init__(
        self, source: Source, config: SimConfig, *, clock: Clock, quiet: Callable[[Any], bool]
    ) -> None:
        self._source = source
        self.clock = clock  # what clients are shown
        self.tally = Tally()
        self.archive = Archive(source.past, self.tally)
        self.pacing = HistoryPacing(config.history_pacing)
        self.streams = Streams(source, quiet)
        self.ahead_s = 0.0  # how far the market's time is ahead, after it ran faster
        self._observer = Observer()
        self._jobs: deque[tuple[Session, int, Job]] = deque()

    def now_s(self) -> float:
        """Return the time that clients are shown, in seconds since 1970."""
        return self.clock.unix_ns() / 1e9

    def note(self, changes: Iterable[Change]) -> None:
        """Remember what happened, and tell the streams."""
        at_s = self.now_s()
        contracts = self._source.universe.by_id
        for change in changes:
            contract = contracts[change.con_id]
            board = self._source.board(contract)
            events = self._observer.note(contract, board, change.ticks)
            for event in events:
                self.tally.note(event, at_s)
            self.streams.apply(events, at_s)

    def open(self, stream: Stream) -> None:
        """Begin a stream."""
        self.streams.add(stream, self.clock.monotonic() + self.ahead_s)

    def start(self, session: Session, req_id: int, job: Job) -> None:
        """Begin a long answer."""
        self._jobs.append((session, req_id, job))

    def end(self, session: Session, req_id: int) -> bool:
        """End a long answer; say whether it was under way."""
        left = [item for item in self._jobs if item[:2] != (session, req_id)]
        ended = len(left) < len(self._jobs)
        self._jobs = deque(left)
        return ended

    def turn(self) -> None:
        """Do a few steps of the long answers, and let the streams look at the clock."""
        for _ in range(_STEPS):
            if not self._jobs:
                break
            self._step()
        self.streams.turn(self.now_s())

    def _step(self) -> None:
        session, req_id, job = self._jobs.popleft()
        try:
            next(job)
        except StopIteration:
            return
        except Exception:
            log.exception("sim_job_failed", req_id=req_id, session=session.number)
            session.error(req_id, 322, "Error processing request.")
            return
        self._jobs.append((session, req_id, job))

    def drop_all(self, session: Session) -> None:
        """Forget everything that a session asked for."""
        self._jobs = deque(item for item in self._jobs if item[0] is not session)
        self.streams.drop_all(session)
