"""BatchNormalization where the statistics are not those of one batch: renormalisation, several processes."""

import threading

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape
from fastnn.layers import BatchNormalization, Dense, Input
from fastnn.models import Sequential
from fastnn.testing import gradcheck


def batch(rng, *shape, dtype="float64"):
    return (2 * rng.standard_normal(shape) + 1).astype(dtype)


# ---- renormalisation ----------------------------------------------------------------------------------------------

LIMITS = {"rmin": 0.5, "rmax": 1.2, "dmax": 0.4}


def renormalised(x, state, gamma, beta, momentum=0.9, renorm_momentum=0.8, epsilon=1e-3):
    """y and the state after it, by the formulas of Ioffe's paper, algorithm 1."""
    mean, deviation = x.mean(0), np.sqrt(x.var(0) + epsilon)
    r = np.clip(deviation / state["renorm_stddev"], LIMITS["rmin"], LIMITS["rmax"])
    d = np.clip((mean - state["renorm_mean"]) / state["renorm_stddev"], -LIMITS["dmax"], LIMITS["dmax"])
    y = ((x - mean) / deviation * r + d) * gamma + beta
    after = {
        name: rate * state[name] + (1 - rate) * value
        for name, rate, value in [
            ("moving_mean", momentum, mean),
            ("moving_stddev", momentum, deviation),
            ("renorm_mean", renorm_momentum, mean),
            ("renorm_stddev", renorm_momentum, deviation),
        ]
    }
    after["moving_variance"] = after["moving_stddev"] ** 2 - epsilon
    return y, after, r, d


def renorm_layer(**options):
    settings = {"momentum": 0.9, "renorm": True, "renorm_clipping": LIMITS, "renorm_momentum": 0.8, "dtype": "float64"}
    return BatchNormalization(**{**settings, **options})


def state_of(layer):
    return {v.name: v.numpy().copy() for v in layer.weights if not v.trainable}


def test_renormalised_batches_follow_the_paper(rng):
    layer = renorm_layer()
    layer.build((None, 5))
    layer.gamma.assign(rng.standard_normal(5))
    layer.beta.assign(rng.standard_normal(5))
    for _ in range(4):
        x, before = batch(rng, 7, 5), state_of(layer)
        y, after, *_ = renormalised(x, before, layer.gamma.numpy(), layer.beta.numpy())
        np.testing.assert_allclose(layer(x, training=True), y, rtol=1e-12, atol=1e-12)
        for name, value in state_of(layer).items():
            np.testing.assert_allclose(value, after[name], rtol=1e-12)
    scale = np.sqrt(layer.moving_variance.numpy() + 1e-3)
    expected = (x - layer.moving_mean.numpy()) / scale * layer.gamma.numpy() + layer.beta.numpy()
    np.testing.assert_allclose(layer(x), expected, rtol=1e-12, atol=1e-12)


def test_weights_of_renormalisation_have_the_order_of_keras():
    layer = renorm_layer(moving_variance_initializer=fastnn.initializers.Constant(4.0))
    layer.build((None, 3))
    names = ["gamma", "beta", "moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev"]
    assert [v.name for v in layer.weights] == names
    np.testing.assert_array_equal(layer.renorm_stddev, [2, 2, 2])
    assert renorm_layer(scale=False, center=False)(np.ones((4, 2)), training=True).shape == (4, 2)


def test_gradients_leave_the_corrections_alone(rng):
    """As if r and d were constants: x's gradient is that of the plain layer with gamma r."""
    layer, x, dy = renorm_layer(), batch(rng, 6, 4), batch(rng, 6, 4)
    layer.build((None, 4))
    *_, r, _ = renormalised(x, state_of(layer), 1, 0)
    plain = BatchNormalization(dtype="float64")
    plain.build((None, 4))
    plain.gamma.assign(r)
    grads = []
    for one in (layer, plain):
        with GradientTape() as tape:
            t = tape.watch(x)
            y = one(t, training=True)
        grads.append(tape.gradient(y, t, dy))
    np.testing.assert_allclose(*grads, rtol=1e-9, atol=1e-12)


def test_masked_rows_do_not_count_in_renormalisation(rng):
    mask = np.array([[True, True, False], [True, False, False]])
    x, layers = batch(rng, 2, 3, 4), [renorm_layer(), renorm_layer()]
    y = layers[0](x, training=True, mask=mask)
    np.testing.assert_allclose(np.asarray(y)[mask], layers[1](x[mask], training=True), rtol=1e-12, atol=1e-12)
    before = state_of(layers[0])
    layers[0](x, training=True, mask=np.zeros((2, 3), bool))  # nothing counts, nothing moves
    for name, value in state_of(layers[0]).items():
        np.testing.assert_allclose(value, before[name], rtol=1e-14, atol=1e-15)


def over_counted(x, mask, axis):
    """Mean and variance of each channel over what mask, x's shape without its last axis, lets through."""
    rows = np.moveaxis(x, axis, 0)
    kept = np.moveaxis(np.broadcast_to(mask[..., None], x.shape), axis, 0)
    values = [row[which] if which.any() else None for row, which in zip(rows, kept, strict=True)]
    return [[np.nan if v is None else f(v) for v in values] for f in (np.mean, np.var)]


@pytest.mark.parametrize("shape, axis", [((5, 4, 3), 1), ((3, 2, 3, 4), 1), ((3, 2, 3, 4), -2)])
def test_a_mask_leaves_out_values_where_channels_are_not_last(rng, shape, axis):
    """What counts differs from channel to channel then; one of which nothing does keeps its statistics."""
    x, mask = batch(rng, *shape), rng.random(shape[:-1]) < 0.6
    if axis == 1:
        mask[:, 1] = False
    layer = BatchNormalization(axis, momentum=0.9, dtype="float64")
    y = layer(x, training=True, mask=mask)
    mean, variance = map(np.array, over_counted(x, mask, axis))
    counted = ~np.isnan(mean)
    assert counted.sum() == shape[axis] - (axis == 1)
    np.testing.assert_allclose(layer.moving_mean.numpy()[counted], 0.1 * mean[counted], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(layer.moving_variance.numpy()[counted], 0.9 + 0.1 * variance[counted], rtol=1e-12)
    np.testing.assert_array_equal(layer.moving_mean.numpy()[~counted], 0)
    np.testing.assert_array_equal(layer.moving_variance.numpy()[~counted], 1)
    expected = (np.moveaxis(x, axis, -1) - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(np.moveaxis(y, axis, -1)[..., counted], expected[..., counted], rtol=1e-10, atol=1e-12)


def test_gradients_under_a_mask_where_channels_are_not_last(rng):
    layer, mask = BatchNormalization(1, dtype="float64"), np.array([[1, 1], [0, 1], [1, 0]], bool)
    gradcheck(lambda x: layer(x, training=True, mask=mask), batch(rng, 3, 2, 4))


def test_a_mask_of_other_axes_is_refused(rng):
    layer = BatchNormalization(1)
    for training in (True, False):
        with pytest.raises(ValueError, match=r"expected a mask of one axis less than x, got \(3,\), x \(3, 2, 4\)"):
            layer(batch(rng, 3, 2, 4), training=training, mask=np.ones(3, bool))


@pytest.mark.parametrize("limits", [{"rmax": 1, "rmin": 2}, {"dmax": -1}, {"r": 1}])
def test_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(ValueError, match=r"\[BatchNormalization\] expected .*renorm_clipping.*, got"):
        BatchNormalization(renorm=True, renorm_clipping=limits)


def test_renormalisation_is_recorded_with_the_same_bits_and_saved(rng, tmp_path):
    x, y = batch(rng, 24, 6, dtype="float32"), rng.integers(0, 3, 24)
    found = []
    for eagerly in (True, False):
        fastnn.utils.set_random_seed(3)
        layers = [Input((6,)), Dense(8), BatchNormalization(renorm=True, renorm_clipping=LIMITS), Dense(3)]
        model = Sequential(layers)
        model.compile("sgd", fastnn.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=eagerly)
        for _ in range(5):
            model.train_on_batch(x, y)
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
    model.save(tmp_path / "model.safetensors")
    loaded = fastnn.models.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict_on_batch(x), model.predict_on_batch(x))
    assert loaded.layers[1].get_config()["renorm_clipping"] == LIMITS


# ---- several processes --------------------------------------------------------------------------------------------


class Meeting:
    """Adds up what `size` threads, in the place of processes, hand in."""

    def __init__(self, size):
        self.barrier, self.given = threading.Barrier(size, timeout=20), [None] * size

    def add(self, place, sums):
        self.given[place] = sums.copy()
        self.barrier.wait()
        total = sum(self.given)
        self.barrier.wait()
        return total


class SharedNormalization(BatchNormalization):
    meeting = None
    place = 0

    def sum_over_processes(self, sums):
        return self.meeting.add(self.place, sums)


def work(layer, x, dy, mask, results):
    with GradientTape() as tape:
        t = tape.watch(x)
        y = layer(t, training=True, mask=mask)
    grads = tape.gradient(y, [t, layer.gamma, layer.beta], dy)
    results[layer.place] = (y.numpy(), *grads, layer.moving_mean.numpy(), layer.moving_variance.numpy())


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("renorm", [False, True])
def test_processes_that_share_sums_do_as_one_with_the_whole_batch(rng, renorm, masked):
    x, dy = batch(rng, 9, 4, 3), batch(rng, 9, 4, 3)
    mask = rng.random((9, 4)) < 0.7 if masked else None
    meeting, results = Meeting(2), [None, None]
    layers = [SharedNormalization(synchronized=True, renorm=renorm, dtype="float64", name="bn") for _ in range(2)]
    threads = []
    for place, (layer, rows) in enumerate(zip(layers, (slice(0, 3), slice(3, 9)), strict=True)):
        layer.meeting, layer.place = meeting, place
        layer.build((None, None, 3))
        part = None if mask is None else mask[rows]
        threads.append(threading.Thread(target=work, args=(layer, x[rows], dy[rows], part, results)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole, alone = [None], SharedNormalization(renorm=renorm, dtype="float64", name="bn")
    alone.build((None, None, 3))
    work(alone, x, dy, mask, whole)
    y, dx, dgamma, dbeta, mean, variance = whole[0]
    first, second = results
    np.testing.assert_allclose(np.concatenate([first[0], second[0]]), y, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(np.concatenate([first[1], second[1]]), dx, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(first[2] + second[2], dgamma, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(first[3] + second[3], dbeta, rtol=1e-10, atol=1e-10)
    for one in results:
        np.testing.assert_allclose(one[4], mean, rtol=1e-12)
        np.testing.assert_allclose(one[5], variance, rtol=1e-12)


def test_alone_it_is_the_plain_layer(rng):
    x = batch(rng, 6, 3, dtype="float32")
    plain, alone = BatchNormalization(), BatchNormalization(synchronized=True)
    np.testing.assert_array_equal(alone(x, training=True), plain(x, training=True))
    assert alone.get_config()["synchronized"] is True


def test_sums_of_another_shape_are_refused(rng):
    class Wrong(BatchNormalization):
        def sum_over_processes(self, sums):
            return sums[:1]

    with pytest.raises(ValueError, match=r"expected sums of shape \(4,\) of all processes, got \(1,\)"):
        Wrong(synchronized=True)(batch(rng, 6, 3), training=True)


def test_channels_on_another_axis_are_shared_too(rng):
    x = batch(rng, 5, 3, 4)
    layer = SharedNormalization(axis=1, synchronized=True, dtype="float64")
    plain = BatchNormalization(axis=1, dtype="float64")
    layer.meeting = Meeting(1)
    np.testing.assert_allclose(layer(x, training=True), plain(x, training=True), rtol=1e-12, atol=1e-12)
