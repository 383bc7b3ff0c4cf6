"""The owner of the status page: what goes wrong with it ends here, the ticks go on.

A port that somebody else has is a warning, and is asked for again; whatever else breaks the page
is an error in the log, and the page is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, NoReturn

import anyio
from anyio import to_thread

from ibcore.config import Settings
from ibcore.errors import PortTaken
from ibcore.log import get_logger
from sidecar.heartbeat import Heartbeat
from sidecar.web.eyes import Eyes
from sidecar.web.history import History

if TYPE_CHECKING:
    from sidecar.app import Parts

log = get_logger(__name__)

AGAIN_S: Final = 10.0

Task = Callable[[], Coroutine[Any, Any, object]]


class StatusPage:
    """Shows how one sidecar is."""

    def __init__(self, eyes: Eyes, history: History, *, port: int, runbook: str) -> None:
        self._eyes = eyes
        self._history = history
        self._port = port
        self._runbook = runbook

    async def run(self) -> NoReturn:
        """Serve until cancelled; nothing but that ends it."""
        said = False
        while True:
            try:
                await self._serve()
            except PortTaken as taken:
                if not said:  # it may be so for weeks: two sidecars of one configuration
                    log.warning("status_page_waits", why=str(taken), again_s=AGAIN_S)
                said = True
            except Exception:
                log.exception("status_page_failed", again_s=AGAIN_S)
            await anyio.sleep(AGAIN_S)

    async def _serve(self) -> None:
        # FastAPI takes half a second to import: no tick is to wait for it.
        await to_thread.run_sync(_load)
        from sidecar.web import routes, server

        app = routes.make_app(self._eyes, self._history, runbook=self._runbook)
        with server.listen(self._port) as listening:
            log.info("status_page", url=f"http://{server.HOST}:{self._port}")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._eyes.run, name="status page: eyes")
                tasks.start_soon(self._history.run, name="status page: history")
                await server.Server(app).hold(listening)


def tasks_of(
    settings: Settings, url: str, epoch: int, *, parts: Parts, heartbeat: Heartbeat
) -> dict[str, Task]:
    """Return the task of the page; none when its port is 0."""
    if not settings.http.port:
        return {}
    eyes = Eyes(settings, parts, heartbeat)
    name, began = settings.sidecar.name, eyes.started_at
    history = History(url, sidecar=name, epoch=epoch, started_at=began)
    page = StatusPage(eyes, history, port=settings.http.port, runbook=settings.alerts.runbook_url)
    return {"status page": page.run}


def _load() -> None:
    from sidecar.web import routes, server

    _ = routes, server
