"""Activation functions as a course gives them: formulas, derivatives, ranges, and where its notes slip."""

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, activations, initializers, layers, ops, optimizers
from fastnn.models import Sequential

SIX_POINTS = np.array([-3.1, -1.2, -0.3, 0.4, 1.1, 2.7])


def slope(function, x):
    y, pullback = fastnn.vjp(function, np.asarray(x, float))
    return pullback(np.ones_like(y))[0]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# ---- derivatives ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (activations.linear, lambda x, y: np.ones_like(x)),
        (activations.sigmoid, lambda x, y: y * (1 - y)),
        (activations.tanh, lambda x, y: 1 - y * y),
        (activations.relu, lambda x, y: np.where(x > 0, 1, 0)),
        (lambda x: activations.leaky_relu(x, 0.01), lambda x, y: np.where(x > 0, 1, 0.01)),
        (lambda x: ops.prelu(x, 1.7), lambda x, y: np.where(x > 0, 1, 1.7)),
        (lambda x: activations.elu(x, 1.7), lambda x, y: np.where(x > 0, 1, y + 1.7)),
        (activations.swish, lambda x, y: y + sigmoid(x) * (1 - y)),
        (activations.softplus, lambda x, y: sigmoid(x)),
    ],
)
def test_derivative_formulas_away_from_zero(function, derivative):
    x = SIX_POINTS
    np.testing.assert_allclose(slope(function, x), derivative(x, function(x)), rtol=1e-12, atol=1e-14)
    step = 1e-5
    central = (np.asarray(function(x + step)) - np.asarray(function(x - step))) / (2 * step)
    np.testing.assert_allclose(slope(function, x), central, rtol=0, atol=2e-9)


def test_an_affine_activation_has_a_constant_slope():
    np.testing.assert_array_equal(slope(lambda x: 3.0 * x + 2.0, SIX_POINTS), np.full(6, 3.0))


def test_the_negative_branch_owns_the_slope_at_zero():
    assert slope(activations.relu, [0.0]) == 0
    assert slope(lambda x: activations.leaky_relu(x, 0.01), [0.0]) == 0.01
    assert slope(lambda x: ops.prelu(x, 0.3), [0.0]) == 0.3
    assert slope(activations.elu, [0.0]) == 1


def test_the_notes_slope_of_one_at_zero_is_within_reach():
    """They count x = 0 to the positive branch."""
    x = np.array([-1.0, 0.0, 2.0])
    np.testing.assert_array_equal(ops.clip(x, 0, None), activations.relu(x))
    np.testing.assert_array_equal(slope(lambda x: ops.clip(x, 0, None), x), [0, 1, 1])
    np.testing.assert_array_equal(slope(lambda x: ops.where(x >= 0, x, 0.01 * x), x), [0.01, 1, 1])


def test_sigmoid_and_tanh_are_steepest_at_zero():
    x = np.linspace(-5, 5, 1001)
    assert slope(activations.sigmoid, [0.0]) == 0.25 and slope(activations.tanh, [0.0]) == 1
    assert slope(activations.sigmoid, x).max() == 0.25 and slope(activations.tanh, x).max() == 1


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.7])
def test_elu_cannot_blow_up(alpha):
    """Its slope lies in (0, max(1, alpha)], not in (0, infinity); its values above -alpha; smooth for alpha = 1."""
    x = np.concatenate([np.linspace(-20, 20, 4001), [-1e-9]])
    slopes = slope(lambda x: activations.elu(x, alpha), x)
    assert slopes.min() > 0 and slopes.max() == pytest.approx(max(1, alpha), abs=1e-8)
    assert np.asarray(activations.elu(x, alpha)).min() > -alpha
    jump = 1 - slope(lambda x: activations.elu(x, alpha), [-1e-9])[0]
    assert jump == pytest.approx(1 - alpha, abs=1e-8)


# ---- values --------------------------------------------------------------------------------------------------------


def test_binary_step():
    np.testing.assert_array_equal(activations.binary_step(np.array([-2.0, -1e-9, 0.0, 3.0])), [0, 0, 1, 1])
    np.testing.assert_array_equal(slope(activations.binary_step, SIX_POINTS), np.zeros(6))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "swish", "softplus", "elu", "softmax"])
def test_arguments_of_a_thousand_do_no_harm(name, dtype):
    function, x = getattr(activations, name), np.array([-1e3, -700.0, -50.0, 0.0, 50.0, 700.0, 1e3], dtype)
    y, pullback = fastnn.vjp(function, x)
    assert np.isfinite(y).all() and np.isfinite(pullback(np.ones_like(y))[0]).all()
    if name == "softplus":
        np.testing.assert_array_equal(y[4:], x[4:])


def test_prelu_is_two_pieces_and_not_a_maximum():
    """max(alpha x, x) is -1 at -1 for alpha = 2, the function -2; for alpha <= 1 they are one."""
    assert ops.prelu(np.array([-1.0]), 2.0) == -2
    np.testing.assert_array_equal(ops.prelu(SIX_POINTS, 0.3), np.maximum(0.3 * SIX_POINTS, SIX_POINTS))
    np.testing.assert_array_equal(ops.prelu(SIX_POINTS, 0.0), activations.relu(SIX_POINTS))


def test_prelu_learns_the_slope_of_the_data(rng):
    x = rng.standard_normal((256, 3))
    true = np.array([0.05, 0.4, -0.3])
    model = Sequential([layers.PReLU(alpha_initializer=initializers.Constant(0.25))])
    model.compile(optimizer=optimizers.SGD(1.0), loss="mse")
    model.fit(x, np.where(x > 0, x, true * x), batch_size=256, epochs=60, verbose=0)
    np.testing.assert_allclose(model.layers[0].alpha.numpy(), true, atol=1e-4)


def test_prelu_may_have_one_slope_per_channel():
    layer = layers.PReLU(shared_axes=(1, 2))
    layer.build((None, 8, 8, 5))
    assert layer.alpha.shape == (1, 1, 5)


def test_swish_is_not_centred_on_zero():
    x = np.linspace(-10, 10, 20001)
    y = np.asarray(activations.swish(x))
    assert y.min() == pytest.approx(-0.278464543, abs=5e-8) and x[y.argmin()] == pytest.approx(-1.2785, abs=1e-3)


def test_softmax_of_the_notes_three_numbers(rng):
    """0.4, 0.5, 0.6 add up to 1.5: they can be logits, not probabilities."""
    np.testing.assert_allclose(
        activations.softmax(np.array([[0.4, 0.5, 0.6]])), [[0.300609605, 0.332224994, 0.367165401]], atol=5e-10
    )
    z = rng.standard_normal((5, 4))
    np.testing.assert_allclose(np.sum(activations.softmax(z), -1), np.ones(5), rtol=1e-14)
    np.testing.assert_allclose(activations.softmax(z + 1000), activations.softmax(z), rtol=1e-12)


def test_maxout_of_its_inputs_themselves():
    """The notes' max_i x_i: one unit whose pieces are the inputs. The gradient goes to the winner alone."""
    layer = layers.Maxout(1, 3, use_bias=False, kernel_initializer=initializers.Constant(np.eye(3)), dtype="float64")
    x = np.array([[1.0, 5.0, 2.0], [-3.0, -4.0, -3.5]])
    np.testing.assert_array_equal(layer(x), x.max(1, keepdims=True))
    np.testing.assert_array_equal(slope(layer, x), [[0, 1, 0], [1, 0, 0]])


def test_maxout_of_two_pieces_is_relu_and_the_absolute_value():
    x = SIX_POINTS[:, None]
    for other, expected in ((0.0, np.maximum(x, 0)), (-1.0, np.abs(x))):
        kernel = initializers.Constant(np.array([[1.0, other]]))
        np.testing.assert_array_equal(layers.Maxout(1, 2, False, kernel, dtype="float64")(x), expected)


# ---- properties ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "low", "high", "centred", "saturates"),
    [
        ("sigmoid", 0, 1, False, "both"),
        ("tanh", -1, 1, True, "both"),
        ("relu", 0, np.inf, False, "left"),
        ("leaky_relu", -np.inf, np.inf, False, "neither"),
        ("elu", -1, np.inf, False, "left"),
        ("swish", -0.2785, np.inf, False, "left"),
        ("softplus", 0, np.inf, False, "left"),
        ("softsign", -1, 1, True, "both"),
    ],
)
def test_ranges_centres_and_saturation(name, low, high, centred, saturates):
    function, x = getattr(activations, name), np.linspace(-30, 30, 6001)
    y, ends = np.asarray(function(x)), slope(function, [-30.0, 30.0])
    assert low <= y.min() and y.max() <= high
    assert (abs(y.mean()) < 1e-12) == centred
    flat = np.abs(ends) < 2e-3
    assert {(True, True): "both", (True, False): "left", (False, False): "neither"}[tuple(flat.tolist())] == saturates


def test_a_dead_neuron_learns_nothing():
    """Its pre-activation is negative on the whole data set: outputs and gradients are 0, and stay so."""
    x = np.abs(np.random.default_rng(0).standard_normal((20, 2)))
    for activation, dead in (("relu", True), ("leaky_relu", False)):
        layer = layers.Dense(1, activation, kernel_initializer=initializers.Constant(-1.0), dtype="float64")
        with GradientTape() as tape:
            loss = ops.sum(layer(x))
        gradients = tape.gradient(loss, layer.trainable_variables)
        assert all((g == 0).all() for g in gradients) == dead


def test_what_to_choose_for_a_task():
    assert activations.recommend("regression") == ("relu", "linear", "mean_squared_error")
    assert activations.recommend("binary") == ("relu", "sigmoid", "binary_crossentropy")
    assert activations.recommend("multiclass") == ("relu", "softmax", "categorical_crossentropy")
