"""Starts several workers on this machine, to try it: `python -m train.launch --workers 2 -- --data PHOTOS`.

What stands behind `--` are flags of train.run. On real machines train.run is started on each of them, with the
TF_CONFIG that `--hosts` prints.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from types import FrameType

from edge.command import command, parser, positive_int
from edge.errors import UserError
from train.cluster import VARIABLE, Cluster, is_address
from train.run import default_output
from train.settings import run_flags

_LEAVE_SECONDS = 10.0  # workers have 5 to save; then they are killed


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Start the workers and stay with them, or print what starts them elsewhere."""
    flags = parser("python -m train.launch", "Train with several workers on this machine, or print how on several.")
    flags.add_argument("--workers", type=positive_int, default=2, metavar="N", help="how many processes")
    flags.add_argument(
        "--hosts", metavar="HOST:PORT,...", help="start nothing: print the command for each of these machines"
    )
    flags.add_argument(
        "--restarts", type=positive_int, default=3, metavar="N", help="how often killed workers are started again"
    )
    flags.add_argument("arguments", nargs="*", metavar="ARG", help="flags of train.run, behind --")
    given = flags.parse_args(argv)
    arguments = _complete(given.arguments)
    if given.hosts:
        for line in commands(_hosts(given.hosts), arguments):
            print(line)
        return 0
    workers = tuple(f"127.0.0.1:{port}" for port in free_ports(given.workers))
    print("on several machines, start one of these on each:", file=sys.stderr)
    for line in commands([f"HOST{index}:2222" for index in range(given.workers)], arguments):
        print(f"  {line}", file=sys.stderr)
    return supervise(workers, arguments, given.restarts)


def commands(hosts: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Return the command line that starts each worker, in a shell's words."""
    run = shlex.join(["python", "-m", "train.run", *arguments])
    return [f"{VARIABLE}={shlex.quote(Cluster(tuple(hosts), index).to_json())} {run}" for index in range(len(hosts))]


def supervise(workers: tuple[str, ...], arguments: Sequence[str], restarts: int) -> int:
    """Start the workers; start killed ones again; when one fails, end them all.

    Args:
        workers: Address of each.
        arguments: Flags of train.run.
        restarts: How often a killed worker is started again, in all.

    Returns:
        The exit code of the first that failed; 0 when all are done.
    """
    processes: dict[int, subprocess.Popen[bytes]] = {}
    with _signals_passed_on(processes) as received:
        for index in range(len(workers)):
            processes[index] = _start(workers, index, arguments)
        arguments = [each for each in arguments if each != "--force"]  # what began anew is gone on with
        while processes:
            time.sleep(0.1)
            for index, process in list(processes.items()):
                code = process.poll()
                if code is None:
                    continue
                del processes[index]
                if code < 0 and not received and restarts:  # killed, by somebody else
                    restarts -= 1
                    print(f"worker {index} was killed by signal {-code}; it is started again", file=sys.stderr)
                    processes[index] = _start(workers, index, arguments)
                elif code or index == 0:  # one that failed; or the chief is done, and with it the run
                    _end(processes, _LEAVE_SECONDS if code == 0 else 0.0)
                    return code if code >= 0 else 128 - code
    return 0


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _complete(arguments: Sequence[str]) -> list[str]:
    """Check flags of train.run; name the run's folder, so that a worker that starts again finds it."""
    given = run_flags().parse_args(arguments)
    if given.output is None and not given.resume:
        return [*arguments, "--output", str(default_output(given.data, given.model))]
    return list(arguments)


def _hosts(text: str) -> list[str]:
    """Return the addresses that --hosts names."""
    hosts = [each.strip() for each in text.split(",")]
    if not all(map(is_address, hosts)) or len(set(hosts)) != len(hosts):
        raise UserError(f"Expected --hosts like 10.0.0.1:2222,10.0.0.2:2222, each once, got {text!r}")
    return hosts


def _start(workers: tuple[str, ...], index: int, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a worker."""
    environment = os.environ | {VARIABLE: Cluster(workers, index).to_json()}
    return subprocess.Popen([sys.executable, "-m", "train.run", *arguments], env=environment)


def _end(processes: dict[int, subprocess.Popen[bytes]], patience: float = 0.0) -> None:
    """Wait for the workers to leave by themselves, then ask them to; kill those that don't."""
    late = time.monotonic() + patience
    while any(process.poll() is None for process in processes.values()) and time.monotonic() < late:
        time.sleep(0.1)
    for process in processes.values():
        process.terminate()
    late = time.monotonic() + _LEAVE_SECONDS
    for process in processes.values():
        try:
            process.wait(max(0.0, late - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _signals_passed_on(processes: dict[int, subprocess.Popen[bytes]]) -> Iterator[list[int]]:
    """Pass SIGTERM and SIGINT on to the workers while the block runs; gives the list of those that came."""
    received: list[int] = []

    def pass_on(signum: int, frame: FrameType | None) -> None:
        received.append(signum)
        for process in processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    before = {signum: signal.signal(signum, pass_on) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


if __name__ == "__main__":
    sys.exit(main())
