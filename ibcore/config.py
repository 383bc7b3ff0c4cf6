"""Settings: frozen, read once, secrets masked; nothing is read at import.

Sources, strongest first: environment `IBKEEPER_*` (nested with `__`), then `ibkeeper.toml` in
the working folder, then the defaults. A name that ibkeeper does not know is refused with the
nearest one it does know: a typo must never silently mean the default.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ibcore.errors import ConfigRefused
from ibcore.settings.alerts import AlertSettings as AlertSettings
from ibcore.settings.alpaca import AlpacaSettings as AlpacaSettings
from ibcore.settings.failover import FailoverSettings as FailoverSettings
from ibcore.settings.failover import StandbySettings as StandbySettings
from ibcore.settings.gateway import GatewaySettings as GatewaySettings
from ibcore.settings.gateway import LivenessSettings as LivenessSettings
from ibcore.settings.http import HttpSettings as HttpSettings
from ibcore.settings.section import Port, PositiveFloat, Section

PREFIX = "IBKEEPER_"
TOML_FILE = "ibkeeper.toml"


class TickDefaults(Section):
    """ib_async's IBDefaults: what its Ticker holds where IB sends nothing.

    Rows in SQL do not depend on these: the raw tap writes NULL. NaN is the choice that keeps
    "nothing" apart from a number in Ticker arithmetic too.
    """

    empty_price: float = Field(math.nan, description="Bid, ask, last when IB sends -1, size 0.")
    empty_size: float = Field(math.nan, description="The size that goes with it.")
    unset: float = Field(math.nan, description="What a Ticker's field holds before any tick.")
    timezone: str = Field("UTC", description="Of the times on the Ticker; rows are always UTC.")


class RecorderSettings(Section):
    """How ticks become committed rows."""

    flush_ms: int = Field(20, ge=1, le=1000, description="A batch is sealed this often.")
    batch_rows: int = Field(5_000, ge=1, description="…or when it holds this many rows.")
    spool_mib: int = Field(
        2_048, ge=1, description="Cap of the spool; above it quotes are conflated, trades kept."
    )
    backlog_rows: int = Field(
        2_000_000, ge=1_000, description="Rows held in memory while the disk takes nothing."
    )


class SidecarSettings(Section):
    """The long-running process."""

    name: str = Field(
        "main", pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="Its lock, watch list and rows."
    )
    heartbeat_s: PositiveFloat = Field(1.0, description="How often its row says it is alive.")
    drain_s: PositiveFloat = Field(4.0, description="How long SIGTERM may take to write the rest.")
    poll_s: PositiveFloat = Field(2.0, description="The guarantee behind every NOTIFY.")
    nice: int = Field(
        -10, ge=-20, le=19, description="Its priority, where the system allows it; 0: as others."
    )


class MaintenanceSettings(Section):
    """What the flow `maintenance` keeps, and for how long."""

    days_ahead: int = Field(7, ge=1, le=60, description="Day partitions made ahead.")
    keep_ticks_days: int | None = Field(
        None, ge=7, description="Ticks older than this are dropped, their bars stay; unset: never."
    )
    keep_ledger_days: int = Field(90, ge=7, description="Entries of ingest_batch; ticks stay.")
    compress_days: int | None = Field(
        2, ge=1, description="TimescaleDB: ticks older than this are compressed; unset: never."
    )
    keep_runs_days: int | None = Field(
        30, ge=1, description="Prefect's finished flow runs; unset: never deleted."
    )


class SinkSettings(Section):
    """Where rows are published beside the database; nothing is set: nowhere."""

    redis_url: SecretStr | None = Field(None, description="redis://…; needs ibkeeper[redis].")
    nats_url: SecretStr | None = Field(None, description="nats://…; needs ibkeeper[nats].")
    stream_rows: int = Field(
        1_000_000, ge=1_000, description="Rows kept in each Stream there; the oldest go first."
    )


class SlaSettings(Section):
    """What connection-sla promises."""

    objective: float = Field(
        0.999, gt=0.5, lt=1, description="Share of the scheduled time that the session is ready."
    )
    hours: Literal["regular", "always"] = Field(
        "regular", description="regular: market hours of New York; announced windows never count."
    )


class LogSettings(Section):
    """Structured logs on standard error."""

    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a tty")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="From here up.")


class OrderSettings(Section):
    """Sending orders; limits, the kill switch and arming are rows, not settings."""

    enabled: bool = Field(True, description="Open the orders session (client id n+2).")
    live: bool = Field(False, description="Allow accounts other than DU…/DF…; see going live.")
    messages_per_s: int = Field(40, ge=1, le=45, description="Pace of the orders connection.")
    scan_timeout_s: PositiveFloat = Field(10.0, description="For each list of a reconciliation.")
    absence_s: PositiveFloat = Field(30.0, description="Between two scans that prove an absence.")
    inflight_s: PositiveFloat = Field(
        5.0, description="An order unanswered this long is asked for."
    )


class PrefectSettings(Section):
    """The Prefect server that `ibkeeper up` starts."""

    port: Port = Field(4200, description="Of the API and the UI, on loopback.")
    worker_query_s: PositiveFloat = Field(2.0, description="How often the worker looks for runs.")
    silent_s: PositiveFloat = Field(
        600.0, description="connection-sla looks every 2 min; silent for longer, people are told."
    )


class SimSettings(Section):
    """The simulated gateway that `ibkeeper up` starts; it listens on `gateway.port`."""

    control_port: Port = Field(4003, description="Of its ledger and its faults, on loopback.")


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        toml_file=TOML_FILE,
        frozen=True,
        extra="forbid",
        validate_default=True,
    )

    home: Path = Field(Path(".ibkeeper"), description="State folder, mode 0700.")
    database_url: SecretStr | None = Field(None, description="Any PostgreSQL >= 14; unset: own.")
    gateway: GatewaySettings = GatewaySettings()
    liveness: LivenessSettings = LivenessSettings()
    failover: FailoverSettings = FailoverSettings()
    standby: StandbySettings = StandbySettings()
    alpaca: AlpacaSettings = AlpacaSettings()
    defaults: TickDefaults = TickDefaults()
    recorder: RecorderSettings = RecorderSettings()
    sidecar: SidecarSettings = SidecarSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    sinks: SinkSettings = SinkSettings()
    orders: OrderSettings = OrderSettings()
    alerts: AlertSettings = AlertSettings()
    sla: SlaSettings = SlaSettings()
    log: LogSettings = LogSettings()
    http: HttpSettings = HttpSettings()
    prefect: PrefectSettings = PrefectSettings()
    sim: SimSettings = SimSettings()

    @property
    def spool_file(self) -> Path:
        """Return where the sidecar keeps what the database does not have yet (SQLite)."""
        return self.home.expanduser().absolute() / "spool" / f"{self.sidecar.name}.db"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings, or raise ConfigRefused with one line per mistake."""
    _refuse_unknown_names(os.environ if environ is None else environ)
    try:
        return Settings()
    except ValidationError as invalid:
        lines = [f"{_where(error['loc'])}: {error['msg']}" for error in invalid.errors()]
        # `from None`: pydantic's own text repeats the input, which may be a secret.
        raise ConfigRefused(
            "The settings were refused: " + "; ".join(lines) + ".",
            remedy="Nothing was started. Correct the environment or ibkeeper.toml.",
        ) from None
    except ValueError as broken:
        raise ConfigRefused(
            f"{TOML_FILE} cannot be read: {broken}.",
            remedy="Nothing was started. Correct the file.",
        ) from None


def known_names() -> list[str]:
    """Return the environment variable of every setting."""
    names: list[str] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            names += [f"{PREFIX}{name}__{leaf}".upper() for leaf in section.model_fields]
        else:
            names.append(f"{PREFIX}{name}".upper())
    return names


def secret_names() -> list[tuple[str, ...]]:
    """Return where each setting that holds a secret stands: (name,) or (section, name)."""
    found: list[tuple[str, ...]] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            leaves = section.model_fields.items()
            found += [(name, leaf) for leaf, each in leaves if _is_secret(each.annotation)]
        elif _is_secret(section):
            found.append((name,))
    return found


def _is_secret(annotation: Any) -> bool:
    return SecretStr in (annotation, *get_args(annotation))


def _refuse_unknown_names(environ: Mapping[str, str]) -> None:
    known = set(known_names())
    for name in environ:
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        if name.upper().startswith(f"{PREFIX}TEST_"):  # what our tests are told, no setting
            continue
        near = difflib.get_close_matches(name.upper(), known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "See docs/operations.md for the list."
        raise ConfigRefused(f"Unknown setting {name}.", remedy=f"Nothing was started. {hint}")


def _where(loc: tuple[int | str, ...]) -> str:
    return PREFIX + "__".join(str(part) for part in loc).upper()
