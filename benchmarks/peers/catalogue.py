"""Who is asked beside us: each with its program and the environment that it runs in."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.environments import MEDIAPIPE_LOCK, EnvironmentMissing, install_packages
from edge.classifier import Classifier

PROGRAMS = Path(__file__).parent / "programs"
_EDGE = Path(__file__).parents[2] / "edge"


@dataclass(frozen=True)
class Peer:
    """Somebody who turns a frame and a model file into a class.

    Attributes:
        name: As the table shows it.
        suffix: Of the files that it takes.
        program: File in `programs/`.
        find_python: Gives, with the folder of environments, the Python that runs the program, or raises
            EnvironmentMissing.
        arguments: What the program gets besides, by the loaded model.
        is_bound: Whether this is no peer but what nobody can be faster than: the runtime's invoke alone.
    """

    name: str
    suffix: str
    program: str
    find_python: Callable[[Path], str]
    arguments: Callable[[Classifier], tuple[str, ...]] = lambda model: ()
    is_bound: bool = False


def _this_python(module: str) -> Callable[[Path], str]:
    """Return what finds the Python that runs us, where it has a module."""

    def find(cache: Path) -> str:
        if importlib.util.find_spec(module) is None:
            raise EnvironmentMissing(f"{module} is not installed here")
        return sys.executable

    return find


def _legacy(cache: Path) -> str:
    return install_packages(_EDGE / "requirements-legacy.lock", (3, 11), cache / "edge-legacy")


def _mediapipe(cache: Path) -> str:
    return install_packages(MEDIAPIPE_LOCK, None, cache / "mediapipe")


def _by_hand(module: str) -> Callable[[Classifier], tuple[str, ...]]:
    return lambda model: (module,)


def _shape_and_dtype(model: Classifier) -> tuple[str, ...]:
    """Return what OpenCV can't be asked about a file; one of ours says its scheme."""
    is_int8 = str(model.metadata.get("scheme", "")).startswith("int8")
    return (*map(str, model.image_size), "uint8" if is_int8 else "float32")


OURS = "TinySight"
BARE = "ai-edge-litert, invoke alone"
PEERS = (
    Peer(OURS, ".tflite", "ours.py", _this_python("ai_edge_litert")),
    Peer(BARE, ".tflite", "bare.py", _this_python("ai_edge_litert"), is_bound=True),
    Peer("MediaPipe ImageClassifier", ".tflite", "mediapipe_tasks.py", _mediapipe),
    Peer(
        "ai-edge-litert by hand",
        ".tflite",
        "tflite_interpreter.py",
        _this_python("ai_edge_litert"),
        _by_hand("ai_edge_litert"),
    ),
    Peer(
        "TensorFlow's interpreter",
        ".tflite",
        "tflite_interpreter.py",
        _this_python("tensorflow"),
        _by_hand("tensorflow"),
    ),
    Peer("tflite-runtime", ".tflite", "tflite_interpreter.py", _legacy, _by_hand("tflite_runtime")),
    Peer(OURS, ".onnx", "ours.py", _this_python("onnxruntime")),
    Peer("onnxruntime by hand", ".onnx", "onnx_runtime.py", _this_python("onnxruntime")),
    Peer("OpenCV's dnn", ".onnx", "opencv_dnn.py", _this_python("cv2"), _shape_and_dtype),
)
