"""Losses against plain NumPy in float64."""

import itertools
import math

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, Sequential, layers, losses, ops
from fastnn.random import set_random_seed

LABELS = np.array([2, 0, 1, 1])
ONE_HOT = np.eye(3)[LABELS]
SCORES = np.array([[0.2, -1.0, 3.0], [1.5, 0.3, -0.7], [-2.0, 0.1, 0.4], [0.0, 0.5, 1.0]])
BITS = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
NUMBERS = np.array([[0.5, -1.0], [2.0, 0.3], [-0.7, 0.9], [1.1, -0.2]])
POSITIVE = np.array([[0.5, 1.0], [2.0, 0.3], [0.7, 0.9], [1.1, 4.0]])
TARGETS = np.array([[1.0, -2.0], [0.5, 3.0], [-4.0, 0.25], [1.0, 1.0]])
WEIGHT = np.array([1.0, 0.5, 0.0, 2.0])


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def entropy(targets, scores):
    return -np.sum(targets * np.log(softmax(scores)), axis=-1)


def true_class(rows):
    """What a row has at the right class."""
    return np.array([row[label] for row, label in zip(rows, LABELS, strict=True)])


def true_side(p):
    """The probability given to what BITS says."""
    return np.where(BITS == 1, p, 1 - p)


def of_rows(fn, y_true, y_pred):
    """fn(row of y_true, row of y_pred) for every row, in plain Python."""
    return np.array([fn(t, p) for t, p in zip(y_true.tolist(), y_pred.tolist(), strict=True)])


def angle(t, p):
    return -sum(a * b for a, b in zip(t, p, strict=True)) / (sum(a * a for a in t) * sum(b * b for b in p)) ** 0.5


def margins(t, p):
    return [max(0.0, 1 - (2 * a - 1) * b) for a, b in zip(t, p, strict=True)]


def categorical_margin(t, p):
    right = t.index(1)
    return max(0.0, 1 + max([0.0, *(b for i, b in enumerate(p) if i != right)]) - p[right])


def divergence(t, p):
    return sum(a * (math.log(a) - math.log(b)) for a, b in zip(t, p, strict=True))


def tversky(t, p, missed, invented):
    both = sum(a * b for a, b in zip(t, p, strict=True))
    return 1 - both / (both + missed * (sum(t) - both) + invented * (sum(p) - both))


def binary_entropy(targets, scores):
    p = sigmoid(scores)
    return np.mean(-targets * np.log(p) - (1 - targets) * np.log(1 - p), axis=-1)


#: loss, targets, predictions, one value per sample
CASES = {
    "sparse from logits": (losses.SparseCategoricalCrossentropy, {"from_logits": True}, LABELS, SCORES,
                           entropy(ONE_HOT, SCORES)),
    "sparse": (losses.SparseCategoricalCrossentropy, {}, LABELS, softmax(SCORES), entropy(ONE_HOT, SCORES)),
    "categorical from logits": (losses.CategoricalCrossentropy, {"from_logits": True}, ONE_HOT, SCORES,
                                entropy(ONE_HOT, SCORES)),
    "categorical": (losses.CategoricalCrossentropy, {}, ONE_HOT, softmax(SCORES), entropy(ONE_HOT, SCORES)),
    "categorical smoothed": (losses.CategoricalCrossentropy, {"from_logits": True, "label_smoothing": 0.3}, ONE_HOT,
                             SCORES, entropy(0.7 * ONE_HOT + 0.1, SCORES)),
    "binary from logits": (losses.BinaryCrossentropy, {"from_logits": True}, BITS, NUMBERS,
                           binary_entropy(BITS, NUMBERS)),
    "binary": (losses.BinaryCrossentropy, {}, BITS, sigmoid(NUMBERS), binary_entropy(BITS, NUMBERS)),
    "binary smoothed": (losses.BinaryCrossentropy, {"from_logits": True, "label_smoothing": 0.2}, BITS, NUMBERS,
                        binary_entropy(0.8 * BITS + 0.1, NUMBERS)),
    "squared": (losses.MeanSquaredError, {}, BITS, NUMBERS, np.mean((BITS - NUMBERS) ** 2, axis=-1)),
    "absolute": (losses.MeanAbsoluteError, {}, BITS, NUMBERS, np.mean(np.abs(BITS - NUMBERS), axis=-1)),
    "squared, half the sum": (losses.MeanSquaredError, {"factor": 0.5, "over_outputs": "sum"}, BITS, NUMBERS,
                              np.sum((BITS - NUMBERS) ** 2, axis=-1) / 2),
    "absolute, half the sum": (losses.MeanAbsoluteError, {"factor": 0.5, "over_outputs": "sum"}, BITS, NUMBERS,
                               np.sum(np.abs(BITS - NUMBERS), axis=-1) / 2),
    "huber": (losses.Huber, {}, TARGETS, NUMBERS,
              of_rows(lambda t, p: np.mean([d * d / 2 if abs(d) <= 1 else abs(d) - 0.5
                                            for d in np.subtract(t, p)]), TARGETS, NUMBERS)),
    "huber, delta 2": (losses.Huber, {"delta": 2.0}, TARGETS, NUMBERS,
                       of_rows(lambda t, p: np.mean([d * d / 2 if abs(d) <= 2 else 2 * abs(d) - 2
                                                     for d in np.subtract(t, p)]), TARGETS, NUMBERS)),
    "log cosh": (losses.LogCosh, {}, TARGETS, NUMBERS, np.mean(np.log(np.cosh(TARGETS - NUMBERS)), axis=-1)),
    "percentage": (losses.MeanAbsolutePercentageError, {}, TARGETS, NUMBERS,
                   100 * np.mean(np.abs(1 - NUMBERS / TARGETS), axis=-1)),
    "logarithmic": (losses.MeanSquaredLogarithmicError, {}, POSITIVE[::-1], POSITIVE,
                    np.mean((np.log1p(POSITIVE) - np.log1p(POSITIVE[::-1])) ** 2, axis=-1)),
    "cosine": (losses.CosineSimilarity, {}, TARGETS, NUMBERS, of_rows(angle, TARGETS, NUMBERS)),
    "hinge": (losses.Hinge, {}, BITS, NUMBERS, of_rows(lambda t, p: np.mean(margins(t, p)), BITS, NUMBERS)),
    "hinge of signs": (losses.Hinge, {}, 2 * BITS - 1, NUMBERS,
                       of_rows(lambda t, p: np.mean(margins(t, p)), BITS, NUMBERS)),
    "squared hinge": (losses.SquaredHinge, {}, BITS, NUMBERS,
                      of_rows(lambda t, p: np.mean(np.square(margins(t, p))), BITS, NUMBERS)),
    "categorical hinge": (losses.CategoricalHinge, {}, ONE_HOT, SCORES, of_rows(categorical_margin, ONE_HOT, SCORES)),
    "divergence": (losses.KLDivergence, {}, softmax(SCORES[::-1]), softmax(SCORES),
                   of_rows(divergence, softmax(SCORES[::-1]), softmax(SCORES))),
    "poisson": (losses.Poisson, {}, BITS, POSITIVE, np.mean(POSITIVE - BITS * np.log(POSITIVE + 1e-7), axis=-1)),
    "binary focal": (losses.BinaryFocalCrossentropy, {}, BITS, sigmoid(NUMBERS),
                     np.mean(-(1 - true_side(sigmoid(NUMBERS))) ** 2 * np.log(true_side(sigmoid(NUMBERS))), axis=-1)),
    "binary focal balanced from logits": (
        losses.BinaryFocalCrossentropy,
        {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5, "from_logits": True},
        BITS, NUMBERS, np.mean(np.where(BITS == 1, -0.3, -0.7) * (1 - true_side(sigmoid(NUMBERS))) ** 1.5
                               * np.log(true_side(sigmoid(NUMBERS))), axis=-1)),
    "categorical focal": (losses.CategoricalFocalCrossentropy, {}, ONE_HOT, softmax(SCORES),
                          -0.25 * (1 - true_class(softmax(SCORES))) ** 2 * np.log(true_class(softmax(SCORES)))),
    "categorical focal by class from logits": (
        losses.CategoricalFocalCrossentropy, {"alpha": [0.1, 0.2, 0.3], "gamma": 3.0, "from_logits": True}, ONE_HOT,
        SCORES, -np.array([0.1, 0.2, 0.3])[LABELS] * (1 - true_class(softmax(SCORES))) ** 3
        * np.log(true_class(softmax(SCORES)))),
    "dice": (losses.Dice, {"axis": -1}, ONE_HOT, softmax(SCORES),
             of_rows(lambda t, p: tversky(t, p, 0.5, 0.5), ONE_HOT, softmax(SCORES))),
    "tversky": (losses.Tversky, {"alpha": 0.2, "beta": 0.7, "axis": -1}, ONE_HOT, softmax(SCORES),
                of_rows(lambda t, p: tversky(t, p, 0.2, 0.7), ONE_HOT, softmax(SCORES))),
}  # fmt: skip
#: Losses that add 1e-7 to a divisor or an argument, which their references leave out.
EPSILON_ADDED = {"dice", "tversky"}
#: Labels and probabilities kept 1e-7 from 0 leave differences of that size where losses start from probabilities.
REDUCED = {
    "none": lambda v, w: v * w,
    None: lambda v, w: v * w,
    "sum": lambda v, w: np.sum(v * w),
    "sum_over_batch_size": lambda v, w: np.sum(v * w) / v.size,
    "mean": lambda v, w: np.sum(v * w) / v.size,
    "mean_with_sample_weight": lambda v, w: np.sum(v * w) / np.sum(w),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", REDUCED)
@pytest.mark.parametrize("case", CASES)
def test_values_by_reduction_with_and_without_weights(case, reduction, dtype):
    cls, options, y_true, y_pred, values = CASES[case]
    loss = cls(reduction=reduction, **options)
    tolerance = 3e-6 if dtype == "float32" else 2e-7 if case in EPSILON_ADDED else 1e-12
    y_pred = y_pred.astype(dtype)
    for weight in (None, WEIGHT, WEIGHT[:, None], WEIGHT.tolist(), WEIGHT.astype("float32"), 2.0):
        found = loss(y_true, y_pred, weight)
        flat = np.ones(4) if weight is None else np.broadcast_to(np.ravel(weight), 4)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, REDUCED[reduction](values, flat), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_central_differences(case):
    cls, options, y_true, y_pred, _ = CASES[case]
    for weight in (None, WEIGHT):
        assert fastnn.gradcheck(lambda p, w=weight: cls(**options)(y_true, p, w), y_pred)


@pytest.mark.parametrize(
    ("function", "case"),
    [
        (losses.sparse_categorical_crossentropy, "sparse from logits"),
        (losses.categorical_crossentropy, "categorical smoothed"),
        (losses.binary_crossentropy, "binary smoothed"),
        (losses.mean_squared_error, "squared"),
        (losses.mean_absolute_error, "absolute"),
        (losses.huber, "huber, delta 2"),
        (losses.log_cosh, "log cosh"),
        (losses.mean_absolute_percentage_error, "percentage"),
        (losses.mean_squared_logarithmic_error, "logarithmic"),
        (losses.cosine_similarity, "cosine"),
        (losses.hinge, "hinge"),
        (losses.squared_hinge, "squared hinge"),
        (losses.categorical_hinge, "categorical hinge"),
        (losses.kl_divergence, "divergence"),
        (losses.poisson, "poisson"),
        (losses.binary_focal_crossentropy, "binary focal balanced from logits"),
        (losses.categorical_focal_crossentropy, "categorical focal by class from logits"),
    ],
)
def test_functions_give_one_value_per_sample(function, case):
    _, options, y_true, y_pred, values = CASES[case]
    np.testing.assert_allclose(function(y_true, y_pred, **options), values, rtol=1e-12)


def test_weights_of_a_sequence_may_be_per_sample_or_per_step(rng):
    y_true, y_pred = rng.integers(0, 3, (4, 5)), rng.standard_normal((4, 5, 3))
    values = entropy(np.eye(3)[y_true], y_pred)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    steps = rng.uniform(size=(4, 5))
    np.testing.assert_allclose(loss(y_true, y_pred, steps), np.mean(values * steps), rtol=1e-12)
    np.testing.assert_allclose(loss(y_true, y_pred, WEIGHT), np.mean(values * WEIGHT[:, None]), rtol=1e-12)
    with pytest.raises(ValueError, match="sample_weight"):
        loss(y_true, y_pred, np.ones((4, 6)))


def test_ignored_labels_do_not_count():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    labels = np.array([2, -1, 1, -1])
    values = entropy(ONE_HOT, SCORES)
    np.testing.assert_allclose(loss(labels, SCORES), (values[0] + values[2]) / 2, rtol=1e-12)
    with GradientTape() as tape:
        scores = tape.watch(SCORES)
        value = loss(labels, scores)
    gradient = tape.gradient(value, scores)
    assert not gradient[[1, 3]].any() and gradient[[0, 2]].all()
    none = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1, reduction="none")
    np.testing.assert_array_equal(none(labels, SCORES)[[1, 3]], 0)


def test_classes_may_lie_on_another_axis():
    for cls, y_true in ((losses.SparseCategoricalCrossentropy, LABELS), (losses.CategoricalCrossentropy, ONE_HOT.T)):
        loss = cls(from_logits=True, axis=0)
        np.testing.assert_allclose(loss(y_true, SCORES.T), np.mean(entropy(ONE_HOT, SCORES)), rtol=1e-12)


@pytest.mark.parametrize("cls", [losses.MeanSquaredError, losses.MeanAbsoluteError, losses.BinaryCrossentropy])
def test_targets_n_fit_predictions_n_1_without_broadcasting(cls):
    """(n,) against (n, 1) would broadcast to (n, n) and train on nonsense."""
    y_true, y_pred = BITS[:, 0], sigmoid(NUMBERS[:, :1])
    expected = cls()(y_true[:, None], y_pred)
    np.testing.assert_array_equal(cls()(y_true, y_pred), expected)
    np.testing.assert_array_equal(cls(reduction="none")(y_true, y_pred), cls(reduction="none")(y_true[:, None], y_pred))


def test_labels_n_1_fit_scores():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert loss(LABELS[:, None], SCORES) == loss(LABELS, SCORES) == loss(LABELS.astype("float32"), SCORES)
    assert loss(LABELS.tolist(), SCORES.tolist()).dtype == np.float32


@pytest.mark.parametrize("sign", [1, -1])
def test_softmax_then_crossentropy_uses_the_logits(sign):
    """Through probabilities, scores of +-1000 would give a loss cut at -ln 1e-7 and a gradient of 0."""
    scores = sign * np.array([[1000.0, -1000.0, 0.0]], "float32")
    for loss, y_true in (
        (losses.SparseCategoricalCrossentropy(), np.array([1])),
        (losses.CategoricalCrossentropy(), np.eye(3)[[1]]),
    ):
        with GradientTape() as tape:
            x = tape.watch(scores)
            value = loss(y_true, ops.softmax(x))
        np.testing.assert_allclose(value.numpy(), entropy_of(scores), rtol=1e-6)
        np.testing.assert_allclose(tape.gradient(value, x), softmax(scores) - np.eye(3)[[1]], atol=1e-6)


def entropy_of(scores):
    """-ln softmax(scores)[0, 1] without overflow."""
    top = scores.max()
    return top + np.log(np.sum(np.exp(scores.astype(float) - top))) - scores[0, 1]


def test_sigmoid_then_crossentropy_uses_the_logits():
    with GradientTape() as tape:
        x = tape.watch(np.array([[1000.0], [-1000.0]], "float32"))
        value = losses.BinaryCrossentropy()(np.array([[0.0], [1.0]]), ops.sigmoid(x))
    assert float(value) == 1000
    np.testing.assert_array_equal(tape.gradient(value, x), [[0.5], [-0.5]])


def test_probabilities_of_zero_and_one_give_finite_losses():
    assert np.isfinite(losses.SparseCategoricalCrossentropy()([1], np.array([[1.0, 0.0]])))
    assert np.isfinite(losses.BinaryCrossentropy()([[1.0]], np.array([[0.0]])))
    assert losses.BinaryCrossentropy()([[1.0]], np.array([[1.0]])) < 1e-6


SPARSE, PROBABILITIES = losses.SparseCategoricalCrossentropy(), softmax(SCORES)


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "error", "message"),
    [
        (SPARSE, [3, 0, 1, 1], PROBABILITIES, ValueError, r"expected labels in \[0, 3\).*got 3"),
        (SPARSE, [-1, 0, 1, 1], PROBABILITIES, ValueError, r"expected labels in \[0, 3\).*got -1"),
        (SPARSE, ONE_HOT, PROBABILITIES, ValueError, "for one-hot labels use Categorical"),
        (SPARSE, [0.5, 0, 1, 1], PROBABILITIES, ValueError, "expected whole numbers"),
        (SPARSE, [np.nan, 0, 1, 1], PROBABILITIES, ValueError, "got nan"),
        (SPARSE, [0, 1], PROBABILITIES, ValueError, "expected .*got"),
        (SPARSE, list("abcd"), PROBABILITIES, TypeError, "expected integer or floating labels"),
        (losses.CategoricalCrossentropy(), LABELS, SCORES, ValueError, "for integer labels use SparseCategorical"),
        (losses.CategoricalCrossentropy(), np.full((4, 3), np.nan), PROBABILITIES, ValueError, "got nan"),
        (losses.BinaryCrossentropy(), BITS[:2], PROBABILITIES, ValueError, r"y_pred's shape \(4, 3\), got \(2, 2\)"),
        (losses.BinaryCrossentropy(), np.full((4, 3), np.nan), PROBABILITIES, ValueError, "got nan"),
        (losses.MeanSquaredError(), BITS[:, :1], NUMBERS, ValueError, r"y_pred's shape \(4, 2\), got \(4, 1\)"),
        (losses.MeanAbsoluteError(), BITS[:2], NUMBERS, ValueError, r"y_pred's shape \(4, 2\), got \(2, 2\)"),
        (losses.MeanSquaredError(), list("ab"), NUMBERS[:, 0][:2], TypeError, "expected y_true of real numbers"),
        (losses.Dice(), BITS[:2], NUMBERS, ValueError, r"\[dice\] expected y_true of y_pred's shape"),
    ],
)
def test_labels_that_do_not_fit_are_refused(loss, y_true, y_pred, error, message):
    with pytest.raises(error, match=message):
        loss(np.asarray(y_true), y_pred)


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred"),
    [
        (losses.SparseCategoricalCrossentropy(), LABELS, SCORES),
        (losses.CategoricalCrossentropy(), ONE_HOT, SCORES),
        (losses.BinaryCrossentropy(), BITS, NUMBERS),
        (losses.BinaryFocalCrossentropy(), BITS, NUMBERS),
        (losses.CategoricalFocalCrossentropy(), ONE_HOT, SCORES),
    ],
)
def test_logits_where_probabilities_are_due_are_refused(loss, y_true, y_pred):
    with pytest.raises(ValueError, match=r"expected probabilities in \[0, 1\], got .*for logits say from_logits=True"):
        loss(y_true, y_pred)
    with GradientTape() as tape, pytest.raises(ValueError, match="from_logits=True"):
        loss(y_true, tape.watch(y_pred))
    spoiled = np.full_like(y_pred, np.nan)  # a diverged model says so by a NaN
    assert np.isnan(loss(y_true, spoiled))


@pytest.mark.parametrize(
    ("loss", "y_true", "activation"),
    [
        (losses.SparseCategoricalCrossentropy(from_logits=True), LABELS, ops.softmax),
        (losses.CategoricalCrossentropy(from_logits=True), ONE_HOT, ops.softmax),
        (losses.BinaryCrossentropy(from_logits=True), ONE_HOT, ops.sigmoid),
    ],
)
def test_probabilities_where_logits_are_due_give_a_warning(loss, y_true, activation):
    with GradientTape() as tape:
        y_pred = activation(tape.watch(SCORES))
        with pytest.warns(UserWarning, match=r"expected logits, as from_logits=True says, got the output of s"):
            loss(y_true, y_pred)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="expected reduction to be one of"):
        losses.MeanSquaredError(reduction="max")
    with pytest.raises(ValueError, match="expected over_outputs to be 'mean' or 'sum'"):
        losses.MeanSquaredError(over_outputs="max")
    for cls in (losses.CategoricalCrossentropy, losses.BinaryFocalCrossentropy, losses.CategoricalFocalCrossentropy):
        with pytest.raises(ValueError, match="label_smoothing"):
            cls(label_smoothing=1.5)(ONE_HOT, PROBABILITIES)
    with pytest.raises(ValueError, match="sample_weight"):
        losses.MeanSquaredError()(BITS, NUMBERS, np.ones(3))


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("mse", "MeanSquaredError"), ("MSE", "MeanSquaredError"), ("mean_squared_error", "MeanSquaredError"),
        ("mae", "MeanAbsoluteError"), ("binary_crossentropy", "BinaryCrossentropy"), ("bce", "BinaryCrossentropy"),
        ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"),
        ("categorical_crossentropy", "CategoricalCrossentropy"), ("CategoricalCrossentropy", "CategoricalCrossentropy"),
        ("mape", "MeanAbsolutePercentageError"), ("MSLE", "MeanSquaredLogarithmicError"), ("huber", "Huber"),
        ("logcosh", "LogCosh"), ("log_cosh", "LogCosh"), ("kld", "KLDivergence"), ("kl_divergence", "KLDivergence"),
        ("cosine_similarity", "CosineSimilarity"), ("hinge", "Hinge"), ("squared_hinge", "SquaredHinge"),
        ("categorical_hinge", "CategoricalHinge"), ("poisson", "Poisson"), ("dice", "Dice"), ("tversky", "Tversky"),
        ("binary_focal_crossentropy", "BinaryFocalCrossentropy"), ("rmse", "RootMeanSquaredError"),
        ("categorical_focal_crossentropy", "CategoricalFocalCrossentropy"),
    ],
)  # fmt: skip
def test_names(name, cls):
    assert type(losses.loss_of(name)) is getattr(losses, cls)


def test_get_gives_the_function_of_a_functions_name_and_an_object_of_a_class():
    assert losses.get("mse") is losses.get("mean_squared_error") is losses.mean_squared_error
    assert losses.get("KLD") is losses.kl_divergence and losses.get("ctc") is losses.ctc
    assert type(losses.get("MeanSquaredError")) is type(losses.get(losses.MeanSquaredError)) is losses.MeanSquaredError
    assert losses.get("mse")(BITS, NUMBERS).shape == (len(BITS),)
    described = losses.serialize(losses.Huber(delta=2.0))
    assert losses.get(described).delta == 2
    own = lambda t, p: p  # noqa: E731
    assert losses.get(own) is own and losses.get(None) is None
    with pytest.raises(ValueError, match=r"\[losses\] expected a known name such as"):
        losses.get("cross_entropy")


def test_a_model_takes_functions_objects_and_none():
    assert losses.loss_of(None) is None
    made = losses.MeanSquaredError()
    assert losses.loss_of(made) is made is losses.get(made)
    assert type(losses.loss_of(losses.mean_squared_error)) is losses.MeanSquaredError
    own = losses.loss_of(lambda t, p: ops.sum(ops.absolute(p - t), axis=-1))
    np.testing.assert_allclose(own(BITS, NUMBERS), np.sum(np.abs(BITS - NUMBERS)) / 4, rtol=1e-12)
    with pytest.raises(ValueError, match=r"\[losses\] expected a known name such as"):
        losses.loss_of("cross_entropy")


@pytest.mark.parametrize("case", CASES)
def test_configurations_make_the_same_loss_again(case):
    cls, options, y_true, y_pred, _ = CASES[case]
    loss = cls(reduction="sum", **options)
    twin = losses.deserialize(losses.serialize(loss))
    assert twin.get_config() == loss.get_config() and twin(y_true, y_pred) == loss(y_true, y_pred)


# ---- shapes, weights, and edges --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [losses.MeanSquaredError, losses.MeanAbsoluteError, losses.Huber, losses.Hinge])
def test_one_axis_less_is_squeezed_or_expanded_as_in_keras(cls, rng):
    loss = cls(reduction="none")
    y = rng.integers(0, 2, (4, 5)).astype("float64")
    p = rng.standard_normal((4, 5))
    assert loss(y[:, 0], p[:, 0]).shape == ()  # one sample of four outputs
    assert loss(y[:, 0], p[:, :1]).shape == loss(y[:, :1], p[:, 0]).shape == (4,)  # four samples of one output
    assert loss(y, p).shape == (4,)
    np.testing.assert_array_equal(loss(y, p[:, :, None]), loss(y, p))
    np.testing.assert_array_equal(loss(y[:, :, None], p), loss(y, p))
    with GradientTape() as tape:
        x = tape.watch(p[:, :, None])
        total = ops.sum(loss(y, x))
    assert tape.gradient(total, x).shape == (4, 5, 1)


def test_binary_crossentropy_uses_the_logits_also_where_an_axis_is_squeezed():
    with GradientTape() as tape:
        x = tape.watch(np.full((1, 2, 1), 1000.0))
        value = losses.BinaryCrossentropy()(np.zeros((1, 2)), ops.sigmoid(x))
    assert float(value) == 1000


def test_weights_fit_from_the_first_axis_on(rng):
    y, p = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 3, 2))
    values = np.mean((y - p) ** 2, axis=-1)  # (4, 3)
    loss = losses.MeanSquaredError(reduction="none")
    for weight in (rng.uniform(size=4), rng.uniform(size=(4, 1)), rng.uniform(size=(4, 1, 1))):
        np.testing.assert_allclose(loss(y, p, weight), values * weight.reshape(4, 1), rtol=1e-12)
    for weight in (rng.uniform(size=(4, 3)), rng.uniform(size=(4, 3, 1)), rng.uniform(size=(1, 3))):
        np.testing.assert_allclose(loss(y, p, weight), values * weight.reshape(weight.shape[0], 3), rtol=1e-12)
    for weight in (np.ones(3), np.ones((4, 2)), np.ones((4, 3, 2))):
        with pytest.raises(ValueError, match=r"expected sample_weight that fits values of shape \(4, 3\)"):
            loss(y, p, weight)


@pytest.mark.parametrize("case", ["squared", "cosine", "binary", "sparse from logits"])
def test_weights_of_zero_give_zero(case):
    cls, options, y_true, y_pred, _ = CASES[case]
    for reduction in ("sum", "mean", "mean_with_sample_weight"):
        assert cls(reduction=reduction, **options)(y_true, y_pred, np.zeros(4)) == 0


def test_ignored_labels_count_in_no_divisor():
    labels, values = np.array([2, -1, 1, -1]), entropy(ONE_HOT, SCORES)
    options = {"from_logits": True, "ignore_class": -1}
    weighted = (values[0] * 3 + values[2]) / 2
    loss = losses.SparseCategoricalCrossentropy(**options)
    np.testing.assert_allclose(loss(labels, SCORES, [3.0, 5.0, 1.0, 7.0]), weighted, rtol=1e-12)
    loss = losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight", **options)
    np.testing.assert_allclose(loss(labels, SCORES, [3.0, 5.0, 1.0, 7.0]), weighted / 2, rtol=1e-12)


def test_classes_on_another_axis_with_weights_and_smoothing(rng):
    scores, labels = rng.standard_normal((4, 3, 5)), rng.integers(0, 3, (4, 5))
    one_hot, weight = np.moveaxis(np.eye(3)[labels], -1, 1), rng.uniform(size=(4, 5))
    targets = np.moveaxis(0.7 * one_hot + 0.1, 1, -1)
    expected = np.mean(weight * entropy(targets, np.moveaxis(scores, 1, -1)))
    loss = losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3, axis=1)
    np.testing.assert_allclose(loss(one_hot, scores, weight), expected, rtol=1e-12)
    for case in (losses.BinaryCrossentropy(from_logits=True, axis=1, reduction="none"),
                 losses.BinaryFocalCrossentropy(from_logits=True, gamma=0.0, axis=1, reduction="none")):  # fmt: skip
        elements = np.logaddexp(0, scores) - one_hot * scores
        np.testing.assert_allclose(case(one_hot, scores), np.mean(elements, axis=1), rtol=1e-12)


def test_root_mean_squared_error_is_the_root_of_the_mean_squared_error_of_its_reduction():
    squares = np.mean((BITS - NUMBERS) ** 2, axis=-1)
    for reduction, reduced in REDUCED.items():
        for weight in (None, WEIGHT):
            expected = np.sqrt(reduced(squares, np.ones(4) if weight is None else weight))
            loss = losses.RootMeanSquaredError(reduction=reduction)
            np.testing.assert_allclose(loss(BITS, NUMBERS, weight), expected, rtol=1e-12)
    assert fastnn.gradcheck(lambda p: losses.RootMeanSquaredError()(BITS, p), NUMBERS)


@pytest.mark.parametrize("loss", [losses.RootMeanSquaredError(), losses.CosineSimilarity(), losses.LogCosh()])
def test_gradients_at_zero_are_finite(loss):
    with GradientTape() as tape:
        x = tape.watch(np.zeros((2, 3), "float32"))
        value = loss(np.zeros((2, 3)), x)
    assert float(value) == 0 and not np.any(tape.gradient(value, x))


def test_dice_and_tversky_of_everything_are_one_number():
    p = softmax(SCORES)
    for loss in (losses.Dice(), losses.Tversky()):
        expected = 1 - 2 * np.sum(ONE_HOT * p) / (np.sum(ONE_HOT) + np.sum(p))
        np.testing.assert_allclose(loss(ONE_HOT, p), expected, rtol=1e-7)
    assert losses.Dice()(BITS, BITS) < 1e-7


def test_a_given_dtype_is_that_of_the_loss():
    assert losses.MeanSquaredError(dtype="float64")(BITS, NUMBERS.astype("float32")).dtype == np.float64
    assert losses.MeanSquaredError(dtype="float64")([[1]], [[2]]).dtype == np.float64
    assert losses.MeanSquaredError()(BITS, NUMBERS.astype("float32")).dtype == np.float32
    with GradientTape() as tape:
        x = tape.watch(NUMBERS.astype("float32"))
        value = losses.MeanSquaredError(dtype="float64")(BITS, x)
    assert value.dtype == np.float64 and tape.gradient(value, x).dtype == np.float32


def test_a_loss_that_overwrites_call_is_not_bypassed_by_its_parents_kernel():
    class Doubled(losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return 2.0 * super().call(y_true, y_pred)

    assert Doubled()(BITS, NUMBERS) == pytest.approx(2 * losses.MeanSquaredError()(BITS, NUMBERS), rel=1e-15)


def test_weights_by_class_train_as_if_samples_were_repeated(rng):
    """class_weight {0: 2, 1: 3} is the gradient of each sample of class 0 twice and of class 1 three times."""
    x, y = rng.standard_normal((12, 4)), rng.integers(0, 2, 12)
    repeated = np.repeat(np.arange(12), np.where(y == 0, 2, 3))
    for loss, units, targets in (("binary_crossentropy", 1, y), ("sparse_categorical_crossentropy", 2, y),
                                 ("categorical_crossentropy", 2, np.eye(2)[y])):  # fmt: skip
        activation = "sigmoid" if units == 1 else "softmax"
        model = fastnn.models.Sequential([fastnn.layers.Dense(units, activation, dtype="float64")])
        model.build((None, 4))
        start = model.get_weights()
        model.compile(fastnn.optimizers.SGD(0.1), loss)
        model.train_on_batch(x, targets, class_weight={0: 2.0, 1: 3.0})
        weighted = [w - w0 for w, w0 in zip(model.get_weights(), start, strict=True)]
        model.set_weights(start)
        model.train_on_batch(x[repeated], targets[repeated])
        for ours, w, w0 in zip(weighted, model.get_weights(), start, strict=True):
            np.testing.assert_allclose(ours, (w - w0) * len(repeated) / 12, rtol=1e-10, atol=1e-14)


# ---- recorded steps --------------------------------------------------------------------------------------------------

#: loss, activation of the last layer, targets (8, 3) or (8,)
RECORDED = [
    *((cls(**options), activation, targets) for cls, options, activation, targets in (
        (losses.MeanSquaredError, {"factor": 0.5, "over_outputs": "sum"}, None, "bits"),
        (losses.MeanAbsoluteError, {}, None, "bits"), (losses.Huber, {"delta": 0.5}, None, "bits"),
        (losses.LogCosh, {}, None, "bits"), (losses.RootMeanSquaredError, {}, None, "bits"),
        (losses.MeanAbsolutePercentageError, {}, None, "bits"), (losses.Poisson, {}, "sigmoid", "bits"),
        (losses.MeanSquaredLogarithmicError, {}, "sigmoid", "bits"), (losses.CosineSimilarity, {}, None, "one_hot"),
        (losses.Hinge, {}, None, "bits"), (losses.SquaredHinge, {}, None, "bits"),
        (losses.CategoricalHinge, {}, None, "one_hot"), (losses.KLDivergence, {}, "softmax", "one_hot"),
        (losses.BinaryCrossentropy, {"label_smoothing": 0.1}, "sigmoid", "bits"),
        (losses.BinaryFocalCrossentropy, {"apply_class_balancing": True, "label_smoothing": 0.1}, "sigmoid", "bits"),
        (losses.CategoricalFocalCrossentropy, {"alpha": [0.1, 0.2, 0.3]}, "softmax", "one_hot"),
        (losses.CategoricalCrossentropy, {"label_smoothing": 0.1}, "softmax", "one_hot"),
        (losses.SparseCategoricalCrossentropy, {"ignore_class": 1}, "softmax", "labels"),
        (losses.CategoricalGeneralizedCrossEntropy, {}, "softmax", "labels"),
        (losses.Circle, {"gamma": 2.0}, None, "labels"),
        (losses.Dice, {}, "sigmoid", "bits"), (losses.Tversky, {"axis": -1}, "sigmoid", "bits"),
    )),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "activation", "targets"), RECORDED, ids=lambda x: getattr(x, "name", None))
def test_every_loss_can_be_replayed_on_other_data(loss, activation, targets, rng):
    """What one loss reads of the data, as hinge does to tell labels 0 and 1 from -1 and 1, it reads anew each step."""
    x = rng.standard_normal((4, 8, 5)).astype("float32")
    labels = rng.integers(0, 3, (4, 8))
    bits = rng.integers(0, 2, (4, 8, 3)).astype("float32")
    y = {"bits": bits, "one_hot": np.eye(3)[labels], "labels": labels}[targets]
    if targets == "bits" and loss.name == "hinge":
        y[3] = 2 * y[3] - 1
    weights = [None, rng.uniform(size=(4, 8))]
    if loss.name == "dice":  # one value for all samples
        weights.pop()
    for weight, reduction in itertools.product(weights, ("sum_over_batch_size", "mean_with_sample_weight")):
        found = []
        for eager in (False, True):
            fastnn.utils.set_random_seed(0)
            model = fastnn.Sequential([fastnn.layers.Dense(3, activation)])
            twin = type(loss)(**{**loss.get_config(), "reduction": reduction})
            model.compile("sgd", twin, run_eagerly=eager)
            figures = [
                model.train_on_batch(x[step % 4], y[step % 4], None if weight is None else weight[step % 4])
                for step in range(6)
            ]
            found.append((figures, *[w.tolist() for w in model.get_weights()]))
            recordings = model._steps_now()._training
            assert bool(recordings and recordings._steps) is not eager
        assert found[0] == found[1]


def trained_with_ctc(eagerly):
    set_random_seed(2)
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((24, 9, 3)).astype(np.float32), rng.integers(1, 4, (24, 3))
    x[::2, 7:], labels[::3, 1:], labels[5] = 0, 0, 0
    reader = layers.Bidirectional(layers.GRU(4, return_sequences=True))
    model = Sequential([layers.Masking(), reader, layers.Dense(4)])
    model.compile("adam", losses.CTC(), run_eagerly=eagerly)
    figures = model.fit(x, labels, batch_size=8, epochs=3, verbose=0).history["loss"]
    assert eagerly or model._steps_now()._training._steps  # there was something to replay
    return figures, model.get_weights()


def test_ctc_with_labels_and_outputs_of_different_lengths_is_recorded():
    (eager, weights), (recorded, same) = trained_with_ctc(True), trained_with_ctc(False)
    assert eager == recorded and np.isfinite(eager).all()
    for one, other in zip(weights, same, strict=True):
        np.testing.assert_array_equal(one, other)


# ---- noisy labels, embeddings ----------------------------------------------------------------------------------------


def test_generalized_cross_entropy_lies_between_cross_entropy_and_absolute_error(rng):
    p, labels = rng.dirichlet(np.ones(4), 6), rng.integers(0, 4, 6)
    chosen = p[np.arange(6), labels]
    for q in (0.3, 0.7):
        loss = losses.CategoricalGeneralizedCrossEntropy(q)
        assert loss(labels[:, None], p) == pytest.approx(np.mean((1 - chosen**q) / q), rel=1e-9)
    near_zero = losses.categorical_generalized_cross_entropy(labels, p, 1e-6)
    np.testing.assert_allclose(near_zero, -np.log(chosen), rtol=1e-4)
    of_less_than_one = losses.categorical_generalized_cross_entropy(labels, 3 * p / 4, 0.5)
    np.testing.assert_allclose(of_less_than_one, 2 - 2 * np.sqrt(0.75 * chosen), rtol=1e-9)
    x = fastnn.Variable(np.array([[0.0, 1.0]]))
    with fastnn.GradientTape() as tape:
        value = losses.CategoricalGeneralizedCrossEntropy()([0], x)
    assert value == pytest.approx(2, rel=1e-9) and np.all(np.isfinite(tape.gradient(value, x)))
    for call, message in (
        (lambda: losses.CategoricalGeneralizedCrossEntropy(1.0), r"expected q in \(0, 1\), got 1.0"),
        (lambda: losses.categorical_generalized_cross_entropy([4], p[:1], 0.5), r"expected labels in \[0, 4\), got 4"),
        (lambda: losses.categorical_generalized_cross_entropy([1], 5 * p[:1], 0.5), "expected probabilities"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def _circle_by_pairs(labels, x, gamma, margin, diagonal):
    values = []
    for i in range(len(x)):
        pull = push = 0.0
        for j in range(len(x)):
            d = max(1 - float(x[i] @ x[j]), 0.0)
            if labels[i] != labels[j]:
                push += np.exp(gamma * max(1 + margin - d, 0) * (1 - margin - d))
            elif i != j or diagonal:
                pull += np.exp(-gamma * (margin + d) * (margin - d))
        values.append(np.log1p(pull * push))
    return np.array(values)


@pytest.mark.parametrize("diagonal", [False, True])
def test_circle_loss_is_the_sum_over_pairs(rng, diagonal):
    x = rng.standard_normal((7, 5))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    labels = np.array([0, 1, 0, 2, 1, 1, 3])
    options = {"gamma": 3.0, "margin": 0.3, "remove_diagonal": not diagonal}
    expected = _circle_by_pairs(labels, x, 3.0, 0.3, diagonal)
    np.testing.assert_allclose(losses.circle(labels, x, **options), expected, rtol=1e-9, atol=1e-12)
    counted = expected[expected > 0]
    assert losses.Circle(**options)(labels[:, None], x) == pytest.approx(np.mean(counted), rel=1e-6)
    assert losses.Circle(reduction="sum", **options)(labels, x) == pytest.approx(np.sum(counted), rel=1e-9)
    weights = rng.uniform(size=7)
    weighed = losses.Circle(reduction="sum", **options)(labels, x, weights)
    assert weighed == pytest.approx(np.sum(weights * expected), rel=1e-9)
    some = losses.circle(labels, x, labels[:3], x[:3], remove_diagonal=False)
    assert some.shape == (7,)


def test_circle_loss_of_a_sample_without_its_like_is_zero_and_has_a_finite_gradient():
    x = fastnn.Variable(np.eye(3))
    with fastnn.GradientTape() as tape:
        value = losses.Circle()([0, 1, 2], x)
    assert float(value) == 0 and np.all(np.isfinite(tape.gradient(value, x)))
    with pytest.raises(ValueError, match=r"\[circle\] expected labels \(n,\)"):
        losses.circle([0, 1], np.eye(3))


# ---- losses of one's own ---------------------------------------------------------------------------------------------


class _OwnSquares(losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_a_loss_of_ones_own_trains_whatever_the_dtype_of_targets(dtype, rng):
    x, y = rng.standard_normal((8, 3)), rng.integers(0, 5, (8, 2)).astype(dtype)
    found = []
    for loss in ("mse", _OwnSquares(), lambda t, p: ops.mean(ops.square(t - p), axis=-1)):
        fastnn.utils.set_random_seed(0)
        model = fastnn.Sequential([fastnn.layers.Dense(4, "tanh"), fastnn.layers.Dense(2)])
        model.compile("sgd", loss)
        model.fit(x, y, epochs=3, verbose=0)
        found.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-5, atol=1e-6)
