"""Worked examples of a deep-learning course about gradient descent, averages, learning rates and first weights."""

from math import cos, pi

import numpy as np
import pytest

from fastnn import classic, initializers, layers, optimizers
from fastnn.models import Sequential
from fastnn.optimizers import schedules

DIGITS = {"rtol": 5e-12, "atol": 0}  # twelve digits are printed


def path(optimizer, gradients=(0.1, -0.2, 0.3)):
    """Where a weight that begins at 0 is after each of these gradients."""
    w, places = np.zeros(1), []
    for g in gradients:
        optimizer.apply([np.array([g])], [w])
        places.append(w[0])
    return places


def minimise(slope, start, optimizer, steps):
    w = np.array([start])
    for _ in range(steps):
        optimizer.apply([slope(w)], [w])
    return float(w[0])


# ---- update rules on the gradients .1, -.2, .3 ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # the standard: bias correction, epsilon beside the corrected root
        ({"epsilon_placement": "outside"}, [-0.0009999999, -0.000633896396115, -0.000977137460523]),
        # the notes' formulas by their symbols: the squares decay with .9 and the mean with .999, no correction
        ({"beta_1": 0.999, "beta_2": 0.9, "bias_correction": False},
         [-3.16227666017e-06, -1.73227686445e-06, -3.45937011269e-06]),
        # what they mean: no correction
        ({"bias_correction": False}, [-0.0031622676602, -0.0016064793552, -0.00330560204722]),
        # other notes: correction, and epsilon inside the root
        ({"epsilon_placement": "inside"}, [-0.0009999995, -0.000633896046163, -0.0009771370897]),
    ],
    ids=["standard", "by symbol", "uncorrected", "epsilon inside"],
)  # fmt: skip
def test_adam_and_the_variants_of_the_notes(settings, expected):
    found = path(optimizers.Adam(0.001, epsilon=1e-8, **settings))
    np.testing.assert_allclose(found, expected, **DIGITS)


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (optimizers.SGD(0.1), [-0.01, 0.01, -0.02]),
        (optimizers.SGD(0.1, momentum=0.9), [-0.01, 0.001, -0.0191]),
        (optimizers.SGD(0.1, momentum=0.9, dampening=0.9), [-0.001, 0.0001, -0.00191]),
        (optimizers.Adagrad(0.1, initial_accumulator_value=0.0, epsilon=1e-8),
         [-0.09999995, -0.0105572398443, -0.0907356095545]),
        (optimizers.RMSprop(0.1, epsilon=1e-8), [-0.31622618489, -0.0305121907203, -0.289575974202]),
        (optimizers.RMSprop(0.1, epsilon=1e-8, epsilon_placement="outside"),
         [-0.316227666017, -0.0305134211189, -0.289577278823]),
        (optimizers.Adadelta(1.0, rho=0.9, epsilon=1e-6), [-0.00316069770621, 0.000878491061462, -0.00398911327693]),
    ],
    ids=["sgd", "momentum", "averaging momentum", "adagrad", "rmsprop", "rmsprop, epsilon outside", "adadelta"],
)  # fmt: skip
def test_other_rules_on_the_same_gradients(optimizer, expected):
    np.testing.assert_allclose(path(optimizer), expected, **DIGITS)


def test_momentum_that_averages_is_the_classical_one_at_a_tenth_of_the_rate(rng):
    gradients = rng.standard_normal(30)
    averaging = path(optimizers.SGD(0.1, momentum=0.9, dampening=0.9), gradients)
    np.testing.assert_allclose(averaging, path(optimizers.SGD(0.01, momentum=0.9), gradients), rtol=1e-12)


def test_the_adadelta_of_the_notes_is_rmsprop(rng):
    """They print lr / sqrt(average of g^2 + epsilon); Zeiler's rule has the root of the updates in the numerator."""
    gradients = rng.standard_normal(20)
    average, w, places = 0.0, 0.0, []
    for g in gradients:
        average = 0.95 * average + 0.05 * g**2
        w -= 0.1 / np.sqrt(average + 1e-6) * g
        places.append(w)
    found = path(optimizers.RMSprop(0.1, rho=0.95, epsilon=1e-6), gradients)
    np.testing.assert_allclose(found, places, rtol=1e-12)
    assert not np.allclose(path(optimizers.Adadelta(0.1, rho=0.95, epsilon=1e-6), gradients), places)


def test_momentum_descends_where_the_notes_ascend():
    """f = w^2 / 2 from 1, 50 steps: v = .9 v - .1 g and w -= v, as printed, leads to 6e5; v = .9 v + .1 g to -0.067."""
    w, v = 1.0, 0.0
    for _ in range(50):
        v = 0.9 * v - 0.1 * w
        w -= v
    assert w == pytest.approx(6.093e5, rel=1e-3)
    found = minimise(lambda x: x, 1.0, optimizers.SGD(0.1, momentum=0.9), 50)
    assert found == pytest.approx(-0.06668, abs=5e-6)


# ---- averages -----------------------------------------------------------------------------------------------------


def test_an_average_with_beta_09_remembers_about_ten_days(rng):
    temperatures = rng.uniform(0, 30, 100)
    averages = classic.exponential_average(temperatures, 0.9)
    weights = 0.1 * 0.9 ** (100 - np.arange(1, 101))
    assert averages[-1] == pytest.approx(weights @ temperatures, rel=1e-14)
    assert pytest.approx(10) == 1 / (1 - 0.9) and pytest.approx(0.3487, abs=5e-5) == 0.9**10


def test_averages_start_cold_unless_corrected(rng):
    x = rng.standard_normal((20, 2))
    np.testing.assert_allclose(classic.exponential_average(np.ones(10))[[0, 9]], [0.1, 0.6513], atol=5e-5)
    corrected = classic.exponential_average(x, 0.8, bias_correction=True)
    for t in range(20):
        weights = 0.8 ** np.arange(t, -1, -1)
        np.testing.assert_allclose(corrected[t], weights @ x[: t + 1] / weights.sum(), rtol=1e-12)


def test_an_average_that_is_not_normalised():
    """V = .5 V + b on 2, 3, 5: .25 (2) + .5 (3) + 5 = 7."""
    np.testing.assert_array_equal(classic.exponential_average([2, 3, 5], 0.5, normalised=False), [2, 4, 7])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0,), "values along a first axis, got a scalar"),
        (([1.0], 1.0), r"beta in \[0, 1\), got 1.0"),
        (([1.0], 0.5, True, False), "bias_correction of a normalised average only"),
    ],
)
def test_averages_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        classic.exponential_average(*arguments)


# ---- batches, learning rates, minima ------------------------------------------------------------------------------


def regression(seed=0, n=60):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3))
    return x, x @ [1.0, -2.0, 0.5] + 0.3


def line(rate):
    model = Sequential([layers.Dense(1, kernel_initializer="zeros", dtype="float64")])
    model.compile(optimizers.SGD(rate), "mse")
    return model


def by_hand(x, y, rate, batch_size):
    """One epoch in order, with the mean gradient of each batch."""
    w, b, updates = np.zeros(3), 0.0, 0
    for first in range(0, len(x), batch_size):
        xs, ys = x[first : first + batch_size], y[first : first + batch_size]
        error = xs @ w + b - ys
        w, b, updates = w - rate * 2 * xs.T @ error / len(xs), b - rate * 2 * error.mean(), updates + 1
    return w, b, updates


@pytest.mark.parametrize(("batch_size", "updates"), [(60, 1), (1, 60), (16, 4)])
def test_batch_stochastic_and_mini_batch_descent(batch_size, updates):
    """One update an epoch from all samples, one from each sample, one from each 16 and from the 12 left over."""
    x, y = regression()
    model = line(0.05)
    model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
    w, b, count = by_hand(x, y, 0.05, batch_size)
    assert model.optimizer.iterations == count == updates
    np.testing.assert_allclose(model.get_weights()[0][:, 0], w, rtol=1e-12)
    np.testing.assert_allclose(model.get_weights()[1], [b], rtol=1e-12)


def test_descent_finds_least_squares():
    x, y = regression()
    model = line(0.1)
    model.fit(x, y, batch_size=60, epochs=300, verbose=0)
    expected = np.linalg.lstsq(np.c_[x, np.ones(60)], y, rcond=None)[0]
    np.testing.assert_allclose(np.r_[model.get_weights()[0][:, 0], model.get_weights()[1]], expected, atol=1e-9)


@pytest.mark.parametrize("curvature", [0.5, 4.0, 30.0])
def test_descent_on_a_parabola_diverges_above_two_over_its_curvature(curvature):
    """f = L w^2 / 2: each step multiplies w by 1 - rate L, which shrinks it for rate < 2 / L alone."""
    for rate, fate in [(0.01, "slow"), (1.0, "at once"), (1.99, "in swings"), (2.01, "diverges")]:
        found = minimise(lambda w: curvature * w, 1.0, optimizers.SGD(rate / curvature), 200)
        np.testing.assert_allclose(found, (1 - rate) ** 200, rtol=1e-9, atol=1e-300)
        assert (abs(found) > 1) == (fate == "diverges")


def two_valleys(w):
    """Slope of w^4 - 2 w^2 + 0.3 w: a minimum of -1.305 at -1.0356, one of -0.706 at 0.9601, a hill between."""
    return 4 * w**3 - 4 * w + 0.3


def test_descent_stays_in_the_valley_it_begins_in():
    """It finds the nearest minimum, not the lowest: only where the function is convex these are the same."""
    assert minimise(two_valleys, 1.5, optimizers.SGD(0.02), 500) == pytest.approx(0.9601, abs=1e-4)
    assert minimise(two_valleys, -1.5, optimizers.SGD(0.02), 500) == pytest.approx(-1.0356, abs=1e-4)


def test_noisy_descent_can_leave_a_local_valley():
    rng = np.random.default_rng(0)
    noisy = optimizers.SGD(schedules.PolynomialDecay(0.1, 3000, 0.0))
    found = minimise(lambda w: two_valleys(w) + rng.normal(0, 3.0, 1), 1.5, noisy, 3000)
    assert found == pytest.approx(-1.0356, abs=0.05)


def test_momentum_rolls_over_a_small_hill():
    assert minimise(two_valleys, 1.5, optimizers.SGD(0.02, momentum=0.95), 1000) == pytest.approx(-1.0356, abs=1e-3)


def rare_features():
    """2000 samples of 40 features, the j-th of which is there in one of 2 (j + 1) samples; each is worth 1 or -1."""
    rng = np.random.default_rng(3)
    shares = 0.5 / np.arange(1, 41)
    x = (rng.random((2000, 40)) < shares).astype("float64")
    return x, x @ rng.choice([-1.0, 1.0], 40)


def test_adagrad_learns_rare_features_faster_than_one_rate_for_all():
    """After one pass, both at the best of a grid of rates."""
    x, y = rare_features()

    def error(make):
        w, optimizer = np.zeros(40), make()
        for xs, target in zip(x, y, strict=True):
            optimizer.apply([2 * (xs @ w - target) * xs], [w])
        return np.mean((x @ w - y) ** 2)

    rates = [0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0]
    with np.errstate(all="ignore"):
        plain = np.nanmin([error(lambda: optimizers.SGD(rate)) for rate in rates])  # noqa: B023
        adapted = np.nanmin([error(lambda: optimizers.Adagrad(rate)) for rate in rates])  # noqa: B023
    assert adapted < 0.5 * plain


@pytest.mark.parametrize("limit", [{"clipnorm": 0.5}, {"global_clipnorm": 0.5}, {"clipvalue": 0.5}])
def test_clipped_gradients_keep_to_their_limit(limit, rng):
    shapes = [(4, 3), (3,)]
    params = [np.zeros(s) for s in shapes]
    optimizers.SGD(1.0, **limit).apply([10 * rng.standard_normal(s) for s in shapes], params)
    norms = [np.linalg.norm(p) for p in params]
    if "clipnorm" in limit:
        np.testing.assert_allclose(norms, 0.5, rtol=1e-14)
    elif "global_clipnorm" in limit:
        np.testing.assert_allclose(np.linalg.norm(norms), 0.5, rtol=1e-14)
    else:
        assert max(np.abs(p).max() for p in params) == 0.5


def test_learning_rates_that_fall_have_exact_values():
    """Steps that halve, an exponential, half a cosine wave, 1/t, and a rise before: their values at step t."""
    halving = schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True)
    assert [halving(t) for t in (0, 9, 10, 25)] == [0.1, 0.1, 0.05, 0.025]
    assert schedules.ExponentialDecay(0.1, 1, 0.9)(7) == pytest.approx(0.1 * 0.9**7, rel=1e-15)
    assert schedules.CosineDecay(0.1, 50)(20) == pytest.approx(0.05 * (1 + cos(pi * 0.4)), rel=1e-15)
    assert [schedules.InverseTimeDecay(0.1, 1, 1.0)(t - 1) for t in (1, 2, 5)] == [0.1, 0.05, 0.02]
    assert [schedules.LinearWarmup(0.1, 4)(t) for t in (0, 1, 2, 4, 9)] == [0, 0.025, 0.05, 0.1, 0.1]


def test_an_l2_penalty_is_weight_decay_for_gradient_descent_and_not_for_adam(rng):
    """The slope of lambda sum w^2 is 2 lambda w: decay by 2 lambda."""
    start, gradients = rng.standard_normal(5), rng.standard_normal((10, 5))
    for rule, same in [(optimizers.SGD, True), (optimizers.Adam, False)]:
        penalised, decayed = start.copy(), start.copy()
        one, other = rule(0.1), rule(0.1, weight_decay=2 * 0.3)
        for g in gradients:
            one.apply([g + 2 * 0.3 * penalised], [penalised])
            other.apply([g], [decayed])
        assert np.allclose(penalised, decayed, rtol=1e-12) == same


# ---- first weights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("initializer", "limit", "deviation"),
    [
        (initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=1), 0.062500, 0.0625 / np.sqrt(3)),
        (initializers.GlorotUniform(seed=1), 0.129822697, 0.074953169),
        (initializers.HeUniform(seed=1), 0.153093109, 0.088388348),
        (initializers.GlorotNormal(seed=1), 2 * 0.074953169 / 0.8796256610342398, 0.074953169),
        (initializers.HeNormal(seed=1), 2 * 0.088388348 / 0.8796256610342398, 0.088388348),
        (initializers.VarianceScaling(1.0, "fan_avg", "untruncated_normal", seed=1), None, 0.074953169),
        (initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal", seed=1), None, 0.088388348),
    ],
    ids=["1/sqrt(fan in)", "Xavier uniform", "He uniform", "Xavier normal, cut", "He normal, cut", "Xavier normal",
         "He normal"],
)  # fmt: skip
def test_limits_and_deviations_for_256_inputs_and_100_units(initializer, limit, deviation):
    """The notes' normals are not cut; Keras's, the default, are, and stretched to the same deviation."""
    values = initializer((256, 100), "float64")
    assert values.std() == pytest.approx(deviation, rel=5 / np.sqrt(2 * values.size))
    assert abs(values.mean()) < 5 * deviation / np.sqrt(values.size)
    largest = np.abs(values).max()
    if limit is None:
        assert largest > 3 * deviation
    else:
        assert 0.99 * limit < largest <= limit * (1 + 1e-8)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_units_that_begin_equal_stay_equal(value):
    """Then four of them are one, and one unit cannot tell the classes of exclusive or apart."""
    x, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])

    def trained(initializer):
        model = Sequential([
            layers.Dense(4, "tanh", kernel_initializer=initializer, dtype="float64"),
            layers.Dense(1, "sigmoid", kernel_initializer=initializer, dtype="float64"),
        ])  # fmt: skip
        model.compile(optimizers.SGD(0.5, momentum=0.9), "binary_crossentropy", metrics=["accuracy"])
        model.fit(x, y, epochs=300, verbose=0)
        return model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"], model.get_weights()[0]

    accuracy, kernel = trained(initializers.Constant(value))
    np.testing.assert_allclose(kernel, np.repeat(kernel[:, :1], 4, axis=1), rtol=1e-12)
    assert accuracy < 1
    accuracy, kernel = trained(initializers.RandomUniform(-0.5, 0.5, seed=1))
    assert accuracy == 1 and np.ptp(kernel, axis=1).min() > 0.1
