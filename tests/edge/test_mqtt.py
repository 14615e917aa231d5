"""Publishes to a real Mosquitto, and reads with its own client what arrives."""

import contextlib
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from edge.errors import MissingPackage, UserError
from edge.mqtt import PASSWORD, Broker, Publisher, discovery, parse_broker
from tests.edge.conftest import environment
from tests.edge.test_answers import answer
from tests.requirements import missing_tool

WAIT_S = 30  # far more than anything here takes


@pytest.mark.parametrize(
    ("text", "broker"),
    [
        ("mqtt://host", Broker("host", 1883, None, False, "tinysight")),
        ("mqtt://me@host:99/house/door", Broker("host", 99, "me", False, "house/door")),
        ("mqtts://10.0.0.2/a", Broker("10.0.0.2", 8883, None, True, "a")),
        ("mqtt://a%40b@[::1]/t%20u/", Broker("::1", 1883, "a@b", False, "t u")),
    ],
)
def test_addresses_are_read(text, broker):
    assert parse_broker(text) == broker


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("host", "Expected --mqtt mqtt://user@host"),
        ("http://host/x", "Expected --mqtt mqtt://user@host"),
        ("mqtt://", "Expected --mqtt mqtt://user@host"),
        ("mqtt://host:port/x", "Expected --mqtt mqtt://user@host"),
        ("mqtt://host/a?b=c", "Expected --mqtt mqtt://user@host"),
        ("mqtt://host/a/+/b", "without [+] and #"),
        ("mqtt://me:hush@host/x", f"holds a password.*{PASSWORD}"),
    ],
)
def test_what_is_no_address_is_one_line(text, message):
    with pytest.raises(UserError, match=message) as refusal:
        parse_broker(text)
    assert "\n" not in str(refusal.value)
    assert "hush" not in str(refusal.value)


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

    def broker(self, user=None):
        return Broker("127.0.0.1", self.port, user, False, "house/door")


class Listener:
    """Hears all that is published, with a plain client of its own."""

    def __init__(self, port, user=None, password=None):
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard, self._subscribed = [], threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=True)
        if user:
            self.client.username_pw_set(user, password)
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
