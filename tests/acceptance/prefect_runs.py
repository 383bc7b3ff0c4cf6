"""What tests of flows share: their marks, and a look at the artifacts that a run left."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

MARKS = [
    pytest.mark.prefect,
    # A module's gateway and sidecar live on one database: no other test may empty it meanwhile.
    pytest.mark.paired,
    pytest.mark.timeout(180, func_only=False),  # the first test waits for a Prefect server
    pytest.mark.filterwarnings("default"),  # Prefect's own warnings are not ours to mend,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # nor the sockets of its API client
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def artifact(key: str) -> Mapping[str, Any]:
    """Return the newest artifact of a key."""
    from prefect.artifacts import Artifact

    found = anyio.run(Artifact.aget, key)
    assert found is not None, key
    return {"data": found.data, "description": found.description, "type": found.type}


LISTS = ("flow_runs", "task_runs", "deployments", "logs", "artifacts", "variables", "work_pools")


def asked(api: str, path: str, body: Any = None) -> Any:
    """Return what Prefect's API answers."""
    request = urllib.request.Request(
        f"{api}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        raise AssertionError(f"{path}: {refused.code} {refused.read()!r}") from None


def everything_of(api: str) -> str:
    """Return all that Prefect's API tells, page by page."""
    told = []
    for name in LISTS:
        offset = 0
        while page := asked(api, f"{name}/filter", {"limit": 200, "offset": offset}):
            told += [json.dumps(each) for each in page]
            offset += len(page)
    return "\n".join(told)
