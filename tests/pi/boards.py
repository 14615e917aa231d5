"""The boards whose processors are emulated, and what their kernels say about them."""

from __future__ import annotations

from dataclasses import dataclass

_ARMV8_0 = "fp asimd evtstrm crc32 cpuid"


@dataclass(frozen=True)
class Board:
    """A board as a runtime sees it: XNNPACK chooses its kernels by these values.

    Attributes:
        name: What it is.
        cpu: The processor, by QEMU's name.
        part: Arm's number of it; see "Main ID Register" in its manual.
        variant: First half of its revision.
        revision: Second half.
        features: Its instruction sets, by the kernel's names.
    """

    name: str
    cpu: str
    part: str
    variant: str
    revision: str
    features: str


BOARDS = {
    "pi3": Board("Raspberry Pi 3 and Zero 2 W", "cortex-a53", "0xd03", "0x0", "4", _ARMV8_0),
    "pi4": Board("Raspberry Pi 4", "cortex-a72", "0xd08", "0x0", "3", _ARMV8_0),
    "pi5": Board(
        "Raspberry Pi 5",
        "cortex-a76",
        "0xd0b",
        "0x4",
        "1",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
    ),
}


def cpuinfo(board: Board, cores: int) -> str:
    """Return the text of a board's /proc/cpuinfo, with so many cores."""
    values = {
        "BogoMIPS": "108.00",
        "Features": board.features,
        "CPU implementer": "0x41",
        "CPU architecture": "8",
        "CPU variant": board.variant,
        "CPU part": board.part,
        "CPU revision": board.revision,
    }
    lines = "".join(f"{key}\t: {value}\n" for key, value in values.items())
    listed = "".join(f"processor\t: {core}\n{lines}\n" for core in range(cores))
    return f"{listed}Model\t\t: {board.name} (emulated)\n"
