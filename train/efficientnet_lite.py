"""EfficientNet-Lite0 as one flat graph: without squeeze-and-excitation and swish, which int8 devices are slow at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import UserError
from train.torch_file import read_tensors

if TYPE_CHECKING:
    import tf_keras as keras

# Expansion, channels, side of the depthwise kernel, stride of the first block, blocks: EfficientNet-B0's stages, of
# which the Lite models leave the first and the last layer as wide as they are.
_STAGES = ((1, 16, 3, 1, 1), (6, 24, 3, 2, 2), (6, 40, 5, 2, 2), (6, 80, 3, 2, 3), (6, 112, 5, 1, 3), (6, 192, 5, 2, 4),
           (6, 320, 3, 1, 1))  # fmt: skip
_STEM, _TOP = 32, 1280

# Our layers -> the names in torch's file; "block_3_expand" -> "_blocks.3._expand_conv" with "_blocks.3._bn0".
_IN_FILE = {"stem": ("_conv_stem", "_bn0"), "top": ("_conv_head", "_bn1")}
_IN_BLOCK = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


def efficientnet_lite0(image_size: tuple[int, int], classes: int) -> keras.Model:
    """EfficientNet-Lite0: inverted residuals with ReLU6, 3.4M weights in the backbone, 1,280 features."""
    import tf_keras as keras
    from tf_keras import layers

    pixels = keras.Input((*image_size, 3), name="image")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="scale", dtype="float32")(pixels)
    x = _normalised(layers.Conv2D(_STEM, 3, 2, padding="same", use_bias=False, name="stem"), x)
    block = 0
    for expansion, channels, side, stride, blocks in _STAGES:
        for number in range(blocks):
            x = _block(x, f"block_{block}", expansion, channels, side, 1 if number else stride)
            block += 1
    x = _normalised(layers.Conv2D(_TOP, 1, use_bias=False, name="top"), x)
    x = layers.GlobalAveragePooling2D(name="features", dtype="float32")(x)
    x = layers.Dropout(0.2, name="dropout", dtype="float32")(x)
    scores = layers.Dense(classes, activation="softmax", name="scores", dtype="float32")(x)
    return keras.Model(pixels, scores, name="efficientnet_lite0")


def load_lite0(model: keras.Model, path: Path) -> None:
    """Put the weights of a file of torch, such as efficientnet-lite0-57934424.pth, into the backbone.

    Args:
        model: What `efficientnet_lite0` built; its scores keep their weights.
        path: A `state_dict()` in torch's old format.

    Raises:
        UserError: If the file can't be read or is of another network.
    """
    tensors = read_tensors(path)
    for layer in model.layers:
        kind = type(layer).__name__
        if kind not in ("Conv2D", "DepthwiseConv2D", "BatchNormalization"):
            continue
        convolution, normal = _names_in_file(layer.name.removesuffix("_bn"))
        if kind == "BatchNormalization":
            names = [f"{normal}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
            order: tuple[int, ...] = (0,)
        else:
            names = [f"{convolution}.weight"]
            # From out, in, height, width (depthwise: channel, 1, ...) to height, width, in, out (..., channel, 1).
            order = (2, 3, 0, 1) if kind == "DepthwiseConv2D" else (2, 3, 1, 0)
        weights = []
        for name, variable in zip(names, layer.weights, strict=True):
            tensor = tensors.get(name)
            if tensor is None or tensor.ndim != len(order) or tensor.transpose(order).shape != tuple(variable.shape):
                got = "none" if tensor is None else f"{tensor.shape}"
                raise UserError(
                    f"Expected EfficientNet-Lite0's weights in {path}; {name} for {tuple(variable.shape)} is {got}; "
                    "pass efficientnet-lite0-57934424.pth"
                )
            weights.append(tensor.transpose(order))
        layer.set_weights(weights)


def _block(x: Any, name: str, expansion: int, channels: int, side: int, stride: int) -> Any:
    """Widen, filter each channel, narrow; add the input where it has the same shape."""
    from tf_keras import layers

    narrow = x.shape[-1]
    y = x
    if expansion != 1:
        y = _normalised(layers.Conv2D(narrow * expansion, 1, use_bias=False, name=f"{name}_expand"), y)
    filters = layers.DepthwiseConv2D(side, stride, padding="same", use_bias=False, name=f"{name}_depthwise")
    y = _normalised(filters, y)
    y = _normalised(layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project"), y, active=False)
    return layers.Add(name=f"{name}_add")([x, y]) if stride == 1 and narrow == channels else y


def _normalised(convolution: Any, x: Any, *, active: bool = True) -> Any:
    """Convolve, normalise, and cut off below 0 and above 6."""
    from tf_keras import layers

    name = convolution.name
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(convolution(x))
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if active else x


def _names_in_file(name: str) -> tuple[str, str]:
    """Return what the file calls a convolution of ours and the normalisation behind it."""
    if name in _IN_FILE:
        return _IN_FILE[name]
    _, number, part = name.split("_")
    convolution, normal = _IN_BLOCK[part]
    return f"_blocks.{number}.{convolution}", f"_blocks.{number}.{normal}"
