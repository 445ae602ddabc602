"""Convolutional layers: shapes, settings, and training through them."""

import copy
import json

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers, ops


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("layer", "input_shape", "output_shape", "kernel_shape"),
    [
        (layers.Conv2D(6, 5), (None, 32, 32, 1), (None, 28, 28, 6), (5, 5, 1, 6)),
        (layers.Conv2D(8, (3, 1), 2, "same", groups=2), (None, 9, 7, 4), (None, 5, 4, 8), (3, 1, 2, 8)),
        (layers.Conv2D(8, 3, dilation_rate=2), (4, None, 9, 4), (4, None, 5, 8), (3, 3, 4, 8)),
        (layers.Conv1D(5, 3, padding="causal"), (None, 10, 2), (None, 10, 5), (3, 2, 5)),
        (layers.Conv1D(5, 4, 3), (None, 10, 2), (None, 3, 5), (4, 2, 5)),
        (layers.Conv3D(5, (1, 2, 3), padding="same"), (None, 4, 5, 6, 2), (None, 4, 5, 6, 5), (1, 2, 3, 2, 5)),
        (layers.Conv1DTranspose(5, 4, 3), (None, 10, 2), (None, 31, 5), (4, 5, 2)),
        (layers.Conv2DTranspose(5, 2, 3), (None, 3, None, 2), (None, 9, None, 5), (2, 2, 5, 2)),
        (layers.Conv2DTranspose(5, 3, 2, "same", 0), (None, 3, 4, 2), (None, 5, 7, 5), (3, 3, 5, 2)),
        (layers.Conv3DTranspose(5, 3, 2, "same"), (None, 3, 4, 2, 2), (None, 6, 8, 4, 5), (3, 3, 3, 5, 2)),
        (layers.DepthwiseConv2D(3, 2, depth_multiplier=2), (None, 9, 7, 3), (None, 4, 3, 6), (3, 3, 3, 2)),
        (layers.DepthwiseConv1D(3, 2, "same"), (None, 9, 3), (None, 5, 3), (3, 3, 1)),
    ],
)
def test_shapes(layer, input_shape, output_shape, kernel_shape):
    assert layer.compute_output_shape(input_shape) == output_shape
    layer.build(input_shape)
    assert [v.shape for v in layer.weights] == [kernel_shape, output_shape[-1:]]
    assert [v.path.split("/")[1] for v in layer.weights] == ["kernel", "bias"]
    probe = [2 if n is None and i == 0 else 11 if n is None else n for i, n in enumerate(input_shape)]
    wanted = layer.compute_output_shape(tuple(probe))
    assert layer(np.zeros(probe)).shape == wanted


@pytest.mark.parametrize("activation", [None, "relu", "softmax", "gelu"])
def test_a_layer_is_its_op(rng, activation):
    layer = layers.Conv2D(5, 3, 2, "same", activation=activation, bias_initializer="normal")
    x = rng.standard_normal((2, 7, 6, 4))
    g = fastnn.activations.get(activation)
    expected = g(ops.conv2d(x.astype(np.float32), *layer_weights(layer, x), strides=2, padding="same"))
    np.testing.assert_allclose(layer(x), expected, rtol=2e-6, atol=2e-6)


def layer_weights(layer, x):
    layer.build((None, *x.shape[1:]))
    return layer.get_weights()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda **p: layers.Conv1D(3, 3, 2, **p), (2, 9, 4)),
        (lambda **p: layers.Conv2D(3, (3, 2), **p), (2, 6, 7, 4)),
        (lambda **p: layers.Conv3D(3, 2, **p), (1, 3, 4, 5, 2)),
        (lambda **p: layers.DepthwiseConv1D(3, **p), (2, 9, 4)),
        (lambda **p: layers.DepthwiseConv2D(3, 2, **p), (2, 6, 7, 4)),
        (lambda **p: layers.SeparableConv2D(3, 3, **p), (2, 6, 7, 4)),
    ],
)
def test_zeros_in_numbers_are_zeros_around_the_input(rng, layer, shape):
    sides = [(2, 0), (1, 3), (0, 1)][: len(shape) - 2]
    x = rng.standard_normal(shape).astype(np.float32)
    padded, plain = layer(padding=sides), layer()
    y = padded(x)
    around = np.pad(x, [(0, 0), *sides, (0, 0)])
    plain.build(around.shape)
    plain.set_weights(padded.get_weights())
    np.testing.assert_allclose(y, plain(around), rtol=1e-5, atol=1e-5)
    assert padded.compute_output_shape((None, *shape[1:]))[1:] == y.shape[1:]
    assert padded.compute_output_shape((None,) * (len(shape) - 1) + shape[-1:])[1] is None
    twin = type(padded).from_config(json.loads(json.dumps(padded.get_config())))
    assert twin.padding == padded.padding == tuple(sides)
    np.testing.assert_array_equal(layer(padding=1).padding, [(1, 1)] * len(sides))


@pytest.mark.parametrize("kind", [layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose])
def test_numbers_cut_a_transposed_convolution(rng, kind):
    axes = kind.rank
    sides = [(1, 0), (0, 2), (1, 1)][:axes]
    x = rng.standard_normal((2, *(4, 3, 3)[:axes], 2)).astype(np.float32)
    cut, whole = kind(3, 3, 2, padding=sides), kind(3, 3, 2)
    y = cut(x)
    whole.build(x.shape)
    whole.set_weights(cut.get_weights())
    inside = tuple(slice(before, -after or None) for before, after in sides)
    np.testing.assert_allclose(y, whole(x)[(slice(None), *inside)], rtol=1e-5, atol=1e-5)
    assert cut.compute_output_shape((None, *x.shape[1:]))[1:] == y.shape[1:]


def test_causal_outputs_see_nothing_that_comes_later(rng):
    layer = layers.Conv1D(3, 3, padding="causal", dilation_rate=2)
    x = rng.standard_normal((1, 12, 2))
    before = layer(x)
    x[:, 7:] = rng.standard_normal((1, 5, 2))
    after = layer(x)
    np.testing.assert_array_equal(before[:, :7], after[:, :7])
    assert np.abs(before[:, 7:] - after[:, 7:]).min() > 0


def test_convolution_commutes_with_shifts_away_from_the_border(rng):
    """Translation equivariance: what moves in the image moves in the feature map."""
    layer = layers.Conv2D(4, 3, padding="same", activation="relu", bias_initializer="normal")
    x = zeros(1, 20, 20, 2)
    x[:, 6:12, 5:11] = rng.standard_normal((1, 6, 6, 2))
    shifted = np.roll(x, (3, 4), (1, 2))
    np.testing.assert_array_equal(np.roll(layer(x), (3, 4), (1, 2))[:, 5:15, 5:15], layer(shifted)[:, 5:15, 5:15])


def test_configurations_come_back(rng):
    layer = layers.Conv2D(
        *(4, (3, 2), 2, "same"),
        activation="tanh",
        groups=2,
        kernel_regularizer="l2",
        bias_constraint="non_neg",
        kernel_initializer="he_normal",
        activity_regularizer="l1",
        name="edges",
    )
    twin = layers.Conv2D.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    again = layers.deserialize(layers.serialize(layer))
    x = rng.standard_normal((1, 5, 5, 2)).astype(np.float32)
    layer(x)
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(x), again(x))
    np.testing.assert_array_equal(layer(x), copy.deepcopy(layer)(x))


IN_TWO_DIMENSIONS = [
    lambda: layers.Conv2D(6, 3, padding="same", activation="relu", kernel_regularizer="l2"),
    lambda: layers.Conv2D(4, 3, 2, activation="tanh", activity_regularizer="l1"),
    lambda: layers.Conv2DTranspose(4, 3, 2, activation="gelu"),
    lambda: layers.DepthwiseConv2D(3, activation="relu"),
    lambda: layers.SeparableConv2D(5, 3, depth_multiplier=2, padding="same", activation="silu"),
]
IN_THREE = [
    lambda: layers.Reshape((4, 8, 2, 2)),
    lambda: layers.Conv3D(3, 2, padding="same", activation="relu"),
    lambda: layers.Conv3DTranspose(2, 2, 2),
]
IN_ONE = [
    lambda: layers.Reshape((32, 4)),
    lambda: layers.Conv1D(6, 3, padding="causal", activation="relu"),
    lambda: layers.SeparableConv1D(4, 3, 2),
    lambda: layers.Conv1DTranspose(3, 4, 2, "same", activation="softmax"),
    lambda: layers.DepthwiseConv1D(3, 2),
]


@pytest.mark.parametrize("stack", [IN_TWO_DIMENSIONS, IN_THREE, IN_ONE])
def test_recorded_steps_are_the_steps_in_python(rng, stack):
    x, y = rng.standard_normal((32, 8, 8, 2)).astype(np.float32), rng.integers(0, 3, 32)
    weights = []
    for eager in (False, True):
        fastnn.utils.set_random_seed(1)
        model = Sequential([*(make() for make in stack), layers.Flatten(), layers.Dense(3)])
        loss = fastnn.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, run_eagerly=eager)
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
        assert bool(model._steps_now()._training._steps if not eager else 0) != eager
        weights.append(model.get_weights())
    for recorded, eager in zip(*weights, strict=True):
        np.testing.assert_array_equal(recorded, eager)


def test_a_layer_finds_the_filter_it_is_shown(rng):
    """Filters are learned: from images and the responses of Sobel's filter comes Sobel's filter."""
    sobel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)[:, :, None, None]
    x = rng.standard_normal((64, 8, 8, 1)).astype(np.float32)
    model = Sequential([layers.Conv2D(1, 3, use_bias=False)])
    model.compile(fastnn.optimizers.Adam(0.05), "mse")
    model.fit(x, ops.conv2d(x, sobel), epochs=40, batch_size=16, verbose=0)
    np.testing.assert_allclose(model.layers[0].kernel.numpy(), sobel, atol=0.01)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2D(0, 3), r"\[Conv2D\] expected filters to be an integer >= 1, got 0"),
        (lambda: layers.Conv2D(4, (3, 3, 3)), r"\[Conv2D\] expected kernel_size to be an integer or 2 of them"),
        (lambda: layers.Conv2D(4, 3, padding="causal"), r"\[Conv2D\] expected padding 'valid', 'same' or .*'causal'"),
        (lambda: layers.Conv2D(4, 3, padding=-1), r"\[Conv2D\] expected padding to be .* >= 0"),
        (lambda: layers.Conv2D(4, 3, padding=((1, 1), (2, 2), (0, 0))), r"\[Conv2D\] expected padding .* 2 axes"),
        (lambda: layers.Conv2D(4, 5, padding=1, name="a").build((None, 2, 8, 3)), r"\[a\] expected an input that"),
        (
            lambda: layers.Conv2D(4, 3, data_format="channels_first"),
            r"\[Conv2D\] expected data_format 'channels_last', got 'channels_first'",
        ),
        (
            lambda: layers.Conv2DTranspose(4, 3, 2, output_padding=2),
            r"\[Conv2DTranspose\] expected output_padding smaller than strides \(2, 2\), got 2",
        ),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), r"\[DepthwiseConv2D\] expected depth_multiplier"),
        (lambda: layers.Conv2D(4, 3, groups=3), r"\[Conv2D\] expected filters that groups divides, got filters 4"),
        (lambda: layers.Conv2D(4, 3, name="a").build((None, 8, 8)), r"\[a\] expected an input with 4 axes"),
        (lambda: layers.Conv2D(4, 3, name="a").build((None, 8, 8, None)), r"\[a\] expected .* of a known length"),
        (lambda: layers.Conv2D(4, 3, groups=2, name="a").build((None, 8, 8, 3)), r"\[a\] expected channels"),
        (lambda: layers.Conv2D(4, 3, name="a").build((None, 2, 8, 3)), r"\[a\] expected an input that holds"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
