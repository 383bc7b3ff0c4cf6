"""Frames pasted into public issue threads (issue_excerpts.txt), each built or explained."""

from __future__ import annotations

import pytest

from ibcore.sim import messages, requests, wire
from tests.conformance.recordings import WIRE

FILE = WIRE / "issue_excerpts.txt"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the recorded frames are not here")

NOT_FOUND = "No security definition has been found for the request"
EXCERPTS: dict[str, bytes] = {
    "6,2,OptionMarketValue,0,CAD,DU1120207": messages.encode(
        "account_value", key="OptionMarketValue", value=0, currency="CAD", account="DU1120207"
    ),
    "6,2,PASharesValue-S,0.00,USD,DU1120207": messages.encode(
        "account_value", key="PASharesValue-S", value="0.00", currency="USD", account="DU1120207"
    ),
    "6,2,RealCurrency,BASE,BASE,DU1120207": messages.encode(
        "account_value", key="RealCurrency", value="BASE", currency="BASE", account="DU1120207"
    ),
    "6,2,RealizedPnL,0,BASE,DU1120207": messages.encode(
        "account_value", key="RealizedPnL", value=0, currency="BASE", account="DU1120207"
    ),
    # At 166 and above one field more: the reject's JSON.
    f"4-2-9-200-{NOT_FOUND}": messages.encode("error", 165, req_id=9, code=200, text=NOT_FOUND),
    "52-1-8": messages.encode("contract_details_end", req_id=8),
    '"1","5168","3"': messages.encode("market_data_type", req_id=5168, kind=3),
}

# Lines of the file that are no frame the simulator could build, and why.
EXPLAINED = {
    "API + v100..142": "a client of 2018, whose newest version is below 157: refused",
    "118,20180817 13:29:20": "server 118 is below our 157",
    '"2","5168","10167"': "its tail was cut; the whole text is not public",
    "10,7,MES,FUT,20260320 14:30:00": "cut in the middle; its date with time and zone is what"
    " options carry here",
    "brndnmtthws/thetagang#175": "an order of notices, told in words",
    "scmhub/ibsync#11": "server 205 speaks binary message ids: we negotiate 178 at most",
    "IbcAlpha/IBC#143": "a nightly reset, told in words",
}


@pytest.mark.parametrize(("excerpt", "built"), EXCERPTS.items(), ids=lambda item: str(item)[:40])
def test_an_excerpt_is_built_from_the_same_values(excerpt: str, built: bytes) -> None:
    text = FILE.read_text()
    assert excerpt in text
    separator = "," if "," in excerpt else "-"
    theirs = [field.strip('"') for field in excerpt.split(separator, _cuts(excerpt))]
    ours = list(wire.unframe(built))
    assert ours[-len(theirs) :] == theirs


def _cuts(excerpt: str) -> int:
    """Say how often to cut: a name may hold the separator of its log."""
    return 4 if excerpt.startswith("4-") else -1


def test_the_requests_of_the_excerpts_are_read() -> None:
    assert requests.parse(["71", "2", "30", ""], 157).client_id == 30
    asked = [*"9 8 7 0 MES FUT _ 0.0 _ _ CME _ USD _ _ 0 _ _ _".replace("_", "").split(" ")]
    request = requests.parse(asked, 178)
    assert (request.req_id, request.spec.symbol, request.spec.exchange) == (7, "MES", "CME")
    old = "9-7-9-0-ZN2-OPT-201709-127.0-PUT--ECBOT-USD---1---"
    assert old in FILE.read_text()  # version 7 of 2017, without the primary exchange: not of ours


def test_every_frame_of_the_file_is_built_read_or_explained() -> None:
    known = (*EXCERPTS, *EXPLAINED, "71,2,30,,", "9,8,7,0,MES", "9-7-9-0-ZN2")
    lines = [
        line
        for line in FILE.read_text().splitlines()
        if line.startswith(("C->S", "S->C", "->", "<-", "## brnd", "## scm", "## Ibc"))
    ]
    assert len(lines) > 12
    assert [line for line in lines if not any(part in line for part in known)] == []
