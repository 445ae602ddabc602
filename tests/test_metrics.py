"""Metrics: values, weights, state, names; against scikit-learn and by hand."""

import json

import numpy as np
import pytest
import sklearn.metrics as sk

import fastnn
from fastnn import losses, metrics

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


# ---- counts of yes and no, against scikit-learn --------------------------------------------------------------------


@pytest.fixture
def answers(rng):
    """Labels, predictions in steps of 1/64 (on both sides of the thresholds used), weights."""
    labels = rng.integers(0, 2, 300)
    shifted = np.clip(rng.normal(0.35 + 0.3 * labels, 0.25), 0, 1)
    return labels, np.floor(shifted * 64) / 64, rng.uniform(0.1, 2, 300)


def in_parts(metric, y_true, y_pred, weight=None):
    """The result after three batches."""
    for rows in (slice(0, 100), slice(100, 101), slice(101, None)):
        metric.update_state(y_true[rows], y_pred[rows], None if weight is None else weight[rows])
    return metric.result()


@pytest.mark.parametrize("weighted", [False, True])
def test_counts_precision_and_recall_are_scikit_learns(answers, weighted):
    y, p, w = answers
    w = w if weighted else None
    for threshold in (0.5, 0.25, 0.9):
        (tn, fp), (fn, tp) = sk.confusion_matrix(y, p > threshold, sample_weight=w)
        for cls, expected in ((metrics.TruePositives, tp), (metrics.FalsePositives, fp), (metrics.TrueNegatives, tn),
                              (metrics.FalseNegatives, fn), (metrics.Precision, tp / (tp + fp)),
                              (metrics.Recall, tp / (tp + fn))):  # fmt: skip
            assert in_parts(cls(thresholds=threshold), y, p, w) == pytest.approx(expected, rel=1e-12)
            several = in_parts(cls(thresholds=[0.99, threshold, 0.01]), y, p, w)
            assert several.shape == (3,) and several[1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_auc_is_scikit_learns_where_thresholds_lie_between_all_predictions(answers, weighted):
    y, p, w = answers
    w = w if weighted else None
    thresholds = (np.arange(64) + 0.5) / 64
    expected = sk.roc_auc_score(y, p, sample_weight=w)
    assert in_parts(metrics.AUC(thresholds=thresholds), y, p, w) == pytest.approx(expected, rel=1e-12)
    assert in_parts(metrics.AUC(), y, p, w) == pytest.approx(expected, abs=2e-3)
    precision, recall, _ = sk.precision_recall_curve(y, p, sample_weight=w)
    steps = recall[:-1] - recall[1:]
    lower, upper = np.minimum(precision[:-1], precision[1:]), np.maximum(precision[:-1], precision[1:])
    # scikit-learn's curve ends with precision 1 at recall 0, Keras's with 0: the last step differs
    for method, heights in (("minoring", lower), ("majoring", upper)):
        area = in_parts(metrics.AUC(curve="PR", summation_method=method, thresholds=thresholds), y, p, w)
        last = precision[-2] if method == "majoring" else 0.0
        assert area == pytest.approx(np.sum((steps * heights)[:-1]) + steps[-1] * last, rel=1e-12)
    smooth = in_parts(metrics.AUC(curve="PR", thresholds=thresholds), y, p, w)
    assert np.sum(steps * lower) < smooth < np.sum(steps * upper)


def test_auc_worked_values():
    """Keras's example: thresholds -1e-7, 0.5, 1 + 1e-7; tp 2, 1, 0, fp 2, 0, 0: half of 0.5 + 1 on the way to 1."""
    y, p = np.array([0, 0, 1, 1]), np.array([0, 0.5, 0.3, 0.9])
    assert metrics.AUC(num_thresholds=3)(y, p) == 0.75
    assert metrics.AUC(num_thresholds=3)(y, p, sample_weight=[1, 0, 0, 1]) == 1.0
    assert metrics.AUC(num_thresholds=3, summation_method="minoring")(y, p) == 0.5
    assert metrics.AUC(num_thresholds=3, summation_method="majoring")(y, p) == 1.0
    # PR, by hand: p = 4, 1, 0; slope (2 - 1) / 3, intercept 1 - 1/3; then slope 1, intercept 0
    expected = (1 / 3 * (1 + 2 / 3 * np.log(4)) + 1.0) / 2
    assert metrics.AUC(num_thresholds=3, curve="PR")(y, p) == pytest.approx(expected, rel=1e-12)
    logits = np.log(np.clip(p, 1e-9, None) / (1 - p))
    assert metrics.AUC(num_thresholds=3, from_logits=True)(y, np.where(p == 0.5, -1e-9, logits)) == 0.75
    assert metrics.AUC()(np.array([1, 1]), np.array([0.3, 0.4])) == 0  # no negatives: nothing to compare with


def test_auc_of_several_labels_is_the_mean_of_theirs(rng):
    y, p = rng.integers(0, 2, (200, 3)), np.floor(rng.uniform(size=(200, 3)) * 64) / 64
    thresholds, weights = (np.arange(64) + 0.5) / 64, np.array([1.0, 2.0, 5.0])
    by_label = np.array([sk.roc_auc_score(y[:, i], p[:, i]) for i in range(3)])
    options = {"thresholds": thresholds, "multi_label": True}
    assert in_parts(metrics.AUC(**options), y, p) == pytest.approx(by_label.mean(), rel=1e-12)
    assert in_parts(metrics.AUC(label_weights=weights, num_labels=3, **options), y, p) == pytest.approx(
        by_label @ weights / 8, rel=1e-12
    )
    flat = metrics.AUC(thresholds=thresholds, label_weights=weights)
    expected = sk.roc_auc_score(y.ravel(), p.ravel(), sample_weight=np.tile(weights, 200))
    assert in_parts(flat, y, p) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_best_figures_under_a_condition_are_those_of_the_curves(answers, weighted):
    y, p, w = answers
    w = w if weighted else None
    thresholds = np.linspace(0, 1, 65)[:-1]
    weights = np.ones(300) if w is None else w
    tp = np.array([np.sum(weights[(y == 1) & (p > t)]) for t in thresholds])
    fp = np.array([np.sum(weights[(y == 0) & (p > t)]) for t in thresholds])
    recall, specificity = tp / np.sum(weights[y == 1]), 1 - fp / np.sum(weights[y == 0])
    precision = np.divide(tp, tp + fp, out=np.zeros(64), where=tp + fp > 0)
    for cls, constrained, wanted in ((metrics.SensitivityAtSpecificity, specificity, recall),
                                     (metrics.SpecificityAtSensitivity, recall, specificity),
                                     (metrics.PrecisionAtRecall, recall, precision),
                                     (metrics.RecallAtPrecision, precision, recall)):  # fmt: skip
        for value in (0.3, 0.7, 0.95):
            expected = np.max(wanted[constrained >= value], initial=0)
            assert in_parts(cls(value, num_thresholds=65), y, p, w) == pytest.approx(expected, rel=1e-12)


def test_best_figures_worked_values():
    y, p, w = [0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8], [1, 1, 2, 2, 1]
    assert metrics.SensitivityAtSpecificity(0.5)(y, p) == 0.5
    assert metrics.SensitivityAtSpecificity(0.5)(y, p, sample_weight=w) == pytest.approx(1 / 3, rel=1e-12)
    assert metrics.SpecificityAtSensitivity(0.5)(y, p) == pytest.approx(2 / 3, rel=1e-12)
    assert metrics.PrecisionAtRecall(0.5)(y, p) == 0.5
    assert metrics.RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]) == 0.5
    assert metrics.SensitivityAtSpecificity(0.5, num_thresholds=1)(y, p) == 0.5


def test_precision_and_recall_of_the_best_k_and_of_one_class():
    y = np.array([[0, 1, 0, 1], [1, 0, 0, 0]])
    p = np.array([[0.9, 0.8, 0.1, 0.2], [0.3, 0.3, 0.3, 0.05]])
    assert metrics.Precision(top_k=2)(y, p) == 2 / 4  # of the second row the first two of three equals
    assert metrics.Recall(top_k=2)(y, p) == pytest.approx(2 / 3, rel=1e-12)
    assert metrics.Precision(top_k=2, thresholds=0.5)(y, p) == 1 / 2
    assert metrics.Recall(class_id=1)(y, p) == 1 and metrics.Recall(class_id=3)(y, p) == 0
    assert metrics.Precision(class_id=1, top_k=1)(y, p) == 0


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("threshold", [None, 0.5])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_f_scores_are_scikit_learns(rng, average, threshold, beta):
    y = np.eye(4)[rng.integers(0, 4, 300)] if threshold is None else rng.integers(0, 2, (300, 4))
    p, w = rng.uniform(size=(300, 4)) + 0.3 * y * rng.uniform(size=(300, 1)), rng.uniform(size=300)
    yes = np.eye(4)[p.argmax(axis=1)] if threshold is None else p > threshold
    metric = metrics.FBetaScore(average, beta, threshold)
    for weight in (None, w):
        expected = sk.fbeta_score(y, yes, beta=beta, average=average, sample_weight=weight)
        metric.reset_state()
        np.testing.assert_allclose(in_parts(metric, y, p, weight), expected, rtol=1e-12)
    if beta == 1:
        score = metrics.F1Score(average, threshold)
        np.testing.assert_array_equal(in_parts(score, y, p, w), metric.result())


def test_confusion_matrix_is_scikit_learns(rng):
    y, scores, w = rng.integers(0, 4, 200), rng.uniform(size=(200, 4)), rng.uniform(size=200)
    p = scores.argmax(axis=1)
    np.testing.assert_array_equal(metrics.confusion_matrix(y, p), sk.confusion_matrix(y, p))
    np.testing.assert_array_equal(metrics.confusion_matrix(y[:, None], scores), sk.confusion_matrix(y, p))
    np.testing.assert_array_equal(metrics.confusion_matrix(np.eye(4)[y], scores), sk.confusion_matrix(y, p))
    for normalize in (None, "true", "pred", "all"):
        np.testing.assert_allclose(
            metrics.confusion_matrix(y, p, sample_weight=w, normalize=normalize),
            sk.confusion_matrix(y, p, sample_weight=w, normalize=normalize),
            rtol=1e-12,
        )
    wide = metrics.confusion_matrix([0, 1], [1, 1], num_classes=3)
    assert wide.dtype == np.int64 and wide.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("weighted", [False, True])
def test_intersection_over_union_is_scikit_learns(rng, weighted):
    y, p = rng.integers(0, 3, (60, 5)), rng.integers(0, 3, (60, 5))
    w = rng.uniform(size=(60, 5)) if weighted else None
    flat = None if w is None else w.ravel()
    by_class = sk.jaccard_score(y.ravel(), p.ravel(), average=None, sample_weight=flat)

    def of(metric, a=y, b=p):
        metric.update_state(a[:10], b[:10], None if w is None else w[:10])
        metric.update_state(a[10:], b[10:], None if w is None else w[10:])
        return metric.result()

    assert of(metrics.IoU(3, [0, 2])) == pytest.approx((by_class[0] + by_class[2]) / 2, rel=1e-12)
    assert of(metrics.MeanIoU(3)) == pytest.approx(by_class.mean(), rel=1e-12)
    assert of(metrics.MeanIoU(7)) == pytest.approx(by_class.mean(), rel=1e-12)  # unseen classes do not count
    hot = np.eye(3)
    assert of(metrics.OneHotMeanIoU(3), hot[y], hot[p]) == pytest.approx(by_class.mean(), rel=1e-12)
    one = metrics.OneHotIoU(3, [1], sparse_y_pred=True, axis=1)
    assert of(one, np.moveaxis(hot[y], -1, 1)) == pytest.approx(by_class[1], rel=1e-12)
    kept = (y != 1).ravel()
    rest = sk.jaccard_score(y.ravel()[kept], p.ravel()[kept], labels=[0, 1, 2], average=None,
                            sample_weight=None if w is None else flat[kept], zero_division=0)  # fmt: skip
    assert of(metrics.MeanIoU(3, ignore_class=1)) == pytest.approx(rest.mean(), rel=1e-12)
    yes, found = rng.integers(0, 2, (60, 5)), rng.uniform(size=(60, 5))
    binary = sk.jaccard_score(yes.ravel(), found.ravel() >= 0.3, average=None, labels=[0, 1], sample_weight=flat)
    assert of(metrics.BinaryIoU(threshold=0.3), yes, found) == pytest.approx(binary.mean(), rel=1e-12)
    assert of(metrics.BinaryIoU([1], threshold=0.3), yes, found) == pytest.approx(binary[1], rel=1e-12)


@pytest.mark.parametrize("aggregation", ["uniform_average", "variance_weighted_average", None])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_r2_is_scikit_learns_also_far_from_zero(rng, aggregation, offset):
    """Sums of squares about 0 would lose all digits of the spread where the mean is a million times as large."""
    y = offset + rng.standard_normal((300, 3)) * [1, 2, 3]
    p, w = y + rng.standard_normal((300, 3)), rng.uniform(size=300)
    metric = metrics.R2Score(aggregation)
    for weight in (None, w):
        name = {"variance_weighted_average": "variance_weighted", None: "raw_values"}.get(aggregation, aggregation)
        metric.reset_state()
        expected = sk.r2_score(y, p, multioutput=name, sample_weight=weight)
        np.testing.assert_allclose(in_parts(metric, y, p, weight), expected, rtol=1e-9)


def test_r2_edges():
    assert metrics.R2Score()([1.0, 2.0, 4.0], [1.0, 2.0, 4.0]) == 1
    assert metrics.R2Score()([2.0, 2.0], [2.0, 2.0]) == 1 and metrics.R2Score()([2.0, 2.0], [2.0, 3.0]) == 0
    assert metrics.R2Score().result() == 0
    y, p = np.array([1.0, 2.0, 3.0, 5.0]), np.array([1.0, 2.0, 3.5, 4.0])
    r2 = sk.r2_score(y, p)
    assert metrics.R2Score(num_regressors=1)(y, p) == pytest.approx(1 - (1 - r2) * 3 / 2, rel=1e-12)
    with pytest.warns(UserWarning, match="expected more than 4 values for 3 regressors, got 4"):
        assert metrics.R2Score(num_regressors=3)(y, p) == pytest.approx(r2, rel=1e-12)
    two = metrics.R2Score(num_regressors=2)(np.stack([y, y], 1), np.stack([p, p], 1))
    assert two == pytest.approx(1 - (1 - r2) * 7 / 5, rel=1e-12)


# ---- top k, correlations, means of losses --------------------------------------------------------------------------


def test_top_k_counts_ties_in_and_takes_sorted_ids():
    scores = np.array([[0.1, 0.9, 0.8, 0.0], [0.3, 0.3, 0.3, 0.1], [0.1, np.nan, 0.2, 0.3]])
    labels = np.array([2, 2, 1])
    for k, expected in ((1, 1 / 3), (2, 2 / 3), (4, 2 / 3)):
        assert metrics.SparseTopKCategoricalAccuracy(k)(labels, scores) == pytest.approx(expected, rel=1e-12)
        assert metrics.SparseTopKCategoricalAccuracy(k)(labels[:, None], scores) == pytest.approx(expected, rel=1e-12)
        assert metrics.TopKCategoricalAccuracy(k)(np.eye(4)[labels], scores) == pytest.approx(expected, rel=1e-12)
    ids = np.array([[1, 2, 0, 3], [0, 1, 2, 3], [3, 2, 0, 1]])
    assert metrics.SparseTopKCategoricalAccuracy(2, from_sorted_ids=True)(labels, ids) == pytest.approx(1 / 3)
    assert metrics.TopKCategoricalAccuracy().k == 5
    with pytest.raises(ValueError, match=r"expected labels in \[0, 4\), got 2 to 4"):
        metrics.SparseTopKCategoricalAccuracy()([4, 3, 2], scores)


def test_top_k_is_scikit_learns(rng):
    scores, labels, w = rng.uniform(size=(200, 8)), rng.integers(0, 8, 200), rng.uniform(size=200)
    for k in (1, 3):
        expected = sk.top_k_accuracy_score(labels, scores, k=k, labels=range(8), sample_weight=w)
        metric = metrics.SparseTopKCategoricalAccuracy(k)
        assert in_parts(metric, labels, scores, w) == pytest.approx(expected, rel=1e-12)


def test_correlations(rng):
    y, p = rng.standard_normal((20, 30)), rng.standard_normal((20, 30))
    p += y
    rows = [np.corrcoef(a, b)[0, 1] for a, b in zip(y, p, strict=True)]
    assert metrics.PearsonCorrelation()(y, p) == pytest.approx(np.mean(rows), rel=1e-12)
    columns = [np.corrcoef(a, b)[0, 1] for a, b in zip(y.T, p.T, strict=True)]
    assert metrics.PearsonCorrelation(axis=0)(y, p) == pytest.approx(np.mean(columns), rel=1e-12)
    assert metrics.PearsonCorrelation()(y, -2 * y) == pytest.approx(-1, rel=1e-12)
    assert metrics.ConcordanceCorrelation()(y, y) == pytest.approx(1, abs=1e-6)
    # means 2 and 3, variances 2/3 and 14/3, covariance 5/3
    assert metrics.ConcordanceCorrelation()([[1.0, 2.0, 3.0]], [[1.0, 2.0, 6.0]]) == pytest.approx(10 / 19, abs=1e-7)
    assert metrics.PearsonCorrelation()([[1.0, 1.0]], [[1.0, 2.0]]) == 0


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("mse", "mean_squared_error"), ("mae", "mean_absolute_error"), ("mape", "mean_absolute_percentage_error"),
        ("msle", "mean_squared_logarithmic_error"), ("logcosh", "log_cosh"), ("hinge", "hinge"),
        ("squared_hinge", "squared_hinge"), ("poisson", "poisson"), ("bce", "binary_crossentropy"),
        ("categorical_hinge", "categorical_hinge"), ("kl_divergence", "kl_divergence"),
        ("categorical_crossentropy", "categorical_crossentropy"),
    ],
)  # fmt: skip
def test_means_of_losses(rng, name, loss):
    y, p, w = np.eye(3)[rng.integers(0, 3, 200)], rng.dirichlet(np.ones(3), 200), rng.uniform(size=200)
    values = getattr(losses, loss)(y, p)
    for weight in (None, w):
        metric = metrics.get(name)
        expected = np.average(values, weights=weight)
        assert metric.name == name
        assert in_parts(metric, y, p, weight) == pytest.approx(expected, rel=1e-12)
        metric.reset_state()
        assert metric.result() == 0


def test_ignored_labels_count_as_zero_and_with_weights_not_at_all(rng):
    y, p, w = rng.integers(0, 3, 200), rng.dirichlet(np.ones(3), 200), rng.uniform(size=200)
    values = -np.log(p[np.arange(200), y])
    for weight in (None, w):
        metric = metrics.SparseCategoricalCrossentropy(ignore_class=1)
        kept = np.where(y == 1, 0, 1 if weight is None else weight)
        mean = np.mean(values * kept) if weight is None else np.average(values, weights=kept)
        assert in_parts(metric, y[:, None], p, weight) == pytest.approx(mean, rel=1e-12)


def test_functions_of_losses_are_here_too():
    for name in ("mean_squared_error", "binary_crossentropy", "hinge", "poisson", "huber"):
        assert getattr(metrics, name) is getattr(losses, name)
    assert metrics.get(metrics.hinge)([[1.0]], [[0.25]]) == 0.75


def test_root_mean_squared_error_takes_the_root_at_the_end():
    metric = metrics.RootMeanSquaredError()
    metric.update_state([0.0, 0.0], [3.0, 0.0])
    metric.update_state([0.0], [4.0])
    assert metric.result() == pytest.approx((25 / 3) ** 0.5, rel=1e-12)
    assert metrics.CosineSimilarity()([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]) == pytest.approx(0.5)


def test_numbers_in_one_axis_are_samples_and_may_be_weighted():
    assert metrics.MeanSquaredError()([1.0, 2.0], [3.0, 2.0], sample_weight=[1.0, 3.0]) == 1
    assert metrics.MeanAbsoluteError()([1.0, 2.0], [3.0, 2.0], sample_weight=[1.0, 3.0]) == 0.5


def test_sums_and_wrapped_functions():
    total = metrics.Sum()
    total.update_state([1.0, 2.0], sample_weight=[2.0, 1.0])
    total.update_state(3.0)
    assert total.result() == 7
    total.reset_state()
    assert total.result() == 0
    wrapped = metrics.MeanMetricWrapper(lambda t, p, power: np.abs(t - p) ** power, name="cubes", power=3)
    assert wrapped(np.zeros(2), np.array([1.0, 2.0])) == 4.5 and wrapped.name == "cubes"


def test_a_metric_of_ones_own_keeps_its_state_in_variables():
    class Largest(metrics.Metric):
        def __init__(self):
            super().__init__(name="largest")
            self.largest = self.add_weight(name="largest", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest.assign(max(float(self.largest), float(np.max(y_pred))))

        def result(self):
            return float(self.largest)

    metric = Largest()
    metric.update_state(None, [1.0, 5.0])
    metric.update_state(None, [2.0])
    assert metric.result() == 5 and len(metric.variables) == 1
    metric.reset_state()
    assert metric.result() == 0


# ---- names, configurations, refusals -------------------------------------------------------------------------------

CONFIGURED = [
    metrics.TopKCategoricalAccuracy(3), metrics.SparseTopKCategoricalAccuracy(3, from_sorted_ids=True),
    metrics.CosineSimilarity(axis=0), metrics.R2Score(None, 2), metrics.BinaryCrossentropy(from_logits=True),
    metrics.CategoricalCrossentropy(label_smoothing=0.1), metrics.SparseCategoricalCrossentropy(from_logits=True),
    metrics.TruePositives([0.1, 0.9]), metrics.Precision(top_k=2, class_id=1), metrics.Recall(0.3),
    metrics.SensitivityAtSpecificity(0.3, 7), metrics.SpecificityAtSensitivity(0.3), metrics.PrecisionAtRecall(0.4),
    metrics.RecallAtPrecision(0.4, class_id=2), metrics.AUC(50, "PR", "minoring", multi_label=True, num_labels=2),
    metrics.AUC(thresholds=[0.2, 0.4], label_weights=[1.0, 2.0]), metrics.FBetaScore("macro", 2.0, 0.4),
    metrics.F1Score("micro"), metrics.IoU(3, [0, 1], ignore_class=2), metrics.BinaryIoU([1], 0.3), metrics.MeanIoU(4),
    metrics.OneHotIoU(3, [0]), metrics.OneHotMeanIoU(3, sparse_y_pred=True), metrics.PearsonCorrelation(axis=0),
    metrics.ConcordanceCorrelation(), metrics.LogCoshError(), metrics.Sum(),
]  # fmt: skip


@pytest.mark.parametrize("metric", CONFIGURED, ids=lambda m: type(m).__name__)
def test_configurations_make_the_same_metric_again(metric):
    twin = metrics.deserialize(json.loads(json.dumps(metrics.serialize(metric))))
    assert type(twin) is type(metric) and twin.get_config() == metric.get_config()


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("AUC", "AUC"), ("auc", "AUC"), ("Precision", "Precision"), ("recall", "Recall"), ("f1_score", "F1Score"),
        ("fbeta_score", "FBetaScore"), ("r2_score", "R2Score"), ("rmse", "RootMeanSquaredError"),
        ("root_mean_squared_error", "RootMeanSquaredError"), ("cosine_similarity", "CosineSimilarity"),
        ("true_positives", "TruePositives"), ("top_k_categorical_accuracy", "TopKCategoricalAccuracy"),
        ("sparse_top_k_categorical_accuracy", "SparseTopKCategoricalAccuracy"), ("kld", "KLDivergence"),
        ("binary_accuracy", "BinaryAccuracy"), ("pearson_correlation", "PearsonCorrelation"), ("MSLE",
        "MeanSquaredLogarithmicError"), ("binary_iou", "BinaryIoU"),
    ],
)  # fmt: skip
def test_names(name, cls):
    assert type(metrics.get(name)) is getattr(metrics, cls) and metrics.get(name).name == name


def test_crossentropy_means_what_the_shapes_say():
    for true_shape, pred_shape, cls in (
        ((8,), (8, 1), metrics.BinaryCrossentropy),
        ((8,), (8, 3), metrics.SparseCategoricalCrossentropy),
        ((8, 3), (8, 3), metrics.CategoricalCrossentropy),
    ):
        for name in ("crossentropy", "ce"):
            metric = metrics.get(name, np.zeros(true_shape), np.zeros(pred_shape))
            assert type(metric) is cls and metric.name == name


def test_metrics_without_a_name_are_numbered():
    first, second = metrics.Recall(), metrics.Recall()
    assert first.name.startswith("recall") and first.name != second.name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.Precision(1.5), r"\[Precision\] expected thresholds in \[0, 1\], got 1.5"),
        (lambda: metrics.Recall(top_k=0), r"\[Recall\] expected top_k >= 1, got 0"),
        (lambda: metrics.Recall(class_id=3)(np.zeros((2, 3)), np.zeros((2, 3))), r"expected class_id in \[0, 3\)"),
        (lambda: metrics.Recall()([0, 2], [0.1, 0.2]), "expected labels 0 and 1, got values from 0"),
        (lambda: metrics.AUC()([0, 1], [0.1, 1.2]), r"expected probabilities in \[0, 1\], got values from 0.1 to 1.2"),
        (lambda: metrics.AUC()([0, 1], [0.1, 0.2], [1, 2, 3]), "expected sample_weight that fits"),
        (lambda: metrics.AUC(curve="X"), r"\[AUC\] expected curve 'ROC', 'PR' or 'PRGAIN', got 'X'"),
        (lambda: metrics.AUC(summation_method="X"), r"\[AUC\] expected summation_method"),
        (lambda: metrics.AUC(1), r"\[AUC\] expected num_thresholds >= 2, got 1"),
        (lambda: metrics.AUC(label_weights=[-1]), r"\[AUC\] expected label_weights >= 0"),
        (lambda: metrics.AUC(multi_label=True)([0, 1], [0.1, 0.2]), r"expected predictions of shape \(n, labels\)"),
        (lambda: metrics.AUC(label_weights=[1, 2])([[0, 1, 1]], [[0.1, 0.2, 0.2]]), "expected 2 columns"),
        (lambda: metrics.SensitivityAtSpecificity(1.5), r"expected specificity in \[0, 1\], got 1.5"),
        (lambda: metrics.RecallAtPrecision(0.5, 0), "expected num_thresholds >= 1, got 0"),
        (lambda: metrics.FBetaScore("mean"), "expected average None"),
        (lambda: metrics.FBetaScore(beta=0), "expected beta > 0"),
        (lambda: metrics.FBetaScore(threshold=0.0), r"expected threshold in \(0, 1\]"),
        (lambda: metrics.F1Score()([0, 1], [0, 1]), r"expected y_true and y_pred \(n, classes\), got \(2,\)"),
        (lambda: metrics.R2Score("mean"), "expected class_aggregation to be one of"),
        (lambda: metrics.R2Score(num_regressors=-1), "expected num_regressors >= 0"),
        (lambda: metrics.IoU(2, [2]), r"expected target classes in \[0, 2\)"),
        (lambda: metrics.MeanIoU(2)([0, 2], [0]), "expected as many labels as predictions, got 2 and 1"),
        (lambda: metrics.confusion_matrix([0, -1], [0, 1]), r"expected classes in \[0, 2\), got -1"),
        (lambda: metrics.confusion_matrix([0, 0.5], [0, 1]), "expected y_true of whole numbers"),
        (lambda: metrics.confusion_matrix([0, 1], [0]), r"expected y_pred for y_true of shape \(2,\), got \(1,\)"),
        (lambda: metrics.confusion_matrix([0], [0], normalize="x"), "expected normalize"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_metrics_work_by_name_in_fit_and_evaluate(rng):
    x = rng.standard_normal((64, 4))
    y = (x[:, 0] > 0).astype("float64")
    model = fastnn.models.Sequential([fastnn.layers.Dense(1, "sigmoid")])
    names = ["acc", "ce", "AUC", "precision", "mae", metrics.Recall(name="found"), metrics.F1Score("micro", 0.5)]
    model.compile("sgd", "bce", metrics=names, weighted_metrics=["mse"])
    history = model.fit(x, y[:, None], epochs=2, verbose=0, sample_weight=np.ones(64)).history
    assert set(history) == {"loss", "acc", "ce", "AUC", "precision", "mae", "found", "f1_score", "mse"}
    logs = model.evaluate(x, y[:, None], verbose=0, return_dict=True)
    p = model.predict(x)[:, 0]
    assert logs["acc"] == pytest.approx(np.mean((p > 0.5) == y))
    assert logs["found"] == pytest.approx(sk.recall_score(y, p > 0.5))
    assert logs["f1_score"] == pytest.approx(sk.f1_score(y, p > 0.5))
    assert logs["ce"] == pytest.approx(sk.log_loss(y, p.astype("float64")), rel=1e-5)
    assert logs["mse"] == pytest.approx(np.mean((p - y) ** 2), rel=1e-5)


def test_accuracies_of_several_outputs_take_a_weight_for_each():
    y, p = np.array([[0, 1], [1, 0]]), np.array([[0.2, 0.9], [0.1, 0.3]])
    weights = np.array([[1.0, 2.0], [4.0, 0.5]])
    assert metrics.BinaryAccuracy()(y, p, weights) == pytest.approx(3.5 / 7.5)
    assert metrics.BinaryAccuracy()(y, p, [[1.0, 3.0]]) == pytest.approx(7 / 8)
    assert metrics.BinaryAccuracy()(y, p, [3.0, 1.0]) == pytest.approx(3.5 / 4)
    assert metrics.Accuracy()(y, p > 0.5, weights) == pytest.approx(3.5 / 7.5)
    np.testing.assert_array_equal(metrics.binary_accuracy(y, p), [[1, 1], [0, 1]])


@pytest.mark.parametrize("cls", [metrics.Precision, metrics.Recall])
def test_class_id_asks_for_classes(cls):
    with pytest.raises(ValueError, match=r"expected predictions \(..., classes\) with class_id, got shape \(3,\)"):
        cls(class_id=1)([0, 1, 1], [0.2, 0.8, 0.6])


def test_gains_of_precision_and_recall_by_hand():
    """Of 4 yes and 4 no: at 0.5 tp = 3, fp = 1; at -0 all are called yes, above 1 none."""
    y, p = [1, 1, 1, 1, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.2, 0.6, 0.3, 0.2, 0.1]
    found = {}
    for method in ("interpolation", "minoring", "majoring"):
        found[method] = metrics.AUC(3, "PRGAIN", method)(y, p)
    # gains of recall 1, 1 - 1/3, 0 and of precision 0, 1 - 1/3, 1
    assert found["minoring"] == pytest.approx((1 - 2 / 3) * 0 + 2 / 3 * 2 / 3)
    assert found["majoring"] == pytest.approx((1 - 2 / 3) * 2 / 3 + 2 / 3 * 1)
    assert found["interpolation"] == pytest.approx((found["minoring"] + found["majoring"]) / 2)


def test_auc_tells_all_its_thresholds():
    metric = metrics.AUC(thresholds=[0.7, 0.2])
    np.testing.assert_allclose(metric.thresholds, [0, 0.2, 0.7, 1], atol=1e-6)
    again = metrics.AUC.from_config(json.loads(json.dumps(metric.get_config())))
    assert again.thresholds == metric.thresholds


def test_classes_out_of_range_do_not_count_in_intersection_over_union():
    y, p = np.array([0, 1, 1, -1, 0, 5]), np.array([0, 1, 0, 1, 7, 0])
    assert metrics.MeanIoU(2)(y, p) == metrics.MeanIoU(2)(y[:3], p[:3])
    assert metrics.MeanIoU(2)(y, p, np.arange(1.0, 7)) == metrics.MeanIoU(2)(y[:3], p[:3], np.arange(1.0, 4))


@pytest.mark.parametrize(("argument", "value"), [("beta", None), ("beta", "1"), ("beta", True), ("threshold", "0.5")])
def test_settings_of_f_scores_are_numbers(argument, value):
    with pytest.raises(ValueError, match=f"expected {argument}"):
        metrics.FBetaScore(**{argument: value})


def test_state_of_a_metric_of_ones_own_may_be_whole_numbers():
    metric = metrics.Metric(name="own")
    counts = metric.add_variable((2,), initializer="ones", dtype="int32", name="counts")
    assert counts.dtype == np.int32 and metric.variables == [counts]
    counts.assign(counts.numpy() + 2)
    np.testing.assert_array_equal(counts, [3, 3])
    start = metric.add_variable((2,), initializer=np.array([0.5, 1.5]), name="start")
    np.testing.assert_array_equal(start, [0.5, 1.5])
    assert start.dtype == metric.dtype == "float32" == metric.get_config()["dtype"]
