"""Figures: what was measured, in what unit, against what; the file and the table of a run."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results") / "latest.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `target` None: shown for information, judged by nobody."""

    name: str
    value: float
    unit: str
    better: Literal["lower", "higher"]
    target: float | None = None
    against: str = ""

    @property
    def met(self) -> bool | None:
        """Say whether the target is met."""
        if self.target is None:
            return None
        lower = self.better == "lower"
        return self.value <= self.target if lower else self.value >= self.target


def save(figures: Iterable[Figure], path: Path = RESULTS) -> None:
    """Write `figures` over those of the same name in `path`; the others stay."""
    try:
        kept = json.loads(path.read_text("utf-8"))["figures"]
    except (FileNotFoundError, ValueError, KeyError):
        kept = {}
    for figure in figures:
        fields = {**asdict(figure), "value": round(figure.value, 4)}
        del fields["name"]
        kept[figure.name] = fields
    whole = {"figures": dict(sorted(kept.items())), "machine": _machine(), "commit": _commit()}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(whole, indent=2) + "\n", "utf-8")


def show(figures: Iterable[Figure], console: Console) -> None:
    """Print a table."""
    table = Table("figure", "value", "unit", "target", "against", title="ibkeeper benchmarks")
    for figure in figures:
        colour = {True: "green", False: "red", None: "white"}[figure.met]
        sign = "<=" if figure.better == "lower" else ">="
        target = "" if figure.target is None else f"{sign} {figure.target:g}"
        value = f"[{colour}]{figure.value:.4g}[/]"
        table.add_row(figure.name, value, figure.unit, target, figure.against)
    console.print(table)


def _machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_1m": round(os.getloadavg()[0], 2),
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip() or "unknown"
