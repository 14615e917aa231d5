"""Publishes to a real Mosquitto, and reads with its own client what arrives."""

import contextlib
import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from edge.broker import PASSWORD, Broker
from edge.errors import MissingPackage
from edge.mqtt import Publisher, discovery
from tests.edge.conftest import environment
from tests.edge.test_answers import answer
from tests.requirements import missing_tool

WAIT_S = 30  # far more than anything here takes


def test_without_paho_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "paho", None)
    for name in [name for name in sys.modules if name.startswith("paho.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingPackage, match=r"--mqtt needs paho-mqtt 2\. Install it: "):
        Publisher(Broker("host", 1, None, False, "t"), {}, print)


class Mosquitto:
    """A broker on a port of its own that can be stopped and started again."""

    def __init__(self, folder, *settings):
        self.program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")  # no user's PATH on Debian
        if self.program is None:
            missing_tool("Mosquitto is not installed (Debian: apt install mosquitto)")
        try:
            import paho.mqtt.client  # noqa: F401
        except ModuleNotFoundError:
            missing_tool("paho-mqtt is not installed (the extra mqtt)")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    f"user {getpass.getuser()}",
                    *(settings or ["allow_anonymous true"]),
                ]
            )
        )
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self.listens)

    def listens(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self):
        self.process.kill()
        self.process.wait()

    close = stop

    def broker(self, user=None, *, host="127.0.0.1", ca=None):
        return Broker(host, self.port, user, ca is not None, "house/door", ca)


class Listener:
    """Hears all that is published, with a plain client of its own."""

    def __init__(self, port, user=None, password=None, ca=None):
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard, self._subscribed = [], threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=True)
        if user:
            self.client.username_pw_set(user, password)
        if ca:
            self.client.tls_set(ca)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = lambda _client, _data, message: self.heard.append((message.topic, message.payload))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(WAIT_S)

    def of(self, topic):
        return [payload for name, payload in list(self.heard) if name == topic]

    def frames(self):
        return [json.loads(payload)["frame"] for payload in self.of("house/door")]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def wait_until(holds):
    until = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def mosquitto(tmp_path):
    broker = Mosquitto(tmp_path)
    yield broker
    broker.stop()


@pytest.fixture
def listener(mosquitto):
    heard = Listener(mosquitto.port)
    yield heard
    heard.close()


def test_home_assistant_finds_two_sensors(mosquitto, listener):
    broker = mosquitto.broker()
    publisher = Publisher(broker, discovery(broker, "homeassistant", "1.2.3"), print)
    publisher.write(answer())
    wait_until(lambda: listener.of("house/door") and listener.of("house/door/availability"))
    (label,) = map(json.loads, listener.of("homeassistant/sensor/tinysight_house_door/label/config"))
    (confidence,) = map(json.loads, listener.of("homeassistant/sensor/tinysight_house_door/confidence/config"))
    for sensor in (label, confidence):
        assert sensor["state_topic"] == "house/door"
        assert sensor["availability_topic"] == "house/door/availability"
        assert sensor["device"]["identifiers"] == ["tinysight_house_door"]
        assert sensor["origin"]["name"] == "tinysight"
    assert label["unique_id"] != confidence["unique_id"]
    assert listener.of("house/door/availability") == [b"online"]
    (state,) = map(json.loads, listener.of("house/door"))
    assert state == json.loads(answer().to_json())
    templates = pytest.importorskip("jinja2").Environment(autoescape=False)
    render = lambda sensor, state: templates.from_string(sensor["value_template"]).render(value_json=state)  # noqa: E731
    assert render(label, state) == "cat"
    assert render(label, {**state, "decision": None}) == "unknown"
    assert render(confidence, state) == "12.3"
    publisher.close()
    wait_until(lambda: listener.of("house/door/availability") == [b"online", b"offline"])


def test_a_new_reader_gets_the_last_state(mosquitto):
    broker = mosquitto.broker()
    publisher = Publisher(broker, discovery(broker, "homeassistant", "1"), print)
    for number in range(3):
        publisher.write(answer(number))
    publisher.close()
    late = Listener(mosquitto.port)
    wait_until(lambda: len(late.heard) >= 4)
    assert late.frames() == [2]
    assert late.of("house/door/availability") == [b"offline"]
    late.close()


def test_a_broker_that_restarts_gets_all_that_was_queued(mosquitto, listener):
    said = []
    publisher = Publisher(mosquitto.broker(), {"announced": {"a": 1}}, said.append)
    publisher.write(answer(0))
    wait_until(lambda: listener.frames() == [0])
    mosquitto.stop()
    wait_until(lambda: said)
    for number in range(1, 200):
        publisher.write(answer(number))
    mosquitto.start()
    wait_until(lambda: len(said) == 2 and len({*listener.frames()}) == 200)
    assert list(dict.fromkeys(listener.frames())) == list(range(200))  # in order; one may come twice at qos 1
    wait_until(lambda: len(listener.of("announced")) >= 2)
    assert said[0].startswith(f"waiting for the MQTT broker at 127.0.0.1:{mosquitto.port}: lost it")
    assert said[1] == f"the MQTT broker at 127.0.0.1:{mosquitto.port} is back"
    publisher.close()


def test_beyond_the_limit_the_loop_is_told_and_the_oldest_go(mosquitto):
    mosquitto.stop()
    publisher = Publisher(mosquitto.broker(), {}, lambda line: None, queue_limit=5)
    for number in range(5):
        publisher.write(answer(number))
    for number in (5, 6):
        with pytest.raises(OSError, match="the oldest of 5 queued answers go"):
            publisher.write(answer(number))
    assert not publisher._connected.is_set()
    mosquitto.start()
    wait_until(lambda: not publisher._queue)
    publisher.close()
    heard = Listener(mosquitto.port)
    wait_until(heard.frames)
    assert heard.frames() == [6]  # the retained state is the newest
    heard.close()


def test_the_user_logs_in_with_the_password_of_the_environment(tmp_path, monkeypatch):
    passwords = tmp_path / "passwords"
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        missing_tool("mosquitto_passwd is not installed (Debian: apt install mosquitto)")
    subprocess.run([tool, "-b", "-c", str(passwords), "me", "hush"], check=True, capture_output=True)
    passwords.chmod(0o644)
    server = Mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}")
    try:
        said = []
        monkeypatch.setenv(PASSWORD, "wrong")
        refused = Publisher(server.broker("me"), {}, said.append)
        wait_until(lambda: said)
        assert PASSWORD in said[0]
        assert "hush" not in said[0]
        refused.close()
        monkeypatch.setenv(PASSWORD, "hush")
        heard = Listener(server.port, "me", "hush")
        publisher = Publisher(server.broker("me"), {}, said.append)
        publisher.write(answer(9))
        wait_until(lambda: heard.frames() == [9])
        publisher.close()
        heard.close()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Return a folder with a CA of our own, another one, and a broker's certificates for 127.0.0.1."""
    if shutil.which("openssl") is None:
        missing_tool("openssl is not installed (Debian: apt install openssl)")
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "host").write_text("subjectAltName=IP:127.0.0.1\n")
    for ca in ("ca", "stranger"):
        openssl(folder, "req", "-x509", "-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
    openssl(folder, "req", "-subj", "/CN=broker", "-keyout", "broker.key", "-out", "broker.csr")
    for name, day in (("broker", "2"), ("expired", "-1")):
        files = ["-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "host"]
        run = ["openssl", "x509", "-req", *files, "-days", day, "-out", f"{name}.pem"]
        subprocess.run(run, cwd=folder, check=True, capture_output=True)
    return folder


def openssl(folder, *arguments):
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(["openssl", *arguments, *key], cwd=folder, check=True, capture_output=True)


@contextlib.contextmanager
def tls_mosquitto(folder, certificates, certificate="broker"):
    settings = [f"certfile {certificates / certificate}.pem", f"keyfile {certificates / 'broker.key'}"]
    server = Mosquitto(folder, "allow_anonymous true", *settings)
    try:
        yield server
    finally:
        server.stop()


def test_with_the_own_ca_answers_arrive_encrypted(tmp_path, certificates):
    ca = certificates / "ca.pem"
    with tls_mosquitto(tmp_path, certificates) as server:
        heard, said = Listener(server.port, ca=ca), []
        publisher = Publisher(server.broker(ca=ca), {"announced": {"a": 1}}, said.append)
        publisher.write(answer(7))
        wait_until(lambda: heard.frames() == [7] and heard.of("announced"))
        server.stop()
        wait_until(lambda: said)
        publisher.write(answer(8))
        server.start()
        wait_until(lambda: said[1:])
        assert said[1].endswith(" is back")
        publisher.close()
        heard.close()
        late = Listener(server.port, ca=ca)
        wait_until(lambda: late.frames() == [8])
        assert late.of("house/door/availability") == [b"offline"]
        late.close()


@pytest.mark.parametrize(
    ("certificate", "host", "ca", "why"),
    [
        (
            "broker",
            "127.0.0.1",
            "stranger.pem",
            r"unable to get local issuer certificate; did .*stranger\.pem sign it\?",
        ),
        ("broker", "localhost", "ca.pem", r"'localhost'; name the host in --mqtt as its certificate does"),
        ("expired", "127.0.0.1", "ca.pem", r"certificate has expired; is this machine's clock right\?"),
    ],
)
def test_a_wrong_certificate_is_one_line_and_nothing_is_sent(certificate, host, ca, why, tmp_path, certificates):
    with tls_mosquitto(tmp_path, certificates, certificate) as server:
        said = []
        publisher = Publisher(server.broker(host=host, ca=certificates / ca), {}, said.append, queue_limit=5)
        for number in range(5):
            publisher.write(answer(number))  # the loop goes on
        wait_until(lambda: said)
        time.sleep(1.2)  # one more try
        publisher.close()
        (line,) = said
        place = f"waiting for the MQTT broker at {host}:{server.port}: its certificate is refused: "
        assert re.fullmatch(re.escape(place) + f".*{why}; answers are queued", line)
        assert "\n" not in line
        assert not publisher._connected.is_set()


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
def test_tls_on_one_side_alone_is_one_line(scheme, tmp_path, certificates):
    ours = scheme == "mqtts"
    with contextlib.closing(Mosquitto(tmp_path)) if ours else tls_mosquitto(tmp_path, certificates) as server:
        said = []
        publisher = Publisher(server.broker(ca=certificates / "ca.pem" if ours else None), {}, said.append)
        wait_until(lambda: said)
        publisher.close()
        assert said[0].endswith(f": it hangs up; is {server.port} its port for {scheme}://?; answers are queued")


def test_a_fault_behind_a_broker_that_was_away_is_told_too(tmp_path, certificates):
    with tls_mosquitto(tmp_path, certificates) as server:
        server.stop()
        said = []
        publisher = Publisher(server.broker(ca=certificates / "stranger.pem"), {}, said.append)
        wait_until(lambda: said)
        server.start()
        wait_until(lambda: said[1:])
        publisher.close()
    assert "can't reach it: Connection refused" in said[0]
    assert "its certificate is refused" in said[1]


def test_a_loop_that_is_killed_is_offline(mosquitto, listener, int8_model, network):
    line = ["-m", "edge.camera_classify", "--model", int8_model, "--source", f"{network}/stream"]
    line += ["--mqtt", f"mqtt://127.0.0.1:{mosquitto.port}/house/door"]
    child = subprocess.Popen(
        [sys.executable, *map(str, line)],
        env={**environment(), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: len(listener.frames()) > 2)
        assert listener.of("house/door/availability") == [b"online"]
        child.send_signal(signal.SIGKILL)
        wait_until(lambda: listener.of("house/door/availability") == [b"online", b"offline"])
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("broker_there", [True, False])
def test_the_end_comes_soon_whatever_the_broker_does(broker_there, mosquitto):
    publisher = Publisher(mosquitto.broker(), {}, lambda line: None)
    if not broker_there:
        mosquitto.stop()
    publisher.write(answer())
    ended = threading.Thread(target=publisher.close, daemon=True)
    ended.start()
    ended.join(WAIT_S)
    assert not ended.is_alive()
