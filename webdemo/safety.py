"""Keeps strangers out: who may call the server by which name, headers on every answer, uploads in memory alone."""

from __future__ import annotations

import io
import ipaddress
from collections.abc import Mapping
from http import HTTPStatus
from typing import IO
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, request

from webdemo.refusals import Refusal

# img-src blob: is the preview of a photo that was not uploaded yet.
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class MemoryRequest(Request):
    """A request whose files stay in memory, within MAX_CONTENT_LENGTH; werkzeug spools those over 500 kB to disk."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        """Return where to put an uploaded file."""
        return io.BytesIO()


def protect(app: Flask) -> None:
    """Put the checks and headers on every request and answer of `app`."""
    app.request_class = MemoryRequest
    app.before_request(_check_host)
    app.after_request(_add_headers)


def is_trusted(host: str, listens_on: str) -> bool:
    """Tell whether a browser may call the server by this name.

    A page of a stranger's domain that resolves to our address (DNS rebinding) would otherwise count as our own page.

    Args:
        host: The Host header of a request, with or without a port.
        listens_on: The name or address that the server listens on. On all addresses (0.0.0.0, ::) any address will do,
            for we can't know ours behind a router or in a container; a name still will not, and rebinding needs one.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # unbalanced brackets
        return False
    if name in _LOOPBACK or name == listens_on.lower():
        return True
    return _is_unspecified(listens_on) and _is_address(name)


def _is_unspecified(host: str) -> bool:
    """Tell whether the server listens on all addresses of the machine."""
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified


def _is_address(name: str) -> bool:
    """Tell an IP address from a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_host() -> None:
    """Refuse a request that calls the server by a name that isn't its own."""
    if not is_trusted(request.headers.get("Host", ""), current_app.config["HOST"]):
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            "untrusted_host",
            "Call the server by the address that it was started with (--host).",
        )


def _add_headers(response: Response) -> Response:
    """Tell the browser what this page will never do."""
    response.headers.update(_HEADERS)
    if not request.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-store"
    return response
