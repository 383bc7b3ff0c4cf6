"""Every mistake in a tape is one line that names it and says that nothing was started."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from ibcore.errors import ConfigRefused
from ibcore.sim import tapes
from ibcore.sim.config import SimConfig

AT = "2026-11-20T14:30:00+00:00"
TICK = {"time": AT, "price": 1.0, "size": 2.0, "tickType": 1}
EARLIER = {**TICK, "time": "2026-11-19T14:30:00+00:00"}
OPTION = "ts,kind,symbol,sec_type,expiry,strike,right,bid\n"


def refusal(tape: Path | str) -> str:
    """Open a tape that cannot be played; return the one line that says why."""
    with pytest.raises(ConfigRefused) as refused:
        tapes.open_source(SimConfig(tape=tape))
    text = str(refused.value)
    assert refused.value.exit_code == 3
    assert "Nothing was started." in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", ["none", "none.json", "none.csv", "none.parquet"])
def test_a_tape_that_is_not_there(tmp_path: Path, name: str) -> None:
    assert "There is no tape at" in refusal(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("", "no JSON"),
        ("{}", "no list"),
        ("[1]", "no list"),
        ("[]", "no ticks"),
        ("[{}]", "tick 1 has no 'time'"),
        (json.dumps([TICK, {**TICK, "price": "x"}]), "tick 2"),
        (json.dumps([{**TICK, "time": "noon"}]), "tick 1"),
        (json.dumps([{**TICK, "time": "2026-11-20T14:30:00"}]), "has no zone"),
        (json.dumps([{**TICK, "tickType": 99}]), "none of the tick types"),
        (json.dumps([{**TICK, "size": float("inf")}]), "no finite number"),
        (json.dumps([TICK, EARLIER]), "tick 2 is earlier"),
    ],
)
def test_recorded_ticks_that_cannot_be_played(tmp_path: Path, content: str, hint: str) -> None:
    path = tmp_path / "ticks.json"
    path.write_text(content)
    assert hint in refusal(path)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "lacks kind, symbol, ts"),
        (b"ts,kind,symbol,colour\n", "unknown columns colour"),
        (b"ts,kind,symbol\n", "holds no rows"),
        (b"\xff\xfe\x00", "cannot be read"),
        (f"ts,kind,symbol\n{AT},quote\n".encode(), "not as many fields"),
        (f"ts,kind,symbol\n{AT},quote,\n".encode(), "no symbol"),
        (f"ts,kind,symbol\n{AT},rumour,A\n".encode(), "neither quote nor trade"),
        (f"ts,kind,symbol\n{AT},trade,A\n".encode(), "no price"),
        (f"ts,kind,symbol,price\n{AT},trade,A,inf\n".encode(), "no finite number"),
        (f"ts,kind,symbol,sec_type\n{AT},quote,A,SHRE\n".encode(), "none of STK"),
        (f"{OPTION}{AT},quote,A,OPT,20270115,100,CALL,1\n".encode(), "right (C or P)"),
        (f"{OPTION}{AT},quote,A,OPT,20270115,,C,1\n".encode(), "needs expiry, strike"),
        (f"{OPTION}{AT},quote,A,OPT,2027,100,C,1\n".encode(), "no expiry"),
        (f"ts,kind,symbol,con_id\n{AT},quote,A,1.5\n".encode(), "no contract id"),
        (f"ts,kind,symbol,con_id\n{AT},quote,A,5\n{AT},quote,B,5\n".encode(), "two contracts"),
        (b"ts,kind,symbol\n99999999999999999999,quote,A\n", "no time"),
        (b"ts,kind,symbol\n2000000,quote,A\n1000000,quote,A\n", "row 2 is earlier"),
    ],
)
def test_a_table_that_cannot_be_played(tmp_path: Path, content: bytes, hint: str) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(content)
    assert hint in refusal(path)


def test_a_parquet_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "day.parquet"
    path.write_text("not parquet")
    assert "is not a Parquet file" in refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("20151224_goog_minute_quote.csv", "", "holds no bars"),
        ("20151224_goog_minute_quote.csv", "34200000,,,", "A bar of GOOG cannot be read"),
        ("20151224_goog_minute_quote.csv", "x,,,,1,1,,,,1,1", "A bar of GOOG cannot be read"),
        ("20159924_goog_minute_quote.csv", "", "no date"),
        ("20151224_zzz_minute_quote.csv", "", "of ZZZ"),
        ("bars.csv", "", "is not named as a bar file is"),
    ],
)
def test_a_day_of_bars_that_cannot_be_played(
    tmp_path: Path, name: str, content: str, hint: str
) -> None:
    with zipfile.ZipFile(tmp_path / "underlying_quote.zip", "w") as archive:
        archive.writestr(name, content)
    assert hint in refusal(tmp_path)


def test_a_zip_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "underlying_quote.zip").write_text("no zip")
    assert "underlying_quote.zip cannot be read" in refusal(tmp_path)


def test_options_off_the_grid_of_ids_have_ids_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    strikes = (100, 100.123, 100.5)
    rows = [f"{AT},quote,AAPL,OPT,20270115,{strike},C,1" for strike in strikes]
    rows.append(f"{AT},quote,AAPL,OPT,20100115,100,C,1")
    path.write_text(OPTION + "\n".join(rows))
    source = tapes.open_source(SimConfig(tape=path))
    assert len(source.universe.by_id) == 4
    source.close()
