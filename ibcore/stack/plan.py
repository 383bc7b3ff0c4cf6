"""What `ibkeeper up` will start, decided before anything starts: settings and options to a Plan.

Pure: no process, no socket, no file is touched here. The order of starting is

    gateway, PostgreSQL ─► schema ─► sidecar ─► (ticks flow) ─► Prefect ─► worker ─► deployments

and the order of stopping is: worker, Prefect, sidecar, gateway, PostgreSQL.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from ibcore.config import PREFIX, Settings
from ibcore.errors import ConfigRefused
from ibcore.stack.child import ChildSpec
from ibcore.stack.ports import NeededPort

LOOPBACK: Final = "127.0.0.1"
POOL: Final = "ib"
DEPLOYMENT: Final = "chain-snapshot"
_COMMAND: Final = (sys.executable, "-m", "ibcore.cli")
_DROPPED: Final = ("PREFECT_API_KEY", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH")


@dataclass(frozen=True, slots=True)
class Options:
    """What the person typed."""

    tape: Path | str | None = None  # a str is the URL of a recorded day, and holds a secret
    speed: float = 1.0
    gateway: str | None = None
    prefect: bool = True
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before the first process runs."""

    settings: Settings
    options: Options
    home: Path
    project: Path
    gateway_host: str
    gateway_port: int
    simulated: bool

    @property
    def prefect_api(self) -> str | None:
        """Return the address of the Prefect API that will run, None without Prefect."""
        port = self.settings.prefect.port
        return f"http://{LOOPBACK}:{port}/api" if self.options.prefect else None

    @property
    def status_page(self) -> str | None:
        """Return the address of the sidecar's status page, None when it has none."""
        port = self.settings.http.port
        return f"http://{LOOPBACK}:{port}" if port else None

    @property
    def embedded(self) -> bool:
        """Say whether PostgreSQL is ours to run."""
        return self.settings.database_url is None

    @property
    def title(self) -> str:
        """Return what feeds the ticks, for the first line of the view."""
        if not self.simulated:
            return f"gateway {self.gateway_host}:{self.gateway_port}"
        if self.options.tape is None:
            return "simulated gateway"
        return f"simulated gateway playing {self.tape_name} at {self.options.speed:g}×"

    @property
    def tape_name(self) -> str | None:
        """Return what may be said of the tape: no user, no password."""
        tape = self.options.tape
        if not isinstance(tape, str):
            return None if tape is None else tape.name
        days = [value for name, value in parse_qsl(tape.partition("?")[2]) if name == "day"]
        return f"the recorded day {days[-1]}" if days else "a recorded day"

    @property
    def ports(self) -> tuple[NeededPort, ...]:
        """Return the ports that must be free."""
        needed = []
        if self.simulated:
            control = self.settings.sim.control_port
            needed += [
                NeededPort(self.gateway_port, "the simulated gateway", f"{PREFIX}GATEWAY__PORT"),
                NeededPort(control, "the simulator's control", f"{PREFIX}SIM__CONTROL_PORT"),
            ]
        if self.status_page is not None:
            shown = self.settings.http.port
            needed.append(NeededPort(shown, "the status page", f"{PREFIX}HTTP__PORT"))
        if self.options.prefect:
            port = self.settings.prefect.port
            needed.append(NeededPort(port, "the Prefect server", f"{PREFIX}PREFECT__PORT"))
        return tuple(needed)

    def log(self, name: str) -> Path:
        """Return the log file of a child."""
        return self.home / "logs" / f"{name}.log"


def make_plan(settings: Settings, options: Options, *, home: Path, project: Path) -> Plan:
    """Decide what to run, or raise ConfigRefused."""
    host, port = settings.gateway.host, settings.gateway.port
    if options.gateway is not None:
        host, port = parse_gateway(options.gateway)
    if host is not None and options.tape is not None:
        raise ConfigRefused(
            f"A tape plays on the simulated gateway, but {host}:{port} is configured.",
            remedy="Nothing was started. Leave out --tape, or the gateway.",
        )
    if isinstance(options.tape, Path) and not options.tape.exists():
        raise ConfigRefused(
            f"There is no tape at {options.tape}.", remedy="Nothing was started. Correct --tape."
        )
    return Plan(settings, options, home, project, host or LOOPBACK, port, host is None)


def parse_gateway(text: str) -> tuple[str, int]:
    """Read HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ConfigRefused(
            f"--gateway {text} is not HOST:PORT.",
            remedy="Nothing was started. Example: --gateway 127.0.0.1:4002 (paper gateway).",
        )
    return host.strip("[]"), int(port)


def environment(plan: Plan, base: Mapping[str, str], database_url: str) -> dict[str, str]:
    """Return the environment of our own processes."""
    return {
        **base,
        f"{PREFIX}HOME": str(plan.home),
        f"{PREFIX}DATABASE_URL": database_url,
        f"{PREFIX}GATEWAY__HOST": plan.gateway_host,
        f"{PREFIX}GATEWAY__PORT": str(plan.gateway_port),
    }


def prefect_environment(
    plan: Plan, base: Mapping[str, str], prefect_database: str | None
) -> dict[str, str]:
    """Return `base` with a Prefect of our own: its state, its database, loopback, no phoning."""
    environ = {name: value for name, value in base.items() if name not in _DROPPED}
    if prefect_database is not None:
        environ["PREFECT_API_DATABASE_CONNECTION_URL"] = prefect_database
    return {
        **environ,
        # prefect.yaml names it; deploying stores what it stands for.
        "PROJECT_ROOT": str(plan.project),
        "PREFECT_HOME": str(plan.home / "prefect"),
        # The UI is told this address too: another server's here would show another server's runs.
        "PREFECT_API_URL": plan.prefect_api or "",
        "PREFECT_SERVER_API_HOST": LOOPBACK,
        "PREFECT_SERVER_API_PORT": str(plan.settings.prefect.port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_WORKER_QUERY_SECONDS": f"{plan.settings.prefect.worker_query_s:g}",
        # A killed flow is noticed by missing heartbeats; the default of 180 s is too long.
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }


def gateway_child(plan: Plan, environ: Mapping[str, str]) -> ChildSpec:
    """Return the simulated gateway."""
    argv = [*_COMMAND, "sim", "run", "--port", str(plan.gateway_port)]
    argv += ["--control-port", str(plan.settings.sim.control_port)]
    tape = plan.options.tape
    if isinstance(tape, Path):
        argv += ["--tape", str(tape.absolute())]
    elif tape is not None:  # not on the command line, which every user of the machine can read
        environ = {**environ, "IBSIM_TAPE": tape}
    if tape is not None:
        argv += ["--speed", f"{plan.options.speed:g}"]
    return ChildSpec("gateway", tuple(argv), plan.log("gateway"), environ, stop_s=3.0)


def sidecar_child(plan: Plan, environ: Mapping[str, str]) -> ChildSpec:
    """Return the sidecar: restarted at any time, because it is the product."""
    return ChildSpec(
        "sidecar",
        (sys.executable, "-m", "sidecar"),
        plan.log("sidecar"),
        environ,
        stop_s=plan.settings.sidecar.drain_s + 2.0,
        restart=True,
    )


def sinks_child(plan: Plan, environ: Mapping[str, str]) -> ChildSpec | None:
    """Return what publishes to Redis and NATS; None: neither is set."""
    chosen = plan.settings.sinks
    if chosen.redis_url is None and chosen.nats_url is None:
        return None
    argv = (*_COMMAND, "sinks", "run")
    return ChildSpec("sinks", argv, plan.log("sinks"), environ, stop_s=3.0, restart=True)


def server_child(plan: Plan, environ: Mapping[str, str]) -> ChildSpec:
    """Return the Prefect server."""
    argv = (*_prefect(), "server", "start", "--host", LOOPBACK)
    argv += ("--port", str(plan.settings.prefect.port))
    log = plan.log("prefect")
    return ChildSpec("prefect", argv, log, environ, stop_s=5.0, restart_when_ready=True)


def worker_child(plan: Plan, environ: Mapping[str, str]) -> ChildSpec:
    """Return the worker; with a type it makes the pool itself (6 s less than the command)."""
    argv = (*_prefect(), "worker", "start", "--pool", POOL, "--type", "process", "--name", "up")
    log, project = plan.log("worker"), plan.project
    return ChildSpec("worker", argv, log, environ, cwd=project, stop_s=4.0, restart_when_ready=True)


def deploy_child(plan: Plan, environ: Mapping[str, str]) -> ChildSpec:
    """Return the command that registers every deployment of prefect.yaml."""
    argv = (*_prefect(), "--no-prompt", "deploy", "--all")
    return ChildSpec("deploy", argv, plan.log("deploy"), environ, cwd=plan.project, stop_s=2.0)


def automations_child(plan: Plan, environ: Mapping[str, str]) -> ChildSpec:
    """Return the command that makes Prefect's automations: killed runs are crashed, and told of."""
    argv = (sys.executable, "-m", "flows.automations")
    return ChildSpec(
        "automations", argv, plan.log("automations"), environ, cwd=plan.project, stop_s=2.0
    )


def _prefect() -> tuple[str, ...]:
    return (sys.executable, "-m", "prefect")
