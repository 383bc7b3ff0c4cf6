"""The gateway's link to IB: its states and the steps between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ibcore.domain import StrEnum


class LinkState(StrEnum):
    """What a gateway says of its link to IB; drawn in docs/states.md."""

    up = "up"
    suspect = "suspect"
    lost = "lost"


LINK_TRANSITIONS: Final[Mapping[LinkState, frozenset[LinkState]]] = {
    LinkState.up: frozenset({LinkState.suspect, LinkState.lost}),
    LinkState.suspect: frozenset({LinkState.up, LinkState.lost}),
    LinkState.lost: frozenset({LinkState.suspect, LinkState.up}),
}
