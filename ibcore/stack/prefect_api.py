"""The few questions that `up` and `status` ask a Prefect server, over plain HTTP.

Prefect itself is not imported here: that takes seconds, and only flows may speak it.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

from ibcore.stack.plan import DEPLOYMENT, POOL

_TIMEOUT_S: Final = 3.0
# A proxy of the environment has no business between two processes of one machine.
_http: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class PrefectState:
    """What of Prefect works."""

    api: bool
    worker: bool
    deployments: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Say whether a chain snapshot could be run now."""
        return self.api and self.worker and f"{DEPLOYMENT}/{DEPLOYMENT}" in self.deployments


def healthy(api: str) -> bool:
    """Say whether the server answers."""
    return _ask(f"{api}/health") is True


def pool_exists(api: str) -> bool:
    """Say whether the work pool is there to deploy to."""
    return _ask(f"{api}/work_pools/{POOL}") is not None


def state(api: str) -> PrefectState:
    """Return what works; a server that does not answer is a state, not an error."""
    if not healthy(api):
        return PrefectState(api=False, worker=False, deployments=())
    workers = _ask(f"{api}/work_pools/{POOL}/workers/filter", {"limit": 50}) or []
    deployments = _ask(f"{api}/deployments/filter", {"limit": 100}) or []
    flows = {flow["id"]: flow["name"] for flow in _ask(f"{api}/flows/filter", {"limit": 100}) or []}
    return PrefectState(
        api=True,
        worker=any(worker.get("status") == "ONLINE" for worker in workers),
        deployments=tuple(
            sorted(f"{flows.get(item['flow_id'], '?')}/{item['name']}" for item in deployments)
        ),
    )


def _ask(url: str, body: Any = None) -> Any:
    """Return the JSON answer, None if there is none."""
    request = urllib.request.Request(url, headers={"Content-Type": "application/json"})
    if body is not None:
        request.data = json.dumps(body).encode()
    try:
        with _http.open(request, timeout=_TIMEOUT_S) as answer:
            return json.load(answer)
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError):
        return None
