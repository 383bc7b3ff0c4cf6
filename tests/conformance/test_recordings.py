"""Every frame recorded from a real gateway: built by the simulator, compared field by field."""

from __future__ import annotations

import pytest

from ibcore.sim import requests, wire
from tests.conformance import recordings
from tests.conformance.recordings import ROWS, WIRE, Recorded, Row

pytestmark = pytest.mark.skipif(not WIRE.exists(), reason="the recorded frames are not here")

FRAMES = list(recordings.frames()) if WIRE.exists() else []
_HEADLESS = ("10", "9000")  # the one frame whose recording lost its first two fields


def row_of(recorded: Recorded) -> Row | None:
    return next((row for row in ROWS if row.fits(recorded)), None)


def name(recorded: Recorded) -> str:
    return f"{recorded.file}:{recorded.number}:{recorded.msg_id}"


@pytest.mark.parametrize("recorded", [frame for frame in FRAMES if frame.sent], ids=name)
def test_a_recorded_frame_is_built_from_the_same_values(recorded: Recorded) -> None:
    row = row_of(recorded)
    assert row is not None, "it needs a row in recordings"
    ours = list(wire.unframe(row.build()))
    theirs = list(recorded.fields)
    if not theirs[0].isdecimal():
        theirs = [*_HEADLESS, *theirs]
    # v0.1.0 and v1.0.0 recordings carry one stray separator at the end (the folder's README).
    stray = [place for place in range(len(ours), len(theirs)) if not theirs[place]]
    width = len(theirs) - len(stray)
    pairs = enumerate(zip(_padded(ours, width), _padded(theirs, len(ours)), strict=False))
    different = {place for place, (mine, real) in pairs if mine != real}
    assert different == row.differs.keys()
    assert len(stray) <= 1


def _padded(fields: list[str], width: int) -> list[str]:
    return fields + ["<none>"] * (width - len(fields))


@pytest.mark.parametrize("recorded", [frame for frame in FRAMES if not frame.sent], ids=name)
def test_a_recorded_request_is_read(recorded: Recorded) -> None:
    # The requests about orders were sent to a server of 2023 (164): cancelOrder has grown since.
    version = 164 if recorded.file == "rust-ibapi_orders.txt" else 173
    request = requests.parse(list(recorded.fields), version)
    assert request.msg_id == recorded.msg_id


def test_no_row_is_left_without_a_recording() -> None:
    used = {id(row_of(recorded)) for recorded in FRAMES}
    assert [row.start for row in ROWS if id(row) not in used] == []


def test_every_file_of_the_folder_is_looked_at() -> None:
    looked_at = {recorded.file for recorded in FRAMES} | {"issue_excerpts.txt"}
    assert {path.name for path in WIRE.glob("*.txt")} == looked_at
