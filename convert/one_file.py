"""One file carries all that its use needs: labels, metadata, golden samples, and the proof that it is whole.

A .tflite takes them as zip entries behind the flatbuffer, as standard TFLite Metadata does (`convert.tflite_metadata`);
runtimes skip them. They are stored, not deflated: MediaPipe refuses a file with a deflated entry. A .onnx takes them in
`metadata_props`, pictures in base64, together with the keys that Ultralytics' reader looks for. Both end in a hash of
all before it, which `edge.seal` checks. Equal inputs give equal files.

The files: `labels.txt`, a class a line; for each golden sample `golden/1-photo.jpg` (or .png), the photo as it came,
and `golden/1.png`, the image made of it; in a .tflite of two classes with a temperature `score_calibration.csv`, which
MediaPipe reads; and `metadata.json`, an object of these keys, to which more may be added:

- "format": "tinysight"; "format_version": 1
- "labels": the classes in the order of the output; "image_size": [height, width]; "scheme": such as "int8"
- "temperature": what the scores are tempered by to be confidences (`edge.confidence`); absent means 1
- "threshold": the confidence below which an answer may be called unknown; absent where none was found
- "dataset": {"name", "source", "licence"} of the photos that it was trained on
- "provenance": {"run", "config_sha256", "dataset_sha256", "tinysight"}: what it was made from, by which version
- "golden": a list of {"name", "label", "photo", "png", "scores", "source", "licence", "largest_pixel_difference"},
  `edge.golden.GoldenSample` with the names of the two files in place of their bytes; absent where there are none
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

from convert import tflite_front, tflite_metadata
from edge import seal
from edge.embedded import PICTURES
from edge.golden import GoldenSample

_EPOCH = (1980, 1, 1, 0, 0, 0)  # zip's earliest time, so that equal models are equal files
_UNIX = 3  # zip's number for the system that made an entry; Python writes the one that it runs on
_FLOAT32 = 0  # of TFLite's TensorType


def embed_in_tflite(model: bytes, metadata: dict[str, Any], golden: Sequence[GoldenSample] = ()) -> bytes:
    """Return the .tflite as one sealed file.

    Args:
        model: A TFLite flatbuffer of one image input, without appended files.
        metadata: What `Source.describe` gives; "labels" and "image_size" are needed.
        golden: Golden samples, with the scores of this very model.

    Raises:
        TinySightError: If the bytes are no TFLite model.
    """
    described = tflite_metadata.model_metadata(metadata, float_input=_input_type(model) == _FLOAT32)
    file = io.BytesIO()
    file.write(tflite_front.insert_front(model, seal.MARKER, tflite_metadata.NAME, described))
    files = _files(metadata, golden)
    calibration = tflite_metadata.score_calibration(metadata)
    if calibration is not None:
        files[tflite_metadata.SCORE_CALIBRATION] = calibration.encode()
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            archive.writestr(entry, content)
        archive.comment = seal.TFLITE_END + bytes(seal.DIGITS)
    body = file.getvalue()[: -seal.DIGITS]
    return body + seal.digest(body)


def embed_in_onnx(model: bytes, metadata: dict[str, Any], golden: Sequence[GoldenSample] = ()) -> bytes:
    """Return the .onnx as one sealed file; see `embed_in_tflite`."""
    import onnx

    proto = onnx.load_from_string(model)
    texts = {
        name: (base64.b64encode(content) if name.startswith(PICTURES) else content).decode()
        for name, content in _files(metadata, golden).items()
    }
    batch = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value if proto.graph.input else 0
    onnx.helper.set_model_props(proto, {**_ultralytics(metadata, batch or 1), **texts})
    # Of all fields the producer's name is written first but for two bytes of a version.
    made_by = f"{proto.producer_name} {proto.producer_version}".strip()
    proto.producer_name, proto.producer_version = seal.MARKER.decode(), made_by
    # The end is written by hand: a model's functions would come behind the last of `metadata_props`.
    entry = b"\x0a" + bytes([len(seal.END)]) + seal.ONNX_END
    body: bytes = proto.SerializeToString(deterministic=True)
    body += b"\x72" + bytes([len(entry) + seal.DIGITS]) + entry
    return body + seal.digest(body)


def _files(metadata: dict[str, Any], golden: Sequence[GoldenSample]) -> dict[str, bytes]:
    """Return the embedded files' names and contents."""
    files = {"labels.txt": "".join(f"{label}\n" for label in metadata["labels"]).encode()}
    pictures: dict[str, bytes] = {}
    listed = []
    for sample in golden:
        suffix = "png" if sample.photo.startswith(b"\x89PNG") else "jpg"
        photo, png = f"{PICTURES}{sample.name}-photo.{suffix}", f"{PICTURES}{sample.name}.png"
        pictures |= {photo: sample.photo, png: sample.png}
        listed.append(
            {
                "name": sample.name,
                "label": sample.label,
                "photo": photo,
                "png": png,
                "scores": list(sample.scores),
                "source": sample.source,
                "licence": sample.licence,
                "largest_pixel_difference": sample.largest_pixel_difference,
            }
        )
    content = {**metadata, "golden": listed} if listed else metadata
    files["metadata.json"] = json.dumps(content, indent=2, ensure_ascii=False).encode()
    return files | pictures


def _ultralytics(metadata: dict[str, Any], batch: int) -> dict[str, str]:
    """Return the properties that Ultralytics' reader asks for, all as Python literals, and those it shows."""
    dataset, provenance = metadata.get("dataset", {}), metadata.get("provenance", {})
    return {
        "description": f"{dataset.get('name', '')} classifier".strip(),
        "author": "tinysight",
        "version": provenance.get("tinysight", ""),
        "license": dataset.get("licence", ""),
        "stride": "1",  # what their classifiers have: any size is a multiple
        "task": "classify",
        "batch": str(batch),
        "imgsz": str(list(metadata["image_size"])),
        "names": str(dict(enumerate(metadata["labels"]))),
    }


def _input_type(model: bytes) -> int:
    """Return the TensorType of a .tflite's first input."""
    from ai_edge_litert.schema_py_generated import Model

    graph = Model.GetRootAs(model).Subgraphs(0)
    return int(graph.Tensors(graph.Inputs(0)).Type())
