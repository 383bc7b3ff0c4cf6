"""The children of the stack: started in order, minded one task each, stopped in reverse.

The sidecar is restarted with backoff when it dies, because it is the product; it is given up
when its exit code says that starting again cannot help. Prefect's server and worker are too, once
all was ready: recording and orders do not need them. Any other death ends the stack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio

from ibcore.errors import ChildDied
from ibcore.policy import backoff_s
from ibcore.stack.child import Child, ChildInfo, ChildSpec
from ibcore.stack.guardian import Guardian

_HEALTHY_AFTER_S: Final = 60.0
# Usage, configuration, another instance of the same name.
_INCURABLE: Final = frozenset({2, 3, 4})

Announce = Callable[[str], None]


class Crew:
    """Owner of the children."""

    def __init__(
        self,
        guardian: Guardian,
        force: anyio.Event,
        announce: Announce,
        ready: Callable[[], bool] = bool,
    ) -> None:
        self._guardian = guardian
        self._force = force
        self._announce = announce
        self._ready = ready
        self._children: list[Child] = []

    def start(self, spec: ChildSpec) -> Child:
        """Start a child; whoever starts it also has `mind` run for it."""
        child = Child(spec, self._guardian, self._force)
        self._children.append(child)
        child.start()
        return child

    async def run_once(self, spec: ChildSpec) -> None:
        """Run a command to its end, or raise ChildDied with the end of its log."""
        child = self.start(spec)
        code = await child.wait()
        if code != 0:
            raise child.died(code)
        await child.stop()
        self._children.remove(child)

    async def mind(self, child: Child) -> None:
        """Keep the child running if it may be restarted; raise ChildDied when it is lost."""
        attempt = 0
        while True:
            code = await child.wait()
            if not self._may_restart(child.spec, code):
                raise child.died(code)
            attempt = 1 if child.uptime_s > _HEALTHY_AFTER_S else attempt + 1
            delay_s = backoff_s(attempt)
            self._announce(f"{child.obituary(code)} Starting it again in {delay_s:g} s.")
            await child.stop()
            await anyio.sleep(delay_s)
            child.start()

    def _may_restart(self, spec: ChildSpec, code: int) -> bool:
        if spec.restart_when_ready:
            return self._ready()
        return spec.restart and code not in _INCURABLE

    async def stop_all(self) -> None:
        """Stop every child, the last started first."""
        while self._children:
            child = self._children[-1]
            self._announce(f"stopping {child.spec.name}")
            await child.stop()
            self._children.pop()

    def check_guardian(self) -> None:
        """Raise ChildDied when the guardian has gone: without it a crash would leave orphans."""
        if not self._guardian.alive:
            raise ChildDied("The guardian process has gone.", remedy="Everything was stopped.")

    def infos(self) -> tuple[ChildInfo, ...]:
        """Return what the live view shows."""
        return tuple(child.info() for child in self._children)
