"""Which tape it is: a file, a folder, or a day in a database, opened as a source."""

from __future__ import annotations

from pathlib import Path

from ibcore.sim import tape
from ibcore.sim.config import SimConfig
from ibcore.sim.eventreplay import EventReplay
from ibcore.sim.market import Market
from ibcore.sim.replay import DayReplay, RecordedReplay
from ibcore.sim.source import Source
from ibcore.sim.tape_table import SUFFIXES, TableTape


def open_source(config: SimConfig) -> Source:
    """Choose the model or the tape; reading a day's tape takes about two seconds."""
    if config.tape is None:
        return Market(config)
    if is_url(config.tape):
        from ibcore.sim.tape_sql import SqlTape  # here: it needs the driver, the others do not

        return EventReplay(config, SqlTape(str(config.tape)))
    path = Path(config.tape)
    if path.is_file() and path.suffix in SUFFIXES:
        return EventReplay(config, TableTape(path))
    return DayReplay(config, path) if tape.is_day(path) else RecordedReplay(config, path)


def is_url(given: Path | str) -> bool:
    """Whether the tape is a database."""
    return str(given).startswith(("postgresql:", "postgres:"))


def shown(given: Path | str) -> str:
    """Return what may be said of a tape: the URL of a database without user and password."""
    if not is_url(given):
        return str(given)
    from ibcore.sim.tape_sql import shown as without_secrets

    return without_secrets(str(given))
