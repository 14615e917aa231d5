"""Finds what the benchmarks measured of a run's files: in a results file, or in latency.json, size.json... beside them.

A row counts only for the very file that it is about: one of another hash is of an older model and is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.answers import printable
from edge.errors import UserError
from edge.run_folder import read_json

Row = dict[str, Any]
READ = ("latency", "accuracy", "robustness", "size")


@dataclass(frozen=True)
class Measured:
    """What was measured of a run's files.

    Attributes:
        rows: Section -> file -> its rows.
        machine: Where the latencies are from, such as "AMD EPYC, 2 cores"; None where there are none.
    """

    rows: Mapping[str, Mapping[str, list[Row]]]
    machine: str | None

    def of(self, section: str, file: str, runtime: str | None = None) -> list[Row]:
        """Return the rows about a file; given a runtime such as "onnxruntime 1.32.0", those of its distribution."""
        rows = self.rows.get(section, {}).get(file, [])
        return [row for row in rows if runtime is None or runtime_name(row) == runtime.split(" ")[0]]


def find_measured(run: Path, sha256s: Mapping[str, str], results: Mapping[str, Any] | None) -> Measured:
    """Find the rows about a run's files.

    Args:
        run: The run's folder, as the user typed it.
        sha256s: The run's files and their hashes.
        results: A results file's content; a section that it lacks is read from the run's folder.

    Raises:
        UserError: If a file in the run's folder isn't what its benchmark writes.
    """
    rows: dict[str, dict[str, list[Row]]] = {}
    machine = None
    for section in READ:
        if results and section in results:
            found = _from_results(run, sha256s, results[section])
        else:
            found = _from_run(run, section)
        rows[section] = _keep(run, section, found["rows"], sha256s)
        if section == "latency" and any(rows[section].values()):
            machine = describe_machine(found)
    return Measured(rows, machine)


def describe_machine(section: Mapping[str, Any]) -> str:
    """Return the processor's name and cores as a section's fingerprint has them."""
    machine = section.get("machine")
    machine = machine if isinstance(machine, dict) else {}
    cores = machine.get("cores", "?")
    said = f"{machine.get('cpu_model') or 'an unnamed processor'}, {cores} core{'' if cores == 1 else 's'}"
    return printable(said)


def runtime_name(row: Mapping[str, Any]) -> str:
    """Return the distribution that a row's runtime is; empty where the row says none."""
    return str(row.get("runtime") or "").split(" ")[0]


def measure_command(run: Path, section: str) -> str:
    """Return the command that writes a section into a run's folder."""
    flag = " --robustness" if section == "robustness" else ""
    module = "accuracy" if section == "robustness" else section
    return f"python -m benchmarks.{module}{flag} --run {run} --json {run / f'{section}.json'}"


def _from_results(run: Path, sha256s: Mapping[str, str], section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section of a results file with the rows that are about a run: by its name, or by a file's hash."""
    name, hashes = run.resolve().name, {*sha256s.values()}
    rows = [
        row
        for row in section["rows"]
        if (Path(str(row["run"])).name == name if row.get("run") is not None else row.get("sha256") in hashes)
    ]
    return {**section, "rows": rows}


def _from_run(run: Path, section: str) -> dict[str, Any]:
    """Return a section that lies in a run's folder; without rows where it doesn't."""
    path = run / f"{section}.json"
    if not path.exists():
        return {"rows": []}
    found = read_json(path, measure_command(run, section))
    rows = found.get("rows")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("model"), str) for row in rows
    ):
        raise UserError(f"Expected measured rows in {path}; measure again: {measure_command(run, section)}")
    return found


def _keep(run: Path, section: str, rows: list[Row], sha256s: Mapping[str, str]) -> dict[str, list[Row]]:
    """Return the rows by the file that they are about; name on stderr those of an older model."""
    kept: dict[str, list[Row]] = {}
    for row in rows:
        file = Path(str(row.get("model"))).name  # timed by its path, maybe
        if file not in sha256s:
            continue
        if row.get("sha256") not in (None, sha256s[file]):
            print(
                f"left out: the {section} of another {file} than the one in {run}; "
                f"measure again: {measure_command(run, section)}",
                file=sys.stderr,
            )
            continue
        kept.setdefault(file, []).append(row)
    return kept
