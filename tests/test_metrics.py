"""Metrics: values, weights, state, names."""

import numpy as np
import pytest

from fastnn import metrics

SCORES = np.array([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0.4, 0.5, 0.1]])
LABELS = np.array([1, 0, 0, 0])


def test_mean_is_weighted_and_starts_at_zero():
    mean = metrics.Mean()
    assert mean.result() == 0
    mean.update_state([1.0, 3.0])
    assert mean.result() == 2
    mean.update_state(8.0, sample_weight=2)
    assert mean.result() == (1 + 3 + 16) / 4
    mean.update_state([[1.0, 2.0], [3.0, 4.0]], sample_weight=[1.0, 0.0])
    assert mean.result() == (1 + 3 + 16 + 1 + 2) / 6
    mean.reset_state()
    assert mean.result() == 0 and mean([5.0]) == 5
    with pytest.raises(ValueError, match=r"expected sample_weight that fits values of shape \(2,\), got \(3,\)"):
        mean.update_state([1.0, 2.0], [1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred", "expected"),
    [
        (metrics.SparseCategoricalAccuracy(), LABELS, SCORES, 0.5),
        (metrics.SparseCategoricalAccuracy(), LABELS[:, None], SCORES, 0.5),
        (metrics.SparseCategoricalAccuracy(), LABELS.astype("float32"), SCORES.astype("float32"), 0.5),
        (metrics.CategoricalAccuracy(), np.eye(3)[LABELS], SCORES, 0.5),
        (metrics.BinaryAccuracy(), [0, 1, 1, 0], [[0.2], [0.7], [0.4], [0.5]], 0.75),
        (metrics.BinaryAccuracy(threshold=0.3), [0, 1, 1, 0], [0.2, 0.7, 0.4, 0.5], 0.75),
        (metrics.BinaryAccuracy(), [[0, 1], [1, 1]], [[0.2, 0.7], [0.4, 0.1]], 0.5),
        (metrics.Accuracy(), [1, 2, 3, 4], [0, 2, 3, 4], 0.75),
        (metrics.MeanSquaredError(), [[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]], 0.5),
        (metrics.MeanAbsoluteError(), [1.0, 2.0], [[1.5], [1.0]], 0.75),
    ],
)
def test_values(metric, y_true, y_pred, expected):
    assert metric(np.asarray(y_true), np.asarray(y_pred)) == pytest.approx(expected, rel=1e-12)


def test_batches_add_up_to_the_whole_also_where_they_differ_in_length():
    whole, parts = metrics.SparseCategoricalAccuracy(), metrics.SparseCategoricalAccuracy()
    whole.update_state(LABELS, SCORES)
    for rows in (slice(0, 3), slice(3, 4)):
        parts.update_state(LABELS[rows], SCORES[rows])
    assert parts.result() == whole.result()


def test_weights_count_samples_more_or_less():
    metric = metrics.SparseCategoricalAccuracy()
    assert metric(LABELS, SCORES, sample_weight=[1.0, 2.0, 5.0, 0.0]) == 3 / 8
    metric.reset_state()
    assert metric(LABELS, SCORES, sample_weight=np.zeros(4)) == 0


@pytest.mark.parametrize(
    ("metric", "true_shape", "pred_shape"),
    [
        (metrics.BinaryAccuracy(), (4, 1), (4, 3)),
        (metrics.BinaryAccuracy(), (4,), (5,)),
        (metrics.Accuracy(), (4, 1), (4, 3)),
        (metrics.CategoricalAccuracy(), (4, 2), (5, 3)),
        (metrics.SparseCategoricalAccuracy(), (4, 3), (4, 5, 2)),
        (metrics.MeanSquaredError(), (4, 1), (4, 3)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_not_broadcast(metric, true_shape, pred_shape):
    with pytest.raises(ValueError, match=r"\[\w+\] expected .*, got \(4"):
        metric(np.zeros(true_shape), np.zeros(pred_shape))


def test_ties_go_to_the_first_class():
    assert metrics.SparseCategoricalAccuracy()(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])) == 0.5


@pytest.mark.parametrize(
    ("true_shape", "pred_shape", "cls"),
    [
        ((8,), (8, 1), metrics.BinaryAccuracy),
        ((8, 1), (8, 1), metrics.BinaryAccuracy),
        ((8,), (8, 3), metrics.SparseCategoricalAccuracy),
        ((8, 1), (8, 3), metrics.SparseCategoricalAccuracy),
        ((8, 3), (8, 3), metrics.CategoricalAccuracy),
        ((8, 5), (8, 5, 3), metrics.SparseCategoricalAccuracy),
    ],
)
def test_accuracy_means_what_the_shapes_say(true_shape, pred_shape, cls):
    for name in ("accuracy", "acc"):
        metric = metrics.get(name, np.zeros(true_shape), np.zeros(pred_shape))
        assert type(metric) is cls and metric.name == name


def test_names_functions_and_objects():
    assert type(metrics.get("mse")) is metrics.MeanSquaredError and metrics.get("mse").name == "mse"
    own = metrics.get(lambda t, p: np.abs(np.asarray(t) - np.asarray(p)))
    own.update_state([1.0, 2.0], [3.0, 2.0])
    assert own.result() == 1
    made = metrics.BinaryAccuracy(threshold=0.25)
    assert metrics.get(made) is made
    twin = metrics.deserialize(metrics.serialize(made))
    assert twin.threshold == 0.25 and twin.name == "binary_accuracy"
    with pytest.raises(ValueError, match=r"\[metrics\] expected a known name such as"):
        metrics.get("acuracy")


def test_a_metric_of_ones_own_says_what_is_missing():
    class Own(metrics.Metric):
        pass

    for name in ("update_state", "result", "reset_state"):
        with pytest.raises(NotImplementedError, match=rf"\[Own\] expected {name}\(\) to be implemented"):
            getattr(Own(), name)()
