"""This machine's side of the emulation: what it must have, a namespace for all mounts, arm64 programs in the kernel.

Everything happens in a mount and a process namespace of its own. However this ends, also by `kill -9`, the kernel takes
its mounts and its processes away. Nothing of this machine's own files is mounted into the arm64 system.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from edge.errors import UserError

INSIDE = "--inside-namespace"
_QEMU = "qemu-aarch64-static"
# The Debian package of each program.
_PACKAGES = {
    "debootstrap": "debootstrap",
    _QEMU: "qemu-user-static",
    "unshare": "util-linux",
    "mount": "mount",
    "chroot": "coreutils",
}
_NAMESPACE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_HANDLERS = Path("/proc/sys/fs/binfmt_misc")
_HANDLER = "tinysight-arm64"
# The beginning of a 64-bit Arm program: ELF, 64 bits, little-endian, executable or shared object, machine 183. As in
# QEMU's scripts/qemu-binfmt-conf.sh.
_MAGIC = bytes.fromhex("7f454c460201010000000000000000000200b700")
_MASK = bytes.fromhex("ffffffffffffff00fffffffffffffffffeffffff")


def require_machine(os_release: Mapping[str, str] | None = None) -> None:
    """Check that an arm64 system can be made and run here.

    Args:
        os_release: What /etc/os-release says; None to read it.

    Raises:
        UserError: If this is no Debian on x86-64, the user isn't root, a program is missing or mounting is forbidden.
    """
    if platform.machine() != "x86_64":
        raise UserError(f"Expected x86-64, whose scores those of arm64 are compared with; this is {platform.machine()}")
    if os_release is None:
        try:
            os_release = platform.freedesktop_os_release()
        except OSError:
            os_release = {}
    if "debian" not in (os_release.get("ID"), *os_release.get("ID_LIKE", "").split()):
        system = os_release.get("PRETTY_NAME", platform.system())
        raise UserError(f"Expected Debian or a child of it, for debootstrap; this is {system}; run it in a Debian")
    if os.geteuid() != 0:
        raise UserError(
            f"Expected root, to make an arm64 system and enter it; this is user {os.geteuid()}; run as root"
        )
    missing = [program for program in _PACKAGES if shutil.which(program) is None]
    if missing:
        packages = " ".join(dict.fromkeys(_PACKAGES[program] for program in missing))
        raise UserError(f"Expected {', '.join(missing)}, found none; install: apt install {packages}")
    tried = subprocess.run([*_NAMESPACE, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise UserError(f"May make no namespace here ({tried.stderr.strip()}); run it outside of this container")


def enter_namespace(argv: Sequence[str]) -> NoReturn:
    """Become `python -m tests.pi` in a mount and a process namespace of its own, which end with it."""
    os.execvp(_NAMESPACE[0], [*_NAMESPACE, sys.executable, "-m", "tests.pi", INSIDE, *argv])


@contextmanager
def emulation(handlers: Path = _HANDLERS) -> Iterator[None]:
    """Let the kernel run arm64 programs through QEMU, also in another root; where it already does, leave it so.

    Args:
        handlers: Where the kernel's list of interpreters is, or is to be mounted.

    Raises:
        UserError: If the kernel lets nobody add to the list.
    """
    if not (handlers / "register").exists():
        mount("-t", "binfmt_misc", "binfmt_misc", handlers)
    entries = [path for path in handlers.iterdir() if path.name not in ("register", "status")]
    if any(runs_arm64(path.read_text(encoding="ascii", errors="replace")) for path in entries):
        yield
        return
    qemu = shutil.which(_QEMU) or _QEMU
    try:
        (handlers / "register").write_bytes(handler_line(qemu))
    except OSError as error:
        raise UserError(f"The kernel takes no interpreter for arm64 programs here: {error.strerror}") from error
    try:
        yield
    finally:
        (handlers / _HANDLER).write_text("-1", encoding="ascii")


def handler_line(qemu: str) -> bytes:
    """Return what registers QEMU; F opens it now, so that it needs not be in the root that a program runs in."""
    magic, mask = ("".join(f"\\x{byte:02x}" for byte in value) for value in (_MAGIC, _MASK))
    return f":{_HANDLER}:M::{magic}:{mask}:{qemu}:F\n".encode("ascii")


def runs_arm64(entry: str) -> bool:
    """Tell whether an entry of the kernel's list runs arm64 programs in any root."""
    lines = entry.splitlines()
    values = dict(line.split(maxsplit=1) for line in lines if len(line.split()) > 1)
    return lines[:1] == ["enabled"] and "F" in values.get("flags:", "") and values.get("magic") == _MAGIC.hex()


def mount(*arguments: str | Path) -> None:
    """Mount, in this namespace alone.

    Raises:
        UserError: If it's forbidden here.
    """
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"May not mount here ({done.stderr.strip()}); run it outside of this container")


def remove_tree(folder: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> None:
    """Remove a folder, unless something is mounted in it: what would then be removed may be anything.

    Raises:
        UserError: If something is.
    """
    points = [Path(line.split()[4]) for line in mountinfo.read_text(encoding="utf-8").splitlines()]
    inside = [str(point) for point in points if point.is_relative_to(folder.resolve())]
    if inside:
        raise UserError(f"Expected nothing mounted in {folder}, found {', '.join(inside)}; unmount it first")
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
