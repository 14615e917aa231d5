import numpy as np
import pytest


@pytest.fixture(scope="session")
def small_model():
    """A Keras model with random weights that answers differently to different images."""
    import tf_keras as keras

    keras.utils.set_random_seed(3)
    image = keras.Input((24, 16, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="scale")(image)
    x = keras.layers.Conv2D(8, 3, activation="relu")(x)
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(image, keras.layers.Dense(4, activation="softmax")(x))


@pytest.fixture(scope="session")
def images():
    """Smooth random images (20, 24, 16, 3) uint8: blobs, not noise, so that they differ in the large."""
    import cv2

    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (20, 3, 2, 3), dtype=np.uint8)
    return np.stack([cv2.resize(each, (16, 24), interpolation=cv2.INTER_CUBIC) for each in coarse])


@pytest.fixture(scope="session")
def large_model():
    """A Keras model with enough weights that the converter finds them worth quantizing without calibration."""
    import tf_keras as keras

    keras.utils.set_random_seed(4)
    image = keras.Input((24, 16, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="scale")(image)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(32, activation="relu")(x)
    return keras.Model(image, keras.layers.Dense(4, activation="softmax")(x))
