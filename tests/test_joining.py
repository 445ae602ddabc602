"""Batch normalisation, the activation behind it and the convolution before it run as one pass; nothing but time may
tell."""

import numpy as np
import pytest

import fastnn
from fastnn import layers, ops
from fastnn.layers import Activation, BatchNormalization, Dense, ReLU
from fastnn.models.joining import activation_name


class Apart(Activation):
    """An activation of the user's own, which joins nothing."""

    recordable = True


def sequential(activation):
    twin = type(activation).from_config({**activation.get_config(), "name": "second"})
    hidden = [Dense(8), BatchNormalization(), activation, Dense(8), BatchNormalization(), twin]
    return fastnn.Sequential([layers.Input((6,)), *hidden, Dense(3)])


def functional(activation):
    x = layers.Input((6,))
    y = activation(BatchNormalization()(Dense(8)(x)))
    return fastnn.Model(x, Dense(3)(layers.Dense(8)(y) + y))


def trained(make, activation, rng, eager):
    fastnn.utils.set_random_seed(1)
    model = make(activation())
    loss = fastnn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(fastnn.optimizers.Adam(0.02), loss, run_eagerly=eager)
    x, y = rng.standard_normal((24, 6)).astype("float32"), rng.integers(0, 3, 24)
    losses = [float(model.train_on_batch(x, y)) for _ in range(5)]
    return losses, [*model.get_weights(), model.predict_on_batch(x)]


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("make", [sequential, functional])
@pytest.mark.parametrize(
    ("activation", "name"), [(ReLU, "relu"), (lambda: ReLU(6), "relu6"), (lambda: Activation("silu"), "silu")]
)
def test_joined_layers_train_bit_by_bit_as_apart(monkeypatch, make, activation, name, eager):
    calls = []
    batch_norm = ops.batch_norm
    monkeypatch.setattr(ops, "batch_norm", lambda *a, **o: calls.append(o["activation"]) or batch_norm(*a, **o))
    together = trained(make, activation, np.random.default_rng(0), eager)
    assert set(calls) == {name}
    calls.clear()
    apart = trained(make, lambda: Apart(name), np.random.default_rng(0), eager)
    assert set(calls) == {None}
    assert together[0] == apart[0]
    for a, b in zip(together[1], apart[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_cannot_join_stays_apart(rng):
    for layer in (
        Activation("tanh"),
        ReLU(3.0),
        ReLU(negative_slope=0.1),
        ReLU(threshold=0.5),
        Activation(lambda x: x),
    ):
        assert activation_name(layer) is None
    assert activation_name(ReLU(activity_regularizer="l2")) is None
    x = rng.standard_normal((5, 6)).astype("float32")
    layer, norm = ReLU(3.0), BatchNormalization()
    model = fastnn.Sequential([layers.Input((6,)), norm, layer])
    np.testing.assert_array_equal(model(x), layer(norm(x)))
    layer.max_value = 6  # from now on it can
    np.testing.assert_array_equal(model(x), layer(norm(x)))


def test_a_value_that_is_read_twice_is_made(rng):
    x = layers.Input((6,))
    z = BatchNormalization()(x)
    model = fastnn.Model(x, [ReLU()(z), z])
    given = rng.standard_normal((5, 6)).astype("float32")
    y, z = model(given)
    assert (z < 0).any()
    np.testing.assert_array_equal(y, np.maximum(z, 0))


def convolutional(functional, axis=-1):
    def blocks():
        yield layers.Conv2D(35, 3, padding="same", use_bias=False), BatchNormalization(axis), ReLU()
        yield layers.DepthwiseConv2D(3, strides=2), BatchNormalization(axis), Activation("tanh")
        yield layers.Conv2D(5, 1), BatchNormalization(axis), ReLU(6)
        yield layers.Conv2D(4, 2, activation="relu"), BatchNormalization(axis), Activation("silu")

    fastnn.utils.set_random_seed(3)
    rows = [*(layer for block in blocks() for layer in block), layers.Flatten(), Dense(3)]
    if not functional:
        return fastnn.Sequential([layers.Input((9, 9, 3)), *rows])
    x = y = layers.Input((9, 9, 3))
    for layer in rows:
        y = layer(y)
    return fastnn.Model(x, y)


def one_by_one(model, x):
    for layer in model.layers:
        x = x if isinstance(layer, layers.InputLayer) else layer(x)
    return x


@pytest.mark.parametrize("functional", [False, True])
def test_predictions_normalise_where_they_convolve_bit_by_bit_as_apart(monkeypatch, rng, functional):
    given = []

    def watched(op):
        return lambda *a, **o: given.append(o["statistics"] is not None) or op(*a, **o)

    for name in ("conv2d", "depthwise_conv2d"):
        monkeypatch.setattr(ops, name, watched(getattr(ops, name)))
    model = convolutional(functional)
    model.compile("sgd", "mse")
    x, y = rng.standard_normal((6, 9, 9, 3)).astype("f"), rng.standard_normal((6, 3)).astype("f")
    given.clear()
    for turn in range(5):  # in Python, recorded, replayed; before and after steps of training
        expected = one_by_one(model, x)
        given.clear()
        np.testing.assert_array_equal(model.predict_on_batch(x), expected)
        # Of the last layer the activation is its own. A replay asks nothing.
        assert given == ([] if turn > 2 else [True, True, True, False])
        given.clear()
        model.train_on_batch(x, y)
        assert not any(given)
    np.testing.assert_array_equal(model.predict_on_batch(x), one_by_one(model, x))


def test_gradients_of_predictions_reach_the_convolution(rng):
    model = convolutional(functional=True)
    x = fastnn.Tensor(rng.standard_normal((2, 9, 9, 3)).astype("f"))
    with fastnn.GradientTape() as tape:
        tape.watch(x)
        y = ops.sum(model(x, training=False))
    gradients = tape.gradient(y, [x, *model.trainable_variables])
    assert all(g is not None and np.any(g) for g in gradients)


def test_convolutions_join_no_normalisation_of_another_axis_or_with_a_penalty(rng):
    x = rng.standard_normal((2, 9, 9, 3)).astype("f")
    rows = convolutional(functional=False, axis=1)
    np.testing.assert_array_equal(rows(x), one_by_one(rows, x))
    for options in ({"activity_regularizer": "l2"}, {"activation": "tanh"}):
        model = fastnn.Sequential([layers.Input((9, 9, 3)), layers.Conv2D(4, 3, **options), BatchNormalization()])
        np.testing.assert_array_equal(model(x), one_by_one(model, x))


def test_a_convolution_whose_input_does_not_fit_says_so_by_its_name(rng):
    model = fastnn.Sequential([layers.Conv2D(4, 3, name="first"), BatchNormalization(), ReLU()])
    model(rng.standard_normal((1, 5, 5, 3)).astype("f"))
    with pytest.raises(ValueError, match=r"^\[first\] \[conv2d\] expected w with 4"):
        model(rng.standard_normal((1, 5, 5, 4)).astype("f"))


def test_layers_join_beside_layers_that_add(monkeypatch, rng):
    x = layers.Input((6,))
    y = ReLU()(BatchNormalization()(Dense(6)(x)))
    model = fastnn.Model(x, layers.Concatenate()([layers.Add()([x, y]), y]))
    calls = []
    inference = ops.batch_norm_inference
    monkeypatch.setattr(
        ops, "batch_norm_inference", lambda *a, **o: calls.append(o["activation"]) or inference(*a, **o)
    )
    given = rng.standard_normal((5, 6)).astype("float32")
    joined = model(given)
    assert calls == ["relu"]
    y = model.layers[3](model.layers[2](model.layers[1](given)))
    np.testing.assert_array_equal(joined, np.concatenate([given + y, y], 1))
