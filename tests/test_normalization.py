"""Normalisation layers, as Keras has them."""

import copy
import pickle

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, layers, optimizers
from fastnn.layers import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    LocalResponseNormalization,
    RMSNormalization,
    UnitNormalization,
)


def batch(rng, *shape, dtype="float32"):
    return (2 + 3 * rng.standard_normal(shape)).astype(dtype)


def normalised(x, epsilon=1e-3):
    """x in float64, each channel with mean 0 and variance 1."""
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes, np.float64)) / np.sqrt(x.var(axes, np.float64) + epsilon)


# ---- BatchNormalization --------------------------------------------------------------------------------------------


def test_weights_have_the_names_and_order_of_keras():
    layer = BatchNormalization()
    layer.build((None, 4, 7))
    assert [v.name for v in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [v.name for v in layer.trainable_weights] == ["gamma", "beta"]
    assert [w.tolist() for w in layer.get_weights()] == [[1] * 7, [0] * 7, [0] * 7, [1] * 7]
    assert layer.compute_output_shape((None, 4, 7)) == (None, 4, 7)


@pytest.mark.parametrize(("center", "scale", "names"), [(False, True, ["gamma"]), (True, False, ["beta"])])
def test_without_center_or_scale(rng, center, scale, names):
    layer, x = BatchNormalization(center=center, scale=scale), batch(rng, 6, 4)
    np.testing.assert_allclose(layer(x, training=True), normalised(x), atol=1e-5)
    assert [v.name for v in layer.trainable_weights] == names


def test_the_batch_is_normalised_while_training_and_by_moving_statistics_else(rng):
    layer, x = BatchNormalization(momentum=0.5), batch(rng, 8, 3, 4)
    np.testing.assert_allclose(layer(x, training=True), normalised(x), atol=1e-5)
    mean, variance = 0.5 * x.mean((0, 1)), 0.5 + 0.5 * x.var((0, 1))
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)
    np.testing.assert_allclose(layer(x), (x - mean) / np.sqrt(variance + 1e-3), rtol=1e-4, atol=1e-5)


def test_moving_statistics_are_exponentially_weighted(rng):
    """At test time the notes take the weighted average of the batches' statistics: (1 - b) sum of b^k, newest first."""
    layer, batches = BatchNormalization(momentum=0.9), [batch(rng, 16, 2) for _ in range(5)]
    for x in batches:
        layer(x, training=True)
    weights = 0.1 * 0.9 ** np.arange(5)[::-1]
    mean = sum(w * x.mean(0, np.float64) for w, x in zip(weights, batches, strict=True))
    variance = 0.9**5 + sum(w * x.var(0, np.float64) for w, x in zip(weights, batches, strict=True))
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-6)


def test_statistics_of_one_batch_are_approached(rng):
    layer, x = BatchNormalization(momentum=0.5), batch(rng, 50, 3)
    for _ in range(30):
        layer(x, training=True)
    np.testing.assert_allclose(layer(x), layer(x, training=True), atol=1e-5)


def test_a_frozen_layer_infers_and_keeps_its_statistics(rng):
    layer, x = BatchNormalization(), batch(rng, 6, 4)
    layer.build((None, 4))
    layer.trainable = False
    np.testing.assert_allclose(layer(x, training=True), x / np.sqrt(1.001), rtol=1e-6)
    assert layer.get_weights()[2].tolist() == [0] * 4
    layer.trainable = True
    assert [v.name for v in layer.trainable_weights] == ["gamma", "beta"]
    np.testing.assert_allclose(layer(x, training=True), normalised(x), atol=1e-5)


def test_masked_time_steps_do_not_count(rng):
    layer, x = BatchNormalization(momentum=0.0), batch(rng, 3, 5, 2)
    mask = np.arange(5) < np.array([[2], [5], [3]])
    y = layer(x, training=True, mask=mask)
    counted = x[mask]
    np.testing.assert_allclose(layer.moving_mean, counted.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, counted.var(0), rtol=1e-5)
    np.testing.assert_allclose(y, (x - counted.mean(0)) / np.sqrt(counted.var(0) + 1e-3), atol=1e-5)


@pytest.mark.parametrize("axis", [1, -2])
def test_channels_on_another_axis(rng, axis):
    layer, x = BatchNormalization(axis=axis), batch(rng, 6, 4, 5)
    y = layer(x, training=True)
    assert layer.gamma.shape == (4,)
    np.testing.assert_allclose(y, normalised(x.swapaxes(1, 2)).swapaxes(1, 2), atol=1e-5)


def test_integers_are_cast(rng):
    x = rng.integers(0, 255, (6, 4)).astype("uint8")
    layer = BatchNormalization()
    y = layer(x, training=True)
    assert y.dtype == "float32"
    np.testing.assert_allclose(y, normalised(x), atol=1e-5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\[bn\] expected axis in \[-2, 2\) for input \(None, 3\), got 2"):
        BatchNormalization(axis=2, name="bn").build((None, 3))
    with pytest.raises(ValueError, match=r"\[bn\] expected a known length along axis -1, got input \(None, None\)"):
        BatchNormalization(name="bn").build((None, None))
    with pytest.raises(TypeError, match=r"\[BatchNormalization\] expected axis to be an integer, got \[1\]"):
        BatchNormalization(axis=[1])
    layer = BatchNormalization(name="bn")
    layer.build((None, 3))
    with pytest.raises(ValueError, match=r"\[bn\] \[batch_norm\] expected gamma of shape \(4,\), got \(3,\)"):
        layer(np.zeros((2, 4), "float32"), training=True)


# ---- over the features of a sample ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("axis", "shape"), [(-1, (5,)), (1, (4,)), ([1, 2], (4, 5)), ((-1, -2), (4, 5))])
def test_layer_normalization_over_axes(rng, axis, shape):
    layer, x = LayerNormalization(axis=axis), batch(rng, 3, 4, 5)
    y = layer(x)
    assert [v.name for v in layer.weights] == ["gamma", "beta"] and layer.gamma.shape == layer.beta.shape == shape
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    mean, variance = x.mean(axes, np.float64, keepdims=True), x.var(axes, np.float64, keepdims=True)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-3), atol=1e-5)
    np.testing.assert_array_equal(layer(x, training=True), y)


def test_layer_normalization_scales_and_shifts(rng):
    layer, x = LayerNormalization(axis=[1, 2]), batch(rng, 3, 4, 5)
    plain = layer(x)
    gamma, beta = (rng.standard_normal((4, 5)).astype("float32") for _ in range(2))
    layer.set_weights([gamma, beta])
    np.testing.assert_allclose(layer(x), plain * gamma + beta, atol=1e-5)


def test_rms_scaling_neither_centres_nor_shifts(rng):
    layer, x = LayerNormalization(axis=1, rms_scaling=True), batch(rng, 3, 4, 5)
    y = layer(x)
    assert [v.name for v in layer.weights] == ["gamma"]
    np.testing.assert_allclose(y, x / np.sqrt(x.var(1, keepdims=True) + 1e-3), rtol=1e-5)


@pytest.mark.parametrize(("axis", "shape"), [(-1, (5,)), ([2, 1], (4, 5))])
def test_rms_normalization(rng, axis, shape):
    layer, x = RMSNormalization(axis=axis), batch(rng, 3, 4, 5)
    y = layer(x)
    assert [v.name for v in layer.weights] == ["scale"] and layer.scale.shape == shape
    axes = tuple(axis) if isinstance(axis, list) else axis
    np.testing.assert_allclose(y, x / np.sqrt(np.mean(x**2, axes, keepdims=True) + 1e-6), rtol=1e-5)


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("groups", [1, 3, -1])
def test_group_normalization(rng, groups, axis):
    layer, x = GroupNormalization(groups, axis=axis), batch(rng, 2, 6, 5, 6)
    y = layer(x)
    assert [v.name for v in layer.weights] == ["gamma", "beta"] and layer.gamma.shape == (6,)
    count = 6 if groups == -1 else groups
    grouped = np.moveaxis(x, axis, -1).reshape(2, -1, count, 6 // count).astype("float64")
    mean, variance = grouped.mean((1, 3), keepdims=True), grouped.var((1, 3), keepdims=True)
    expected = ((grouped - mean) / np.sqrt(variance + 1e-3)).reshape(np.moveaxis(x, axis, -1).shape)
    np.testing.assert_allclose(np.moveaxis(y, axis, -1), expected, atol=1e-5)


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match=r"expected groups to be a positive integer or -1, got 0"):
        GroupNormalization(0)
    with pytest.raises(ValueError, match=r"\[own\] expected groups that divide the 6 channels of \(None, 6\), got 4"):
        GroupNormalization(4, name="own").build((None, 6))


def test_unit_normalization(rng):
    x = batch(rng, 3, 4, 5)
    np.testing.assert_allclose((UnitNormalization(axis=(1, 2))(x) ** 2).sum((1, 2)), 1, rtol=1e-5)
    np.testing.assert_array_equal(UnitNormalization()(np.zeros((2, 3), "float32")), 0)


def test_local_response_normalization_of_alexnet():
    """The notes name AlexNet's layer; by hand, of three channels: d = 2 + 1e-4 (x1^2 + x2^2 + x3^2)."""
    x = np.array([[[[10.0, 20.0, -30.0]]]], "float32")
    np.testing.assert_allclose(LocalResponseNormalization()(x), x / 2.14**0.75, rtol=1e-6)
    narrow = LocalResponseNormalization(size=3, alpha=1.0, beta=1.0, k=1.0)(np.array([[1.0, 2.0, 3.0]], "float32"))
    np.testing.assert_allclose(narrow, [[1 / 6, 2 / 15, 3 / 14]], rtol=1e-6)
    with pytest.raises(ValueError, match=r"expected size to be a positive integer, got 0"):
        LocalResponseNormalization(0)


@pytest.mark.parametrize("layer", [LayerNormalization, RMSNormalization, UnitNormalization])
def test_axes_that_are_none_are_refused(layer):
    with pytest.raises(TypeError, match=r"expected axis to be an integer or several integers, got 'last'"):
        layer(axis="last")
    with pytest.raises(ValueError, match=r"\[own\] expected axis in \[-2, 2\) for input \(None, 3\), got 2"):
        layer(axis=2, name="own").compute_output_shape((None, 3))


def test_masks_pass_through(rng):
    x = rng.integers(0, 3, (4, 5))
    x[0, 2:] = 0
    embedded = fastnn.masks.masked(batch(rng, 4, 5, 3), x != 0)
    for layer in (BatchNormalization, LayerNormalization, InstanceNormalization, RMSNormalization, UnitNormalization):
        y = layer()(embedded)
        np.testing.assert_array_equal(fastnn.masks.mask_of(y), x != 0)


# ---- of all layers -------------------------------------------------------------------------------------------------


def settings():
    return [
        BatchNormalization(
            axis=1,
            momentum=0.8,
            epsilon=1e-2,
            center=False,
            gamma_initializer="uniform",
            moving_mean_initializer="ones",
            gamma_regularizer="l2",
            gamma_constraint="non_neg",
            name="own",
        ),
        LayerNormalization(axis=[-1, 1], epsilon=1e-2, scale=False, beta_initializer="normal", beta_regularizer="l1"),
        LayerNormalization(axis=1, rms_scaling=True, gamma_initializer="uniform"),
        GroupNormalization(2, axis=1, epsilon=1e-2, center=False, gamma_regularizer="l2"),
        RMSNormalization(axis=[1, 2], epsilon=1e-2),
        UnitNormalization(axis=(1, 2)),
        LocalResponseNormalization(3, alpha=0.1, beta=0.5, k=1.0),
    ]


@pytest.mark.parametrize("layer", settings(), ids=lambda layer: type(layer).__name__)
def test_configurations_make_the_same_layer(rng, layer):
    x = batch(rng, 3, 4, 6)
    layer(x, training=True)
    twin = layers.deserialize(layers.serialize(layer))
    assert twin.get_config() == layer.get_config()
    twin.build(x.shape)
    twin.set_weights(layer.get_weights())
    for other in (twin, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other(x), layer(x))


def network(layer, eager=False):
    fastnn.utils.set_random_seed(1)
    model = fastnn.Sequential([layers.Input((6,)), layers.Dense(8), layer(), layers.ReLU(), layers.Dense(3)])
    loss = fastnn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizers.Adam(0.02), loss, metrics=["accuracy"], run_eagerly=eager)
    return model


def InstanceNormalization():
    return GroupNormalization(groups=-1)


def TwoGroups():
    return GroupNormalization(2)


LAYERS = [
    BatchNormalization,
    LayerNormalization,
    TwoGroups,
    RMSNormalization,
    UnitNormalization,
    LocalResponseNormalization,
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_recorded_steps_train_as_python_does(rng, layer):
    x, y = batch(rng, 24, 6), rng.integers(0, 3, 24)
    replayed, eager = network(layer), network(layer, eager=True)
    for _ in range(5):
        for model in (replayed, eager):
            model.train_on_batch(x, y)
    assert replayed._steps_now()._training._steps and not eager._steps_now()._training
    for a, b in zip(replayed.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for _ in range(3):  # predictions are recorded, too, and see what was learned since
        np.testing.assert_array_equal(replayed.predict_on_batch(x), eager.predict_on_batch(x))
        for model in (replayed, eager):
            model.train_on_batch(x, y)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_a_saved_model_predicts_the_same_and_trains_on(rng, layer, tmp_path):
    x, y = batch(rng, 24, 6), rng.integers(0, 3, 24)
    model = network(layer)
    for _ in range(3):
        model.train_on_batch(x, y)
    model.save(tmp_path / "model.safetensors")
    loaded = fastnn.models.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict_on_batch(x), model.predict_on_batch(x))
    for a in (model, loaded):
        a.train_on_batch(x, y)
    for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_freezing_ends_recordings(rng):
    x, y = batch(rng, 24, 6), rng.integers(0, 3, 24)
    model = network(BatchNormalization)
    for _ in range(4):
        model.train_on_batch(x, y)
    norm = model.layers[1]
    norm.trainable = False
    before = norm.get_weights()
    for _ in range(4):
        model.train_on_batch(x, y)
    for a, b in zip(norm.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_gradients_pass_through_the_statistics(rng):
    """A gradient along the mean, or along xhat, changes nothing that is normalised: so there is none."""
    x = batch(rng, 12, 3, dtype="float64")
    layer = BatchNormalization(dtype="float64", epsilon=0.0)
    with GradientTape() as tape:
        t = tape.watch(x)
        y = layer(t, training=True)
    dx = tape.gradient(y, t, rng.standard_normal(x.shape))
    np.testing.assert_allclose(dx.sum(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose((dx * x).sum(axis=0), 0, atol=1e-12)
