"""Batch normalisation and the activation behind it run as one pass; nothing but time may tell."""

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
