"""Answers to an MQTT broker, found by Home Assistant by itself.

Below the topic of `--mqtt mqtt://host/topic`: the topic itself has the newest answer as JSON, retained;
`topic/availability` says "online" or "offline", the latter by the broker when we die. While the broker is away answers
wait in a queue; beyond its limit the oldest are lost, and the loop is told.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import re
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edge.broker import FORMS, PASSWORD, Broker, hung_up, make_context, say_why
from edge.errors import MissingPackage, UserError
from edge.extras import install_line

if TYPE_CHECKING:
    from edge.answers import Answer

QUEUE_LIMIT = 1000
_KEEPALIVE_S = 15  # a broker whose machine lost its power is noticed after one and a half of it
_BACK_OFF_S = 1, 3  # first and longest pause before connecting again
_POLL_S = 0.1
_FLUSH_S = 1.0  # what the end of the loop waits for the last answers to arrive


def discovery(broker: Broker, prefix: str, version: str) -> dict[str, dict[str, Any]]:
    """Return Home Assistant's discovery messages by topic: the label as one sensor, its confidence as another."""
    node = re.sub(r"[^A-Za-z0-9_-]+", "_", f"tinysight_{broker.topic}")
    shared = {
        "state_topic": broker.topic,
        "availability_topic": f"{broker.topic}/availability",
        "device": {"identifiers": [node], "name": broker.topic, "manufacturer": "TinySight", "sw_version": version},
        "origin": {"name": "tinysight", "sw_version": version},
    }
    label = {
        "name": "Label",
        "unique_id": f"{node}_label",
        "icon": "mdi:eye",
        "json_attributes_topic": broker.topic,
        # Home Assistant shows a null as "unknown", which is what is meant.
        "value_template": "{{ value_json.decision if value_json.decision is not none else 'unknown' }}",
    }
    confidence = {
        "name": "Confidence",
        "unique_id": f"{node}_confidence",
        "unit_of_measurement": "%",
        "state_class": "measurement",
        "value_template": "{{ (value_json.confidence * 100) | round(1) }}",
    }
    return {
        f"{prefix}/sensor/{node}/label/config": {**label, **shared},
        f"{prefix}/sensor/{node}/confidence/config": {**confidence, **shared},
    }


class Publisher:
    """Publishes answers from the loop; paho's thread connects, again and again."""

    def __init__(
        self,
        broker: Broker,
        announcements: dict[str, dict[str, Any]],
        report: Callable[[str], None],
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        """Begin to connect; a broker that isn't there yet is waited for while the loop goes on.

        Args:
            broker: Where to.
            announcements: Messages by topic that are published, retained, with each connection.
            report: Is told in a line when the broker is waited for, lost, or back.
            queue_limit: Answers that wait at most while the broker is away.

        Raises:
            UserError: If paho-mqtt is missing or too old, or the file of an own CA can't be used.
        """
        try:
            paho: Any = importlib.import_module("paho.mqtt.client")
            enums: Any = importlib.import_module("paho.mqtt.enums")
        except ModuleNotFoundError as error:  # paho-mqtt 1 has no paho.mqtt.enums
            raise MissingPackage(f"--mqtt needs paho-mqtt 2. Install it: {install_line('paho')}") from error
        self._broker, self._announcements, self._report = broker, announcements, report
        self._place = f"the MQTT broker at {broker.host}:{broker.port}"
        self._status = f"{broker.topic}/availability"
        self._was_lost = False
        self._fault = ""  # that waiting won't mend, told of last
        self._queue: deque[str] = deque(maxlen=queue_limit)
        self._changed, self._connected = threading.Condition(), threading.Event()
        self._closing, self._given_up = threading.Event(), threading.Event()
        self._acknowledged: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._client = client = paho.Client(enums.CallbackAPIVersion.VERSION2)
        client.reconnect_delay_set(*_BACK_OFF_S)
        client.will_set(self._status, "offline", qos=1, retain=True)
        if broker.user is not None:
            client.username_pw_set(broker.user, os.environ.get(PASSWORD))
        if broker.tls:
            client.tls_set_context(make_context(broker))
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_publish = lambda _client, _data, number, _reason, _properties: self._acknowledged.put(number)
        try:
            client.connect_async(broker.host, broker.port, keepalive=_KEEPALIVE_S)
        except ValueError as error:
            raise UserError(f"Expected --mqtt {FORMS}: {error}") from error
        client.loop_start()
        self._thread = threading.Thread(target=self._run, name="mqtt-queue", daemon=True)
        self._thread.start()

    def write(self, answer: Answer) -> None:
        """Queue an answer; OSError where the oldest had to go for it."""
        with self._changed:
            is_full = len(self._queue) == self._queue.maxlen
            self._queue.append(answer.to_json())
            self._changed.notify()
        if is_full:
            raise OSError(f"the broker is away, and the oldest of {self._queue.maxlen:,} queued answers go")

    def close(self) -> None:
        """Say goodbye, after the answers that wait; within two seconds, whatever the broker does."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(_FLUSH_S)  # also where a short run ends before the connection is made
        self._given_up.set()
        if self._connected.is_set():
            goodbye = self._client.publish(self._status, "offline", qos=1, retain=True)
            with contextlib.suppress(RuntimeError):  # the connection broke just now: then the will speaks
                goodbye.wait_for_publish(_FLUSH_S / 2)
        self._client.on_disconnect = self._client.on_connect_fail = None
        self._client.disconnect()
        # In a thread, since paho's own may hang in connecting; both are daemons, and then left behind.
        stopping = threading.Thread(target=self._client.loop_stop, daemon=True)
        stopping.start()
        stopping.join(_FLUSH_S / 2)

    def _run(self) -> None:
        """Hand answer after answer to paho, each once the one before has arrived; the thread's body.

        Given several, paho sends new ones before those that it repeats after a connection broke, and the state that
        the broker retains would be an old one.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing.is_set())
                if not self._queue:
                    return
            if not self._connected.wait(_POLL_S):
                if self._given_up.is_set():
                    return
                continue
            with self._changed:
                state = self._queue.popleft()
            number = self._client.publish(self._broker.topic, state, qos=1, retain=True).mid
            while self._next_acknowledged() != number:
                if self._given_up.is_set():
                    return

    def _next_acknowledged(self) -> int | None:
        """Return the number of a message that arrived; None where none did for a while."""
        try:
            return self._acknowledged.get(timeout=_POLL_S)
        except queue.Empty:
            return None

    def _on_connect(self, client: Any, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        """Announce ourselves; called with each connection, by paho's thread."""
        if reason.is_failure:
            self._lose(f"it refuses us: {reason}; check user and {PASSWORD}", is_fault=True)
            return
        # At qos 0: sent on the connection that just came, or anew on the next.
        for topic, message in self._announcements.items():
            client.publish(topic, json.dumps(message), retain=True)
        client.publish(self._status, "online", retain=True)
        if self._was_lost:
            self._report(f"{self._place} is back")
        self._was_lost, self._fault = False, ""
        self._connected.set()

    def _on_disconnect(self, _client: Any, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        """Tell that the broker is away."""
        was_connected = self._connected.is_set()
        self._connected.clear()
        self._lose(f"lost it: {reason}" if was_connected else hung_up(self._broker))

    def _on_connect_fail(self, _client: Any, _data: object) -> None:
        """Tell that the broker can't be reached; paho calls it while it handles the error, and keeps that to itself."""
        reason, is_fault = say_why(sys.exc_info()[1], self._broker)
        self._lose(reason, is_fault=is_fault)

    def _lose(self, reason: str, *, is_fault: bool = False) -> None:
        """Tell that the broker is away, once; and once more where it turns out that waiting won't mend it."""
        if not self._was_lost or (is_fault and reason != self._fault):
            self._report(f"waiting for {self._place}: {reason}; answers are queued")
        self._was_lost = True
        self._fault = reason if is_fault else self._fault
