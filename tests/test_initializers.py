"""Initializers: fans, distributions, seeds, names."""

import json

import numpy as np
import pytest

import fastnn
from fastnn import initializers, layers
from fastnn.random import SeedGenerator

SHAPE = (400, 500)
RANDOM = ["RandomNormal", "TruncatedNormal", "RandomUniform", "VarianceScaling", "GlorotUniform", "GlorotNormal",
          "HeUniform", "HeNormal", "LecunUniform", "LecunNormal", "Orthogonal"]  # fmt: skip
#: variance expected of shape (400, 500)
VARIANCES = {
    "GlorotUniform": 2 / 900, "GlorotNormal": 2 / 900, "HeUniform": 2 / 400, "HeNormal": 2 / 400,
    "LecunUniform": 1 / 400, "LecunNormal": 1 / 400, "VarianceScaling": 1 / 400, "RandomNormal": 0.05**2,
    "RandomUniform": 0.1**2 / 12,
}  # fmt: skip


def check_moments(values, variance):
    """Mean and variance within five standard errors; a kurtosis of 3 bounds the error of the variance from above."""
    n = values.size
    assert abs(values.mean()) < 5 * np.sqrt(variance / n)
    assert abs(values.var() / variance - 1) < 5 * np.sqrt(2 / n)


@pytest.mark.parametrize(("name", "variance"), VARIANCES.items())
def test_mean_is_zero_and_variance_as_stated(name, variance):
    check_moments(getattr(initializers, name)(seed=1)(SHAPE, "float64"), variance)


@pytest.mark.parametrize("distribution", ["truncated_normal", "untruncated_normal", "uniform"])
@pytest.mark.parametrize(("mode", "n"), [("fan_in", 400), ("fan_out", 500), ("fan_avg", 450)])
def test_variance_scaling_has_the_variance_asked_for_also_after_truncation(distribution, mode, n):
    values = initializers.VarianceScaling(3.0, mode, distribution, seed=2)(SHAPE, "float64")
    check_moments(values, 3 / n)


@pytest.mark.parametrize(
    ("name", "fan"), [("HeUniform", 6 / 400), ("LecunUniform", 3 / 400), ("GlorotUniform", 6 / 900)]
)
def test_uniform_limits(name, fan):
    values = np.abs(getattr(initializers, name)(seed=3)(SHAPE, "float64"))
    assert 0.999 * np.sqrt(fan) < values.max() <= np.sqrt(fan)


@pytest.mark.parametrize("name", ["HeNormal", "GlorotNormal", "LecunNormal"])
def test_normals_are_cut_at_two_standard_deviations_of_the_normal_before_cutting(name):
    values = np.abs(getattr(initializers, name)(seed=3)(SHAPE, "float64"))
    limit = 2 * np.sqrt(VARIANCES[name]) / 0.87962566103423978
    assert 0.99 * limit < values.max() <= limit


def test_truncated_normal_keeps_stddev_as_that_before_cutting_as_keras_does():
    values = initializers.TruncatedNormal(mean=1.0, stddev=0.5, seed=4)(SHAPE, "float64")
    assert values.min() >= 0 and values.max() <= 2
    check_moments(values - 1.0, (0.5 * 0.87962566103423978) ** 2)


@pytest.mark.parametrize(
    ("name", "variance"),
    [("HeNormal", 2 / 288), ("LecunUniform", 1 / 288), ("GlorotUniform", 2 / (288 + 576)),
     ("GlorotNormal", 2 / (288 + 576))],
)  # fmt: skip
def test_fans_of_a_convolution_count_the_window(name, variance):
    """3 x 3 windows, 32 channels in, 64 out: fan in 288, fan out 576."""
    check_moments(getattr(initializers, name)(seed=6)((3, 3, 32, 64), "float64"), variance)


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (3, 3, 2, 5), (2, 2, 40), (0, 3)])
def test_orthogonal_matrices_have_orthonormal_rows_or_columns(shape):
    values = initializers.Orthogonal(gain=2.0, seed=1)(shape, "float64").reshape(-1, shape[-1])
    rows, columns = values.shape
    product = values.T @ values if rows >= columns else values @ values.T
    np.testing.assert_allclose(product, 4 * np.eye(min(rows, columns)) if values.size else product, atol=1e-13)


def test_orthogonal_matrices_are_drawn_uniformly():
    """Every element of a uniformly drawn orthogonal (n, n) has mean 0 and variance 1/n; Q of a QR alone has a bias."""
    n, count = 4, 2000
    drawn = np.stack([initializers.Orthogonal(seed=seed)((n, n), "float64") for seed in range(count)])
    assert np.abs(drawn.mean(axis=0)).max() < 5 * np.sqrt(1 / n / count)
    assert np.abs((drawn**2).mean(axis=0) - 1 / n).max() < 5 * np.sqrt(2 / n**2 / count)
    assert {1, -1} == set(np.round(np.linalg.det(drawn)).astype(int))


def test_identity():
    np.testing.assert_array_equal(initializers.Identity(3.0)((2, 3)), [[3, 0, 0], [0, 3, 0]])
    for made, shape in [(initializers.Identity(), (2, 2, 2)), (initializers.Orthogonal(), (3,))]:
        with pytest.raises(ValueError, match="expected a shape of 2 axes"):
            made(shape)


@pytest.mark.parametrize("window", ["hann", "hamming", None, "own"])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("scaling", ["density", "spectrum", None])
def test_stft_kernels_give_the_fourier_transform_of_a_windowed_frame(rng, window, periodic, scaling):
    n, frame = np.arange(16), rng.standard_normal(16)
    last = 16 if periodic else 15
    points = {"hann": 0.5 - 0.5 * np.cos(2 * np.pi * n / last), "hamming": 0.54 - 0.46 * np.cos(2 * np.pi * n / last),
              None: np.ones(16), "own": n + 1.0}[window]  # fmt: skip
    norm = {"density": np.linalg.norm(points), "spectrum": points.sum(), None: 1.0}[scaling if window else None]
    expected = np.fft.rfft(frame * points / norm, 32)
    kernels = [initializers.STFT(side, points if window == "own" else window, scaling, periodic)((16, 2, 17), "float64")
               for side in ("real", "imag")]  # fmt: skip
    for channel in (0, 1):
        found = frame @ kernels[0][:, channel] + 1j * (frame @ kernels[1][:, channel])
        np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: initializers.STFT("left"), "side 'real' or 'imag', got 'left'"),
        (lambda: initializers.STFT("real", "box"), "window 'hann', .*, got 'box'"),
        (lambda: initializers.STFT("real", scaling="peak"), "scaling 'density', 'spectrum' or None, got 'peak'"),
        (lambda: initializers.STFT("real")((4, 5)), r"a shape \(frame_length, channels, frequencies\), got \(4, 5\)"),
        (lambda: initializers.STFT("real", [1.0, 2.0])((4, 1, 5)), r"a window of shape \(4,\), got \(2,\)"),
    ],
)
def test_stft_refuses_what_it_does_not_know(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_random_normal_and_uniform_take_their_parameters():
    normal = initializers.RandomNormal(mean=2.0, stddev=0.1, seed=5)(SHAPE, "float64")
    check_moments(normal - 2.0, 0.01)
    uniform = initializers.RandomUniform(minval=1.0, maxval=3.0, seed=5)(SHAPE, "float64")
    assert uniform.min() >= 1 and uniform.max() < 3
    check_moments(uniform - 2.0, 4 / 12)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((), (1, 1)), ((5,), (5, 5)), ((3, 4), (3, 4)), ((2, 3, 4, 5), (24, 30)), ((7, 3, 4), (21, 28))],
)
def test_fans(shape, expected):
    assert initializers.fans(shape) == expected


def test_constants():
    assert not initializers.Zeros()((2, 3)).any()
    assert (initializers.Ones()((2, 3), "float64") == 1).all()
    assert (initializers.Constant(3)((2, 3)) == 3).all()
    np.testing.assert_array_equal(initializers.Constant([1.0, 2.0])((3, 2)), [[1, 2]] * 3)
    with pytest.raises(ValueError, match="broadcast"):
        initializers.Constant([1.0, 2.0])((3,))


@pytest.mark.parametrize("name", RANDOM)
def test_an_initializer_called_twice_gives_the_same_values(name):
    for made in (getattr(initializers, name)(), getattr(initializers, name)(seed=7)):
        np.testing.assert_array_equal(made((3, 4)), made((3, 4)))


@pytest.mark.parametrize("name", RANDOM)
def test_equal_seeds_give_equal_values_and_others_others(name):
    cls = getattr(initializers, name)
    np.testing.assert_array_equal(cls(seed=7)((3, 4)), cls(seed=7)((3, 4)))
    assert not np.array_equal(cls(seed=7)((3, 4)), cls(seed=8)((3, 4)))
    assert not np.array_equal(cls()((3, 4)), cls()((3, 4)))


def test_set_random_seed_starts_unseeded_initializers_anew():
    drawn = []
    for _ in range(2):
        fastnn.random.set_random_seed(11)
        drawn.append([initializers.GlorotUniform()((3, 4)) for _ in range(2)])
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0][0], drawn[0][1])


def test_a_shared_seed_generator_moves_on():
    made = initializers.RandomNormal(seed=SeedGenerator(3))
    assert not np.array_equal(made((3, 4)), made((3, 4)))


@pytest.mark.parametrize("dtype", ["float32", "float64", None])
def test_dtype_is_as_asked_or_floatx(dtype):
    for name in ("Zeros", "Ones", "Constant", *RANDOM):
        assert getattr(initializers, name)()((2, 3), dtype).dtype == (dtype or "float32")
    with pytest.raises(ValueError, match="expected dtype float32 or float64, got int32"):
        initializers.Zeros()((2,), "int32")


@pytest.mark.parametrize("name", RANDOM)
def test_empty_shapes(name):
    assert getattr(initializers, name)()((0, 3)).shape == (0, 3)
    if name != "Orthogonal":
        assert getattr(initializers, name)()(()).shape == ()


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("glorot_uniform", "GlorotUniform"), ("GlorotUniform", "GlorotUniform"), ("he_normal", "HeNormal"),
        ("lecun_normal", "LecunNormal"), ("zeros", "Zeros"), ("zero", "Zeros"), ("ones", "Ones"), ("one", "Ones"),
        ("normal", "RandomNormal"), ("random_normal", "RandomNormal"), ("uniform", "RandomUniform"),
        ("truncated_normal", "TruncatedNormal"), ("variance_scaling", "VarianceScaling"), ("constant", "Constant"),
        ("orthogonal", "Orthogonal"), ("OrthogonalInitializer", "Orthogonal"), ("identity", "Identity"),
        ("IdentityInitializer", "Identity"),
    ],
)  # fmt: skip
def test_names(name, cls):
    assert type(initializers.get(name)) is getattr(initializers, cls)


def test_get_passes_objects_through_and_makes_classes():
    made = initializers.HeNormal()
    assert initializers.get(made) is made and initializers.get(None) is None
    assert type(initializers.get(initializers.HeNormal)) is initializers.HeNormal
    with pytest.raises(ValueError, match=r"\[initializers\] expected a known name such as .*'glorot_uniform'.*, got"):
        initializers.get("glorot_unifrom")
    with pytest.raises(TypeError, match="expected a name, a configuration or an object, got int"):
        initializers.get(3)


@pytest.mark.parametrize(
    "made",
    [
        initializers.Zeros(), initializers.Constant(2.5), initializers.Constant([1.0, 2.0]),
        initializers.RandomNormal(1.0, 2.0, 3), initializers.RandomUniform(-1.0, 2.0, 3),
        initializers.TruncatedNormal(1.0, 2.0, 3), initializers.VarianceScaling(2.0, "fan_out", "uniform", 3),
        initializers.GlorotUniform(3), initializers.HeNormal(3), initializers.Orthogonal(0.5, 3),
        initializers.Identity(0.5),
    ],
    ids=lambda made: type(made).__name__,
)  # fmt: skip
def test_configurations_make_the_same_initializer_again(made):
    twin = initializers.deserialize(fastnn.layers.serialize(made))
    assert type(twin) is type(made) and twin.get_config() == made.get_config()
    np.testing.assert_array_equal(twin((3, 2)), made((3, 2)))
    np.testing.assert_array_equal(made.clone()((3, 2)), made((3, 2)))


def test_stft_is_made_again_from_its_configuration():
    for made in (initializers.STFT("imag", "hamming", None, True), initializers.STFT("real", [1.0, 2.0, 3.0])):
        twin = initializers.deserialize(json.loads(json.dumps(initializers.serialize(made))))
        np.testing.assert_array_equal(twin((3, 1, 5)), made((3, 1, 5)))


def test_functions_are_initializers_too():
    def halves(shape, dtype=None):
        return np.full(shape, 0.5, dtype)

    assert initializers.get(halves) is halves
    layer = fastnn.layers.Dense(2, kernel_initializer=halves)
    layer.build((None, 3))
    assert (layer.kernel.numpy() == 0.5).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0}, "scale > 0"),
        ({"mode": "fan"}, "mode 'fan_in', 'fan_out' or 'fan_avg', got 'fan'"),
        ({"distribution": "cauchy"}, "distribution 'truncated_normal'.*got 'cauchy'"),
        ({"seed": -1}, "seed to be None or an integer >= 0, got -1"),
        ({"seed": "one"}, "seed to be None or an integer >= 0, got 'one'"),
    ],
)
def test_bad_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        initializers.VarianceScaling(**arguments)


def test_fans_may_be_those_of_axes_that_are_named():
    drawn = initializers.GlorotUniform(3, input_axes=[0], output_axes=(1, 2))((64, 8, 16))
    limit = np.sqrt(6 / (64 + 8 * 16))
    assert 0.98 * limit < np.abs(drawn).max() <= limit
    again = initializers.VarianceScaling(2.0, input_axes=[1], output_axes=[0])
    assert type(again).from_config(again.get_config()).get_config() == again.get_config()
    assert np.std(again((50, 400))) == pytest.approx(np.sqrt(2 / 400), rel=0.05)


def test_configurations_of_keras_are_taken():
    """Its dtype policies, and the axes of its initializers."""
    made = layers.LSTM.from_config(
        {
            "units": 3,
            "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float64"}},
            "kernel_initializer": {
                "module": "keras.initializers",
                "class_name": "GlorotUniform",
                "config": {"seed": None, "input_axes": None, "output_axes": None},
            },
        }
    )
    assert made.get_config()["dtype"] == "float64"
    inner = {"class_name": "Dense", "config": {"units": 3, "quantization_config": None}}
    assert layers.TimeDistributed.from_config({"layer": inner}).layer.units == 3
    with pytest.raises(ValueError, match=r"\[Dense\] expected quantization_config None, got 'int8'"):
        layers.Dense(3, quantization_config="int8")


def test_an_array_stands_for_itself():
    start = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(initializers.get(start)((2, 3), "float64"), start)
    layer = fastnn.layers.Dense(3, kernel_initializer=start)
    layer.build((None, 2))
    np.testing.assert_array_equal(layer.kernel, start)


def test_lower_case_names_are_the_classes():
    assert initializers.he_normal is initializers.HeNormal
    assert initializers.zeros is initializers.Zeros
