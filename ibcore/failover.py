"""Which provider an instrument's rows are taken from: a decision over what is seen of each. Pure.

A ladder of providers, the primary first. An instrument leaves its provider when the provider is
out for it, after `staleness_s` of silence or `retries` failed attempts to connect; it climbs back
to a higher one that has been well for `healthy_s`. Never while its market is closed, never twice
within `dwell_s`. Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ibcore.domain import Provider, StrEnum
from ibcore.liveness.health import LineCause, LineHealth

# A loss is noticed so long after the last tick at the latest (half-open, frozen): a silence that
# is not longer began with the loss.
NOTICED_WITHIN_S: Final = 10.0
# Another login has the data, and IB says so: there is nothing to wait for but a slip of a second.
COMPETING_S: Final = 5.0
# Providers that show the same market agree on the last print within this, or never do.
IN_STEP_WITHIN_S: Final = 5.0


class SwitchCause(StrEnum):
    """Why an instrument went to another provider.

    `stale`: nothing came for too long. `retries`: too many attempts to connect failed.
    `competing_session`: another login takes the data. `uncured`: every cure of the line failed.
    `recovered`: back to a better provider that has proven itself.
    """

    stale = "stale"
    retries = "retries"
    competing_session = "competing_session"
    uncured = "uncured"
    recovered = "recovered"


class Rules(NamedTuple):
    """When to switch."""

    staleness_s: float = 60.0
    retries: int = 5
    healthy_s: float = 120.0
    dwell_s: float = 120.0


class Rung(NamedTuple):
    """One provider as it is now for one instrument; `health` is None where it has no such line.

    `noticed`: its outage, if there is one, is known by notice or by the loss of its session.
    `in_step`: its last print is the last that was recorded.
    """

    provider: Provider
    is_ready: bool
    failures: int
    health: LineHealth | None
    noticed: bool = False
    in_step: bool = True

    @property
    def is_out(self) -> bool:
        """Say whether its silence is an outage."""
        return self.health is not None and self.health.is_out

    @property
    def is_well(self) -> bool:
        """Say whether it could be taken from now: it has spoken, and its market is open."""
        health = self.health
        if health is None or not self.is_ready or health.is_out or health.age_s is None:
            return False
        return health.cause is not LineCause.closed


class Switch(NamedTuple):
    """One instrument goes from one provider to another. `stale_s`: how long nothing had come."""

    instrument_id: int
    from_provider: Provider
    to_provider: Provider
    cause: SwitchCause
    stale_s: float | None


@dataclass(slots=True)
class Course:
    """The way of one instrument through the providers."""

    instrument_id: int
    provider: Provider
    switched_at: float = float("-inf")
    uncured: bool = False
    _out_since: float | None = None
    _well_since: dict[Provider, float] = field(default_factory=dict)

    def turn(self, now: float, ladder: Sequence[Rung], rules: Rules) -> Switch | None:
        """Look at every provider; return the switch that is due, which then has been made."""
        self._look(now, ladder)
        if now - self.switched_at < rules.dwell_s:
            return None
        return self._leave(now, ladder, rules) or self._climb(now, ladder, rules)

    def _look(self, now: float, ladder: Sequence[Rung]) -> None:
        for rung in ladder:
            if not rung.is_well:
                self._well_since.pop(rung.provider, None)
            elif rung.provider not in self._well_since:
                self._well_since[rung.provider] = now
        active = next(rung for rung in ladder if rung.provider is self.provider)
        if not active.is_out:
            self._out_since, self.uncured = None, False
        elif self._out_since is None:
            self._out_since = outage_began(now, active)

    def _leave(self, now: float, ladder: Sequence[Rung], rules: Rules) -> Switch | None:
        active = next(rung for rung in ladder if rung.provider is self.provider)
        cause = self._why_leave(now, active, rules)
        if cause is None:
            return None
        for rung in ladder:
            if rung.provider is not self.provider and rung.is_well and _is_fresher(rung, active):
                return self._go(now, rung, cause, active)
        return None

    def _why_leave(self, now: float, active: Rung, rules: Rules) -> SwitchCause | None:
        if self._out_since is None or active.health is None:
            return None
        out_s = now - self._out_since
        if active.health.cause is LineCause.competing_session:
            due = self.uncured or out_s >= COMPETING_S
            return SwitchCause.competing_session if due else None
        if active.failures >= rules.retries:
            return SwitchCause.retries
        if out_s >= rules.staleness_s:
            return SwitchCause.stale
        return SwitchCause.uncured if self.uncured else None

    def _climb(self, now: float, ladder: Sequence[Rung], rules: Rules) -> Switch | None:
        for rung in ladder:
            if rung.provider is self.provider:
                return None
            if self._is_proven(now, rung, rules):
                active = next(one for one in ladder if one.provider is self.provider)
                return self._go(now, rung, SwitchCause.recovered, active)
        return None

    def _is_proven(self, now: float, rung: Rung, rules: Rules) -> bool:
        since = self._well_since.get(rung.provider)
        if since is None or rung.health is None or rung.health.age_s is None:
            return False
        well_s = now - since
        if well_s < rules.healthy_s or rung.health.age_s > well_s:
            return False  # too short, or it has said nothing since
        return rung.in_step or well_s >= rules.healthy_s + IN_STEP_WITHIN_S

    def _go(self, now: float, to: Rung, cause: SwitchCause, active: Rung) -> Switch:
        stale_s = None if active.health is None else active.health.age_s
        switch = Switch(self.instrument_id, self.provider, to.provider, cause, stale_s)
        self.provider, self.switched_at = to.provider, now
        self._out_since, self.uncured = None, False
        return switch


def outage_began(now: float, active: Rung) -> float:
    """Return since when a line that is found out now has been out.

    A line is stale since its last tick. But a slow one that had been silent, as it usually is,
    when its session was lost is out since the loss: its rest is no outage.
    """
    health = active.health
    if health is None or health.age_s is None:
        return now
    silence_says_it = not active.noticed and health.expected_s is not None
    if silence_says_it or health.age_s <= NOTICED_WITHIN_S:
        return now - health.age_s
    unusual = health.expected_s is not None and health.age_s > health.expected_s
    return now - health.age_s if unusual else now


def _is_fresher(rung: Rung, active: Rung) -> bool:
    assert rung.health is not None
    assert active.health is not None
    mine, its = active.health.age_s, rung.health.age_s
    return its is not None and (mine is None or its < mine)


class Failover:
    """Every instrument's course; the one owner of which provider is active."""

    def __init__(self, providers: Sequence[Provider], rules: Rules) -> None:
        self.providers = tuple(providers)
        self._rules = rules
        self._courses: dict[int, Course] = {}

    def active(self, instrument_id: int) -> Provider:
        """Return whose rows are taken for an instrument."""
        course = self._courses.get(instrument_id)
        return self.providers[0] if course is None else course.provider

    def away(self) -> dict[int, Provider]:
        """Return the instruments that are not at the primary, and where they are."""
        primary = self.providers[0]
        return {
            number: course.provider
            for number, course in self._courses.items()
            if course.provider is not primary
        }

    def keep(self, instrument_ids: set[int]) -> None:
        """Forget every instrument but these."""
        for gone in self._courses.keys() - instrument_ids:
            del self._courses[gone]

    def uncured(self, instrument_id: int) -> None:
        """Take that every cure of a line has failed: it may leave now."""
        self._course(instrument_id).uncured = True

    def turn(self, now: float, ladders: Mapping[int, Sequence[Rung]]) -> list[Switch]:
        """Look at every instrument; return the switches that are due, which then are made."""
        turned = (
            self._course(number).turn(now, ladder, self._rules)
            for number, ladder in ladders.items()
        )
        return [switch for switch in turned if switch is not None]

    def _course(self, instrument_id: int) -> Course:
        known = self._courses.get(instrument_id)
        if known is None:
            known = self._courses[instrument_id] = Course(instrument_id, self.providers[0])
        return known
