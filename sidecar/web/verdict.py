"""The state of everything in one sentence, and what is not ready. Pure.

The worst comes first: no session, no link, no database, lines that are out, a backup that serves;
else how many lines tick, and how fast their rows are committed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ibcore.domain import SessionState, StrEnum
from ibcore.link_states import LinkState
from ibcore.liveness.health import LineCause
from sidecar.web.live import LineNow, Live, SessionNow

# A silence that nobody can see anything wrong with.
RESTING = (LineCause.quiet, LineCause.halted, LineCause.closed)
WORDS = {
    LineCause.dead_line: "dead line",
    LineCause.farm: "data farm broken",
    LineCause.link: "no link to IB",
    LineCause.competing_session: "another login has the data",
}


class Level(StrEnum):
    """How bad it is."""

    good = "good"
    attention = "attention"
    trouble = "trouble"


class Verdict(NamedTuple):
    """How bad, in one sentence, and what else there is to say."""

    level: Level
    sentence: str
    more: tuple[str, ...] = ()


class Told(NamedTuple):
    """What the database told last: incidents that are open, and wanted lines that do not stream."""

    incidents: int = 0
    critical: int = 0
    unserved: int = 0


def judge(live: Live, told: Told | None = None) -> Verdict:
    """Say how everything is: the worst first, else how many lines tick."""
    said = [*_wrong(live), *_told(told or Told())]
    said.sort(key=lambda one: one.level is not Level.trouble)
    level = max((one.level for one in said), key=list(Level).index, default=Level.good)
    first = 0 if level is not Level.trouble else 1
    sentences = [one.sentence for one in said]
    if live.stream.serves and not any(line.is_out for line in live.lines):
        sentences.insert(first, _ticking(live))
    return Verdict(level, sentences[0], tuple(sentences[1:]))


def not_ready(live: Live) -> dict[str, str]:
    """Return what is not ready, and why; nothing: rows stream and are committed."""
    reasons = {}
    if live.state == "draining":
        reasons["sidecar"] = "The sidecar stops."
    if not live.stream.serves:
        reasons["stream_session"] = _session_words(live.stream)
    if not live.database.ok:
        reasons["database"] = live.database.why or "Rows are not being committed."
    return reasons


def _wrong(live: Live) -> Iterator[Verdict]:
    if live.state == "draining":
        yield Verdict(Level.attention, "The sidecar stops; what it holds is being written.")
    yield from _feed(live)
    yield from _database(live)
    if live.feed.lost_rows:
        yield Verdict(Level.attention, f"{_rows(live.feed.lost_rows)} lost since the start.")
    for session in live.sessions if live.stream.serves else ():
        if session.role != "stream" and session.failures:
            yield Verdict(Level.attention, _session_words(session))


def _told(told: Told) -> Iterator[Verdict]:
    if told.critical:
        yield Verdict(Level.trouble, f"{_are(told.critical, 'critical incident')} open.")
    elif told.incidents:
        yield Verdict(Level.attention, f"{_are(told.incidents, 'incident')} open.")
    if told.unserved:
        words = "1 wanted line does" if told.unserved == 1 else f"{told.unserved} wanted lines do"
        yield Verdict(Level.attention, f"{words} not stream.")


def _feed(live: Live) -> Iterator[Verdict]:
    out = [line for line in live.lines if line.is_out]
    stream = live.stream
    covered = bool(live.lines) and all(line.provider != "ib" for line in out)
    level = Level.attention if covered and live.providers.away else Level.trouble
    if not stream.serves:
        starting = not stream.connects and not stream.failures
        yield Verdict(Level.attention if starting else level, _session_words(stream))
    elif out:
        yield Verdict(level, _out_words(out, len(live.lines)))
    elif stream.link is LinkState.suspect:
        yield Verdict(Level.attention, "The gateway came back; every line is being verified.")
    if away := live.providers.away:
        where = ", ".join(f"{count} from {provider}" for provider, count in away.items())
        yield Verdict(Level.attention, f"Rows are taken from a backup: {where}.")


def _out_words(out: Sequence[LineNow], total: int) -> str:
    causes = Counter(WORDS.get(line.cause, str(line.cause)) for line in out)
    if len(causes) == 1:
        why = next(iter(causes))
    else:
        why = ", ".join(f"{count} {words}" for words, count in causes.most_common())
    if len(out) == total:
        who = f"All {total} lines are" if total > 1 else "The one line is"
    else:
        who = f"{len(out)} of {total} lines {'is' if len(out) == 1 else 'are'}"
    return f"{who} out: {why}."


def _session_words(session: SessionNow) -> str:
    who = f"The {session.role} session"
    match session.state:
        case SessionState.ready if session.link is LinkState.lost:
            return f"{who} is up, but its gateway has lost the link to IB."
        case SessionState.ready:
            return f"{who} is ready."
        case SessionState.connecting:
            after = f" (attempt {session.failures + 1})" if session.failures else ""
            return f"{who} is connecting{after}."
        case SessionState.waiting if session.failures:
            wait = f" {session.retry_s:g} s" if session.retry_s is not None else ""
            return f"{who} is lost and waits{wait} after {_attempts(session.failures)}."
        case SessionState.waiting:
            return f"{who} has not begun yet."
        case _:
            return f"{who} has stopped."


def _database(live: Live) -> Iterator[Verdict]:
    if live.database.ok:
        if live.spool.room != "enough":
            yield Verdict(Level.attention, f"The spool is filling ({live.spool.room}).")
        return
    words = (
        f"The database is away; {_rows(live.feed.waiting_rows)} waiting in the spool,"
        " nothing is lost."
    )
    yield Verdict(Level.trouble, words)


def _ticking(live: Live) -> str:
    if not live.lines:
        return "No line streams yet; add some with: ibkeeper watch add SYMBOL."
    counts = Counter(line.cause for line in live.lines)
    ticking, total = counts[LineCause.ticking], len(live.lines)
    if ticking == total:
        first = f"All {total} lines tick." if total > 1 else "The one line ticks."
    elif counts[LineCause.closed] == total:
        first = f"The market is closed: {_lines(total)} at rest."
    else:
        rest = ", ".join(f"{counts[cause]} {cause}" for cause in RESTING if counts[cause])
        first = f"{ticking} of {total} lines tick" + (f", {rest}." if rest else ".")
    p99 = live.feed.p99_ms
    return first if p99 is None else f"{first} p99 {p99:.0f} ms."


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"


def _are(count: int, noun: str) -> str:
    return f"1 {noun} is" if count == 1 else f"{count} {noun}s are"


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count:,} rows are"


def _attempts(count: int) -> str:
    return "1 failed attempt" if count == 1 else f"{count} failed attempts"
