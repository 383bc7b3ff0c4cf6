"""`ibkeeper doctor`: what is wrong with everything around ibkeeper, and what to do about it."""

from __future__ import annotations

import json
from typing import Annotated, Final

import anyio
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ibcore import config
from ibcore.doctor.examination import examine
from ibcore.doctor.finding import Finding, Verdict, healthy

_STYLES: Final = {
    Verdict.ok: "green",
    Verdict.warning: "yellow",
    Verdict.failed: "bold red",
    Verdict.skipped: "dim",
}


def doctor(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """Exit with 0 when nothing failed, with 1 otherwise; nothing is changed or sent."""
    findings = anyio.run(examine, config.load())
    well = healthy(findings)
    if as_json:
        said = {"healthy": well, "findings": [each._asdict() for each in findings]}
        typer.echo(json.dumps(said, indent=2))
    else:
        Console().print(table(findings))
        typer.echo(summary(findings))
    raise typer.Exit(0 if well else 1)


def table(findings: list[Finding]) -> Table:
    """Return the findings as a person reads them."""
    made = Table("what", "verdict")
    made.add_column("seen, and the remedy", overflow="fold")
    for each in findings:
        verdict = Text(str(each.verdict), style=_STYLES[each.verdict])
        said = f"{each.seen}\n→ {each.remedy}" if each.remedy else each.seen
        made.add_row(Text(each.name), verdict, Text(said))
    return made


def summary(findings: list[Finding]) -> str:
    """Return the counts, in one line."""
    counts = {verdict: sum(each.verdict is verdict for each in findings) for verdict in Verdict}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
