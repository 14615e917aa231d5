"""Where an MQTT broker is, and whom a connection to it trusts."""

from __future__ import annotations

import re
import ssl
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UserError

PASSWORD = "TINYSIGHT_MQTT_PASSWORD"  # noqa: S105  the variable's name
FORMS = "mqtt://user@host:1883/topic or mqtts://... for TLS"
# By OpenSSL's number of what is wrong with a certificate; a board without a clock's battery starts in the past.
_CLOCK, _NAME = "is this machine's clock right?", "name the host in --mqtt as its certificate does"
_MENDS = {9: _CLOCK, 10: _CLOCK, 62: _NAME, 64: _NAME}


@dataclass(frozen=True)
class Broker:
    """Where answers are published.

    Attributes:
        host: Name or address.
        port: 1883, or 8883 with TLS, where none is given.
        user: Name to log in with; None without.
        tls: Whether the connection is encrypted and the broker's certificate checked.
        topic: Where the answers go.
        ca: File of the certificates that a broker's may be signed by; None for those that the system trusts.
    """

    host: str
    port: int
    user: str | None
    tls: bool
    topic: str
    ca: Path | None = None


class _TidySocket(ssl.SSLSocket):
    """Lets go of the connection where the handshake fails, which paho forgets to do."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands; see `ssl.SSLSocket.do_handshake`."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def parse_broker(text: str, ca: Path | None = None) -> Broker:
    """Read what `--mqtt` and `--mqtt-ca` say.

    Raises:
        UserError: If it is no such address, or holds a password, which every user of the machine could read.
    """
    try:
        text.encode()  # bytes of the command line that are no UTF-8 end here
        parts = urllib.parse.urlsplit(text)
        port = parts.port
        # As the look-up of a name does it, where an error would end paho's thread.
        (parts.hostname or "").encode("idna")
    except ValueError as error:  # its text may quote what was meant as a password
        raise UserError(f"Expected --mqtt {FORMS}; host or port can't be read") from error
    topic = urllib.parse.unquote(parts.path).strip("/") or "tinysight"
    if parts.password is not None:
        raise UserError(f"--mqtt holds a password, which others on this machine could read; put it into {PASSWORD}")
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.query or parts.fragment:
        raise UserError(f"Expected --mqtt {FORMS}, got {text!r}" if "@" not in text else f"Expected --mqtt {FORMS}")
    check_topic(topic, "--mqtt")
    tls = parts.scheme == "mqtts"
    if ca is not None and not tls:
        raise UserError(
            "--mqtt-ca is for mqtts://, which checks the broker's certificate; change --mqtt or leave it out"
        )
    user = None if parts.username is None else urllib.parse.unquote(parts.username)
    return Broker(parts.hostname, port or (8883 if tls else 1883), user, tls, topic, ca)


def check_topic(topic: str, flag: str) -> None:
    """Refuse a topic that can't be published to, which would end paho's thread.

    Raises:
        UserError: If it can't be.
    """
    if re.search(r"[+#\0\ud800-\udfff]", topic) or len(topic.encode()) > 1000:
        raise UserError(f"Expected a topic without + and # in {flag}, got {topic[:60]!r}; name another")


def make_context(broker: Broker) -> ssl.SSLContext:
    """Return what checks a broker's certificate: its signature, its dates, and that it is the host's.

    Raises:
        UserError: If the file of the own CA can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=broker.ca)
    except ssl.SSLError as error:  # an OSError too
        raise UserError(
            f"Expected a CA's certificate as PEM text in {broker.ca}, got none ({error.reason}); name another --mqtt-ca"
        ) from error
    except OSError as error:
        raise UserError(
            f"Expected a CA's certificate at {broker.ca}: {error.strerror}; name another --mqtt-ca"
        ) from error
    context.sslsocket_class = _TidySocket
    return context


def say_why(error: BaseException | None, broker: Broker) -> tuple[str, bool]:
    """Return why a connection failed, in words, and whether waiting won't mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        mend = _MENDS.get(error.verify_code)
        if mend is None:
            mend = "name the CA that signed it: --mqtt-ca FILE" if broker.ca is None else f"did {broker.ca} sign it?"
        return f"its certificate is refused: {error.verify_message.rstrip('.')}; {mend}", True
    if isinstance(error, ssl.SSLError):
        return f"no TLS with it: {error.reason or error}; is {broker.port} its port for mqtts://?", True
    if isinstance(error, ConnectionResetError):
        return hung_up(broker), False
    reason = getattr(error, "strerror", None)
    return f"can't reach it{f': {reason}' if reason else ''}", False


def hung_up(broker: Broker) -> str:
    """Return what it means where a broker ends a connection before it began: mostly TLS on one side alone."""
    return f"it hangs up; is {broker.port} its port for {'mqtts' if broker.tls else 'mqtt'}://?"
