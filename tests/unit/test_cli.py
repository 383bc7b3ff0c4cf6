"""What a person types is checked before anything is touched."""

from __future__ import annotations

import pytest

from ibcore.cli.watch import NotAContract, check, line
from ibcore.domain import ContractSpec

OPTION = ContractSpec("SPY", "OPT", expiry="20261218", strike=600.0, right="C")


@pytest.mark.parametrize(
    ("spec", "generic_ticks", "says"),
    [
        (ContractSpec(""), None, "no symbol"),
        (ContractSpec("AA\0PL"), None, "no symbol"),
        (ContractSpec("'; drop"), None, "no symbol"),
        (OPTION._replace(expiry="18DEC26"), None, "YYYYMMDD"),
        (OPTION._replace(right="X"), None, "neither C nor P"),
        (OPTION._replace(strike=float("nan")), None, "no price"),
        (OPTION._replace(strike=-1.0), None, "no price"),
        (OPTION._replace(strike=0.0), None, "--strike"),
        (OPTION._replace(expiry=""), None, "needs --expiry"),
        (ContractSpec("SPY"), "100;101", "numbers with commas"),
    ],
)
def test_what_can_be_no_contract_is_refused(
    spec: ContractSpec, generic_ticks: str | None, says: str
) -> None:
    with pytest.raises(NotAContract, match=says) as refused:
        check(spec, generic_ticks)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("spec", [OPTION, ContractSpec("BRK B"), ContractSpec("ES", "FUT")])
def test_what_can_be_a_contract_passes(spec: ContractSpec) -> None:
    check(spec, "100,101,233")


def test_a_line_of_the_watch_list_has_number_contract_state_and_reason() -> None:
    entry = {**OPTION._asdict(), "id": 7, "state": "failed", "reason": "unknown contract (200)"}
    assert line(entry).split(maxsplit=1)[0] == "7"
    assert "SPY OPT 20261218 600 C SMART" in line(entry)
    assert line(entry).endswith("failed       unknown contract (200)")
