"""The judge: are the rows of the tables what the simulator says that it sent?"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import psycopg

from benchmarks.oracle import Expected, Stored, compare

STORED = """
SELECT r.epoch, i.con_id, r.seq, r.row_kind, r.tick_type, r.n, r.text_value
  FROM (SELECT epoch, instrument_id, seq, 'quote' AS row_kind, tick_type::int,
               ARRAY[bid, bid_size, ask, ask_size] AS n, NULL AS text_value FROM ibkeeper.quote
        UNION ALL
        SELECT epoch, instrument_id, seq, 'trade', tick_type, ARRAY[price, size], NULL
          FROM ibkeeper.trade
        UNION ALL
        SELECT epoch, instrument_id, seq, 'greeks',
               array_position(ARRAY['bid', 'ask', 'last', 'model'], kind) + 9,
               ARRAY[iv, delta], NULL FROM ibkeeper.greeks
        UNION ALL
        SELECT epoch, instrument_id, seq, 'stat', tick_type, ARRAY[value], text_value
          FROM ibkeeper.instrument_stat) AS r
  JOIN ibkeeper.instrument i ON i.id = r.instrument_id
 ORDER BY r.epoch, i.con_id, r.seq"""
BATCHES = """
SELECT epoch, first_seq, (extract(epoch FROM committed_at) * 1e9)::bigint
  FROM ibkeeper.ingest_batch ORDER BY epoch, first_seq"""
# Numbers that no row has, and rows that share one.
HOLES = """
SELECT count(*) FROM (SELECT first_seq, last_seq, rows, lag(last_seq) OVER spool AS before
                        FROM ibkeeper.ingest_batch
                      WINDOW spool AS (PARTITION BY spool ORDER BY first_seq)) AS b
 WHERE first_seq <> coalesce(before, 0) + 1 OR rows <> last_seq - first_seq + 1"""


class Verdict(NamedTuple):
    """How the rows compare with what was sent; latencies are (sent, ms) of rows that match."""

    rows: int
    missing: int
    wrong: int
    holes: int
    latencies_ms: list[tuple[int, float]]

    @property
    def clean(self) -> bool:
        """Say whether nothing is missing, wrong or doubled."""
        return not (self.missing or self.wrong or self.holes) and self.rows > 0


def judge_life(
    sent: dict[int, list[Expected]],
    rows: dict[int, list[Stored]],
    *,
    until_ns: int,
    first: bool,
) -> Verdict:
    """Compare one session with one epoch."""
    missing = wrong = count = 0
    late: list[tuple[int, float]] = []
    for con_id, line in sent.items():
        expected, have = line, rows.get(con_id, [])
        if not first:
            expected = _without_known_print(expected, have)
        verdict = compare(expected, have, until_ns=until_ns)
        missing, wrong, count = missing + verdict.missing, wrong + verdict.wrong, count + len(have)
        late += verdict.latencies_ms
    wrong += sum(len(have) for con_id, have in rows.items() if con_id not in sent)
    return Verdict(count, missing, wrong, 0, late)


def _without_known_print(expected: list[Expected], have: list[Stored]) -> list[Expected]:
    # A new subscription re-sends the last print; a sidecar that knows it writes no row.
    place = next((n for n, want in enumerate(expected) if want.values[0] == "trade"), None)
    if place is None or (place < len(have) and have[place].values == expected[place].values):
        return expected
    return expected[:place] + expected[place + 1 :]


def stored(url: str) -> list[dict[int, list[Stored]]]:
    """Return the rows of each epoch, by contract, in order."""
    with psycopg.connect(url) as conn:
        committed = {
            epoch: list(zip(*((first, at) for _, first, at in batches), strict=True))
            for epoch, batches in groupby(conn.execute(BATCHES), key=itemgetter(0))
        }
        epochs: list[dict[int, list[Stored]]] = []
        with conn.cursor("stored") as cursor:
            cursor.itersize = 50_000
            for epoch, rows in groupby(cursor.execute(STORED), key=itemgetter(0)):
                lines: dict[int, list[Stored]] = {}
                for row in rows:
                    lines.setdefault(row[1], []).append(_row(row, *committed[epoch]))
                epochs.append(lines)
    return epochs


def _row(row: tuple[Any, ...], firsts: Sequence[int], at_ns: Sequence[int]) -> Stored:
    _, _, seq, kind, tick_type, numbers, text = row
    values = (text,) if text is not None else tuple(numbers)
    return Stored(at_ns[bisect_right(firsts, seq) - 1], (kind, tick_type, *values))
