import functools
import hashlib
import http.server
import socket
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import tf_keras as keras

from edge.errors import UserError
from train import weights
from train.models import MODELS, build
from train.weights import Pretrained, find_weights, published_name

SMALL = {"alpha": 0.35, "image_size": (32, 32), "classes": 3}


@pytest.fixture(scope="module")
def keras_own():
    """Keras's MobileNetV2, alpha 0.35, with random weights and statistics."""
    keras.utils.set_random_seed(1)
    model = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg")
    random = np.random.default_rng(1)
    model.set_weights([each + random.uniform(0, 0.1, each.shape) for each in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def keras_file(keras_own, tmp_path_factory):
    """A file as Keras publishes them."""
    path = tmp_path_factory.mktemp("weights") / "no_top.h5"
    keras_own.save_weights(path)
    return path


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of the user's that is empty."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with the file `weights.h5`: its folder and its address."""
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / "weights.h5").write_bytes(b"these are weights" * 9999)

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/weights.h5"
        server.shutdown()


def found(address, asked="imagenet"):
    return find_weights(Pretrained(address, lambda model, path: None), asked, (224, 224))


def test_weights_are_asked_for_by_name_or_file(tmp_path):
    file = tmp_path / "some.h5"
    file.touch()
    lite = MODELS["efficientnet_lite0"].pretrained
    assert find_weights(lite, "none", (224, 224)) is None
    assert find_weights(None, None, (224, 224)) is None
    assert find_weights(lite, str(file), (224, 224)) == file
    with pytest.raises(UserError, match="Expected imagenet, none or a file as --weights, got 'imagenett'"):
        find_weights(lite, "imagenett", (224, 224))
    with pytest.raises(UserError, match="no ImageNet weights of this model; leave out --weights"):
        find_weights(None, "imagenet", (224, 224))


@pytest.mark.parametrize("asked", [None, "imagenet"])
def test_efficientnets_weights_come_with_their_package(asked):
    path = find_weights(MODELS["efficientnet_lite0"].pretrained, asked, (128, 160))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f"efficientnet-lite0-{digest[:8]}.pth"  # it is named after its hash
    assert published_name(path) == path.name


def test_a_file_is_known_by_its_bytes_alone(tmp_path):
    path = tmp_path / "efficientnet-lite0-57934424.pth"
    path.write_bytes(b"not those")
    assert published_name(path) is None


@pytest.mark.parametrize(
    ("size", "alpha", "expected"),
    [
        ((224, 224), 1, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
        ((96, 96), 0.5, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.5_96_no_top.h5"),
        ((96, 128), 0.35, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"),
        ((100, 100), 1.4, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.4_224_no_top.h5"),
    ],
)
def test_mobilenets_file_is_the_one_that_keras_would_fetch(size, alpha, expected, monkeypatch):
    def get_file(name, address, **_):
        raise ConnectionError(name, address)

    monkeypatch.setattr("tf_keras.src.applications.mobilenet_v2.data_utils.get_file", get_file)
    with pytest.raises(ConnectionError) as fetched:
        keras.applications.MobileNetV2((*size, 3), alpha=alpha, include_top=False, weights="imagenet")
    assert fetched.value.args == (expected, MODELS["mobilenet_v2"].pretrained.address(size, alpha))


def test_there_are_weights_of_some_widths_only():
    with pytest.raises(UserError, match=r"of 0.35, 0.5, 0.75, 1.0, 1.3, 1.4 with ImageNet weights, got 0.4; .*none"):
        find_weights(MODELS["mobilenet_v2"].pretrained, None, (224, 224), alpha=0.4)


def test_resnets_file_is_the_one_that_keras_would_fetch():
    from tf_keras.src.applications import resnet

    name = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert MODELS["resnet50"].pretrained.origin == resnet.BASE_WEIGHTS_PATH + name
    assert weights._PUBLISHED[name] == resnet.WEIGHTS_HASHES["resnet50"][1]


def test_a_file_is_fetched_once_into_keras_cache(host, home, capsys):
    folder, address = host
    path = found(address)
    assert path == home / ".keras" / "models" / "weights.h5"
    assert path.read_bytes() == (folder / "weights.h5").read_bytes()
    assert [each.name for each in path.parent.iterdir()] == ["weights.h5"]
    (folder / "weights.h5").unlink()
    assert found(address) == path
    assert capsys.readouterr().out == ""


def test_a_file_that_arrives_damaged_is_not_kept(host, home, monkeypatch):
    monkeypatch.setitem(weights._PUBLISHED, "weights.h5", hashlib.sha256(b"others").hexdigest())
    with pytest.raises(UserError, match=r"Expected to fetch .*weights.h5, failed .*--weights FILE"):
        found(host[1])
    assert list((home / ".keras" / "models").iterdir()) == []


def test_a_file_that_the_host_does_not_have_is_told(host, home):
    with pytest.raises(UserError, match=r"no answer \(HTTP Error 404.*--weights FILE.*--weights none"):
        found(host[1].replace("weights", "others"))


def test_a_host_that_refuses_is_told(home):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(UserError, match=r"no answer \(.*refused.*--weights FILE.*--weights none"):
            found(f"http://127.0.0.1:{unused.getsockname()[1]}/weights.h5")


def test_a_host_that_says_nothing_is_not_waited_for(home, monkeypatch):
    monkeypatch.setattr(weights, "_SECONDS_TO_ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before = socket.getdefaulttimeout()
        with pytest.raises(UserError, match="no answer"):
            found(f"http://127.0.0.1:{silent.getsockname()[1]}/weights.h5")
        assert socket.getdefaulttimeout() == before


def test_keras_weights_give_what_keras_gives(keras_own, keras_file):
    model = build("mobilenet_v2", **SMALL, weights=keras_file)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.float32)
    features = keras.Model(model.input, model.get_layer("features").output)(pixels)
    expected = keras_own(keras.applications.mobilenet_v2.preprocess_input(pixels.copy()))
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4)


def test_a_whole_model_of_keras_will_do_too(keras_own, keras_file, tmp_path):
    with pytest.warns(UserWarning, match="HDF5 file"):
        keras_own.save(tmp_path / "whole.h5", include_optimizer=False)
    models = [build("mobilenet_v2", **SMALL, weights=path) for path in (keras_file, tmp_path / "whole.h5")]
    one, other = ([layer.get_weights() for layer in model.layers[:-1]] for model in models)
    assert all(np.array_equal(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("mobilenet_v2", {"alpha": 0.5}, r"its layer '\w+' has the shapes .* the model's \w+ "),
        ("resnet50", {}, "it has 104 layers with weights, the model 106"),
    ],
)
def test_weights_of_another_shape_are_refused_in_one_line(name, changes, expected, keras_file):
    with pytest.raises(UserError, match=expected) as error:
        build(name, (32, 32), 3, weights=keras_file, **changes)
    assert str(error.value).startswith(f"Expected weights of {name} without its classifier")
    assert "\n" not in str(error.value)


def spoil_names(file):
    file.attrs["layer_names"] = ["no such layer"]


def spoil_order(file):
    names = list(file.attrs["layer_names"])
    file.attrs["layer_names"] = names[::-1]


def spoil_attribute(file):
    del file.attrs["layer_names"]


def spoil_shape(file):
    del file["Conv1/Conv1/kernel:0"]
    file.create_dataset("Conv1/Conv1/kernel:0", shape=(1 << 20, 1 << 20), dtype="f4", chunks=(1, 1 << 20))  # 4 TB


def spoil_type(file):
    del file["Conv1/Conv1/kernel:0"]
    file.create_dataset("Conv1/Conv1/kernel:0", data=np.full((3, 3, 3, 16), b"text", "S4"))


def spoil_link(file):
    del file["Conv1/Conv1/kernel:0"]
    file["Conv1/Conv1/kernel:0"] = h5py.ExternalLink("other.h5", "kernel")


def spoil_storage(file):
    del file["Conv1/Conv1/kernel:0"]
    external = [(str(Path(file.filename).parent / "raw"), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("Conv1/Conv1/kernel:0", shape=(3, 3, 3, 16), dtype="f4", external=external)


@pytest.mark.parametrize(
    "spoil",
    [spoil_names, spoil_order, spoil_attribute, spoil_shape, spoil_type, spoil_link, spoil_storage],
    ids=lambda spoil: spoil.__name__,
)
def test_a_spoilt_file_is_refused_in_one_line(spoil, keras_file, tmp_path):
    path = tmp_path / "spoilt.h5"
    path.write_bytes(keras_file.read_bytes())
    (tmp_path / "raw").write_bytes(bytes(4 * 432))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["kernel"] = np.zeros((3, 3, 3, 16), np.float32)
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(UserError, match=r"^Expected weights ") as error:
        build("mobilenet_v2", **SMALL, weights=path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no HDF5", "half"], ids=["empty", "text", "half"])
def test_what_is_no_whole_file_is_refused_in_one_line(content, keras_file, tmp_path):
    path = tmp_path / "broken.h5"
    data = keras_file.read_bytes()
    path.write_bytes(data[: len(data) // 2] if content == "half" else content)
    with pytest.raises(UserError, match=r"Keras's .h5 format in .*broken.h5, got another or a broken file"):
        build("mobilenet_v2", **SMALL, weights=path)
