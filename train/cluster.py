"""Which machines train together, as the standard variable TF_CONFIG says; importable without TensorFlow.

TF_CONFIG={"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.errors import UserError

STRATEGIES = ("auto", "one", "mirrored", "multiworker")
VARIABLE = "TF_CONFIG"

_EXPECTED = f"Expected {VARIABLE} to be like " + (
    '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}'
)
_ADVICE = "python -m train.launch --hosts HOST:PORT,HOST:PORT prints it for each machine"


class WorkerLost(Exception):
    """Another worker went away in the midst of training."""


@dataclass(frozen=True)
class Cluster:
    """Workers that train one model together.

    Attributes:
        workers: Address of each, "HOST:PORT".
        index: Which of them this process is; 0 is the chief, the one that writes.
    """

    workers: tuple[str, ...]
    index: int

    def to_json(self) -> str:
        """Return it as TF_CONFIG has it."""
        return json.dumps({"cluster": {"worker": self.workers}, "task": {"type": "worker", "index": self.index}})


def find_cluster(strategy: str, environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Return the cluster that this process belongs to; None where it trains alone.

    Args:
        strategy: One of STRATEGIES; auto means a cluster where TF_CONFIG names one.
        environment: Where TF_CONFIG is looked up.

    Raises:
        UserError: If TF_CONFIG is malformed, or missing where a cluster was asked for.
    """
    if strategy not in ("auto", "multiworker"):
        return None
    text = environment.get(VARIABLE, "").strip()
    found = _parse(text) if text else None
    if found is None and strategy == "multiworker":
        raise UserError(f"Expected {VARIABLE} with workers for --strategy multiworker, found none; {_ADVICE}")
    return found


def _parse(text: str) -> Cluster | None:
    """Read TF_CONFIG; None where it names no workers, as that of a notebook's machine may."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"no JSON ({error})") from error
    if not isinstance(content, dict):
        raise _wrong(_kind(content))
    cluster, task = content.get("cluster", {}), content.get("task", {})
    if not isinstance(cluster, dict) or not isinstance(task, dict):
        raise _wrong(f"a cluster that is {_kind(cluster)} and a task that is {_kind(task)}")
    if not cluster:
        return None
    if other := sorted(cluster.keys() - {"chief", "worker"}):
        raise _wrong(f"a cluster with {', '.join(map(json.dumps, other))}")
    jobs = {job: cluster.get(job, []) for job in ("chief", "worker")}  # a chief is the first worker by another name
    for job, addresses in jobs.items():
        if not isinstance(addresses, list) or not all(is_address(each) for each in addresses):
            raise _wrong(f"{job} {json.dumps(addresses)}")
    workers = [*jobs["chief"], *jobs["worker"]]
    if len(set(workers)) != len(workers):
        raise _wrong(f"workers that have the same address: {', '.join(workers)}")
    job, index = task.get("type"), task.get("index")
    if not isinstance(job, str) or job not in jobs:
        raise _wrong(f"a task of type {json.dumps(job)}")
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(jobs[job]):
        raise _wrong(f"index {json.dumps(index)} for {len(jobs[job])} addresses of {job}")
    return Cluster(tuple(workers), index + (len(jobs["chief"]) if job == "worker" else 0))


def is_address(value: Any) -> bool:
    """Tell whether a value is HOST:PORT."""
    if not isinstance(value, str):
        return False
    host, _, port = value.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 1 << 16
    return bool(host) and not any(letter.isspace() for letter in host) and is_port


def _kind(value: Any) -> str:
    """Return the name of a JSON value's kind."""
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _wrong(got: str) -> UserError:
    """Return the error about a malformed TF_CONFIG."""
    return UserError(f"{_EXPECTED}, got {got}; {_ADVICE}")


def start_again(command: Sequence[str]) -> None:
    """Put a new process in this one's place: TensorFlow can't meet others twice."""
    os.execv(command[0], list(command))  # noqa: S606 - no shell, our own command line
