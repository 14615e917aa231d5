"""Who reads our files: each consumer with its program and the environment that it runs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Consumer:
    """One reader of model files.

    Attributes:
        name: As the table shows it.
        suffix: Of the files that it reads.
        environment: Where its program runs: a name of `tests.consumers.environments`.
        program: File in `programs/`; called as `PROGRAM MODEL PHOTOS ANSWER ARGUMENT...`.
        arguments: What the program gets besides.
        sees_labels: Whether it has a way to the labels in the file, so that missing them is a fault.
        kin: Name of the consumer before it whose kernels it shares, where those aren't the reference's: that one's
            scores it must give. How it stands to the reference is told all the same.
        has_own_int8: Whether it computes quantized layers in its own way, so that a near tie may turn.
        limits: What it is known not to read, by the file's scheme, with the reason.
        prepare: Makes of (model, labels, folder) what the program gets in the model's place; None: the file itself.
    """

    name: str
    suffix: str
    environment: str
    program: str
    arguments: tuple[str, ...] = ()
    sees_labels: bool = True
    kin: str | None = None
    has_own_int8: bool = False
    limits: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Path, list[str], Path], Path] | None = None


def _frigate_folder(model: Path, labels: list[str], folder: Path) -> Path:
    """Lay a model out for Frigate."""
    from convert.frigate import write_frigate

    write_frigate(model, labels, folder)
    return folder


# The first of each suffix is the one that the others are compared with.
CONSUMERS = (
    Consumer("ai-edge-litert", ".tflite", "development", "tflite_interpreter.py", ("ai_edge_litert",)),
    Consumer(
        "ai-edge-litert, no XNNPACK",
        ".tflite",
        "development",
        "tflite_interpreter.py",
        ("ai_edge_litert", "BUILTIN_WITHOUT_DEFAULT_DELEGATES"),
        has_own_int8=True,
        limits={
            "dynamic_range": "these kernels of ai-edge-litert 2.3 answer 17 photos in 100 otherwise, where those of "
            "tflite-runtime 2.14 answer none otherwise"
        },
    ),
    Consumer(
        "tflite-runtime",
        ".tflite",
        "edge-legacy",
        "tflite_interpreter.py",
        ("tflite_runtime",),
        kin="ai-edge-litert, no XNNPACK",  # its XNNPACK, of 2023, leaves quantized models alone
    ),
    Consumer("tf.lite.Interpreter", ".tflite", "development", "tflite_interpreter.py", ("tensorflow",)),
    Consumer("MediaPipe ImageClassifier", ".tflite", "mediapipe", "mediapipe_tasks.py"),
    Consumer("LiteRT.js", ".tflite", "browser", "chromium.py", (str(PAGES / "litert.js"),), sees_labels=False),
    Consumer("Frigate's loader", ".tflite", "edge", "frigate.py", prepare=_frigate_folder),
    Consumer("onnxruntime", ".onnx", "development", "onnx_runtime.py"),
    Consumer("OpenCV's dnn", ".onnx", "edge", "opencv_dnn.py", sees_labels=False, has_own_int8=True),
    Consumer(
        "OpenCV's dnn, older",
        ".onnx",
        "edge-legacy",
        "opencv_dnn.py",
        sees_labels=False,
        limits=dict.fromkeys(("int8", "int8_qat"), "the importer of OpenCV 4.9 fails on quantized files"),
    ),
    Consumer("onnxruntime-web", ".onnx", "browser", "chromium.py", (str(PAGES / "onnxruntime.js"),), sees_labels=False),
)
