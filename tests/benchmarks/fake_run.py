"""Writes runs whose figures a test can name, as train.run, convert.quantize and the benchmarks would."""

import json

FLOAT, INT8, ONNX = "model_float32.tflite", "model_int8.tflite", "model_float32.onnx"
HASHES = {FLOAT: "f" * 64, INT8: "8" * 64, ONNX: "0" * 64}
MACHINE = {"cpu_model": "Cortex-A76", "cores": 4}
CONVERSION = {
    "files": {
        name: {
            "scheme": "int8" if "int8" in name else "float32",
            "size_bytes": size,
            "sha256": HASHES[name],
            "test": {"n": 394, "accuracy": accuracy, "agreement": agreement},
            "latency_ratio": 1.0,
        }
        for name, size, accuracy, agreement in (
            (FLOAT, 400_000, 0.79, 1.0),
            (INT8, 104_000, 0.787, 0.985),
            (ONNX, 399_000, 0.79, 1.0),
        )
    }
}


def timed(name, invoke, frame_to_label, num_threads=1, ratio=1.0, **values):
    """Return a row of latency."""
    file = name.rpartition("/")[2]
    return {
        "model": name,
        "sha256": HASHES[file],
        "scheme": "int8" if "int8" in file else "float32",
        "runtime": "onnxruntime 1.32.0" if file.endswith(".onnx") else "ai-edge-litert 2.3.0",
        "num_threads": num_threads,
        "invoke_ms": {"p50": invoke},
        "frame_to_label_ms": {"p50": frame_to_label, "p90": frame_to_label * 2},
        "latency_ratio": ratio,
        **values,
    }


LATENCY = {
    "machine": MACHINE,
    "rows": [
        timed(FLOAT, 2.0, 2.2),
        timed(f"runs/demo/{INT8}", 0.5, 0.7, ratio=0.25),  # timed by its path
        timed(FLOAT, 1.0, 1.2, num_threads=4),
    ],
}


def write(path, content):
    """Write JSON."""
    path.write_text(json.dumps(content))


def write_run(folder, architecture="cnn", data="solar", labels=("a", "b")):
    """Write a run into a folder and return it; nobody timed its .onnx."""
    folder.mkdir(exist_ok=True)
    (folder / "model.keras").write_bytes(b"k" * 1_200_000)
    write(folder / "config.json", {"model": architecture, "data": data})
    write(folder / "dataset.json", {"name": data, "labels": list(labels)})
    write(folder / "metrics.json", {"test": {"n": 394, "accuracy": 0.7921, "accuracy_interval": [0.75, 0.83]}})
    write(folder / "conversion.json", CONVERSION)
    write(folder / "latency.json", LATENCY)
    return folder
