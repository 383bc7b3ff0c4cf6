"""People who read: a real HTTP server and a real SMTP server, which may be told to fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from tests.canary import PASSWORD


class Inbox:
    """What an HTTP target received. `status`: what it answers; 200 means that it took it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.status = 200
        self.tries = 0
        self.messages: list[dict[str, Any]] = []
        self.more = threading.Event()

    @property
    def url(self) -> str:
        """Return its URL for Apprise."""
        return f"json://ann:{PASSWORD}@127.0.0.1:{self.port}/hook?+X-Token={PASSWORD}"

    def take(self, body: bytes) -> int:
        """Read one message, and answer."""
        self.tries += 1
        if self.status == 200:
            self.messages.append(json.loads(body or b"{}"))
            self.more.set()
        return self.status


@contextmanager
def http_inbox() -> Iterator[Inbox]:
    """Run an HTTP server on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.send_response(inbox.take(self.rfile.read(length)))
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inbox = Inbox(server.server_address[1])
    thread = threading.Thread(
        target=server.serve_forever, name="inbox", kwargs={"poll_interval": 0.02}
    )
    thread.start()
    try:
        yield inbox
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Mails:
    """What an SMTP server received."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.port = 0

    async def handle_DATA(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        self.texts.append(envelope.content.decode())
        return "250 OK"


@contextmanager
def smtp_inbox(port: int) -> Iterator[Mails]:
    """Run an SMTP server on a loopback port."""
    mails = Mails()
    controller = Controller(mails, hostname="127.0.0.1", port=port)
    controller.start()
    mails.port = port
    try:
        yield mails
    finally:
        controller.stop()
