"""Layers that disturb their input while training, and penalties of activities."""

import numpy as np
import pytest

import fastnn
from fastnn import layers, ops, regularizers
from fastnn.autograd import vjp
from fastnn.models import Sequential
from fastnn.testing import gradcheck

NOISY = {
    "GaussianNoise": lambda **options: layers.GaussianNoise(0.3, **options),
    "GaussianDropout": lambda **options: layers.GaussianDropout(0.2, **options),
    "AlphaDropout": lambda **options: layers.AlphaDropout(0.3, **options),
    "AlphaDropout in rows": lambda **options: layers.AlphaDropout(0.3, noise_shape=(None, 1), **options),
    "Dropout in columns": lambda **options: layers.Dropout(0.3, noise_shape=(1, None), **options),
}
SPATIAL = {1: layers.SpatialDropout1D, 2: layers.SpatialDropout2D, 3: layers.SpatialDropout3D}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_has_its_mean_and_variance(rng, dtype):
    x = rng.standard_normal((400, 500)).astype(dtype)
    y = layers.GaussianNoise(0.3, seed=1, dtype=dtype)(x, training=True)
    assert y.dtype == dtype
    assert abs(np.mean(y - x)) < 0.005 and abs(np.std(y - x) - 0.3) < 0.005
    factors = layers.GaussianDropout(0.2, seed=1, dtype=dtype)(x, training=True) / x
    assert abs(np.median(factors) - 1) < 0.01 and abs(np.std(factors.astype("float64")) - 0.5) < 0.01  # sqrt(0.2 / 0.8)


def test_alpha_dropout_keeps_mean_and_variance(rng):
    x = rng.standard_normal((400, 500))
    y = layers.AlphaDropout(0.3, seed=1, dtype="float64")(x, training=True)
    assert abs(np.mean(y)) < 0.01 and abs(np.std(y) - 1) < 0.01
    low = -1.6732632423543772 * 1.0507009873554805
    q = 1 - round(0.3 * 2**32) / 2**32
    a = (q * (1 + (1 - q) * low**2)) ** -0.5
    b = -a * low * (1 - q)
    dropped = np.isclose(y, a * low + b, rtol=1e-12)
    assert abs(np.mean(dropped) - 0.3) < 0.01
    np.testing.assert_allclose(y[~dropped], a * x[~dropped] + b, rtol=1e-12, atol=1e-12)


def test_channels_are_dropped_whole(rng):
    for axes, cls in SPATIAL.items():
        x = rng.uniform(1, 2, (6, *[3] * axes, 10)).astype("float32")
        y = cls(0.4, seed=2)(x, training=True)
        kept = (y != 0).reshape(6, -1, 10)
        assert (kept == kept[:, :1]).all() and 0.3 < kept.mean() < 0.9
        np.testing.assert_allclose(y[y != 0], (x / (1 - 0.4))[y != 0], rtol=1e-6)
        assert cls(0.4).compute_output_shape(x.shape) == x.shape
        with pytest.raises(ValueError, match=rf"\[.*\] expected an input of {axes + 2} axes, got shape \(6, 10\)"):
            cls(0.4)(x.reshape(6, -1, 10)[:, 0])
        with pytest.raises(ValueError, match=r"expected (data_format 'channels_last'|other arguments)"):
            cls(0.4, data_format="channels_first")


@pytest.mark.parametrize("name", NOISY)
def test_gradients_know_the_noise(rng, name):
    x = rng.standard_normal((5, 7))
    layer = NOISY[name](seed=3, dtype="float64")

    def same_noise(x):
        layer.seed_generator.state[2] = 0
        return layer(x, training=True)

    assert gradcheck(same_noise, x)
    y, pullback = vjp(same_noise, x)
    assert y.shape == pullback(np.ones_like(x))[0].shape == x.shape


@pytest.mark.parametrize("name", NOISY)
def test_outside_training_the_input_passes_through(rng, name):
    x = rng.standard_normal((5, 7)).astype("float32")
    x.flags.writeable = False
    layer = NOISY[name]()
    assert layer(x) is x and layer.compute_output_shape((None, 7)) == (None, 7)
    twin = type(layer).from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert not np.array_equal(layer(x, training=True), layer(x, training=True))
    a, b = NOISY[name](seed=4), NOISY[name](seed=4)
    np.testing.assert_array_equal(a(x, training=True), b(x[:, ::-1][:, ::-1], training=True))


@pytest.mark.parametrize("name", [*NOISY, "ActivityRegularization"])
def test_training_through_noise_is_recorded_with_the_same_bits(rng, name):
    x, y = rng.standard_normal((24, 6)).astype("float32"), rng.standard_normal((24, 1)).astype("float32")
    make = NOISY.get(name, lambda: layers.ActivityRegularization(0.01, 0.02))
    found = []
    for eager in (False, True):
        fastnn.utils.set_random_seed(1)
        model = Sequential([layers.Input((6,)), layers.Dense(8, "selu"), make(), layers.Dense(1)])
        model.compile("adam", "mse", run_eagerly=eager)
        figures = [model.train_on_batch(x, y) for _ in range(6)]
        assert bool(model._steps_now()._training and model._steps_now()._training._steps) == (not eager)
        found.append((figures, model.get_weights()))
    assert found[0][0] == found[1][0]
    for a, b in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_saved_model_goes_on_with_its_noise(rng, tmp_path):
    x = rng.standard_normal((4, 6)).astype("float32")
    model = Sequential([layers.Input((6,)), *(make() for make in NOISY.values())])
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    twin = fastnn.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(x, training=True), twin(x, training=True))


def test_penalties_of_activities_add_up(rng):
    x = rng.standard_normal((4, 6)).astype("float32")
    model = Sequential([layers.Input((6,)), layers.ActivityRegularization(0.1, 0.01), layers.Dense(1, "relu")])
    model(x)
    (penalty,) = model.losses
    np.testing.assert_allclose(penalty, (0.1 * np.abs(x).sum() + 0.01 * np.square(x).sum()) / 4, rtol=1e-5)
    config = layers.ActivityRegularization(l2=0.5, name="a").get_config()
    assert (config["l1"], config["l2"]) == (0, 0.5) and "activity_regularizer" not in config
    assert layers.ActivityRegularization.from_config(config).get_config() == config
    assert isinstance(layers.ActivityRegularization(0.1).activity_regularizer, regularizers.L1L2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.GaussianNoise(-1.0), r"\[GaussianNoise\] expected stddev in \[0, 1\], got -1"),
        (lambda: layers.GaussianDropout(1.0), r"\[GaussianDropout\] expected rate in \[0, 1\), got 1"),
        (lambda: layers.AlphaDropout(1.0), r"\[AlphaDropout\] expected rate in \[0, 1\), got 1"),
        (lambda: layers.SpatialDropout1D(1.1), r"\[SpatialDropout1D\] expected rate in \[0, 1\], got 1.1"),
        (lambda: layers.ActivityRegularization(-0.1), r"\[L1L2\] expected l1 >= 0, got -0.1"),
    ],
)
def test_rates_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_rate_one_drops_all():
    x = np.ones((2, 3, 4), "float32")
    assert not layers.SpatialDropout1D(1.0)(x, training=True).any()
    assert ops.dropout(x, 0.0) is x
