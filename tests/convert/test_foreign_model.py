import json
import zipfile

import numpy as np
import pytest
import tf_keras

from convert.foreign_model import add_softmax, load_model
from convert.foreign_request import RAW
from edge.errors import UserError


@pytest.fixture(scope="module")
def keras_3():
    """Keras 3, which starts by seeking its settings in the user's home."""
    return pytest.importorskip("keras")


def build(keras, size=(24, 16, 3), outputs=1, **first):
    """Return the same small model in either Keras; it takes pixels of -1 to 1."""
    image = keras.Input(size, **first)
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    answers = [keras.layers.Dense(3, activation="softmax")(x) for _ in range(outputs)]
    return keras.Model(image, answers if outputs > 1 else answers[0])


def scaled(images):
    return images.astype(np.float32) / 127.5 - 1


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "saved"])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5", "ignore:__array__ implementation")
def test_a_model_of_either_keras_gives_its_scores_for_raw_pixels(keras_3, images, tmp_path, name, version):
    if version == 3:
        model = build(keras_3)
        model.export(tmp_path / name, verbose=False) if name == "saved" else model.save(tmp_path / name)
    else:
        model = build(tf_keras)
        model.save(tmp_path / name)
    expected = np.asarray(model(scaled(images), training=False))
    loaded, kind = load_model(tmp_path / name, (-1, 1))
    assert loaded.input_shape[1:] == (24, 16, 3)
    assert kind == "SavedModel" if name == "saved" else kind.startswith(f"Keras {version}.")
    np.testing.assert_allclose(loaded.predict(images.astype(np.float32), verbose=0), expected, atol=1e-5)


def test_a_model_for_raw_pixels_gets_them_as_they_are(images, tmp_path):
    model = build(tf_keras)
    model.save(tmp_path / "model.keras")
    loaded, _ = load_model(tmp_path / "model.keras", RAW)
    raw = images.astype(np.float32)
    np.testing.assert_allclose(loaded(raw), model(raw), atol=1e-6)


def test_logits_become_probabilities():
    image = tf_keras.Input((4,))
    model = add_softmax(tf_keras.Model(image, tf_keras.layers.Rescaling(2.0)(image)))
    logits = np.array([[1, 2, 3, -4]], np.float32)
    expected = np.exp(2 * logits) / np.exp(2 * logits).sum()
    np.testing.assert_allclose(model(logits), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ({"size": (None, None, 3)}, "fixed image size"),
        ({"size": (24, 16, 1)}, "takes RGB images"),
        ({"outputs": 2}, "one input and one output"),
        ({"dtype": "float64"}, "float32 pixels"),
    ],
)
def test_a_model_that_takes_or_gives_something_else(tmp_path, first, said):
    build(tf_keras, **first).save(tmp_path / "model.keras")
    with pytest.raises(UserError, match=said) as told:
        load_model(tmp_path / "model.keras", RAW)
    assert "\n" not in str(told.value)


def test_a_model_that_gives_a_picture(tmp_path):
    image = tf_keras.Input((24, 16, 3))
    tf_keras.Model(image, tf_keras.layers.Conv2D(2, 1)(image)).save(tmp_path / "model.keras")
    with pytest.raises(UserError, match=r"gives scores \(batch, classes\)"):
        load_model(tmp_path / "model.keras", RAW)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_code_in_a_model_is_not_run(tmp_path, name):
    image = tf_keras.Input((24, 16, 3))
    trap = tmp_path / "sprung"
    hostile = tf_keras.layers.Lambda(lambda x, path=str(trap): (__import__("pathlib").Path(path).touch(), x)[1])(image)
    tf_keras.Model(image, tf_keras.layers.GlobalAveragePooling2D()(hostile)).save(tmp_path / name)
    trap.unlink()
    with pytest.raises(UserError, match="has a Lambda"):
        load_model(tmp_path / name, RAW)
    assert not trap.exists()


def test_a_module_of_another_is_not_imported(tmp_path):
    build(tf_keras).save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    config["config"]["layers"][1].update(module="antigravity", class_name="fly")
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=r"asks for antigravity\.fly"):
        load_model(tmp_path / "model.keras", RAW)


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.keras", b"junk"), ("model.h5", b"junk"), ("model.h5", b"\x89HDF\r\n\x1a\n" + b"x" * 99)],
)
def test_a_file_that_does_not_load_is_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=str(tmp_path)) as told:
        load_model(tmp_path / name, RAW)
    assert "\n" not in str(told.value)


def test_weights_alone(tmp_path):
    build(tf_keras).save_weights(tmp_path / "model.h5")
    with pytest.raises(UserError, match="holds weights alone"):
        load_model(tmp_path / "model.h5", RAW)
