"""Pooling, padding, cropping and upsampling layers: Keras's shapes and settings; and that training is recorded."""

import numpy as np
import pytest

import fastnn
from fastnn import layers, ops

SHAPES = {1: (2, 9, 3), 2: (2, 9, 7, 3), 3: (2, 5, 6, 7, 3)}

#: A layer, its settings, and the shape it makes of SHAPES.
LAYERS = [
    ("MaxPooling1D", {}, (2, 4, 3)),
    ("MaxPooling2D", {"pool_size": (2, 3), "strides": (1, 2), "padding": "same"}, (2, 9, 4, 3)),
    ("MaxPooling3D", {"pool_size": 3, "strides": 2}, (2, 2, 2, 3, 3)),
    ("AveragePooling1D", {"pool_size": 3, "padding": "same"}, (2, 3, 3)),
    ("AveragePooling2D", {"pool_size": 2}, (2, 4, 3, 3)),
    ("AveragePooling3D", {"pool_size": (1, 2, 3)}, (2, 5, 3, 2, 3)),
    ("GlobalMaxPooling1D", {}, (2, 3)),
    ("GlobalMaxPooling2D", {"keepdims": True}, (2, 1, 1, 3)),
    ("GlobalMaxPooling3D", {}, (2, 3)),
    ("GlobalAveragePooling1D", {"keepdims": True}, (2, 1, 3)),
    ("GlobalAveragePooling2D", {}, (2, 3)),
    ("GlobalAveragePooling3D", {"keepdims": True}, (2, 1, 1, 1, 3)),
    ("AdaptiveMaxPooling1D", {"output_size": 4}, (2, 4, 3)),
    ("AdaptiveMaxPooling2D", {"output_size": (2, 5)}, (2, 2, 5, 3)),
    ("AdaptiveMaxPooling3D", {"output_size": 2}, (2, 2, 2, 2, 3)),
    ("AdaptiveAveragePooling1D", {"output_size": 2}, (2, 2, 3)),
    ("AdaptiveAveragePooling2D", {"output_size": 3}, (2, 3, 3, 3)),
    ("AdaptiveAveragePooling3D", {"output_size": (1, 2, 3)}, (2, 1, 2, 3, 3)),
    ("ZeroPadding1D", {"padding": (1, 2)}, (2, 12, 3)),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, (2, 10, 12, 3)),
    ("ZeroPadding3D", {"padding": (1, 0, 2)}, (2, 7, 6, 11, 3)),
    ("Cropping1D", {}, (2, 7, 3)),
    ("Cropping2D", {"cropping": (1, 2)}, (2, 7, 3, 3)),
    ("Cropping3D", {}, (2, 3, 4, 5, 3)),
    ("UpSampling1D", {"size": 3}, (2, 27, 3)),
    ("UpSampling2D", {"size": (1, 2), "interpolation": "bilinear"}, (2, 9, 14, 3)),
    ("UpSampling3D", {}, (2, 10, 12, 14, 3)),
]
IDS = [name for name, _, _ in LAYERS]


def given(name, rng):
    return rng.standard_normal(SHAPES[int(name[-2])]).astype(np.float32)


@pytest.mark.parametrize(("name", "settings", "shape"), LAYERS, ids=IDS)
def test_shapes_settings_and_symbolic_calls(rng, name, settings, shape):
    layer, x = getattr(layers, name)(**settings), given(name, rng)
    y = layer(x)
    assert y.shape == shape
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *shape[1:])
    assert layer(layers.Input(x.shape[1:])).shape == (None, *shape[1:])
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(x), y)


@pytest.mark.parametrize(("name", "settings", "shape"), LAYERS, ids=IDS)
def test_training_is_recorded_with_the_same_bits(rng, name, settings, shape):
    x, y = given(name, rng), rng.standard_normal((2, 2)).astype(np.float32)

    def trained(eager):
        fastnn.utils.set_random_seed(1)
        layer = getattr(layers, name)(**settings)
        # The dense layer in front makes gradients of the layer's input matter.
        stack = [layers.Input(x.shape[1:]), layers.Dense(3), layer, layers.Flatten(), layers.Dense(2)]
        model = fastnn.Sequential(stack)
        model.compile("sgd", "mse", run_eagerly=eager)
        figures = [model.train_on_batch(x, y) for _ in range(4)]
        assert bool(model._steps_now()._training._steps) if not eager else True
        return figures, [w.tobytes() for w in model.get_weights()]

    assert trained(False) == trained(True)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_windows_of_unknown_axes_are_unknown(padding):
    assert layers.MaxPooling2D(2, padding=padding).compute_output_shape((None, None, 8, 3)) == (None, None, 4, 3)
    assert layers.ZeroPadding2D(1).compute_output_shape((None, None, 8, 3)) == (None, None, 10, 3)
    assert layers.Cropping1D(1).compute_output_shape((None, None, 3)) == (None, None, 3)
    assert layers.UpSampling1D(2).compute_output_shape((None, None, 3)) == (None, None, 3)


def test_means_leave_padding_out_as_keras_does():
    x = np.arange(1.0, 10.0, dtype=np.float32).reshape(1, 3, 3, 1)
    np.testing.assert_array_equal(layers.AveragePooling2D(2, padding="same")(x)[0, ..., 0], [[3, 4.5], [7.5, 9]])


def test_the_mean_over_steps_leaves_masked_ones_out(rng):
    x = rng.standard_normal((2, 4, 3)).astype(np.float32)
    mask = np.array([[True, True, False, False], [True, False, True, True]])
    expected = [x[0, :2].mean(axis=0), x[1, [0, 2, 3]].mean(axis=0)]
    np.testing.assert_allclose(layers.GlobalAveragePooling1D()(x, mask=mask), expected, rtol=1e-6)


def test_short_names_are_the_same_layers():
    for name in ("Max", "Average"):
        for axes in (1, 2, 3):
            short = "Avg" if name == "Average" else name
            assert getattr(layers, f"{short}Pool{axes}D") is getattr(layers, f"{name}Pooling{axes}D")
            assert getattr(layers, f"Global{short}Pool{axes}D") is getattr(layers, f"Global{name}Pooling{axes}D")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.MaxPooling2D(data_format="channels_first"), "expected data_format 'channels_last', got"),
        (lambda: layers.AveragePooling2D(2, padding="causal"), "expected padding 'valid', 'same'"),
        (lambda: layers.MaxPooling2D(2, padding=1), "expected padding 'valid' or 'same', got 1"),
        (lambda: layers.MaxPooling2D((2, 2, 2)), "expected pool_size of 2 integers >= 1"),
        (lambda: layers.ZeroPadding2D("same"), "expected padding of numbers or pairs, got 'same'"),
        (lambda: layers.Cropping2D(2)(np.zeros((1, 4, 8, 1))), "expected cropping that leaves something"),
        (lambda: layers.UpSampling2D(interpolation="area"), "expected interpolation 'nearest', 'bilin"),
        (lambda: layers.MaxPooling2D()(np.zeros((1, 4, 8))), r"expected x of shape \(n, h, w, c\), got \(1, 4, 8\)"),
        (lambda: layers.Cropping2D()(np.zeros((1, 4, 8))), r"expected an input with 4 axes \(n, h, w, c\), got 3"),
        (lambda: layers.GlobalAveragePooling2D()(np.zeros((1, 4, 8))), r"expected an input with 4 axes"),
        (lambda: layers.MaxPooling1D(5)(np.zeros((1, 4, 8))), "expected windows that fit x with padding, got 5 over 4"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=rf"^\[\w+\] {message}"):
        make()


def test_ops_on_tensors_reach_the_kernels(rng):
    x = rng.standard_normal((2, 4, 4, 2)).astype(np.float32)
    with fastnn.GradientTape() as tape:
        t = tape.watch(x)
        loss = ops.sum(np.pad(ops.max_pool(t, 2), ((0, 0), (1, 1), (0, 0), (0, 0))))
    assert (tape.gradient(loss, t) == 1).sum() == 2 * 2 * 2 * 2
