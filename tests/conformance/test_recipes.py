"""ib_async's own recipes, run as its users run them; nothing but the port is changed.

The README's are read from the installed package, so a recipe that it gains is noticed here. Those
in `recipes/` follow the notebooks, whose index (SPX) is a stock here. A recipe that asks for what
the simulator does not answer is skipped, and runs as soon as it does.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path
from typing import Final

import pytest

from ibcore.sim.answers import ANSWERS
from ibcore.sim.threaded import ThreadedGateway

OURS: Final = sorted((Path(__file__).parent / "recipes").glob("*.py"))
_PORT: Final = "7497"


def readme() -> dict[str, str]:
    """Return the README's whole scripts by the heading above each."""
    text = str(metadata("ib_async").get_payload())
    found: dict[str, str] = {}
    heading = ""
    for part in re.split(r"(```python\n.*?```)", text, flags=re.DOTALL):
        if part.startswith("```python"):
            script = part.removeprefix("```python\n").removesuffix("```")
            if "import *" in script and _PORT in script:
                found[heading] = script
        else:
            heading = [heading, *re.findall(r"^#+ (.+)$", part, re.MULTILINE)][-1]
    return found


@dataclass(frozen=True)
class Expected:
    """What a recipe prints, the requests it needs, and whether it runs until Ctrl-C."""

    prints: tuple[str, ...] = ()
    needs: tuple[int, ...] = ()
    for_ever: bool = False
    slow: bool = False
    # What ib_async 2.0.1 itself does not take, how it can be said, and what 2.0.1 says.
    repair: tuple[str, str] = (_PORT, _PORT)
    refusal: str = ""


NOTEBOOK: Final = "Jupyter Notebook Usage"  # util.startLoop(): for a notebook's running loop only
README: Final = {
    "Basic Script Usage": Expected(),
    "Async Application": Expected(),
    "Basic Connection": Expected(("Connected",)),
    "Get Account Information": Expected(("NetLiquidation: ", "BuyingPower: "), (62,)),
    "Historical Data": Expected(("average", "barCount"), (20,)),
    "Live Market Data": Expected(
        ("AAPL: $", "bid: $"),
        (1,),
        slow=True,
        repair=("ticker = ", "ib.qualifyContracts(contract)\nticker = "),
        refusal="can't be hashed because no 'conId' value exists",
    ),
    "Place a Simple Order": Expected(("Order placed", "Order status: Filled"), (3,)),
    "Portfolio Monitoring": Expected(("Current Positions:", "Open Orders: 0")),
    "Real-time P&L Tracking": Expected(
        ("P&L Update: Unrealized: $",),
        (92,),
        for_ever=True,
        repair=("pnl.updateEvent", "ib.pnlEvent"),
        refusal="'PnL' object has no attribute 'updateEvent'",
    ),
    "Advanced Order Management": Expected(("Bracket order placed: 3 orders",), (3,)),
    "Historical Data Analysis": Expected(("Intraday bars: ", "SMA_20"), (20,)),
}
PRINTED: Final = {
    "option_chain": ("contracts", "with greeks"),
    "qualify": ("conId=4391", "'AMD'"),
    "tickers": ("'AAPL': (", "'MSFT': (", "'SPY': ("),
}


def marked(name: str) -> object:
    """Mark the recipe that prints quotes for half a minute."""
    return pytest.param(name, marks=pytest.mark.slow) if README[name].slow else name


def run(script: str, port: int, folder: Path) -> subprocess.Popen[str]:
    """Start a script, with its port changed, as its user would."""
    path = folder / "recipe.py"
    path.write_text(script.replace(_PORT, str(port)))
    return subprocess.Popen(
        [sys.executable, "-u", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
    )


def output(process: subprocess.Popen[str], expected: Expected) -> str:
    """Return what a script prints; one that runs for ever is interrupted once it has."""
    said = ""
    if expected.for_ever:
        assert process.stdout is not None
        while expected.prints[0] not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=55)
    return said + rest


@pytest.mark.parametrize("name", [marked(name) for name in README])
@pytest.mark.ib_gateway(cadence_scale=0.5)
def test_a_recipe_of_the_readme_runs(
    name: str, ib_gateway: ThreadedGateway, tmp_path: Path
) -> None:
    expected = README[name]
    missing = set(expected.needs) - ANSWERS.keys()
    if missing:
        pytest.skip(f"the simulator does not answer request {missing}")
    process = run(readme()[name].replace(*expected.repair), ib_gateway.port, tmp_path)
    said = output(process, expected)
    assert process.returncode == 0, said
    assert "Traceback" not in said, said
    assert [text for text in expected.prints if text not in said] == [], said
    assert "started" in {record.event for record in ib_gateway.ledger.sessions}


@pytest.mark.parametrize("name", [name for name in README if README[name].refusal])
def test_a_recipe_that_is_repaired_is_refused_by_ib_async_itself(
    name: str, ib_gateway: ThreadedGateway, tmp_path: Path
) -> None:
    process = run(readme()[name], ib_gateway.port, tmp_path)
    said, _ = process.communicate(timeout=55)
    assert README[name].refusal in said
    assert process.returncode == 1


def test_every_recipe_of_the_readme_is_tried() -> None:
    assert readme().keys() - README.keys() == {NOTEBOOK}
    assert README.keys() <= readme().keys()


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
@pytest.mark.ib_gateway(cadence_scale=0.1)
def test_a_recipe_of_the_notebooks_runs(
    path: Path, start_ib_gateway: Callable[..., ThreadedGateway], tmp_path: Path
) -> None:
    gateway = start_ib_gateway(cadence_scale=0.1)
    process = run(path.read_text(), gateway.port, tmp_path)
    said, _ = process.communicate(timeout=55)
    assert process.returncode == 0, said
    assert "Traceback" not in said, said
    assert [text for text in PRINTED[path.stem] if text not in said] == [], said
