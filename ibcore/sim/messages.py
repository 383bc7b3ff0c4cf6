"""Every outgoing message but the hot ticks: its fields in order, and the version that adds each.

A field is a name to be filled in, a constant, or a list that spreads out over several fields.
`since` and `until` are server versions: a field is sent if since <= negotiated < until.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ibcore.sim import wire
from ibcore.sim.messages_data import DATA_MESSAGES
from ibcore.sim.messages_orders import ORDER_MESSAGES

_ALWAYS: Final = 0
_NEVER: Final = 1_000


@dataclass(frozen=True)
class Field:
    """One place in a message; `constant` fields carry their own value."""

    name: str
    since: int = _ALWAYS
    until: int = _NEVER
    constant: object = None


@dataclass(frozen=True)
class Message:
    """One message: its number and its fields."""

    msg_id: int
    fields: tuple[Field, ...]


def _message(msg_id: int, *fields: str | Field, version: int | None = None) -> Message:
    head = () if version is None else (Field("version", constant=version),)
    listed = tuple(Field(item) if isinstance(item, str) else item for item in fields)
    return Message(msg_id, head + listed)


_CONTRACT = ("con_id", "symbol", "sec_type", "expiry", "strike", "right", "multiplier", "exchange",
             "currency", "local_symbol", "trading_class")  # fmt: skip

MESSAGES: Final[dict[str, Message]] = {
    "error": _message(4, "req_id", "code", "text", Field("reject_json", since=166), version=2),
    "account_value": _message(6, "key", "value", "currency", "account", version=2),
    "account_time": _message(8, "time", version=1),
    "next_valid_id": _message(9, "order_id", version=1),
    "contract_details": _message(
        10,
        Field("version", until=164, constant=8),
        *("req_id", "symbol", "sec_type", "last_trade", "strike", "right", "exchange", "currency"),
        *("local_symbol", "market_name", "trading_class", "con_id", "min_tick"),
        Field("size_multiplier", until=164, constant=1),
        *("multiplier", "order_types", "valid_exchanges", "price_magnifier", "under_con_id"),
        *("long_name", "primary_exchange", "contract_month", "industry", "category"),
        *("subcategory", "time_zone", "trading_hours", "liquid_hours", "ev_rule", "ev_multiplier"),
        *("sec_ids", "agg_group", "under_symbol", "under_sec_type", "market_rules"),
        *("real_expiry", "stock_type"),
        Field("min_size", since=164),
        Field("size_increment", since=164),
        Field("suggested_size", since=163),
    ),
    "managed_accounts": _message(15, "accounts", version=1),
    "current_time": _message(49, "time", version=1),
    "contract_details_end": _message(52, "req_id", version=1),
    "open_order_end": _message(53, version=1),
    "account_download_end": _message(54, "account", version=1),
    "executions_end": _message(55, "req_id", version=1),
    "snapshot_end": _message(57, "req_id", version=1),
    "market_data_type": _message(58, "req_id", "kind", version=1),
    "position": _message(61, "account", *_CONTRACT, "position", "average_cost", version=3),
    "position_end": _message(62, version=1),
    "account_summary": _message(63, "req_id", "account", "tag", "value", "currency", version=1),
    "account_summary_end": _message(64, "req_id", version=1),
    "account_update_multi": _message(
        73, "req_id", "account", "model", "key", "value", "currency", version=1
    ),
    "account_update_multi_end": _message(74, "req_id", version=1),
    "option_parameters": _message(
        75, "req_id", "exchange", "under_con_id", "trading_class", "multiplier", "expiries",
        "strikes",
    ),
    "option_parameters_end": _message(76, "req_id"),
    "symbol_samples": _message(79, "req_id", "samples"),
    "tick_req_params": _message(81, "req_id", "min_tick", "bbo_exchange", "permissions"),
    "market_rule": _message(93, "rule", "increments"),
    "completed_orders_end": _message(102),
}  # fmt: skip


def _listed(names: str) -> tuple[Field, ...]:
    """Read `a b<177 c>159` into fields."""
    parts = [re.fullmatch(r"(\w+)(?:<(\d+))?(?:>(\d+))?", item) for item in names.split()]
    return tuple(
        Field(part[1], since=int(part[3] or _ALWAYS), until=int(part[2] or _NEVER))
        for part in parts
        if part
    )


MESSAGES.update(
    (name, _message(msg_id, *_listed(names), version=version))
    for name, (msg_id, version, names) in {**ORDER_MESSAGES, **DATA_MESSAGES}.items()
)


def encode(name: str, version: int = wire.SERVER_VERSION, **values: object) -> bytes:
    """Build one message for a client that negotiated `version`; values not given are blank."""
    message = MESSAGES[name]
    unknown = values.keys() - {field.name for field in message.fields}
    if unknown:
        raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}")
    out: list[object] = [message.msg_id]
    for field in message.fields:
        if field.since <= version < field.until:
            _append(out, field, values)
    return wire.frame(*out)


def _append(out: list[object], field: Field, values: dict[str, object]) -> None:
    value = field.constant if field.constant is not None else values.get(field.name)
    if isinstance(value, list):
        out.extend(value)
    else:
        out.append(value)
