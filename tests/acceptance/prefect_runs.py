"""What tests of flows share: their marks, and a look at the artifacts that a run left."""

from __future__ import annotations

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
