"""The orders part of the sidecar, put together: session, engine, sender, kill switch, ledger."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from ibcore.batch.preview import WHAT_IF
from ibcore.config import Settings
from ibcore.doctor.examination import examine
from ibcore.domain import Endpoint
from sidecar.incident_board import IncidentBoard
from sidecar.job import Handler
from sidecar.journal import Journal
from sidecar.kill_switch import KillSwitch
from sidecar.orders.engine import Engine
from sidecar.orders.gate import Gate, open_always
from sidecar.orders.ledger import Ledger
from sidecar.orders.live_checks import LiveChecks
from sidecar.orders.sender import Sender
from sidecar.orders.what_if_request import WhatIfRequests
from sidecar.session import Session

ROLE: Final = "orders"
OFFSET: Final = 2

Task = Callable[[], Coroutine[Any, Any, object]]


@dataclass(frozen=True, slots=True)
class OrdersDesk:
    """Everything that runs for orders in one sidecar."""

    engine: Engine
    session: Session
    sender: Sender
    kill_switch: KillSwitch
    ledger: Ledger
    what_ifs: WhatIfRequests
    live_checks: LiveChecks | None

    def handlers(self) -> dict[str, Handler]:
        """Return what requests are answered here."""
        return {WHAT_IF: self.what_ifs}

    def workers(self) -> dict[str, Task]:
        """Return what sends and listens: ended first."""
        return {
            "session orders": self.session.run,
            "orders sender": self.sender.run,
            "orders reconcile": self.engine.reconciler.run,
            "kill switch": self.kill_switch.run,
            **({"live checks": self.live_checks.run} if self.live_checks else {}),
        }

    def keepers(self) -> dict[str, Task]:
        """Return what writes: ended last."""
        return {"orders ledger": self.ledger.run}


def assemble(
    settings: Settings,
    url: str,
    epoch: int,
    *,
    endpoint: Endpoint,
    journal: Journal,
    incidents: IncidentBoard,
) -> OrdersDesk:
    """Make the parts and join them; nothing is started."""
    name, orders = settings.sidecar.name, settings.orders
    ledger = Ledger(url, sidecar=name, epoch=epoch)
    gate = Gate()
    engine = Engine(
        ledger,
        gate,
        client_id=endpoint.client_id,
        sidecar=name,
        epoch=epoch,
        messages_per_s=orders.messages_per_s,
        scan_timeout_s=orders.scan_timeout_s,
        absence_s=orders.absence_s,
        inflight_s=orders.inflight_s,
    )
    switch = KillSwitch(url, home=settings.home, sidecar=name, cancel_all=engine.cancel_all)
    gate.kill_switch = switch.why
    checks = _live_checks(settings, incidents) if orders.live else None
    gate.live_checks = checks.why if checks else open_always
    session = Session(
        endpoint,
        role=ROLE,
        gateway=settings.gateway,
        defaults=settings.defaults,
        journal=journal,
        on_ready=engine.on_ready,
        on_lost=engine.on_lost,
        on_notice=engine.on_notice,
        sends_orders=True,
    )
    sender = Sender(url, engine, live_enabled=orders.live, engaged=lambda: switch.engaged)
    return OrdersDesk(engine, session, sender, switch, ledger, WhatIfRequests(url, engine), checks)


def _live_checks(settings: Settings, incidents: IncidentBoard) -> LiveChecks:
    return LiveChecks(lambda: examine(settings), incidents, sidecar=settings.sidecar.name)
