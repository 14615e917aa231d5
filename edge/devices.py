"""Which cameras the kernel knows, and how one is found again that came back under another number.

The numbers of /dev/video* go by order of arrival: a camera that was unplugged while somebody still held it open comes
back under the next free one. What stays is the name that udev makes of vendor, model and serial number
(/dev/v4l/by-id), and the name that the driver gives (/sys/class/video4linux/*/name).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

_DEV = Path("/dev")
_LINKS = Path("/dev/v4l/by-id")
_NAMES = Path("/sys/class/video4linux")
# How names of nodes begin: the Pi's codecs and image processors, and the receivers of a ribbon cable's raw pixels.
# OpenCV gets no picture out of any of them.
CODECS = ("bcm2835-codec", "bcm2835-isp", "pispbe", "pisp_be", "rpi-hevc-dec", "rpivid")
RECEIVERS = ("rp1-cfe", "unicam")


@dataclass(frozen=True)
class Identity:
    """What is known about a camera.

    Attributes:
        device: Where it is, such as /dev/video0.
        links: Its names below /dev/v4l/by-id.
        name: What its driver calls it; empty where that is unknown.
        index: Which of the camera's nodes it is; a USB camera has a second one that gives no pictures.
    """

    device: str
    links: frozenset[str] = frozenset()
    name: str = ""
    index: str = ""

    def __str__(self) -> str:
        return f"{self.device} ({self.name})" if self.name else self.device


def list_devices() -> list[str]:
    """Return all video devices, by number."""
    devices = (path for path in _DEV.glob("video*") if path.name[5:].isdecimal())
    return sorted(map(str, devices), key=lambda device: (len(device), device))


def list_cameras() -> list[Identity]:
    """Return the video devices that may be cameras, by number."""
    return [camera for camera in map(identify, list_devices()) if not camera.name.startswith(CODECS + RECEIVERS)]


def device_of(number: int) -> str:
    """Return the device file of a camera's number."""
    return str(_DEV / f"video{number}")


def identify(device: str) -> Identity:
    """Find out what is known about a device, by whatever link it is named."""
    path = Path(device)
    with contextlib.suppress(OSError, RuntimeError):  # a loop of links
        path = path.resolve()
    links: set[str] = set()
    with contextlib.suppress(OSError):
        links = {link.name for link in _LINKS.iterdir() if link.resolve() == path}
    return Identity(str(path), frozenset(links), _read(path.name, "name"), _read(path.name, "index"))


def find_again(camera: Identity) -> list[str]:
    """Return where a camera may be by now, the likeliest first.

    A camera with another name is never taken for it; where no name is known all cameras are.
    """
    found = [other for other in list_cameras() if _may_be(camera, other)]

    def unlikeliness(other: Identity) -> tuple[bool, bool, bool]:
        return not camera.links & other.links, other.index != camera.index, other.device != camera.device

    return [other.device for other in sorted(found, key=unlikeliness)]


def _may_be(camera: Identity, other: Identity) -> bool:
    """Tell whether `other` may be the camera that was lost."""
    if camera.links and other.links:
        return bool(camera.links & other.links)
    return not camera.name or camera.name == other.name


def _read(node: str, attribute: str) -> str:
    """Read what sysfs says about a device; empty where it says nothing."""
    try:
        return (_NAMES / node / attribute).read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, ValueError):
        return ""
