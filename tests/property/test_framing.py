"""The stream is cut as the vendor's client cuts it, wherever the reads end; never without bound."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ib_async import IB, Client

from ibcore.config import TickDefaults
from ibcore.errors import StreamGarbled
from sidecar import ib_compat
from sidecar.framing import MAX_FRAME, Frames

HANDSHAKE = b"178\x0020261123 09:30:00 UTC\0"
START = (b"15\x001\x00DU1,DU2\0", b"9\x001\x0042\0")
KNOWN = ("_serverVersion", "_apiReady", "_hasReqId", "_reqIdSeq", "_accounts", "_numBytesRecv")


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def drive(client: Client, reads: list[bytes]) -> tuple[list[list[str]], list[Any]]:
    """Let the client read; return the messages its decoder was given and what it knows after."""
    handed: list[list[str]] = []
    client.decoder.interpret = lambda fields: handed.append(list(fields))
    client.startApi = lambda: None
    for read in reads:
        try:
            client._onSocketHasData(read)
        except (ValueError, IndexError):
            handed.append(["raised"])  # eventkit logs it, and the next read goes on
    known = [getattr(client, name) for name in KNOWN]
    known += [client._numMsgRecv, client.connState]
    client.reset()  # IB.__del__ would say goodbye to a gateway that there is not
    return handed, known


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep the stock client's own words out of the test's log."""
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("ib_async").setLevel(logging.NOTSET)


bodies = st.one_of(
    st.binary(max_size=40),
    st.lists(st.text(max_size=8), max_size=8).map(lambda f: "".join(f"{x}\0" for x in f).encode()),
    st.sampled_from([HANDSHAKE, b"100\x00old\0", *START, b"", b"\0", b"9\x001\x00x\0"]),
)
streams = st.tuples(st.booleans(), st.lists(bodies, max_size=12), st.binary(max_size=6)).map(
    lambda parts: b"".join(
        [*(framed(body) for body in ((HANDSHAKE, *START) if parts[0] else ())),
         *(framed(body) for body in parts[1])]
    )
    + (b"\0\0\0\x09" + parts[2] if parts[2] else b"")
)  # fmt: skip


@settings(max_examples=25)
@given(streams, st.lists(st.integers(0, 2_000), max_size=20))
def test_any_split_of_any_stream_gives_the_messages_of_the_stock_client(
    stream: bytes, places: list[int]
) -> None:
    ib_compat.harden()
    reads = cut(stream, places)
    ib = ib_compat.make_ib(TickDefaults())
    stock, ours = drive(Client(IB().wrapper), reads), drive(ib.client, reads)
    assert ours[0] == stock[0]
    # Where noise announces more than 16 MiB the stock client waits for them, and counts on.
    assert ours[1] == stock[1] or ib_compat.stream_error(ib)


def test_a_byte_at_a_time_gives_the_same_messages_as_all_at_once() -> None:
    stream = b"".join(framed(body) for body in (HANDSHAKE, *START, b"1\x006\0", b"2\x006\0"))
    whole, _ = drive(ib_compat.make_ib(TickDefaults()).client, [stream])
    bytewise = [stream[place : place + 1] for place in range(len(stream))]
    assert drive(ib_compat.make_ib(TickDefaults()).client, bytewise)[0] == whole
    assert len(whole) == 4


def test_nothing_is_held_once_it_was_handed_on() -> None:
    frames = Frames()
    frames.add(framed(b"a\0") * 1_000 + b"\0\0\0")
    assert [frames.next() for _ in range(1_001)] == ["a\0"] * 1_000 + [None]
    assert frames.held == 3


def test_the_longest_message_passes_and_one_byte_more_is_garbled() -> None:
    frames = Frames(limit=8)
    frames.add(framed(b"12345678"))
    assert frames.next() == "12345678"
    frames.add((9).to_bytes(4, "big") + b"1")
    with pytest.raises(StreamGarbled, match="a message of 9 bytes; the longest is 8"):
        frames.next()


def test_a_message_that_never_ends_is_never_more_than_the_longest_and_a_read() -> None:
    frames = Frames(limit=1_000)
    frames.add((1_000).to_bytes(4, "big"))
    for _ in range(999):
        frames.add(b"x")
        assert frames.next() is None
    assert frames.held == 1_003
    frames.add(b"x" * 50)
    assert frames.next() == "x" * 1_000
    with pytest.raises(StreamGarbled):
        frames.next()


def test_after_a_garbled_length_the_client_says_why_and_reads_no_more() -> None:
    client = ib_compat.make_ib(TickDefaults()).client
    said: list[str] = []
    client.apiError += said.append
    handed, _ = drive(client, [framed(HANDSHAKE), b"\x7f\0\0\0" + framed(b"1\0"), framed(b"2\0")])
    assert handed == []
    assert isinstance(ib_compat.stream_error(client.wrapper.ib), StreamGarbled)
    assert said == [str(ib_compat.stream_error(client.wrapper.ib))]
    assert f"{0x7F000000} bytes; the longest is {MAX_FRAME}" in said[0]
