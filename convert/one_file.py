"""One file carries all that its use needs: labels and metadata.json inside the model itself.

A .tflite takes them as zip entries behind the flatbuffer, as standard TFLite Metadata does; runtimes skip them. They
are stored, not deflated: MediaPipe refuses a file with a deflated entry. A .onnx takes them in `metadata_props`.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's earliest time, so that equal models are equal files


def embed_in_tflite(model: bytes, metadata: dict[str, Any]) -> bytes:
    """Return the .tflite with labels.txt and metadata.json appended.

    Args:
        model: A TFLite flatbuffer without appended files.
        metadata: What `Source.describe` gives; "labels" is needed.
    """
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        for name, text in _texts(metadata).items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text)
    return file.getvalue()


def embed_in_onnx(model: bytes, metadata: dict[str, Any]) -> bytes:
    """Return the .onnx with labels.txt and metadata.json among its `metadata_props`."""
    import onnx

    proto = onnx.load_from_string(model)
    onnx.helper.set_model_props(proto, _texts(metadata))
    serialized: bytes = proto.SerializeToString(deterministic=True)
    return serialized


def _texts(metadata: dict[str, Any]) -> dict[str, str]:
    """Return the embedded files' names and contents."""
    return {
        "labels.txt": "".join(f"{label}\n" for label in metadata["labels"]),
        "metadata.json": json.dumps(metadata, indent=2, ensure_ascii=False),
    }
