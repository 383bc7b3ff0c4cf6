"""Frames, the message table, and strict requests: pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcore.sim import messages, places, requests, wire

MARKET_DATA = "1 11 7 265598 AAPL STK _ 0.0 _ _ SMART _ USD _ _ 0 233,236 0 0 _".replace(
    "_", ""
).split(" ")


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0, "0"), (100.0, "100"), (443.6, "443.6"), (-1.0, "-1"), (0.0001, "0.0001"), (True, "1"),
     (False, "0"), (None, ""), ("SMART", "SMART"), (1e-05, "1e-05")],
)  # fmt: skip
def test_numbers_are_written_as_ib_writes_them(value: object, written: str) -> None:
    assert wire.text(value) == written


def test_a_frame_carries_its_length_and_ends_every_field() -> None:
    assert wire.frame(52, 1, 9001) == b"\0\0\0\x0a52\x001\x009001\0"
    assert wire.unframe(wire.frame(52, 1, 9001)) == ("52", "1", "9001")


def test_a_body_without_its_last_terminator_is_refused() -> None:
    with pytest.raises(wire.WireError):
        wire.split(b"49\x001")


def test_a_market_data_request_is_read_field_by_field() -> None:
    request = requests.parse(MARKET_DATA, 178)
    assert (request.req_id, request.spec.con_id, request.spec.symbol) == (7, 265598, "AAPL")
    assert request.generic_ticks == (233, 236)
    assert not request.snapshot


@pytest.mark.parametrize("value", ["x", "1e5", "1_000", " 7", "٣", "7.0", "2147483648", "9" * 400])
def test_an_integer_that_java_cannot_read_is_answered_320_in_ib_s_words(value: str) -> None:
    fields = [*MARKET_DATA[:3], value, *MARKET_DATA[4:]]
    with pytest.raises(requests.Malformed) as malformed:
        requests.parse(fields, 178)
    quoted = value[:100]
    assert malformed.value.code == 320
    assert malformed.value.answer() == (
        "Error reading request.Message id 7.  Unable to parse data."
        f' java.lang.NumberFormatException: For input string: "{quoted}"'
    )


@pytest.mark.parametrize(
    ("value", "code"),
    [("nan", 320), ("1_0", 320), ("0x1p3", 320), ("NaN", 321), ("-Infinity", 321), ("1e999", 321)],
)
def test_a_price_is_read_as_java_reads_it_and_must_be_finite(value: str, code: int) -> None:
    with pytest.raises(requests.Malformed) as malformed:
        requests.parse([*MARKET_DATA[:7], value, *MARKET_DATA[8:]], 178)
    assert malformed.value.code == code


@pytest.mark.parametrize("value", ["-1", "+5.", ".5", "1E2", "1.7976931348623157E308", "2d"])
def test_every_number_of_java_is_read(value: str) -> None:
    requests.parse([*MARKET_DATA[:7], value, *MARKET_DATA[8:]], 178)


def test_without_its_id_a_request_is_answered_without_one() -> None:
    with pytest.raises(requests.Malformed) as malformed:
        requests.parse([*MARKET_DATA[:2], "AAPL", *MARKET_DATA[3:]], 178)
    assert malformed.value.req_id == -1
    assert malformed.value.answer().startswith("Error reading request. Unable to parse data.")


@pytest.mark.parametrize(
    ("place", "value"),
    [(2, "x"), (3, "1e5"), (7, "nan"), (7, "inf"), (15, "maybe"), (16, "233;236"), (17, "2")],
)
def test_a_field_of_the_wrong_kind_is_malformed(place: int, value: str) -> None:
    fields = [*MARKET_DATA[:place], value, *MARKET_DATA[place + 1 :]]
    with pytest.raises(requests.Malformed):
        requests.parse(fields, 178)


def test_too_few_and_too_many_fields_are_malformed_and_name_the_request() -> None:
    for fields in (MARKET_DATA[:-1], [*MARKET_DATA, ""]):
        with pytest.raises(requests.Malformed) as malformed:
            requests.parse(fields, 178)
        assert malformed.value.req_id == 7


def test_an_unknown_message_is_unsupported() -> None:
    with pytest.raises(requests.Unsupported):
        requests.parse(["9999", "1"], 178)


@given(st.lists(st.text(max_size=8), max_size=24), st.sampled_from(sorted(requests.PARSERS)))
def test_whatever_arrives_is_a_request_or_malformed(fields: list[str], msg_id: int) -> None:
    for raw in (fields, [str(msg_id), *fields]):
        try:
            requests.parse(raw, 178)
        except requests.Malformed:
            continue


def test_every_message_of_the_table_is_found_by_its_request_and_its_order() -> None:
    named = {
        field: {
            message.msg_id
            for message in messages.MESSAGES.values()
            if field in {each.name for each in message.fields}
        }
        for field in ("req_id", "order_id")
    }
    assert named["req_id"] < places.REQUEST_AT.keys()
    assert named["order_id"] - places.ORDER_AT.keys() == {9}  # nextValidId: no order yet
    sent = wire.unframe(messages.encode("execution", req_id=5, order_id=8))
    assert places.integer(sent, places.REQUEST_AT[11]) == 5
    assert places.integer(sent, places.ORDER_AT[11]) == 8
    assert (
        places.integer(wire.unframe(wire.tick_price(6, 1, "2", "3", 0)), places.REQUEST_AT[1]) == 6
    )


def test_a_field_is_sent_from_the_version_that_added_it() -> None:
    old = wire.unframe(messages.encode("error", 165, req_id=-1, code=2104, text="OK"))
    new = wire.unframe(messages.encode("error", 166, req_id=-1, code=2104, text="OK"))
    assert old == ("4", "2", "-1", "2104", "OK")
    assert new == (*old, "")


def test_a_value_that_has_no_place_in_the_message_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no field colour"):
        messages.encode("snapshot_end", req_id=1, colour="red")
