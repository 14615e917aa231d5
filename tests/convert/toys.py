"""Tiny flat models as `train` builds them, and a problem that they learn in a second."""

import cv2
import numpy as np
import tf_keras as keras
from tf_keras import layers

SIZE = (16, 20)
CLASSES = 3


def make_toy(scale=1 / 128, offset=-127 / 128, seed=0):
    """Convolution, depthwise and addition with batch norms that are far from doing nothing, dropout, a softmax."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.Rescaling(scale, offset=offset, name="scale")(image)
    x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False, name="conv")(x)
    x = layers.BatchNormalization(name="conv_bn")(x)
    x = short = layers.ReLU(name="conv_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depth")(x)
    x = layers.BatchNormalization(name="depth_bn")(x)
    x = layers.ReLU(6.0, name="depth_relu")(x)
    x = layers.Conv2D(8, 1, name="project")(x)
    x = layers.BatchNormalization(name="project_bn")(x)
    x = layers.Add(name="add")([short, x])
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    model = keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="scores")(x), name="toy")
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = layer.gamma.shape
            layer.set_weights(
                [random.uniform(0.5, 2, size), random.normal(0, 0.5, size), random.normal(0, 0.2, size),
                 random.uniform(0.05, 2, size)]
            )  # fmt: skip
    return model


def make_blobs(count, seed):
    """Images (count, 16, 20, 3) uint8 of smooth noise, in which the strongest colour is the class, and the classes."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 200, (count, 4, 5, 3), dtype=np.uint8)
    labels = np.arange(count) % CLASSES
    coarse[np.arange(count), :, :, labels] += 40
    images = np.stack([cv2.resize(each, SIZE[::-1], interpolation=cv2.INTER_LINEAR) for each in coarse])
    return images, labels


def learn(model, images, labels, epochs=12):
    """Train a model, batch norms and all."""
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    model.fit(images.astype(np.float32), labels, batch_size=32, epochs=epochs, verbose=0)
    return model


def coarsen(model):
    """Give each channel of the toy's "project" a huge weight for an input that is nearly 0: the others get few steps.

    That is what training with rounding can mend, as the error lies in the weights.
    """
    gamma, *others = model.get_layer("depth_bn").get_weights()
    gamma[0], others[0][0], others[1][0] = 1e-4, 0, 0  # the shift and the mean
    model.get_layer("depth_bn").set_weights([gamma, *others])
    kernel, bias = model.get_layer("project").get_weights()
    kernel[0, 0, 0] = 8 * np.abs(kernel).max()
    model.get_layer("project").set_weights([kernel, bias])
    return model
