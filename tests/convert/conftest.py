import shutil

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


@pytest.fixture(scope="session")
def lopsided_model(images):
    """A Keras model that plain int8 ruins: one channel, of no use, is 1,000 times the others."""
    import tf_keras as keras

    keras.utils.set_random_seed(3)
    image = keras.Input((24, 16, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="scale")(image)
    x = keras.layers.Conv2D(8, 3, activation="relu", name="wide")(x)
    x = keras.layers.Conv2D(8, 3, activation="relu", name="reader")(x)
    x = keras.layers.Conv2D(8, 3, activation="relu", name="later")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    model = keras.Model(image, keras.layers.Dense(4, activation="softmax", name="scores")(x), name="lopsided")
    kernel, bias = model.get_layer("wide").get_weights()
    kernel[..., 0], bias[0] = 1000 * kernel[..., 0], 1000 * bias[0]
    model.get_layer("wide").set_weights([kernel, bias])
    kernel, bias = model.get_layer("reader").get_weights()
    kernel[:, :, 0] /= 1e6  # all that it looks at are the channels that rounding leaves next to nothing of
    model.get_layer("reader").set_weights([kernel, bias])
    # Its answers differ from image to image: about the mean image no class is ahead.
    kernel, bias = model.get_layer("scores").get_weights()
    features = keras.Model(image, model.get_layer("features").output)(images.astype("float32")).numpy()
    model.get_layer("scores").set_weights([100 * kernel, bias - 100 * features.mean(axis=0) @ kernel])
    return model


@pytest.fixture(scope="session")
def small_tflite(small_model):
    """The small model as a float32 .tflite."""
    from convert import to_tflite

    return to_tflite.to_float32(small_model)


@pytest.fixture(scope="session")
def lopsided_tflite(lopsided_model):
    """The lopsided model as a float32 .tflite."""
    from convert import to_tflite

    return to_tflite.to_float32(lopsided_model)


@pytest.fixture
def run(digits_run, tmp_path):
    """A copy of the run as training left it."""
    copy = shutil.copytree(digits_run, tmp_path / "run")
    for path in [*copy.glob("model_*"), copy / "conversion.json", copy / "eval.npz"]:
        path.unlink(missing_ok=True)
    return copy
