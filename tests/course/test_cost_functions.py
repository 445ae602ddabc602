"""Worked examples of a deep-learning course: losses, metrics and penalties, and what holds where its notes slip."""

import numpy as np
import pytest

from fastnn import GradientTape, layers, losses, metrics, ops, optimizers, regularizers
from fastnn.models import Sequential

Y = np.array([1.0, 0.0, 1.0, 1.0])[:, None]
P = np.array([0.7, 0.2, 0.55, 0.9])[:, None]


def slopes(loss, y, p):
    with GradientTape() as tape:
        x = tape.watch(np.asarray(p, float))
        value = ops.sum(loss(y, x))
    return tape.gradient(value, x)


# ---- costs: sum or mean of a loss, with or without a half ----------------------------------------------------------


def test_half_the_sum_of_squares_of_the_2_2_2_network():
    """E = 1/2 sum (o - t)^2 = 0.298371109: the notes' error of a network."""
    o, t = np.array([[0.7513650695523157, 0.7729284653214625]]), np.array([[0.01, 0.99]])
    loss = losses.MeanSquaredError(factor=0.5, over_outputs="sum", reduction="sum")
    np.testing.assert_allclose(loss(t, o), 0.298371108760, rtol=1e-11)
    np.testing.assert_allclose(slopes(loss, t, o), o - t, rtol=1e-14)


def test_costs_are_sums_or_means_of_a_loss():
    """002 writes 1/2 |y - yhat| and 1/2 (y - yhat)^2 with cost 1/2 sum; 000, 003 and 004 write 1/n sum."""
    r = np.abs(Y - P).ravel()
    for cls, each in ((losses.MeanAbsoluteError, r), (losses.MeanSquaredError, r**2)):
        np.testing.assert_allclose(cls(reduction="none")(Y, P), each, rtol=1e-14)
        np.testing.assert_allclose(cls()(Y, P), np.mean(each), rtol=1e-14)
        np.testing.assert_allclose(cls(factor=0.5, reduction="sum")(Y, P), np.sum(each) / 2, rtol=1e-14)
    np.testing.assert_allclose(losses.RootMeanSquaredError()(Y, P), np.sqrt(np.mean(r**2)), rtol=1e-14)


@pytest.mark.parametrize(
    ("cls", "of_one_sample"),
    [
        (losses.MeanAbsoluteError, [-1, 1, -1, -1]),  # sign(yhat - y)
        (losses.MeanSquaredError, 2 * (P - Y).ravel()),
        (losses.BinaryCrossentropy, (-Y / P + (1 - Y) / (1 - P)).ravel()),  # the CNN slides have a minus in between
    ],
)
def test_derivatives_of_costs(cls, of_one_sample):
    """The notes print the derivatives of one sample beside mean costs: these are of the sum; the mean has 1/n more."""
    np.testing.assert_allclose(slopes(cls(reduction="sum"), Y, P).ravel(), of_one_sample, rtol=1e-12)
    np.testing.assert_allclose(slopes(cls(), Y, P).ravel(), np.divide(of_one_sample, 4), rtol=1e-12)


def test_absolute_errors_have_slope_zero_at_ties():
    np.testing.assert_array_equal(slopes(losses.MeanAbsoluteError(reduction="sum"), Y, [[1.0], [0.5], [0.0], [1.0]]),
                                  [[0], [1], [-1], [0]])  # fmt: skip


def test_derivative_of_the_root_mean_squared_error():
    """(yhat - y) / (n RMSE), which the notes have with the other sign; 0 where the error is 0."""
    rmse = np.sqrt(np.mean((P - Y) ** 2))
    np.testing.assert_allclose(slopes(losses.RootMeanSquaredError(), Y, P), (P - Y) / (4 * rmse), rtol=1e-12)
    np.testing.assert_array_equal(slopes(losses.RootMeanSquaredError(), Y, Y), np.zeros((4, 1)))


def test_bce_of_two_outputs_is_twice_their_mean():
    """The CNN slides add the errors of both outputs; the loss takes their mean."""
    y, p = np.array([[1.0, 0.0]]), np.array([[0.7, 0.2]])
    error = -np.log(0.7) - np.log(0.8)
    np.testing.assert_allclose(2 * losses.BinaryCrossentropy()(y, p), error, rtol=1e-12)


def test_huber_is_continuous_with_its_slope_at_delta():
    d = np.array([-3.0, -1.0, -0.4, 0.0, 0.7, 1.0, 2.5])[:, None]
    loss = losses.Huber(reduction="none")
    np.testing.assert_allclose(loss(np.zeros((7, 1)), d), [2.5, 0.5, 0.08, 0.0, 0.245, 0.5, 2.0], rtol=1e-14)
    np.testing.assert_allclose(slopes(loss, np.zeros((7, 1)), d).ravel(), [-1, -1, -0.4, 0, 0.7, 1, 1], rtol=1e-14)
    for delta in (0.5, 1.0, 2.0):
        edge = np.array([[delta * (1 - 1e-9)], [delta * (1 + 1e-9)]])
        inside, outside = losses.Huber(delta, "none")(np.zeros((2, 1)), edge)
        np.testing.assert_allclose(inside, outside, rtol=1e-8)
        np.testing.assert_allclose(*slopes(losses.Huber(delta, "none"), np.zeros((2, 1)), edge), rtol=1e-8)


# ---- cross-entropy -------------------------------------------------------------------------------------------------


def test_cross_entropy_uses_natural_logarithms():
    """-ln .3 = 1.203973; the notes' .52 is base 10, and their .022 belongs to a probability of .95."""
    p = np.array([[0.3, 0.1, 0.6]])
    for loss, y in ((losses.SparseCategoricalCrossentropy(), [0]), (losses.CategoricalCrossentropy(), [[1.0, 0, 0]])):
        np.testing.assert_allclose(loss(np.asarray(y), p), 1.2039728043, rtol=1e-9)
    loss = losses.SparseCategoricalCrossentropy(reduction="none")
    p = np.array([[0.3, 0.7], [0.95, 0.05]])
    np.testing.assert_allclose(loss(np.array([0, 0]), p) / np.log(10), [0.522879, 0.022276], atol=5e-7)


def test_softmax_cross_entropy_has_gradient_p_minus_y():
    logits = np.log(np.tile([0.2, 0.3, 0.5], (3, 1)))
    expected = np.array([[0.2, 0.3, -0.5], [0.2, -0.7, 0.5], [-0.8, 0.3, 0.5]])
    labels = np.array([2, 1, 0])
    one_hot = np.eye(3)[labels]
    for loss, y in ((losses.SparseCategoricalCrossentropy, labels), (losses.CategoricalCrossentropy, one_hot)):
        found = slopes(loss(from_logits=True, reduction="sum"), y, logits)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
        np.testing.assert_allclose(slopes(loss(from_logits=True), y, logits), expected / 3, rtol=0, atol=1e-14)


def test_cross_entropy_of_probabilities_has_gradient_minus_y_over_p():
    """Up to a constant in each row, as probabilities are divided by their sum first: changes that keep it agree."""
    p, y = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]), np.eye(3)[[1, 0]]
    found = slopes(losses.CategoricalCrossentropy(reduction="sum"), y, p)
    np.testing.assert_allclose(found - (-y / p), np.ones((2, 3)), rtol=1e-12)


def test_gradients_of_weights_are_outer_products_over_the_batch(rng):
    """dW = X^T (P - Y) / m and db = mean of the rows, where the notes write (p - y) x and dz for one row."""
    x, y = rng.standard_normal((5, 4)), rng.integers(0, 3, 5)
    layer = layers.Dense(3, "softmax", dtype="float64")
    layer.build((None, 4))
    with GradientTape() as tape:
        p = layer(x)
        loss = losses.SparseCategoricalCrossentropy()(y, p)
    dw, db = tape.gradient(loss, layer.trainable_variables)
    dz = p.numpy() - np.eye(3)[y]
    np.testing.assert_allclose(dw, x.T @ dz / 5, rtol=1e-12)
    np.testing.assert_allclose(db, dz.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_sparse_and_one_hot_losses_from_logits_are_one_and_stable(rng, scale):
    z, y = scale * rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    top = z.max(axis=1)
    expected = np.mean(top + np.log(np.sum(np.exp(z - top[:, None]), axis=1)) - z[np.arange(6), y])
    for loss, labels in ((losses.SparseCategoricalCrossentropy, y), (losses.CategoricalCrossentropy, np.eye(4)[y])):
        np.testing.assert_allclose(loss(from_logits=True)(labels, z), expected, rtol=1e-13)


def test_class_weights_count_samples_as_if_they_were_there_more_often():
    """class_weight {0: 5, 1: 70}: each sample's loss 5 or 70 times."""
    y, p = np.array([0, 1, 0, 0, 1])[:, None], np.array([0.2, 0.05, 0.7, 0.3, 0.9])[:, None]
    times = np.where(y == 1, 70, 5).ravel()
    repeated = np.repeat(np.arange(5), times)
    loss = losses.BinaryCrossentropy(reduction="sum")
    np.testing.assert_allclose(loss(y, p, times), loss(y[repeated], p[repeated]), rtol=1e-12)
    mean = losses.BinaryCrossentropy(reduction="mean_with_sample_weight")
    np.testing.assert_allclose(mean(y, p, times), losses.BinaryCrossentropy()(y[repeated], p[repeated]), rtol=1e-12)


# ---- how good an answer is -----------------------------------------------------------------------------------------


def test_accuracy_is_the_share_of_right_answers():
    assert metrics.BinaryAccuracy()(Y, P) == 1
    assert metrics.BinaryAccuracy(threshold=0.6)(Y, P) == 0.75
    assert metrics.SparseCategoricalAccuracy()([0, 2, 1], [[0.3, 0.1, 0.6], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3]]) == 2 / 3


def test_confusion_counts_of_a_decision_at_one_half():
    y, p = np.array([1, 0, 1, 1, 0, 0]), np.array([0.9, 0.6, 0.4, 0.7, 0.2, 0.1])
    assert metrics.confusion_matrix(y, p > 0.5).tolist() == [[2, 1], [1, 2]]
    assert metrics.Precision()(y, p) == metrics.Recall()(y, p) == pytest.approx(2 / 3)


def test_r2_of_a_line():
    """1 - SSE / SST, for y = 10 + 12 x and y = 6 + 18 x as well as the line that fits best."""
    x, y = np.arange(6.0), np.array([11.0, 20.0, 36.0, 47.0, 55.0, 73.0])
    slope, intercept = np.polyfit(x, y, 1)
    scores = [metrics.R2Score()(y, a + b * x) for a, b in ((10, 12), (6, 18), (intercept, slope))]
    assert scores == [pytest.approx(1 - np.sum((y - a - b * x) ** 2) / np.sum((y - y.mean()) ** 2), rel=1e-12)
                      for a, b in ((10, 12), (6, 18), (intercept, slope))]  # fmt: skip
    assert scores[2] == max(scores)


# ---- loss + penalty ------------------------------------------------------------------------------------------------

X = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [4.0, 5.0]])
TARGETS = np.array([3.0, 5.0, 7.0, 9.0])[:, None]


def fitted(penalty):
    """Slopes and intercept that minimise the sum of squares + penalty of the slopes."""
    model = Sequential([layers.Dense(1, kernel_initializer="ones", kernel_regularizer=penalty, dtype="float64")])
    model.compile(optimizers.SGD(0.005), losses.MeanSquaredError(reduction="sum"))
    model.fit(X, TARGETS, batch_size=4, epochs=5000, shuffle=False, verbose=0)
    (a, b), (c,) = model.get_weights()[0], model.get_weights()[1]
    return a[0], b[0], c, model.evaluate(X, TARGETS, batch_size=4, verbose=0)


def test_ridge_of_2_5_has_slopes_of_0_8():
    """With the intercept 1.2, not the notes' 1: it is not penalised."""
    a, b, c, _ = fitted(regularizers.L2(2.5))
    np.testing.assert_allclose([a, b, c], [0.8, 0.8, 1.2], rtol=1e-9)


def test_lasso_of_10_has_slopes_that_sum_to_1():
    """x2 = x1 + 1: any split of 1 into two slopes of one sign is as good, 5 + 10, with intercept 2.5 at (0, 1)."""
    a, b, c, objective = fitted(regularizers.L1(10.0))
    np.testing.assert_allclose([a + b, c + b, objective], [1.0, 3.5, 15.0], rtol=1e-9)
    assert a > 0 and b > 0


def test_a_large_l1_penalty_takes_a_useless_weight_to_zero_and_l2_does_not(rng):
    """Subgradient steps end within one step of 0."""
    x = rng.standard_normal((200, 2))
    y = 2 * x[:, :1] + 0.1 * rng.standard_normal((200, 1))
    found = {}
    for name, penalty in (("l1", regularizers.L1(0.2)), ("l2", regularizers.L2(0.2))):
        model = Sequential([layers.Dense(1, kernel_initializer="ones", kernel_regularizer=penalty, dtype="float64")])
        model.compile(optimizers.SGD(0.001), "mse")
        model.fit(x, y, batch_size=200, epochs=3000, shuffle=False, verbose=0)
        found[name] = np.abs(model.get_weights()[0].ravel())
    assert found["l1"][1] <= 0.001 * 0.2 < found["l2"][1] < 0.1 < found["l1"][0]
