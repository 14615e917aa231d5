"""Starts the page as users do, in a process of its own."""

import contextlib
import re
import subprocess
import sys
import threading

from tests.tree import ROOT

_START_S = 60  # then it is killed, lest a read from one that says nothing wait for ever


@contextlib.contextmanager
def serving(run, *flags):
    """Yield the process and its address once it listens on a free port."""
    command = [sys.executable, "-m", "webdemo", "--run", str(run), "--port", "0", *flags]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = threading.Timer(_START_S, process.kill)
        deadline.start()
        try:
            line = process.stdout.readline()
            address = re.search(r"http://\S+/", line)
            assert address, (line, process.stderr.read())
            deadline.cancel()
            yield process, address[0]
        finally:
            deadline.cancel()
            process.kill()
