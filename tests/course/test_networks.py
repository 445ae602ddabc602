"""Worked examples of a deep-learning course about neurons and networks, and what holds where its notes slip."""

from itertools import pairwise

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, classic, initializers, layers, losses, ops, optimizers
from fastnn.models import Sequential
from fastnn.models.collapse import collapse

NINE_DIGITS = {"rtol": 0, "atol": 5e-10}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def constant(values):
    return initializers.Constant(np.asarray(values, float))


# ---- the 2-2-2 network: two inputs, two hidden and two output units, sigmoids, E = 1/2 sum (o - t)^2 ----------------

X = np.array([[0.05, 0.10]])
T = np.array([[0.01, 0.99]])
W1 = np.array([[0.15, 0.25], [0.20, 0.30]])  # w1 and w2 lead to h1, w3 and w4 to h2
W2 = np.array([[0.40, 0.50], [0.45, 0.55]])
RATE = 0.5


def two_two_two(use_bias=True):
    b1, b2 = ([0.35], [0.60]) if use_bias == "shared" else ([0.35, 0.35], [0.60, 0.60])
    options = {"activation": "sigmoid", "use_bias": use_bias, "dtype": "float64"}
    model = Sequential([
        layers.Dense(2, kernel_initializer=constant(W1), bias_initializer=constant(b1), **options),
        layers.Dense(2, kernel_initializer=constant(W2), bias_initializer=constant(b2), **options),
    ])  # fmt: skip
    model.build((None, 2))
    return model


def half_sum_of_squares(y_true, y_pred):
    """E = 1/2 sum (o - t)^2: the notes' convention for a network; the loss "mse" is the mean, 2 E / 2 here."""
    return 0.5 * ops.sum(ops.square(y_pred - y_true))


def gradients(model):
    with GradientTape() as tape:
        error = half_sum_of_squares(T, model(X))
    return float(error), tape.gradient(error, model.trainable_variables)


def error_after_step(model, names):
    """The error after one step of gradient descent on the variables whose path ends with one of the names."""
    _, grads = gradients(model)
    pairs = [(g.copy(), v) for g, v in zip(grads, model.variables, strict=True) if v.path.endswith(names)]
    optimizers.SGD(RATE).apply_gradients(pairs)
    return float(half_sum_of_squares(T, model(X)))


def test_2_2_2_forward_values_to_nine_digits():
    first, second = two_two_two().layers
    np.testing.assert_allclose(X @ first.kernel.numpy() + first.bias.numpy(), [[0.3775, 0.3925]], **NINE_DIGITS)
    hidden = first(X)
    np.testing.assert_allclose(hidden, [[0.5932699921, 0.5968843783]], **NINE_DIGITS)
    sums = hidden @ second.kernel.numpy() + second.bias.numpy()
    np.testing.assert_allclose(sums, [[1.1059059671, 1.2249214041]], **NINE_DIGITS)
    np.testing.assert_allclose(second(hidden), [[0.7513650696, 0.7729284653]], **NINE_DIGITS)


def test_2_2_2_errors_per_output_and_in_total():
    o = two_two_two()(X)
    np.testing.assert_allclose(0.5 * (o - T) ** 2, [[0.274811083176, 0.0235600255838]], **NINE_DIGITS)
    np.testing.assert_allclose(half_sum_of_squares(T, o), 0.29837110876, **NINE_DIGITS)


def test_half_sum_of_squares_of_two_outputs_is_the_mean_squared_error():
    """The notes use 1/2 (o - t)^2 for one output, its sum for a network and 1/n sum elsewhere; Keras' is the mean."""
    o = two_two_two()(X)
    np.testing.assert_allclose(losses.MeanSquaredError()(T, o), half_sum_of_squares(T, o), rtol=1e-15)


def test_2_2_2_slopes_of_outputs_and_sigmoids():
    hidden, o = two_two_two().layers[0](X), two_two_two()(X)
    np.testing.assert_allclose(o - T, [[0.7413650696, -0.2170715347]], **NINE_DIGITS)
    for y, expected in ((o, [[0.1868156018, 0.1755100528]]), (hidden, [[0.2413007086, 0.2406134172]])):
        z = np.log(y / (1 - y))
        _, pullback = fastnn.vjp(ops.sigmoid, z)
        np.testing.assert_allclose(pullback(np.ones_like(z))[0], expected, **NINE_DIGITS)


def test_2_2_2_gradients_of_all_eight_weights():
    """The notes print 0.000969067 for w2; 0.000877135 is right, twice the gradient of w1 as the second input is."""
    _, (dw1, _, dw2, _) = gradients(two_two_two())
    np.testing.assert_allclose(
        dw1, [[0.000438567734474, 0.000497712735261], [0.000877135468949, 0.000995425470522]], rtol=1e-11
    )
    np.testing.assert_allclose(
        dw2, [[0.0821670405642, -0.0226025404775], [0.0826676278475, -0.022740242216]], rtol=1e-10
    )
    np.testing.assert_allclose(dw1[1], 2 * dw1[0], rtol=1e-14)


def test_2_2_2_gradients_of_the_first_layer_by_output():
    """The notes print -0.000367725 for dE2/dw2, where their own factors give -0.000459657, and 0.000438568 as the first
    addend of dE/dw1, where 0.000668396 belongs."""
    expected = (
        [[0.000668396021144, 0.000749803774445], [0.00133679204229, 0.00149960754889]],
        [[-0.00022982828667, -0.000252091039184], [-0.00045965657334, -0.000504182078368]],
    )
    model = two_two_two()
    for output in (0, 1):
        with GradientTape() as tape:
            error = 0.5 * ops.square(model(X)[0, output] - T[0, output])
        np.testing.assert_allclose(tape.gradient(error, model.layers[0].kernel), expected[output], rtol=1e-11)


def test_2_2_2_weights_after_one_step():
    """The notes print 0.199515467 for w2, which follows from their wrong gradient; 0.199561432 is right."""
    model = two_two_two()
    error_after_step(model, "kernel")
    first, second = model.layers
    np.testing.assert_allclose(
        first.kernel, [[0.149780716133, 0.249751143632], [0.199561432266, 0.299502287265]], rtol=0, atol=5e-13
    )
    np.testing.assert_allclose(
        second.kernel, [[0.358916479718, 0.511301270239], [0.408666186076, 0.561370121108]], rtol=0, atol=5e-13
    )


def test_2_2_2_error_after_one_step_without_biases():
    """0.291027774; with the notes' wrong w2 it would be 0.291027739."""
    np.testing.assert_allclose(error_after_step(two_two_two(), "kernel"), 0.291027774, **NINE_DIGITS)
    wrong = two_two_two()
    error_after_step(wrong, "kernel")
    kernel = wrong.layers[0].kernel.numpy().copy()
    kernel[1, 0] = 0.199515467
    wrong.layers[0].kernel.assign(kernel)
    np.testing.assert_allclose(half_sum_of_squares(T, wrong(X)), 0.291027739, **NINE_DIGITS)


def test_2_2_2_gradients_of_a_bias_per_neuron():
    _, (_, db1, _, db2) = gradients(two_two_two())
    np.testing.assert_allclose(db1, [0.008771355, 0.009954255], **NINE_DIGITS)
    np.testing.assert_allclose(db2, [0.138498562, -0.038098237], **NINE_DIGITS)


def test_2_2_2_gradients_of_a_bias_per_layer():
    """The notes draw one bias per layer and never update it; its gradient is the sum over the layer's neurons."""
    error, (_, db1, _, db2) = gradients(two_two_two("shared"))
    np.testing.assert_allclose(error, 0.29837110876, **NINE_DIGITS)
    assert db1.shape == db2.shape == (1,)
    np.testing.assert_allclose([db1[0], db2[0]], [0.018725609, 0.100400325], **NINE_DIGITS)


def test_2_2_2_error_after_a_step_that_updates_shared_biases():
    np.testing.assert_allclose(error_after_step(two_two_two("shared"), ("kernel", "bias")), 0.285750887, **NINE_DIGITS)


def test_2_2_2_step_by_fit_equals_the_step_by_hand():
    by_hand, fitted = two_two_two(), two_two_two()
    error_after_step(by_hand, ("kernel", "bias"))
    fitted.compile(optimizers.SGD(RATE), half_sum_of_squares)
    history = fitted.fit(X, T, verbose=0)
    np.testing.assert_allclose(history.history["loss"], [0.29837110876], **NINE_DIGITS)
    for ours, theirs in zip(fitted.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


# ---- neurons ------------------------------------------------------------------------------------------------------


def test_a_neuron_is_the_activation_of_its_weighted_sum():
    neuron = layers.Dense(1, "sigmoid", kernel_initializer=constant([[0.5], [-1.0], [2.0]]),
                          bias_initializer=constant([0.25]), dtype="float64")  # fmt: skip
    np.testing.assert_allclose(neuron(np.array([[1.0, 2.0, 3.0]])), [[sigmoid(0.5 - 2.0 + 6.0 + 0.25)]], rtol=1e-15)


def test_a_sigmoid_neuron_passes_through_two_points():
    """f(0.5) = 0.2 and f(2.5) = 0.9 at w = 1.791759469, b = -2.282174096."""
    x, y = np.array([[0.5], [2.5]]), np.array([[0.2], [0.9]])
    model = Sequential([layers.Dense(1, "sigmoid", kernel_initializer="ones", dtype="float64")])
    model.compile(optimizers.SGD(4.0, momentum=0.9), losses.BinaryCrossentropy())
    model.fit(x, y, epochs=1500, batch_size=2, verbose=0)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose([kernel[0, 0], bias[0]], [1.791759469, -2.282174096], **NINE_DIGITS)
    np.testing.assert_allclose(model.predict(x), y, rtol=1e-9)


@pytest.mark.parametrize("outputs", [(0, 1), (-1, 1)])
def test_the_perceptron_rule_separates_in_finitely_many_steps(outputs):
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    for truth in ([0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0], [0, 0, 1, 0]):
        y = np.array(outputs)[truth]
        perceptron = classic.Perceptron().fit(x, y)
        assert perceptron.converged and perceptron.mistakes[-1] == 0
        np.testing.assert_array_equal(perceptron.predict(x), y)


def test_the_perceptron_makes_no_more_mistakes_than_its_bound(rng):
    x = rng.uniform(-1, 1, (300, 3))
    plane = np.array([2.0, -1.0, 0.5]) / np.sqrt(5.25)
    x = x[np.abs(x @ plane) > 0.05]
    perceptron = classic.Perceptron(learning_rate=0.1).fit(x, x @ plane > 0)
    radius = np.sqrt(np.max(np.sum(x**2, axis=1)) + 1)  # the bias is the weight of an input of 1
    assert perceptron.converged
    assert 0 < sum(perceptron.mistakes) <= (radius / 0.05) ** 2


def test_the_perceptron_cannot_learn_xor():
    perceptron = classic.Perceptron(max_epochs=50).fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    assert not perceptron.converged and len(perceptron.mistakes) == 50 and min(perceptron.mistakes) > 0


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[0.0], [1.0]], [0, 2], "expected labels 0 and 1, or -1 and 1"),
        ([[0.0], [1.0]], [0, -1], "expected labels 0 and 1, or -1 and 1"),
        ([[0.0], [np.nan]], [0, 1], "expected finite x"),
        ([0.0, 1.0], [0, 1], r"expected x of shape \(n, features\)"),
        (np.zeros((0, 2)), [], r"expected x of shape \(n, features\)"),
        ([[0.0], [1.0]], [0, 1, 1], r"expected labels of shape \(2,\), got \(3,\)"),
    ],
)
def test_the_perceptron_refuses(x, y, message):
    with pytest.raises(ValueError, match=message):
        classic.Perceptron().fit(x, y)


def test_the_perceptron_refuses_bad_settings_and_early_predictions():
    with pytest.raises(ValueError, match="learning_rate > 0"):
        classic.Perceptron(learning_rate=0)
    with pytest.raises(ValueError, match="max_epochs"):
        classic.Perceptron(max_epochs=0)
    with pytest.raises(ValueError, match=r"call fit\(\) first"):
        classic.Perceptron().predict(np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"expected x of shape \(n, 1\)"):
        classic.Perceptron().fit([[0.0], [1.0]], [0, 1]).predict(np.zeros((1, 2)))


def test_probabilities_combine_through_a_sigmoid():
    """.8 + .7 = 1.5 gives 0.82; 10 (.8) + 5 (.7) + 3 = 14.5 gives 0.9999995."""
    np.testing.assert_allclose(ops.sigmoid(np.array([1.5, 14.5])), [0.817574476194, 0.999999495653], rtol=1e-11)
    weighted = layers.Dense(1, "sigmoid", kernel_initializer=constant([[10.0], [5.0]]),
                            bias_initializer=constant([3.0]), dtype="float64")  # fmt: skip
    np.testing.assert_allclose(weighted(np.array([[0.8, 0.7]])), [[0.999999495653]], rtol=1e-11)


def test_two_neurons_of_a_forward_pass():
    """The notes print .55 and .579; sigma(.315) = 0.578105 rounds to .578, and is neuron 2 of layer 1."""
    layer = layers.Dense(2, "sigmoid", kernel_initializer=constant([[0.2, 0.3], [0.2, 0.3]]), dtype="float64")
    np.testing.assert_allclose(layer(np.array([[0.35, 0.7]])), [[0.552307909574, 0.578105232884]], rtol=1e-11)


# ---- layers and parameters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_dense_layer_is_g_of_w_transposed_x_plus_b(dtype, rng):
    """The notes write Z = W^T X + B with a column per sample; here a sample is a row, so that y = g(x W + b)."""
    layer = layers.Dense(5, "tanh", bias_initializer="random_normal", dtype=dtype)
    columns = rng.standard_normal((7, 3))
    y = layer(columns.T.astype(dtype))
    w, b = (a.astype(np.float64) for a in layer.get_weights())
    assert y.dtype == dtype
    np.testing.assert_allclose(y.T, np.tanh(w.T @ columns + b[:, None]), rtol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("activation", ["linear", "sigmoid", "tanh", "gelu"])
def test_dense_gradients_equal_central_differences(activation, rng):
    layer = layers.Dense(4, activation, dtype="float64")
    layer(rng.standard_normal((1, 3)))
    assert fastnn.gradcheck(layer, rng.standard_normal((5, 3)))
    kernel, bias = (v.numpy().copy() for v in layer.weights)
    x = rng.standard_normal((5, 3))
    assert fastnn.gradcheck(lambda w, b: ops.dense(x, w, b, activation=activation), kernel, bias)


@pytest.mark.parametrize(
    ("widths", "count"),
    [
        ((256, 100, 26), 28326),  # the notes print 28236
        ((2, 2, 1), 9),
        ((4096, 1000), 4_097_000),
    ],
)
def test_parameters_are_inputs_times_units_plus_units(widths, count):
    model = Sequential([layers.Input((widths[0],)), *(layers.Dense(u) for u in widths[1:])])
    assert model.count_params() == count == sum((i + 1) * u for i, u in pairwise(widths))


def test_4096_inputs_and_1000_units_have_4_096_000_weights():
    layer = layers.Dense(1000, use_bias=False)
    layer.build((None, 4096))
    assert sum(v.size for v in layer.weights) == 4_096_000


def test_linear_layers_collapse_into_one(rng):
    """C2 (W2 (C1 W1 X + C1 B1) + B2); a line of the notes has B2 inside the inner bracket."""
    widths = (6, 9, 4, 3)
    model = Sequential([
        layers.Input((widths[0],)),
        *(layers.Dense(u, bias_initializer="random_normal", dtype="float64") for u in widths[1:]),
    ])  # fmt: skip
    x = rng.standard_normal((20, 6))
    single = collapse(model)
    assert isinstance(single, layers.Dense) and single.kernel.shape == (6, 3)
    np.testing.assert_allclose(single(x), model(x), rtol=0, atol=1e-12)


def test_a_linear_2_2_1_network_is_a_line():
    """The notes' coefficient of x1 has w6 w2 where w6 w3 belongs, and their constant misses the hidden biases."""
    w1, w2, w3, w4, w5, w6, b1, b2, b = 0.3, -0.2, 0.5, 0.7, -0.4, 0.9, 0.1, -0.3, 0.2
    model = Sequential([
        layers.Dense(2, kernel_initializer=constant([[w1, w3], [w2, w4]]), bias_initializer=constant([b1, b2]),
                     dtype="float64"),
        layers.Dense(1, kernel_initializer=constant([[w5], [w6]]), bias_initializer=constant([b]), dtype="float64"),
    ])  # fmt: skip
    model.build((None, 2))
    single = collapse(model)
    np.testing.assert_allclose(single.kernel.numpy()[:, 0], [w5 * w1 + w6 * w3, w5 * w2 + w6 * w4], rtol=1e-15)
    np.testing.assert_allclose(single.bias, [w5 * b1 + w6 * b2 + b], rtol=1e-14)


def test_layers_with_activations_do_not_collapse():
    model = Sequential([layers.Input((2,)), layers.Dense(3, "relu"), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"\[collapse\] expected Dense layers without activation"):
        collapse(model)
    with pytest.raises(ValueError, match=r"\[collapse\] expected at least one Dense layer"):
        collapse(Sequential())


def test_relu_has_slope_zero_at_zero():
    """The notes say 1; here, as in Keras, the negative branch owns 0: slope 0, and negative_slope for a leaky one."""
    at_zero = np.zeros(1)
    for function, slope in ((ops.relu, 0.0), (lambda x: ops.leaky_relu(x, 0.1), 0.1)):
        _, pullback = fastnn.vjp(function, at_zero)
        assert pullback(np.ones(1))[0] == slope


# ---- computational graphs -----------------------------------------------------------------------------------------


def test_f_is_x_plus_y_times_z():
    """q = 3 and z = -4: df/dq = df/dx = df/dy = -4, df/dz = 3, df/df = 1. A slide of the notes has q y for q z."""
    with GradientTape(persistent=True) as tape:
        x, y, z = (tape.watch(np.array(v)) for v in (-2.0, 5.0, -4.0))
        q = x + y
        f = q * z
    assert float(f) == -12 and float(q) == 3
    assert [float(g) for g in tape.gradient(f, [q, x, y, z, f])] == [-4, -4, -4, 3, 1]


def test_slopes_multiply_along_a_chain():
    """y = 5 z and z = 5 x: dy/dx = 25."""
    assert fastnn.value_and_grad(lambda x: 5.0 * (5.0 * x))(np.array(2.0)) == (50, 25)


def test_gradients_of_several_paths_add_up():
    """o = sigmoid(w3 a + w4 b) with a = sigmoid(w1 x), b = sigmoid(w2 x): x is reached through a and through b."""
    w1, w2, w3, w4, x = 0.4, -0.7, 1.3, 0.6, 0.9

    def network(x):
        return ops.sigmoid(w3 * ops.sigmoid(w1 * x) + w4 * ops.sigmoid(w2 * x))

    a, b = sigmoid(w1 * x), sigmoid(w2 * x)
    o = sigmoid(w3 * a + w4 * b)
    through_a = o * (1 - o) * w3 * a * (1 - a) * w1
    through_b = o * (1 - o) * w4 * b * (1 - b) * w2
    value, slope = fastnn.value_and_grad(network)(np.array(x))
    np.testing.assert_allclose(value, o, rtol=1e-15)
    np.testing.assert_allclose(slope, through_a + through_b, rtol=1e-14)


def test_a_value_used_twice_gets_both_gradients():
    _, slope = fastnn.value_and_grad(lambda x: x * x + 3.0 * x)(np.array(2.0))
    assert slope == 7


# ---- the linear 2-2-1 network and its nine derivatives -------------------------------------------------------------

SALARIES = np.array([[3.75, 80, 8], [3.00, 90, 8.3]])  # grade point average, IQ, salary


@pytest.mark.parametrize("row", [0, 1])
def test_linear_2_2_1_has_nine_derivatives(row, rng):
    """L = (y - yhat)^2, yhat = w1_out O1 + w2_out O2 + b, O = x W + B: three chains of factors give all nine."""
    x, y = SALARIES[row : row + 1, :2], SALARIES[row, 2]
    model = Sequential([layers.Dense(2, dtype="float64"), layers.Dense(1, dtype="float64")])
    model.build((None, 2))
    model.set_weights([rng.standard_normal(v.shape) for v in model.weights])
    with GradientTape() as tape:
        loss = ops.sum(ops.square(y - model(x)))
    grads = tape.gradient(loss, model.trainable_variables)
    assert sum(g.size for g in grads) == model.count_params() == 9

    w, b, v, c = model.get_weights()
    hidden = x[0] @ w + b
    slope = -2 * (y - (hidden @ v[:, 0] + c[0]))
    np.testing.assert_allclose(grads[2][:, 0], slope * hidden, rtol=1e-13)  # dL/dv1, dL/dv2
    np.testing.assert_allclose(grads[3], [slope], rtol=1e-13)
    np.testing.assert_allclose(grads[1], slope * v[:, 0], rtol=1e-13)
    np.testing.assert_allclose(grads[0], slope * np.outer(x[0], v[:, 0]), rtol=1e-13)


# ---- training -----------------------------------------------------------------------------------------------------


def test_a_small_network_learns_xor():
    fastnn.random.set_random_seed(1)
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32"), np.array([0, 1, 1, 0])
    model = Sequential([layers.Dense(4, "tanh"), layers.Dense(1, "sigmoid")])
    model.compile(optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=150, verbose=0)
    assert model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"] == 1
    np.testing.assert_allclose(model.predict(x)[:, 0], y, atol=0.1)


PLAY_AND_STUDY = [(10, 2, "Fail"), (4, 3, "Fail"), (5, 5, "Maybe"), (2, 7, "Pass")]  # hours of each, result


def test_a_small_network_fits_the_play_and_study_table():
    fastnn.random.set_random_seed(0)
    x = np.array([row[:2] for row in PLAY_AND_STUDY], "float32")
    names, y = np.unique([row[2] for row in PLAY_AND_STUDY], return_inverse=True)
    model = Sequential([layers.Dense(8, "relu"), layers.Dense(3, "softmax")])
    model.compile(optimizers.Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=200, verbose=0)
    assert [names[i] for i in model.predict(x).argmax(axis=1)] == [row[2] for row in PLAY_AND_STUDY]


def test_a_linear_network_fits_the_salary_table():
    fastnn.random.set_random_seed(0)
    x = (SALARIES[:, :2] - SALARIES[:, :2].mean(axis=0)) / SALARIES[:, :2].std(axis=0)
    model = Sequential([layers.Dense(2, dtype="float64"), layers.Dense(1, dtype="float64")])
    model.compile(optimizers.SGD(0.05), "mse")
    model.fit(x, SALARIES[:, 2], epochs=300, verbose=0)
    np.testing.assert_allclose(model.predict(x)[:, 0], SALARIES[:, 2], atol=1e-6)


def test_a_network_from_scratch_in_numpy_gets_the_same_weights(rng):
    """Five steps of gradient descent on 3-class data: plain NumPy, every formula written out, against the kernels."""
    x, labels = rng.standard_normal((40, 6)), rng.integers(0, 3, 40)
    w1, b1 = rng.standard_normal((6, 8)) / 2, rng.standard_normal(8) / 10
    w2, b2 = rng.standard_normal((8, 3)) / 2, rng.standard_normal(3) / 10
    model = Sequential([layers.Dense(8, "relu", dtype="float64"), layers.Dense(3, "softmax", dtype="float64")])
    model.build((None, 6))
    model.set_weights([w1, b1, w2, b2])
    model.compile(optimizers.SGD(0.3), "sparse_categorical_crossentropy")

    reported = []
    for _ in range(5):
        z = x @ w1 + b1
        a = np.maximum(z, 0)
        scores = a @ w2 + b2
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        reported.append(-np.mean(np.log(p[np.arange(40), labels])))
        dscores = (p - np.eye(3)[labels]) / 40
        dz = (dscores @ w2.T) * (z > 0)
        w1, b1 = w1 - 0.3 * x.T @ dz, b1 - 0.3 * dz.sum(axis=0)
        w2, b2 = w2 - 0.3 * a.T @ dscores, b2 - 0.3 * dscores.sum(axis=0)

    history = model.fit(x, labels, batch_size=40, epochs=5, shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"], reported, rtol=1e-13)
    for ours, theirs in zip(model.get_weights(), (w1, b1, w2, b2), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_a_sequential_model_grows_by_add_trains_and_predicts(rng):
    fastnn.random.set_random_seed(0)
    model = Sequential()
    model.add(layers.Dense(16, activation="relu", input_dim=3))
    model.add(layers.Dropout(0.1))
    model.add(layers.Dense(1))
    assert model.output_shape == (None, 1) and model.count_params() == 3 * 16 + 16 + 16 + 1
    x = rng.standard_normal((200, 3))
    y = x @ [1.0, -2.0, 0.5]
    model.compile(optimizers.Adam(0.01), "mse")
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=40, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.1 * before
    assert model.predict(x).shape == (200, 1)
