"""Where alerts go: one Apprise object a target, so that each says for itself whether it took one.

The URL holds secrets and stays in here: whatever is stored or logged names the target by its
name. Everything in the URL that may be a secret is registered with the log besides.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

import apprise
from pydantic import SecretStr

from ibcore import log
from ibcore.alerts.message import Message
from ibcore.errors import ConfigRefused
from ibcore.incidents import Severity

_NAMED: Final = re.compile(r"([a-z][a-z0-9_-]{0,31})=(?=[a-z0-9]+://)")
_APPRISE: Final = logging.getLogger("apprise")
_SHOWN: Final = {
    Severity.info: apprise.NotifyType.INFO,
    Severity.warning: apprise.NotifyType.WARNING,
    Severity.critical: apprise.NotifyType.FAILURE,
}


class Answer(NamedTuple):
    """Whether the target took it, and if not, why, without secrets."""

    taken: bool
    error: str | None


class Target:
    """One place where people read."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        _hide(url)
        # It logs what it sends to, and we say what went wrong ourselves.
        _APPRISE.propagate = False
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url) or len(self._apprise) != 1:
            raise ConfigRefused(
                f"The alert target {name} is no URL that Apprise knows.",
                remedy="Nothing was started. Correct IBKEEPER_ALERTS__TARGETS (or __ESCALATION); "
                "see docs/operations.md, alerts.",
            )

    @property
    def service(self) -> str:
        """Return what Apprise calls the service."""
        return str(self._apprise[0].service_name)

    @property
    def host(self) -> str | None:
        """Return the host that the URL names; None where the service has its own."""
        plugin = self._apprise[0]
        # `host` is whatever follows `://`: a token at Slack, a topic at ntfy's own server.
        forms: tuple[str, ...] = plugin.templates
        if not any("{host}" in form for form in forms) or getattr(plugin, "mode", None) == "cloud":
            return None
        return str(getattr(plugin, "smtp_host", None) or plugin.host)

    def send(self, message: Message) -> Answer:
        """Send and wait for the answer; blocks for as long as the target does, some seconds."""
        with _Heard() as heard:
            try:
                # True: taken. False: not. None: Apprise found nobody to send it to.
                taken = self._apprise.notify(
                    body=message.body,
                    title=message.title,
                    notify_type=_SHOWN[message.severity]
                    if not message.over
                    else apprise.NotifyType.SUCCESS,
                )
            except Exception as broken:
                # A plugin's fault is this target's failure, never that of the others.
                return Answer(False, log.mask(f"{type(broken).__name__}: {broken}"))
        return Answer(True, None) if taken else Answer(False, log.mask(heard.text()))


def parse(text: SecretStr | None, *, prefix: str) -> list[Target]:
    """Read targets: URLs with blanks between, each with `name=` before it or without."""
    targets: list[Target] = []
    for name, url in named_urls(text, prefix=prefix):
        if name in {target.name for target in targets}:
            raise ConfigRefused(
                f"Two alert targets are called {name}.",
                remedy="Nothing was started. Give each a name of its own.",
            )
        targets.append(Target(name, url))
    return targets


def named_urls(text: SecretStr | None, *, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield name and URL of each target that is set."""
    for number, word in enumerate(text.get_secret_value().split() if text else (), 1):
        named = _NAMED.match(word)
        yield (named[1], word[named.end() :]) if named else (f"{prefix}{number}", word)


def _hide(url: str) -> None:
    log.hide(url)
    _, _, rest = url.partition("://")
    userinfo, at, _ = rest.partition("@")
    if at:
        log.hide(userinfo)
        log.hide(unquote(userinfo.partition(":")[2]))
    for part in re.split(r"[/@?&=:]", rest):
        # Tokens stand in paths, headers and parameters; short words are names of options.
        if len(part) >= 8 and not re.fullmatch(r"[\w-]*(\.[\w-]+)+", part):
            log.hide(part)
            log.hide(unquote(part))


class _Heard(logging.Handler):
    """What Apprise says in this thread while it sends."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._lines.append(record.getMessage())

    def text(self) -> str:
        """Return it in one line."""
        return "; ".join(self._lines)[:500] or "It was not taken, and nothing says why."

    def __enter__(self) -> _Heard:
        _APPRISE.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        _APPRISE.removeHandler(self)
