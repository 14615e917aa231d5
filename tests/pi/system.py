"""A Debian for arm64 in a folder: made once, entered often."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UserError
from edge.run_folder import write_json
from tests.pi.boards import Board, cpuinfo
from tests.pi.machine import mount, remove_tree

DEFAULT_MIRROR = "http://deb.debian.org/debian"
_PACKAGES = ("python3", "python3-venv")
_APT = Path("/etc/apt")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CPUINFO = "var/lib/board-cpuinfo"
# Nobody reads manuals here, and a system whose making is cut short is made anew: dpkg need not wait for the disk.
_DPKG = (
    "force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n"
)


@dataclass(frozen=True)
class Suite:
    """A release of Debian.

    Attributes:
        python: Its Python, major.minor.
        glibc: Minor version of its C library, which bounds the wheels that it takes.
    """

    python: str
    glibc: int


SUITES = {"bookworm": Suite("3.11", 36), "trixie": Suite("3.13", 41)}


@dataclass(frozen=True)
class System:
    """An arm64 system in a folder.

    Attributes:
        root: The folder; what is put into its srv/ is ours.
    """

    root: Path

    def power(self, board: Board) -> None:
        """Be this board from now on. What a runtime asks the kernel about its processor is answered for the board.

        QEMU leaves /proc/cpuinfo and /sys to the machine below. Without them, or with those of x86, XNNPACK doesn't
        start and LiteRT silently computes by other kernels than a board's (or crashes).
        """
        text = cpuinfo(board, os.cpu_count() or 1)
        told = self.root / _CPUINFO
        if (self.root / "proc" / "self").exists():
            if told.read_text(encoding="utf-8") == text:
                return
            with told.open("r+", encoding="utf-8") as file:  # in place: the file that is mounted stays the same
                file.truncate()
                file.write(text)
            return
        told.write_text(text, encoding="utf-8")
        mount("-t", "proc", "proc", self.root / "proc")
        mount("-t", "sysfs", "-o", "ro", "sysfs", self.root / "sys")
        mount("--bind", told, self.root / "proc" / "cpuinfo")

    def run(self, board: Board, line: Sequence[str], folder: str = "/srv") -> subprocess.CompletedProcess[str]:
        """Run a program of the system on a board.

        Args:
            board: The board; see `power`.
            line: The program and its arguments.
            folder: Where, in the system.
        """
        self.power(board)
        settings = {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", "QEMU_CPU": board.cpu}
        # coreutils' chroot changes no folder but to the new root; env does.
        entered = ["chroot", str(self.root), "env", f"--chdir={folder}", *line]
        return subprocess.run(
            entered, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def call(self, board: Board, line: Sequence[str], folder: str = "/srv") -> str:
        """Run a program that must succeed, and return what it printed.

        Raises:
            UserError: If it fails.
        """
        done = self.run(board, line, folder)
        if done.returncode:
            raise UserError(f"{' '.join(line)[:200]} failed on {board.name}: {last_words(done.stdout + done.stderr)}")
        return done.stdout


def make_system(folder: Path, suite: str) -> System:
    """Return the Debian of a suite in a folder; make it if it isn't there whole.

    Raises:
        UserError: If debootstrap fails.
    """
    made = folder / "made.json"
    recipe = {"suite": suite, "packages": [*_PACKAGES], "dpkg": _DPKG}
    system = System(folder / "root")
    if made.exists() and json.loads(made.read_text(encoding="utf-8")) == recipe:
        return system
    made.unlink(missing_ok=True)
    remove_tree(system.root)
    folder.mkdir(parents=True, exist_ok=True)
    mirror = choose_mirror(read_sources(_APT), suite)
    print(f"making Debian {suite} for arm64 in {folder}, once; this takes some minutes", file=sys.stderr)
    root = str(system.root)
    fetch = ["debootstrap", "--arch=arm64", "--variant=minbase", "--foreign", f"--include={','.join(_PACKAGES)}"]
    _debootstrap([*fetch, suite, root, mirror], folder / "debootstrap.log")
    (system.root / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True, exist_ok=True)
    (system.root / "etc/dpkg/dpkg.cfg.d/tinysight").write_text(_DPKG, encoding="ascii")
    _debootstrap(["chroot", root, "/debootstrap/debootstrap", "--second-stage"], folder / "debootstrap.log")
    for package in (system.root / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()
    write_json(made, recipe)
    return system


def _debootstrap(line: Sequence[str], log: Path) -> None:
    """Run one of the two stages; UserError where it fails."""
    with log.open("a", encoding="utf-8") as file:
        done = subprocess.run(
            line, env={**os.environ, "PATH": _PATH, "LC_ALL": "C"}, stdout=file, stderr=file, check=False
        )
    if done.returncode:
        words = last_words(log.read_text(encoding="utf-8", errors="replace"))
        raise UserError(f"Could not make the arm64 system: {words}; all of it is in {log}")


def last_words(said: str) -> str:
    """Return the last line of what a program said."""
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "without a word")


def read_sources(folder: Path) -> list[str]:
    """Return the texts of apt's lists of sources, in its order."""
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    wanted = (path for path in files if path.suffix in (".list", ".sources") and path.is_file())
    return [path.read_text(encoding="utf-8", errors="replace") for path in wanted]


def choose_mirror(sources: Iterable[str], suite: str) -> str:
    """Return the address of the Debian mirror that this machine uses, where apt's lists name one.

    Args:
        sources: The lists' texts, in the one-line or the deb822 style.
        suite: The suite that is wanted. A mirror that is named for another suite of Debian carries it too.
    """
    named = [pair for text in sources for pair in _read_entries(text) if pair[0].startswith(("http://", "https://"))]
    for suites in ({suite}, {*SUITES, "stable", "oldstable", "testing", "sid", "unstable"}):
        for address, its_suite in named:
            if its_suite in suites:
                return address.rstrip("/")
    return DEFAULT_MIRROR


def _read_entries(text: str) -> list[tuple[str, str]]:
    """Return (address, suite) of each source of binary packages that has a component `main`."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = [_LINE.match(line) for line in lines]
    entries = [(each["uri"], each["suite"]) for each in found if each and "main" in each["components"].split()]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {key.lower(): value for key, value in _FIELD.findall(stanza)}
        if fields.get("enabled", "yes").strip().lower() == "no" or "deb" not in fields.get("types", "").split():
            continue
        if "main" in fields.get("components", "").split():
            addresses, suites = fields.get("uris", "").split(), fields.get("suites", "").split()
            entries += [(address, each) for address in addresses for each in suites]
    return entries


_LINE = re.compile(r"\s*deb\s+(?:\[[^]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")
_FIELD = re.compile(r"^([A-Za-z-]+):(.*(?:\n[ \t].*)*)", re.MULTILINE)


def installed_bytes(status: str, name: str) -> int:
    """Return the size of the installed Debian packages whose names match, by their own word.

    Args:
        status: Text of /var/lib/dpkg/status.
        name: Regular expression of the whole name.
    """
    total = 0
    for stanza in status.split("\n\n"):
        fields: Mapping[str, str] = dict(re.findall(r"^(Package|Status|Installed-Size): (.*)$", stanza, re.MULTILINE))
        if re.fullmatch(name, fields.get("Package", "")) and fields.get("Status", "").endswith(" installed"):
            total += 1024 * int(fields["Installed-Size"])
    return total
