"""The spool's rules without a disk: what is kept, what is owed, what is written again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.domain import GapCause, Greeks, Stat, Trade
from sidecar import pgbinary
from sidecar.backlog import Backlog
from sidecar.batch import Batch
from sidecar.gaps import GapBook
from sidecar.pending import Owed, Pending
from sidecar.prints import read_prints
from sidecar.room import Room, kept, room_of
from sidecar.spool_file import Name, Stretch
from sidecar.spool_row import Damaged, pack, unpack
from tests.spooled import ORIGIN, batch, quote

HEAD = (1, "ib", "live")


def trade(seq: int, instrument: int = 1) -> Trade:
    return Trade(seq, seq, instrument, seq, *HEAD, 4, "last", float(seq), None, None, None)


def greeks(seq: int, kind: str = "model") -> Greeks:
    return Greeks(seq, seq, 1, seq, *HEAD, kind, *[None] * 8, True)


def test_above_the_cap_every_trade_and_the_newest_of_the_rest_are_kept() -> None:
    stat = Stat(9, 9, 1, 9, *HEAD, 49, "halted", 0.0)
    rows = [quote(1), trade(2), quote(3, 2), greeks(4), greeks(5), quote(6), trade(7), stat]
    assert kept(rows, Room.low) == rows
    assert [row.seq for row in kept(rows, Room.full)] == [2, 3, 5, 6, 7, 9]
    assert [row.seq for row in kept(rows, Room.over)] == [2, 7]


@pytest.mark.parametrize(
    ("used", "before", "room"),
    [
        (79, Room.enough, Room.enough),
        (80, Room.enough, Room.low),
        (75, Room.low, Room.low),
        (71, Room.low, Room.enough),
        (100, Room.low, Room.full),
        (91, Room.full, Room.full),
        (89, Room.full, Room.low),
        (125, Room.full, Room.over),
        (113, Room.over, Room.over),
        (112, Room.over, Room.full),
    ],
)
def test_a_level_is_entered_at_its_share_and_left_a_tenth_below(
    used: int, before: Room, room: Room
) -> None:
    assert room_of(used, 100, before=before) is room


def test_a_batch_comes_back_from_its_row_as_it_was() -> None:
    made = batch(4, 3)
    back = unpack(pack(made))
    assert isinstance(back, Batch)
    assert (back.origin, back.number, back.span, back.blobs) == (
        ORIGIN, 4, made.span, made.blobs
    )  # fmt: skip


def test_prints_are_read_as_they_were_encoded() -> None:
    numbers = (5.25, None), (-3.0, 100.0)
    rows = [trade(seq)._replace(price=p, size=s) for seq, (p, s) in enumerate(numbers, 1)]
    totals = [row._replace(volume=9.0, vwap=4.5, source="rt_volume") for row in rows]
    read = list(read_prints(pgbinary.trades([*rows, *totals])))
    assert read == [*rows, *(row._replace(volume=None, vwap=None) for row in totals)]


@given(st.data())
def test_no_changed_byte_or_column_passes_for_a_batch(data: st.DataObject) -> None:
    row = list(pack(batch(2, 5)))
    place = data.draw(st.integers(0, len(row) - 1))
    if isinstance(row[place], bytes):
        at = data.draw(st.integers(0, len(row[place]) - 1))
        flipped = row[place][at] ^ data.draw(st.integers(1, 255))
        row[place] = row[place][:at] + bytes([flipped]) + row[place][at + 1 :]
    elif isinstance(row[place], int):
        row[place] += data.draw(st.sampled_from([1, -1, 1_000, -(1 << 62), 1 << 61]))
    else:
        row[place] += "x"
    damaged = unpack(tuple(row))
    assert isinstance(damaged, Damaged)
    book = GapBook(ORIGIN, lambda _key, _body: None)
    times = (damaged.sealed_us, damaged.sealed_us)
    book.lost(0.0, GapCause.batch_damaged, damaged.span, times_us=times)
    gap = book.unwritten()[0].row()
    assert gap["from_ts"] <= gap["to_ts"]
    assert gap["rows"] <= gap["last_seq"] - gap["first_seq"] + 1


def test_a_gap_that_cannot_be_read_is_told_in_the_log_and_forgotten() -> None:
    kept_as: dict[str, str | None] = {"a": "{", "b": '{"id": "b"}'}
    book = GapBook(ORIGIN, kept_as.__setitem__)
    book.take_over({key: str(body) for key, body in kept_as.items()})
    assert list(book.unwritten()) == []
    assert kept_as == {"a": None, "b": None}


def test_stretches_that_follow_each_other_are_one_and_are_paid_from_the_front() -> None:
    owed = Owed()
    for number in (1, 2, 3, 7):
        owed.add(Stretch("new", number, number))
    assert owed.first == Stretch("new", 1, 3)
    owed.paid("old", 2)
    assert owed.first == Stretch("new", 1, 3)
    owed.paid("new", 2)
    assert owed.first == Stretch("new", 3, 3)
    owed.paid("new", 3)
    assert owed.first == Stretch("new", 7, 7)
    owed.paid("new", 3)
    assert owed.first == Stretch("new", 7, 7)
    owed.paid("new", 9)
    assert not owed


def test_what_was_committed_before_its_turn_is_never_written() -> None:
    pending = Pending(str(ORIGIN.spool), {n: batch(n, 1) for n in (1, 2)})
    pending.drop(Name(str(ORIGIN.spool), 1))
    assert [b.number for b in pending.take(lazy=True).batches] == [2]
    assert pending.drops == []


def test_what_the_disk_did_not_take_is_written_again_unless_it_was_committed_meanwhile() -> None:
    spool = str(ORIGIN.spool)
    pending = Pending(spool, {n: batch(n, 1) for n in (1, 2)}, [Name("old", 5)], {"a": "1"})
    work = pending.take(lazy=False)
    pending.batches[3] = batch(3, 1)
    pending.drop(Name(spool, 1))
    pending.gaps["a"] = "2"
    pending.put_back(work)
    again = pending.take(lazy=False)
    assert [b.number for b in again.batches] == [2, 3]
    assert list(again.drops) == [Name("old", 5), Name(spool, 1)]
    assert again.gaps == {"a": "2"}


def test_only_what_is_on_the_disk_leaves_the_memory_and_never_the_group_that_is_sent() -> None:
    backlog = Backlog(live_rows=20, limit_rows=1_000)
    for number in range(1, 11):
        backlog.offer(0.0, batch(number, 10))
    group = backlog.group(limit_rows=20)
    assert [b.number for b in group] == [1, 2]
    assert [b.number for b in backlog.spill(lambda b: b.number <= 5)] == [3, 4, 5]
    assert [b.number for b in backlog.spill(lambda b: True)] == [6, 7, 8, 9, 10]
    assert backlog.rows == 20
    backlog.done()
    assert backlog.rows == 0


def test_losses_of_one_cause_are_one_gap_until_it_was_quiet_for_a_while() -> None:
    kept_as: dict[str, str | None] = {}
    book = GapBook(ORIGIN, kept_as.__setitem__)
    for now, seq in ((0.0, 10), (5.0, 20), (60.0, 90)):
        span = batch(seq, 1).span
        book.lost(now, GapCause.spool_full, span, times_us=(seq, seq + 1))
    first, second = book.unwritten()
    assert (first.first_seq, first.last_seq, first.rows) == (10, 20, 2)
    assert (first.from_us, first.to_us) == (10, 21)
    assert second.first_seq == 90
    next_life = GapBook(ORIGIN, kept_as.__setitem__)
    next_life.take_over({key: body for key, body in kept_as.items() if body is not None})
    assert list(next_life.unwritten()) == [first, second]
    book.written([first, second])
    assert set(kept_as.values()) == {None}
    assert book.unwritten() == []


def test_a_clock_that_was_set_back_makes_no_gap_that_ends_before_it_begins() -> None:
    book = GapBook(ORIGIN, lambda _key, _body: None)
    book.lost(0.0, GapCause.memory_full, batch(1, 1).span, times_us=(5_000_000, 1_000_000))
    row = book.unwritten()[0].row()
    assert row["from_ts"] < row["to_ts"]
