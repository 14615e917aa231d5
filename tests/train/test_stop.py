import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from train.stop import stop_requests


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_instead_of_died_of(signum):
    before = signal.getsignal(signum)
    with stop_requests() as request:
        assert request.signum is None
        os.kill(os.getpid(), signum)
        assert request.signum == signum
    assert signal.getsignal(signum) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_in_another_thread_signals_are_let_be():
    before, found = signal.getsignal(signal.SIGTERM), []

    def look():
        with stop_requests() as request:
            found.append((request.signum, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [(None, before)]


def test_a_block_that_takes_too_long_is_ended():
    # The main thread is in C code, as in a long step, where Python's own handlers can't run.
    code = """
import hashlib
from train.stop import stop_requests
with stop_requests(0.2):
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**8)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 143
    assert err == "error: no time to save before leaving; the checkpoint before stays\n"
