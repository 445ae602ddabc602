"""Losses against plain NumPy in float64."""

import numpy as np
import pytest

import fastnn
from fastnn import GradientTape, losses, ops

LABELS = np.array([2, 0, 1, 1])
ONE_HOT = np.eye(3)[LABELS]
SCORES = np.array([[0.2, -1.0, 3.0], [1.5, 0.3, -0.7], [-2.0, 0.1, 0.4], [0.0, 0.5, 1.0]])
BITS = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
NUMBERS = np.array([[0.5, -1.0], [2.0, 0.3], [-0.7, 0.9], [1.1, -0.2]])
WEIGHT = np.array([1.0, 0.5, 0.0, 2.0])


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def entropy(targets, scores):
    return -np.sum(targets * np.log(softmax(scores)), axis=-1)


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
}  # fmt: skip
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
    tolerance = 3e-6 if dtype == "float32" else 1e-12
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


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "error", "message"),
    [
        (
            losses.SparseCategoricalCrossentropy(),
            [3, 0, 1, 1],
            SCORES,
            ValueError,
            r"expected labels in \[0, 3\).*got 3",
        ),
        (
            losses.SparseCategoricalCrossentropy(),
            [-1, 0, 1, 1],
            SCORES,
            ValueError,
            r"expected labels in \[0, 3\).*got -1",
        ),
        (losses.SparseCategoricalCrossentropy(), ONE_HOT, SCORES, ValueError, "for one-hot labels use Categorical"),
        (losses.SparseCategoricalCrossentropy(), [0.5, 0, 1, 1], SCORES, ValueError, "expected whole numbers"),
        (losses.SparseCategoricalCrossentropy(), [np.nan, 0, 1, 1], SCORES, ValueError, "got nan"),
        (losses.SparseCategoricalCrossentropy(), [0, 1], SCORES, ValueError, "expected .*got"),
        (
            losses.SparseCategoricalCrossentropy(),
            list("abcd"),
            SCORES,
            TypeError,
            "expected integer or floating labels",
        ),
        (losses.CategoricalCrossentropy(), LABELS, SCORES, ValueError, "for integer labels use SparseCategorical"),
        (losses.CategoricalCrossentropy(), np.full((4, 3), np.nan), SCORES, ValueError, "got nan"),
        (losses.BinaryCrossentropy(), BITS[:2], NUMBERS, ValueError, r"y_pred's shape \(4, 2\), got \(2, 2\)"),
        (losses.BinaryCrossentropy(), np.full((4, 2), np.nan), NUMBERS, ValueError, "got nan"),
        (losses.MeanSquaredError(), BITS[:, :1], NUMBERS, ValueError, r"y_pred's shape \(4, 2\), got \(4, 1\)"),
        (losses.MeanAbsoluteError(), BITS[:2], NUMBERS, ValueError, r"y_pred's shape \(4, 2\), got \(2, 2\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(loss, y_true, y_pred, error, message):
    with pytest.raises(error, match=message):
        loss(np.asarray(y_true), y_pred)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="expected reduction to be one of"):
        losses.MeanSquaredError(reduction="max")
    with pytest.raises(ValueError, match="label_smoothing"):
        losses.CategoricalCrossentropy(label_smoothing=1.5)(ONE_HOT, SCORES)
    with pytest.raises(ValueError, match="sample_weight"):
        losses.MeanSquaredError()(BITS, NUMBERS, np.ones(3))


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("mse", "MeanSquaredError"), ("MSE", "MeanSquaredError"), ("mean_squared_error", "MeanSquaredError"),
        ("mae", "MeanAbsoluteError"), ("binary_crossentropy", "BinaryCrossentropy"), ("bce", "BinaryCrossentropy"),
        ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"),
        ("categorical_crossentropy", "CategoricalCrossentropy"), ("CategoricalCrossentropy", "CategoricalCrossentropy"),
    ],
)  # fmt: skip
def test_names(name, cls):
    assert type(losses.get(name)) is getattr(losses, cls)


def test_get_takes_functions_objects_and_none():
    assert losses.get(None) is None
    made = losses.MeanSquaredError()
    assert losses.get(made) is made
    assert type(losses.get(losses.mean_squared_error)) is losses.MeanSquaredError
    own = losses.get(lambda t, p: ops.sum(ops.absolute(p - t), axis=-1))
    np.testing.assert_allclose(own(BITS, NUMBERS), np.sum(np.abs(BITS - NUMBERS)) / 4, rtol=1e-12)
    with pytest.raises(ValueError, match=r"\[losses\] expected a known name such as"):
        losses.get("cross_entropy")


@pytest.mark.parametrize("case", CASES)
def test_configurations_make_the_same_loss_again(case):
    cls, options, y_true, y_pred, _ = CASES[case]
    loss = cls(reduction="sum", **options)
    twin = losses.deserialize(losses.serialize(loss))
    assert twin.get_config() == loss.get_config() and twin(y_true, y_pred) == loss(y_true, y_pred)
