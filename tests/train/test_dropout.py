import numpy as np
import pytest


@pytest.fixture(scope="module")
def made():
    """A model with two Dropout layers, its copy for training, and the step that the copy's masks hang on."""
    import tensorflow as tf
    import tf_keras as keras

    from train.dropout import with_stateless_dropout

    pixels = keras.Input((500,))
    x = keras.layers.Dropout(0.25, name="first")(pixels)
    x = keras.layers.Dense(500, name="dense")(x)
    model = keras.Model(pixels, keras.layers.Dropout(0.5, name="second")(x))
    model.get_layer("dense").set_weights([np.eye(500, dtype=np.float32), np.zeros(500, np.float32)])
    step = tf.Variable(0, dtype=tf.int64)
    return model, with_stateless_dropout(model, 3, step), step


def drop(made, at):
    _model, copy, step = made
    step.assign(at)
    return copy(np.ones((8, 500), np.float32), training=True).numpy()


def test_a_step_has_its_mask_whatever_came_before(made):
    first, other, again = drop(made, 7), drop(made, 8), drop(made, 7)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_it_drops_its_share_and_scales_the_rest(made):
    dropped = drop(made, 7)
    assert (dropped == 0).mean() == pytest.approx(1 - 0.75 * 0.5, abs=0.04)
    assert dropped.max() == pytest.approx(1 / 0.75 / 0.5)
    assert dropped.mean() == pytest.approx(1, abs=0.1)


def test_outside_of_training_nothing_is_dropped(made):
    inputs = np.ones((2, 500), np.float32)
    assert np.array_equal(made[1](inputs, training=False), inputs)
    assert np.array_equal(made[1](inputs), inputs)


def test_the_copy_is_the_model_but_for_dropout(made):
    model, copy, _step = made
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert len(copy.weights) == len(model.weights)
    for weights, originals in zip(copy.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(weights, originals)


def test_layers_have_masks_of_their_own():
    import tensorflow as tf
    import tf_keras as keras

    from train.dropout import with_stateless_dropout

    pixels = keras.Input((1000,))
    both = [keras.layers.Dropout(0.5, name=name)(pixels) for name in ("a", "b")]
    copy = with_stateless_dropout(keras.Model(pixels, both), 0, tf.Variable(0, dtype=tf.int64))
    one, other = copy(np.ones((1, 1000), np.float32), training=True)
    assert ((one.numpy() > 0) & (other.numpy() > 0)).mean() == pytest.approx(0.25, abs=0.06)
