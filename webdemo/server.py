"""Serves the page from a desk: a thread for each request, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from edge.errors import UserError

_BACKLOG = 128  # connections that wait to be accepted; werkzeug's own number
_POLL_S = 0.1  # between looks at whether to end


class _Handler(WSGIRequestHandler):
    """Drops clients that go silent, says little about itself, and leaves no line for each request."""

    timeout = 30  # seconds

    def version_string(self) -> str:
        """Return the Server header."""
        return "tinysight"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: mistakes of ours are logged by Flask."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: Name or address, IPv4 or IPv6.
        port: 0 for any that is free.

    Raises:
        UserError: If the address is unknown or taken.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no DNS can hold
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"Can't listen on {host} port {port}: {reason}; choose another --port or --host") from error


def address_of(listening: socket.socket, host: str) -> str:
    """Return the address to type into a browser on this machine."""
    port = listening.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # nothing is bound here
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def serve(app: Flask, listening: socket.socket, on_ready: Callable[[], Any]) -> None:
    """Serve `app` until SIGTERM or SIGINT; only from the main thread, where Python hears signals."""
    host, port = listening.getsockname()[:2]
    server = make_server(host, port, app, threaded=True, request_handler=_Handler, fd=listening.fileno())
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), name="accept")
    with _signals() as wait:
        thread.start()
        try:
            on_ready()
            wait()
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[], Any]]:
    """Yield a function that waits for SIGTERM or SIGINT.

    Over a socket, for a signal that lands in a thread of the runtime's wakes nobody who waits for a lock.
    """
    ears, mouth = socket.socketpair()
    with ears, mouth:
        mouth.setblocking(False)
        signal.set_wakeup_fd(mouth.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        try:
            yield lambda: ears.recv(1)
        finally:
            signal.set_wakeup_fd(-1)
