"""Kernels stay packed between calls as long as weights do not change, and no longer."""

import numpy as np
import pytest

import fastnn
from fastnn import _core, constraints, layers, ops, optimizers
from fastnn.backend import weights_changed
from fastnn.layers import SpectralNormalization

X = np.random.default_rng(3).standard_normal((2, 9, 9, 32)).astype(np.float32)


def network(optimizer="sgd", **options):
    fastnn.utils.set_random_seed(1)
    model = fastnn.Sequential([layers.Input((9, 9, 32)), layers.Conv2D(32, 3, **options), layers.Conv2D(5, 2)])
    model.compile(optimizer, "mse")
    return model


def target(model):
    return np.zeros(model.output_shape[1:], np.float32)[None].repeat(len(X), 0)


def plainly(model, x=X):
    """The prediction from arrays, of which nothing is kept."""
    for layer in model.layers:
        x = ops.conv2d(x, np.array(layer.kernel), np.array(layer.bias))
    return x


def predict(model):
    """Three times, so that the step is recorded and replayed."""
    found = [model.predict_on_batch(X) for _ in range(3)]
    np.testing.assert_array_equal(found[0], found[2])
    return found[2]


def scaled(model):
    return [0.5 * w for w in model.get_weights()]


def load(model, path):
    other = network()
    other.set_weights(scaled(model))
    other.save_weights(path / "other.weights.safetensors")
    model.load_weights(path / "other.weights.safetensors")


CHANGES = {
    "assign": lambda model, path: model.layers[0].kernel.assign(np.full((3, 3, 32, 32), 0.25)),
    "assign_add": lambda model, path: model.layers[0].kernel.assign_add(1.0),
    "set_weights": lambda model, path: model.set_weights(scaled(model)),
    "load_weights": load,
    "one step": lambda model, path: model.train_on_batch(X, target(model)),
    "replayed steps": lambda model, path: [model.train_on_batch(X, target(model)) for _ in range(4)],
    "fit": lambda model, path: model.fit(X, target(model), epochs=3, verbose=0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_predictions_follow_the_weights(change, tmp_path):
    model = network()
    before = predict(model)
    np.testing.assert_array_equal(before, plainly(model))
    CHANGES[change](model, tmp_path)
    after = predict(model)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, plainly(model))


def test_predictions_between_replayed_steps_follow_each_of_them():
    model = network(kernel_constraint=constraints.MaxNorm(0.5))
    seen = []
    for _ in range(5):
        model.train_on_batch(X, target(model))
        seen.append(model.predict_on_batch(X))
        np.testing.assert_array_equal(seen[-1], plainly(model))
        np.testing.assert_allclose(model.evaluate(X, target(model), verbose=0), np.mean(seen[-1] ** 2), rtol=1e-6)
    assert not np.array_equal(seen[-1], seen[-2])


def test_predictions_follow_moving_averages():
    model = network(optimizers.SGD(0.1, use_ema=True))
    for _ in range(4):
        model.train_on_batch(X, target(model))
    before = predict(model)
    model.optimizer.finalize_variable_values()
    after = predict(model)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, plainly(model))


def test_calls_follow_spectral_normalization():
    wrapped = SpectralNormalization(layers.Conv2D(32, 3))
    before = wrapped(X)
    wrapped(X, training=True)
    after = wrapped(X)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, ops.conv2d(X, np.array(wrapped.layer.kernel), np.array(wrapped.layer.bias)))


def test_calls_follow_steps_of_a_loop_by_hand():
    layer = layers.Conv2D(32, 3)
    layer(X)
    optimizer = optimizers.SGD(0.1)
    for _ in range(2):
        with fastnn.GradientTape() as tape:
            loss = ops.sum(layer(X) ** 2)
        optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
        np.testing.assert_array_equal(layer(X), ops.conv2d(X, np.array(layer.kernel), np.array(layer.bias)))


def test_arrays_are_never_kept():
    w = np.ones((3, 3, 32, 32), np.float32)
    before = ops.conv2d(X, w)
    w *= 2
    np.testing.assert_array_equal(ops.conv2d(X, w), 2 * before)


@pytest.mark.parametrize("options", [{"kernel_size": 3}, {"kernel_size": 2, "strides": 2, "groups": 2}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_kernel_stays_packed_until_it_is_said_that_weights_changed(options, dtype):
    layer = layers.Conv2D(32, dtype=dtype, **options)
    before = np.array(layer(X))
    assert layer.kernel.packed.bytes >= layer.kernel.value.nbytes
    layer.kernel._value *= 2  # behind its back
    np.testing.assert_array_equal(layer(X), before)
    weights_changed()
    np.testing.assert_array_equal(layer(X), 2 * before)


@pytest.mark.parametrize(("kernel_size", "size"), [(3, 3), (1, 1)])
def test_other_batches_and_other_instruction_sets_pack_anew(kernel_size, size):
    layer = layers.Conv2D(48, kernel_size)
    layer(X)
    before = _core.active_isa()
    try:
        for isa in _core.supported_isas():
            _core.set_active_isa(isa)
            for x in (X, X[:1, :size, :3], X):
                np.testing.assert_array_equal(layer(x), ops.conv2d(x, np.array(layer.kernel)))
    finally:
        _core.set_active_isa(before)


def test_kernels_with_a_stride_stay_packed_by_its_phases():
    """Winograd's algorithm for 5 x 5 with stride 2: 36 numbers for 9 taps of 4 phases."""
    layer, x = layers.Conv2D(32, 5, strides=2), np.random.default_rng(3).standard_normal((2, 50, 50, 16))
    for _ in range(2):
        y = np.array(layer(x))
        assert layer.kernel.packed.bytes > 5 * layer.kernel.value.nbytes
        np.testing.assert_array_equal(y, ops.conv2d(x.astype("float32"), np.array(layer.kernel), strides=2))
        layer.kernel.assign(0.5 * layer.kernel.numpy())
    np.testing.assert_array_equal(layer(x), 0.5 * y)


def test_the_value_of_a_variable_cannot_be_made_writable():
    value = fastnn.Variable(np.ones((2, 3))).value
    with pytest.raises(ValueError, match="WRITEABLE"):
        value.flags.writeable = True
