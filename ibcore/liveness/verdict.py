"""What is seen of a line, and around it, becomes the cause of its silence."""

from __future__ import annotations

from typing import Final, NamedTuple

from ibcore.liveness.health import LineCause
from ibcore.liveness.hours import Phase

# A line without a rhythm is called quiet, not ticking, after this.
LATELY_S: Final = 60.0


class Signs(NamedTuple):
    """What is seen of one line; ages in seconds.

    `silence_s`: since its last event, since it was subscribed, or since its market opened,
    whichever is latest. `unverified`: it was suspected (a farm or the link came back) and has not
    spoken in the time it was given.
    """

    phase: Phase
    silence_s: float
    expected_s: float | None
    halted: bool = False
    competing: bool = False
    unverified: bool = False


class Around(NamedTuple):
    """What is seen around the lines: of the session, IB's link, and of a line's siblings."""

    link_up: bool = True
    farm_broken_s: float | None = None
    siblings_silent: bool = False
    all_silent: bool = False


def cause_of(signs: Signs, around: Around) -> LineCause:
    """Return why a line is silent, or that it is not; the most certain evidence first."""
    if signs.phase is Phase.closed:
        lively = around.link_up and not signs.competing and signs.silence_s <= LATELY_S
        return LineCause.ticking if lively else LineCause.closed
    if signs.competing:
        return LineCause.competing_session
    if not around.link_up:
        return LineCause.link
    if around.farm_broken_s is not None and signs.silence_s > around.farm_broken_s + 1.0:
        return LineCause.farm
    if signs.phase is Phase.open and (around.all_silent or around.siblings_silent):
        # Before its own rhythm is looked at: a slow line dies with the fast ones.
        return LineCause.link if around.all_silent else LineCause.farm
    if signs.silence_s <= (LATELY_S if signs.expected_s is None else signs.expected_s):
        unproven = signs.unverified and signs.phase is Phase.open
        return LineCause.dead_line if unproven else LineCause.ticking
    if signs.halted:
        return LineCause.halted
    return _silent(signs, around)


def _silent(signs: Signs, around: Around) -> LineCause:
    if signs.phase is not Phase.open:
        return LineCause.quiet
    if signs.unverified:
        return LineCause.dead_line
    return LineCause.quiet if signs.expected_s is None else LineCause.dead_line
