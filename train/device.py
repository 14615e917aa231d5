"""What the training runs on: TensorFlow without its chatter, the device's name, what it is good at."""

from __future__ import annotations

import ctypes
import os
import platform
import warnings
from pathlib import Path
from typing import Any

PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}

# Parameters of glibc's mallopt, from its malloc.h, and what keeps freed memory in the process: no block of its own for
# each large tensor, nothing given back, one arena for all threads (the others can't grow beyond 64 MB).
_KEEP_MEMORY = {-4: 0, -1: 2**31 - 1, -8: 1}  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_ARENA_MAX


def import_tensorflow() -> Any:
    """Import TensorFlow quietly, as far as it lets itself be told; `native_log` keeps the rest off the screen."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # these must stand before the import
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # TensorFlow leaves it off on processors without AVX-512
    keep_freed_memory()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import tensorflow
        import tf_keras  # noqa: F401 - it chatters too
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow


def keep_freed_memory() -> bool:
    """Let memory that is freed stay with the process, where the C library can be told so (glibc).

    Each training step takes and frees the same hundreds of MB. glibc gives them back to the system every time, and the
    system hands out zeroed pages anew: a fifth to a third of a step's time went into that.

    Returns:
        Whether it could be told.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(*each) == 1 for each in _KEEP_MEMORY.items())


def prepare(seed: int, deterministic: bool = True) -> None:
    """Seed everything; let TensorFlow repeat itself to the bit, which costs nothing measurable on processors."""
    tensorflow = import_tensorflow()
    import tf_keras as keras

    for gpu in tensorflow.config.list_physical_devices("GPU"):
        tensorflow.config.experimental.set_memory_growth(gpu, True)
    keras.utils.set_random_seed(seed)
    if deterministic:
        tensorflow.config.experimental.enable_op_determinism()


def gpu_names() -> list[str]:
    """Return the names of the GPUs that TensorFlow can use."""
    config = import_tensorflow().config
    gpus = config.list_physical_devices("GPU")
    return [config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]


def device_name() -> str:
    """Return what trains, such as "GPU: NVIDIA L4" or "CPU: AMD EPYC, 2 cores"."""
    gpus = gpu_names()
    return f"GPU: {', '.join(gpus)}" if gpus else f"CPU: {cpu_name()}, {os.cpu_count()} cores"


def cpu_name() -> str:
    """Return the processor's model where the system tells it, else its architecture."""
    return _cpu_entry("model name") or _cpu_entry("Model") or platform.processor() or platform.machine()


def multiplies_bfloat16() -> bool:
    """Tell whether the processor has instructions for bfloat16; where it doesn't, float32 is quicker."""
    return bool(_BFLOAT16_FLAGS & {*_cpu_entry("flags").split()})


def _cpu_entry(name: str) -> str:
    """Return the first entry of that name in Linux's /proc/cpuinfo; empty where there is none."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    entries = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in entries if key.strip() == name), "")
