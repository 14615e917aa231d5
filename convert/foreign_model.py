"""Loads a model of whatever Keras or a SavedModel as one of ours: raw pixels in, scores out, in one tf_keras graph.

So all that follows, the converters above all, knows one kind of model only.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tf_keras as keras

from convert.foreign_request import RAW
from convert.saved_model import load_saved_model
from edge.errors import UserError

_KEEP = "save the model with Keras's own layers alone"
# Where the classes may come from that a model's file names; Keras imports what is asked for.
_MODULES = {"keras", "tf_keras", "builtins"}
_HOLDS_CODE = {"Lambda", "TFSMLayer", "__lambda__"}


def load_model(path: Path, input_range: tuple[float, float]) -> tuple[keras.Model, str]:
    """Load a foreign model.

    Args:
        path: A .keras or .h5 file of either Keras, or a SavedModel's folder.
        input_range: (low, high), what the model expects of a black and a white pixel.

    Returns:
        The model, from raw pixels 0-255 to what it gave before, and what it was, such as "Keras 3.15.0".

    Raises:
        UserError: If it doesn't load, holds code, or isn't one that takes RGB images of a fixed size.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call, shape, dtype, kind = _open(path)
    except UserError:
        raise
    except Exception as error:  # on files of others Keras, h5py and TensorFlow raise all that there is
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} does not load: {reason}; {_KEEP}") from error
    if len(shape) != 4 or shape[3] != 3:
        raise UserError(f"Expected a model that takes RGB images (batch, height, width, 3), {path} takes {shape}")
    if None in shape[1:]:
        raise UserError(
            f"Expected a model of a fixed image size, {path} takes {shape}; export it with its input's size"
        )
    if dtype != "float32":
        raise UserError(f"Expected a model that takes float32 pixels, {path} takes {dtype}; export the float model")
    model = _from_raw_pixels(call, shape, input_range)
    if len(model.output_shape) != 2 or model.output_shape[1] is None:
        raise UserError(f"Expected a model that gives scores (batch, classes), {path} gives {model.output_shape}")
    return model, kind


def add_softmax(model: keras.Model) -> keras.Model:
    """Return a model that gives logits with a softmax behind it."""
    return keras.Model(model.input, keras.layers.Softmax(name="probabilities")(model.output))


Opened = tuple[Callable[[Any], Any], tuple[int | None, ...], str, str]


def _open(path: Path) -> Opened:
    """Return a function from pixels to scores, the shape and dtype of what it takes, and what it was."""
    if path.is_dir():
        call, spec = load_saved_model(path)
        return call, tuple(spec.shape.as_list()), spec.dtype.name, "SavedModel"
    is_archive = zipfile.is_zipfile(path)
    if path.suffix != (".keras" if is_archive else ".h5"):
        raise UserError(
            f"Expected a .keras or .h5 file that is what its name says, or a SavedModel's folder, got {path}"
        )
    version, config = _read_archive(path) if is_archive else _read_h5(path)
    _refuse_code(path, config)
    if version.startswith("3."):
        import keras as keras_3

        if keras_3.backend.backend() != "tensorflow":
            raise UserError(
                f"{path} is of Keras 3, which runs on {keras_3.backend.backend()}; set KERAS_BACKEND=tensorflow"
            )
        model = keras_3.models.load_model(path, compile=False, safe_mode=True)
    else:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UserError(
            f"Expected a model of one input and one output, {path} has {len(model.inputs)} and {len(model.outputs)}"
        )
    given = model.inputs[0]
    dtype = given.dtype if isinstance(given.dtype, str) else given.dtype.name  # Keras 3's is a name
    return lambda images: model(images, training=False), tuple(given.shape), dtype, f"Keras {version}"


def _read_archive(path: Path) -> tuple[str, Any]:
    """Return the version of Keras that wrote a .keras file, and the model's config."""
    with zipfile.ZipFile(path) as archive:
        version = str(json.loads(archive.read("metadata.json")).get("keras_version"))
        return version, json.loads(archive.read("config.json"))


def _read_h5(path: Path) -> tuple[str, Any]:
    """Return the version of Keras that wrote a .h5 file, and the model's config."""
    import h5py

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise UserError(f"{path} holds weights alone, without a model; save the whole model: model.save(...)")
        version, config = (file.attrs.get(key, "2") for key in ("keras_version", "model_config"))
    return (version.decode() if isinstance(version, bytes) else str(version)), json.loads(config)


def _refuse_code(path: Path, config: Any) -> None:
    """Refuse a config that makes Keras run code of the file: tf_keras asks nobody before it does so for a .h5."""
    todo = [config]
    while todo:
        each = todo.pop()
        if isinstance(each, list):
            todo += each
        elif isinstance(each, dict):
            todo += each.values()
            kind, module = each.get("class_name"), each.get("module")
            if kind in _HOLDS_CODE:
                raise UserError(f"Expected a model without code of its own, but {path} has a {kind}; {_KEEP}")
            if isinstance(module, str) and "class_name" in each and module.partition(".")[0] not in _MODULES:
                raise UserError(f"Expected a model of Keras's own layers, but {path} asks for {module}.{kind}; {_KEEP}")


def _from_raw_pixels(
    call: Callable[[Any], Any], shape: tuple[int | None, ...], input_range: tuple[float, float]
) -> keras.Model:
    """Return a model that scales raw pixels to the range and hands them to `call`."""
    image = keras.Input(batch_shape=shape, name="image")
    low, high = input_range
    scaled = image if input_range == RAW else keras.layers.Rescaling((high - low) / 255, low, name="scale")(image)
    return keras.Model(image, _Foreign(call)(scaled))


class _Foreign(keras.layers.Layer):
    """Whatever was loaded, as a layer.

    Attributes:
        function: From a tensor of pixels to one of scores; holds the weights.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__(name="foreign", trainable=False)
        self.function = function

    def call(self, pixels: Any) -> Any:
        """Return the scores of pixels (batch, height, width, 3)."""
        return self.function(pixels)
