"""Listens on a real datagram socket, as systemd does."""

import contextlib
import os
import signal
import socket
import subprocess
import sys

import pytest

from edge.supervisor import Supervisor
from tests.edge.conftest import environment
from tests.edge.test_runtimes import write_onnx


@pytest.fixture(params=["file", "abstract"])
def systemd(request, tmp_path):
    """Return a socket that waits for messages, and the address as systemd would tell it."""
    name = str(tmp_path / "notify") if request.param == "file" else f"@tinysight-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0"))
        listener.settimeout(60)  # an emulated board takes long to start
        yield listener, name


def received(listener):
    """Return what has come so far."""
    messages = []
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            messages.append(listener.recv(4096).decode())
    return messages


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_it_says_how_the_loop_is(systemd):
    listener, address = systemd
    clock = Clock()
    settings = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    with Supervisor(settings, clock) as supervisor:
        assert received(listener) == []
        supervisor.ready()
        assert received(listener) == ["READY=1", "WATCHDOG=1"]
        for seconds in range(46):  # at half of 30 seconds, however often it is called
            clock.now = 1000.0 + seconds
            for _ in range(10):
                supervisor.alive()
        assert received(listener) == ["WATCHDOG=1"] * 3
        supervisor.status("lost /dev/video0;\n opening it again")
        assert received(listener) == ["STATUS=lost /dev/video0; opening it again"]
        for seconds in range(21):
            clock.now = 2000.0 + seconds
            supervisor.progress(f"{seconds} answered")
        assert received(listener) == ["STATUS=0 answered", "STATUS=10 answered", "STATUS=20 answered"]
    assert received(listener) == ["STOPPING=1"]


@pytest.mark.parametrize(
    "settings", [{}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}]
)
def test_without_a_watchdog_of_its_own_none_is_fed(settings, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        with Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify"), **settings}) as supervisor:
            supervisor.ready()
            supervisor.alive()
        assert received(listener) == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize(
    "settings", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"NOTIFY_SOCKET": "/no"}]
)
def test_where_nobody_listens_nothing_happens(settings):
    with Supervisor({"WATCHDOG_USEC": "2", **settings}) as supervisor:
        supervisor.ready()
        supervisor.alive()
        supervisor.status("well")
        supervisor.progress("well")


def test_a_manager_that_does_not_read_holds_nobody_up(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        with Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify")}) as supervisor:
            for _ in range(5000):
                supervisor.status("x" * 1000)


# Runs the loop on the bench of tests.cameras, which stands in the child's folder; argv: folder, what to do, flags.
_LOOP = """
import sys
from pathlib import Path
from edge import camera_classify, reader
from tests.cameras import Bench
reader.OPENING_S = 0.3
bench = Bench(Path(sys.argv[1]))
if sys.argv[2] != "absent":
    device = bench.plug_in(0)
    if sys.argv[2] == "hangs":
        bench.stall(device)
with bench.installed():
    sys.exit(camera_classify.main(sys.argv[3:]))
"""


def start_loop(tmp_path, what, *more, notify=""):
    """Start the loop as a process of its own under a watchdog of 0.4 seconds."""
    from onnx import TensorProto

    write_onnx(tmp_path / "model.onnx", TensorProto.FLOAT, [0.25, 0.75])
    flags = ["--model", str(tmp_path / "model.onnx"), "--source", "0", "--stall-timeout", "0.3", *more]
    return subprocess.Popen(
        [sys.executable, "-c", _LOOP, str(tmp_path / "bench"), what, *flags],
        env=environment(NOTIFY_SOCKET=notify, WATCHDOG_USEC="400000"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("what", ["answers", "absent"])
def test_the_loop_tells_systemd_while_it_answers_or_waits(what, systemd, tmp_path):
    listener, address = systemd
    with start_loop(tmp_path, what, "--wait", notify=address) as child:
        messages = []
        with contextlib.suppress(TimeoutError):
            messages += [listener.recv(4096).decode() for _ in range(8)]
        child.send_signal(signal.SIGTERM)
        _, noted = child.communicate(timeout=20)
    messages += received(listener)
    assert child.returncode == 0, noted
    assert messages[:2] == ["READY=1", "WATCHDOG=1"]
    assert messages.count("WATCHDOG=1") >= 4
    assert messages.count("STOPPING=1") == 1
    assert messages[-1] == "STOPPING=1"
    status = next(message for message in messages if message.startswith("STATUS="))
    assert "frames answered" in status if what == "answers" else "STATUS=waiting for" in status


def test_the_watchdog_is_not_fed_once_only_a_new_process_helps(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(60)
        with start_loop(tmp_path, "hangs", "--wait", notify=str(tmp_path / "notify")) as child:
            messages = [listener.recv(4096).decode()]
            listener.settimeout(1.5)  # much longer than the watchdog's half
            with contextlib.suppress(TimeoutError):
                while len(messages) < 100:
                    messages.append(listener.recv(4096).decode())
            child.send_signal(signal.SIGTERM)
            _, noted = child.communicate(timeout=20)
    assert child.returncode == 0, noted
    assert messages.count("WATCHDOG=1") < 20
    assert "hangs again while 2 earlier reads hang" in noted


@pytest.mark.parametrize("what", ["hangs", "absent"])
def test_sigterm_ends_it_at_once_while_a_read_hangs_or_the_camera_is_away(what, tmp_path):
    with start_loop(tmp_path, what, "--wait") as child:
        if what == "absent":
            for line in child.stderr:
                if line.startswith("waiting"):
                    break
        else:
            for line in child.stderr:
                if line.startswith("lost"):
                    break
        child.send_signal(signal.SIGTERM)
        _, noted = child.communicate(timeout=20)
    assert child.returncode == 0, noted
