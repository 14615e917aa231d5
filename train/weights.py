"""Weights to start from: where they are found, and how a file of Keras's is put into a model.

Importable without TensorFlow.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import os
import socket
import tempfile
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import UserError

if TYPE_CHECKING:
    import tf_keras as keras

KERAS_HOST = "https://storage.googleapis.com/tensorflow/keras-applications"

# Files as they were published: SHA-256, or the MD5 that Keras itself names.
_PUBLISHED = {
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5": (
        "f8aff69536bd77a692c594f559c798c19bf7f3f36668fc9fa00b21c6aab4797c"
    ),
    "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5": "4d473c1dd8becc155b73f8504c6f6626",
    "efficientnet-lite0-57934424.pth": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
}
_SIDES = (96, 128, 160, 192, 224)  # MobileNetV2 was trained on each of these
_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)

_SECONDS_TO_ANSWER = 10.0
_OURS = ("bgr", "scores")  # layers that Keras's files know nothing of


@dataclass(frozen=True)
class Pretrained:
    """ImageNet weights of an architecture.

    Attributes:
        origin: Address of the file, with {alpha} and {side} in it where there are several; or the path of a file in an
            installed package.
        load: Puts a file's weights into the backbone of a model; raises a UserError where it isn't of that model.
    """

    origin: str
    load: Callable[[keras.Model, Path], None]

    def address(self, image_size: tuple[int, int], alpha: float) -> str:
        """Return the file's address: of the images' side where there is one, else of the largest.

        Raises:
            UserError: If there are no weights of that width.
        """
        if "{alpha}" in self.origin and alpha not in _ALPHAS:
            raise UserError(
                f"Expected an --alpha of {', '.join(map(str, _ALPHAS))} with ImageNet weights, got {alpha:g}; "
                "or start from random ones: --weights none"
            )
        height, width = image_size
        side = height if height == width and height in _SIDES else max(_SIDES)
        return self.origin.format(alpha=float(alpha), side=side)


def find_weights(
    pretrained: Pretrained | None, asked: str | None, image_size: tuple[int, int], alpha: float = 1.0
) -> Path | None:
    """Find the file of weights that a model starts from.

    Args:
        pretrained: The model's ImageNet weights; None where there are none.
        asked: "imagenet", "none", or a file; None means ImageNet's where there are any.
        image_size: (height, width) of the images.
        alpha: The model's width.

    Returns:
        The file, or None for random weights.

    Raises:
        UserError: If there is no such file, or ImageNet's can't be fetched.
    """
    if asked == "none" or (asked is None and pretrained is None):
        return None
    if asked not in (None, "imagenet"):
        path = Path(asked)
        if not path.is_file():
            raise UserError(f"Expected imagenet, none or a file as --weights, got {asked!r}; there is no such file")
        return path
    if pretrained is None:
        raise UserError("There are no ImageNet weights of this model; leave out --weights")
    address = pretrained.address(image_size, alpha)
    return _download(address) if "://" in address else _in_package(address)


def published_name(path: Path) -> str | None:
    """Return the name that a file was published by, told from its bytes; None for any other file."""
    data = path.read_bytes()
    digests = {hashlib.sha256(data).hexdigest(), hashlib.md5(data, usedforsecurity=False).hexdigest()}
    return next((name for name, digest in _PUBLISHED.items() if digest in digests), None)


def load_keras(model: keras.Model, path: Path) -> None:
    """Put the weights of a Keras .h5 file without classifier into the backbone, layer by layer in order.

    Args:
        model: One of `train.models` with a backbone from keras.applications; its scores keep their weights.
        path: A file as Keras publishes it, or as `save_weights` and `save` write it.

    Raises:
        UserError: If the file can't be read, or its layers aren't the model's.
    """
    import h5py

    layers = [layer for layer in model.layers if layer.weights and layer.name not in _OURS]
    try:
        with h5py.File(path, "r") as file:
            found = _layers_in(file)
            _check_layers(found, layers)
            weights = [[dataset[()] for dataset in datasets] for _, datasets in found]
    except _RefusedError as error:
        raise UserError(
            f"Expected weights of {model.name} without its classifier, as this --alpha has them, in {path}; {error}"
        ) from error
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(
            f"Expected weights in Keras's .h5 format in {path}, got another or a broken file; fetch it again"
        ) from error
    for layer, arrays in zip(layers, weights, strict=True):
        layer.set_weights(arrays)


class _RefusedError(Exception):
    """The file's layers aren't the model's; the text says where."""


def _layers_in(file: Any) -> list[tuple[str, list[Any]]]:
    """Return the layers with weights in an open file: (name, data sets), without reading these."""
    import h5py

    group = file.get("model_weights", file)
    layers = []
    for name in map(_text, group.attrs["layer_names"]):
        datasets = [group[name][_text(each)] for each in group[name].attrs["weight_names"]]
        for dataset in datasets:
            # HDF5 can point at other files, which have no business in here.
            if not isinstance(dataset, h5py.Dataset) or dataset.file != file or dataset.external or dataset.is_virtual:
                raise TypeError("no plain data set")
            if dataset.dtype.kind != "f":
                raise TypeError("no numbers")
        if datasets:
            layers.append((name, datasets))
    return layers


def _check_layers(found: list[tuple[str, list[Any]]], layers: list[Any]) -> None:
    """Hold the layers of a file against the model's, before anything is read."""
    if len(found) != len(layers):
        raise _RefusedError(f"it has {len(found)} layers with weights, the model {len(layers)}")
    for (name, datasets), layer in zip(found, layers, strict=True):
        got, expected = [dataset.shape for dataset in datasets], [tuple(each.shape) for each in layer.weights]
        if got != expected:
            raise _RefusedError(f"its layer {name!a} has the shapes {got}, the model's {layer.name} {expected}")


def _text(name: Any) -> str:
    """Return a name in a file as text; older files hold bytes."""
    return name.decode() if isinstance(name, bytes) else str(name)


def _in_package(path: str) -> Path:
    """Return a file in an installed package."""
    package, _, rest = path.partition("/")
    module = importlib.import_module(package)
    return Path(str(module.__file__)).parent / rest


def _download(address: str) -> Path:
    """Return a file of Keras's, fetched into Keras's own cache unless it's there."""
    import tf_keras as keras

    name = address.rpartition("/")[2]
    folder = Path.home() / ".keras" / "models"
    path = folder / name
    if path.is_file():
        return path
    advice = "pass the file: --weights FILE; or start from random weights: --weights none"
    reason = _why_unreachable(address)
    if reason:
        raise UserError(f"Expected to fetch {address}, got no answer ({reason}); {advice}")
    timeout = socket.getdefaulttimeout()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        socket.setdefaulttimeout(_SECONDS_TO_ANSWER)  # get_file has no timeout of its own
        # Fetched beside its place: get_file leaves a part behind where it's killed, and takes it for whole next time.
        with tempfile.TemporaryDirectory(dir=folder) as partial:
            with contextlib.redirect_stdout(io.StringIO()):  # its progress would stand among the results
                fetched = keras.utils.get_file(
                    name, address, cache_dir=partial, cache_subdir=".", file_hash=_PUBLISHED.get(name)
                )
            os.replace(fetched, path)  # noqa: PTH105
    except Exception as error:  # get_file raises plain Exception
        raise UserError(f"Expected to fetch {address}, failed ({_first_line(error)}); {advice}") from error
    finally:
        socket.setdefaulttimeout(timeout)
    return path


def _why_unreachable(address: str) -> str:
    """Return why a host doesn't answer, empty where it does; never waits longer than `_SECONDS_TO_ANSWER`."""
    outcome = [f"none within {_SECONDS_TO_ANSWER:.0f} s"]

    def ask() -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - addresses of the table, all https
            urllib.request.urlopen(request, timeout=_SECONDS_TO_ANSWER).close()  # noqa: S310
            outcome[0] = ""
        except Exception as error:  # whatever a proxy or a resolver may come up with
            outcome[0] = _first_line(error)

    # In a thread, since the timeout holds for each address of a host alone, and a host may have a dozen.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_SECONDS_TO_ANSWER)
    return outcome[0]


def _first_line(error: Exception) -> str:
    """Return the first line of an error's text."""
    return next(iter(str(error).splitlines()), type(error).__name__)
