"""A camera on the Raspberry Pi's ribbon cable (CSI), by picamera2: OpenCV can't read these."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Any

from edge.errors import UserError

_SIZE = 640, 480  # (width, height): the sensor scales for nothing; classifiers take less


class PiCamera:
    """Gives the frames of a CSI camera as OpenCV's captures do."""

    def __init__(self, number: int = 0, timeout_s: float = 2.0) -> None:
        """Start a camera.

        Args:
            number: Which one, in picamera2's order.
            timeout_s: Seconds that a frame is waited for; the slowest usual rate is one in 0.1 s.

        Raises:
            UserError: If picamera2 isn't there, or has no such camera, or can't have it.
        """
        self._timeout_s = timeout_s
        library = import_picamera2()
        count = count_pi_cameras()
        if number >= count:
            raise UserError(
                f"Expected a camera {number} on the ribbon cable, picamera2 sees {count or 'none'}; "
                "check the cable with: rpicam-hello --list-cameras"
            )
        try:
            self._camera = library.Picamera2(number)
        except Exception as error:  # RuntimeError, IndexError: it depends on where libcamera gives up
            raise _refusal(number, error) from error
        try:
            # Called RGB888, yet blue comes first in memory: libcamera names the bytes from the highest down.
            self._camera.configure(self._camera.create_video_configuration(main={"size": _SIZE, "format": "RGB888"}))
            self._camera.start()
        except Exception as error:
            self.release()
            raise _refusal(number, error) from error

    def read(self) -> tuple[bool, Any]:
        """Return (True, the next frame, BGR (H, W, 3) uint8), or (False, None) where there is none in time."""
        try:
            return True, self._camera.capture_array("main", wait=self._timeout_s)
        except Exception:  # concurrent.futures' TimeoutError, or whatever libcamera says of a dead camera
            return False, None

    def release(self) -> None:
        """Stop the camera and let go of it."""
        try:
            self._camera.close()
        except Exception as error:  # it is lost either way; the next opening tells whether that matters
            logging.getLogger(__name__).debug("closing the camera: %s", error)


def import_picamera2() -> Any:
    """Import picamera2, silenced: its one line comes from us.

    Raises:
        UserError: If it isn't there or doesn't work with this NumPy.
    """
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:FATAL")
    logging.getLogger("picamera2").setLevel(logging.CRITICAL)
    try:
        library = importlib.import_module("picamera2")
    except ModuleNotFoundError as error:
        raise UserError(
            f"A camera on the ribbon cable needs picamera2 ({error}); run: sudo apt install python3-picamera2, and "
            "make the environment with: python3 -m venv --system-site-packages"
        ) from error
    except (ImportError, ValueError, AttributeError) as error:  # built for another NumPy: picamera2#1211
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"picamera2 does not load ({reason}); install the part of it that was built for another NumPy anew: "
            f"{sys.executable} -m pip install --force-reinstall --no-deps simplejpeg"
        ) from error
    return library


def count_pi_cameras() -> int:
    """Return how many CSI cameras picamera2 sees; USB cameras, which it lists behind them, are OpenCV's.

    Raises:
        UserError: If picamera2 isn't there or can't look.
    """
    library = import_picamera2()
    try:
        cameras = library.Picamera2.global_camera_info()
    except Exception as error:  # whatever libcamera says where it can't even look
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"picamera2 can't look for cameras: {reason}; see: rpicam-hello --list-cameras") from error
    return sum("/usb" not in str(camera.get("Id", "")) for camera in cameras)


def _refusal(number: int, error: Exception) -> UserError:
    """Say in one line why a camera didn't start."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return UserError(
        f"Camera {number} on the ribbon cable does not start: {reason}; another program may hold it, see: "
        "sudo lsof /dev/video* /dev/media*"
    )
