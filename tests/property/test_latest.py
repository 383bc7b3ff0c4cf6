"""The cache's values do not depend on where batches are cut."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from ibcore.domain import Greeks, MarketRow, Quote, Stat, Trade
from sidecar.latest import Latest

MAYBE = st.none() | st.floats(1, 9)
HEAD = ("ib", "live")


@st.composite
def streams(draw: st.DrawFn) -> list[MarketRow]:
    """Draw rows of two instruments in the order of their numbers."""
    rows: list[MarketRow] = []
    numbers = count(1)
    for _ in range(draw(st.integers(1, 30))):
        seq = next(numbers)
        head = (seq, seq, draw(st.integers(1, 2)), seq, 1, *HEAD)
        match draw(st.integers(0, 3)):
            case 0:
                rows.append(Quote(*head, 1, *(draw(MAYBE) for _ in range(4))))
            case 1:
                source = draw(st.sampled_from(("last", "rt_volume")))
                price = draw(st.floats(1, 9))
                rows.append(Trade(*head, 4, source, price, *(draw(MAYBE) for _ in range(3))))
            case 2:
                kind = draw(st.sampled_from(("model", "bid")))
                rows.append(Greeks(*head, kind, *(draw(MAYBE) for _ in range(8)), None))
            case _:
                rows.append(Stat(*head, 49, draw(st.sampled_from(("halted", "mark"))), 1.5))
    return rows


def cached(rows: list[MarketRow], size: int) -> dict[str, dict[int, object]]:
    """Return what the cache holds after batches of so many rows, by group and instrument."""
    latest = Latest()
    held: dict[str, dict[int, object]] = {"quote": {}, "stat": {}, "greeks": {}}
    for start in range(0, len(rows), size):
        change = latest.seal(rows[start : start + size])
        for group, values in held.items():
            values |= {i: now.values for i, now in getattr(change, group).items()}
    return held


@given(streams(), st.integers(2, 30))
def test_a_batch_says_what_its_rows_would_have_said_one_by_one(
    rows: list[MarketRow], size: int
) -> None:
    assert cached(rows, size) == cached(rows, 1)
