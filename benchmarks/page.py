"""Starts the web page as a user would, asks it over HTTP, stops it."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge.errors import UserError

_HOST = "127.0.0.1"
_START_S = 60  # imports and model load take seconds; a Pi's card may be slow
_STOP_S = 15
_ANSWER_S = 30


def free_port() -> int:
    """Return a port of this machine that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def serving(command: Sequence[str], port: int) -> Iterator[None]:
    """Run a server for as long as the block lasts; end it by SIGTERM.

    Args:
        command: Starts the server on `port` of 127.0.0.1 and keeps running.
        port: Where GET /healthz answers 200 once it is ready.

    Raises:
        UserError: If it ends or doesn't answer in a minute, or doesn't exit 0 when told to end.
    """
    process = subprocess.Popen(command)
    try:
        _await_health(process, port)
        yield
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            raise UserError(f"Expected the page to end within {_STOP_S} s of SIGTERM; it had to be killed") from None
        if code != 0:
            raise UserError(f"Expected the page to exit 0 on SIGTERM, got {code}; its message is above")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(_STOP_S)


def ask(port: int, photo: Path) -> dict[str, Any]:
    """Upload a photo to POST /api/predict; return the likeliest prediction: label, index, confidence.

    Raises:
        UserError: If the answer isn't the one that the page promises.
    """
    from werkzeug.datastructures import FileStorage
    from werkzeug.test import encode_multipart

    with photo.open("rb") as stream:
        boundary, body = encode_multipart({"image": FileStorage(stream, filename=photo.name)})
    connection = http.client.HTTPConnection(_HOST, port, timeout=_ANSWER_S)
    try:
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        connection.request("POST", "/api/predict", body, headers)
        response = connection.getresponse()
        status, text = response.status, response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"Expected the page to answer a photo, got {error!r}") from error
    finally:
        connection.close()
    try:
        best: dict[str, Any] = json.loads(text)["predictions"][0]
        best["label"], best["index"], best["confidence"]
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"Expected predictions from the page for {photo}, got {status}: {text[:200]!r}") from error
    return best


def _await_health(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until GET /healthz answers 200."""
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise UserError(f"Expected the page to keep running, it exited {process.returncode}; its message is above")
        connection = http.client.HTTPConnection(_HOST, port, timeout=_ANSWER_S)
        try:
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            response.read()
            if response.status == http.client.OK:
                return
        except (OSError, http.client.HTTPException):
            pass  # not listening yet
        finally:
            connection.close()
        time.sleep(0.1)
    raise UserError(f"Expected the page to answer GET /healthz within {_START_S} s, it did not")
