"""What a person sees of `ibkeeper up`: the live view on a terminal, lines anywhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import anyio
from rich.console import Console
from rich.live import Live

from ibcore.clock import monotonic
from ibcore.stack.plan import Plan
from ibcore.stack.stack import Stack
from ibcore.stack.view import Frame, duration, render, status_line

_DRAW_EVERY_S: Final = 0.5
_LINE_EVERY_S: Final = 5.0


class Show:
    """Owner of the terminal."""

    def __init__(self, plan: Plan, console: Console, *, plain: bool) -> None:
        self._plan = plan
        self._console = console
        self._plain = plain
        self._doing = ""
        self._started_at = monotonic()

    def announce(self, step: str) -> None:
        """Say what is being done now."""
        self._doing = "" if step.startswith("ready") else step
        if self._plain:
            self._line(f"{monotonic() - self._started_at:6.1f} s  {step}")

    async def run(self, stack: Stack) -> None:
        """Show the stack for ever."""
        if self._plain:
            await self._print_lines(stack)
        else:
            await self._draw(stack)

    async def _print_lines(self, stack: Stack) -> None:
        while True:
            await anyio.sleep(_LINE_EVERY_S)
            if stack.pulse.reading is not None and not stack.stopping:
                self._line(status_line(self._frame(stack)))

    async def _draw(self, stack: Stack) -> None:
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            while True:
                width, height = self._console.size
                live.update(render(self._frame(stack), width, height), refresh=True)
                await anyio.sleep(_DRAW_EVERY_S)

    def _frame(self, stack: Stack) -> Frame:
        return Frame(
            title=self._plan.title,
            uptime_s=monotonic() - self._started_at,
            processes=stack.processes(),
            reading=stack.pulse.reading,
            rates=stack.pulse.rates,
            now_doing=self._doing or stack.pulse.problem,
            ready=stack.ready,
            links=self._links(),
        )

    def _links(self) -> tuple[tuple[str, str], ...]:
        api = self._plan.prefect_api
        flows = api.removesuffix("/api") if api else "not started (--no-prefect)"
        page = self._plan.status_page or "none (IBKEEPER_HTTP__PORT=0)"
        return (
            ("page", page),
            ("flows", flows),
            ("SQL", "ibkeeper db shell   (its URL: ibkeeper db url)"),
            ("state", "ibkeeper status   ibkeeper watch add SYMBOL   ibkeeper watch ls"),
            ("logs", _short(self._plan.home / "logs")),
        )

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def farewell(self) -> None:
        """Say the last word of an orderly stop."""
        ran = duration(monotonic() - self._started_at)
        self._line(f"ibkeeper stopped after {ran}; nothing is left running.")


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
