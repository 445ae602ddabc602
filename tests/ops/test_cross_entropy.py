import hashlib

import numpy as np
import pytest

from fastnn import backend, ops
from fastnn.autograd import vjp
from fastnn.testing import check_op

REDUCTIONS = ["none", "sum", "mean"]


def reduced(values, reduction):
    return {"none": values, "sum": np.sum(values), "mean": np.mean(values) if values.size else np.nan}[reduction]


def softmax_reference(x, labels, weight=None, *, reduction="none", axis=-1, label_smoothing=0.0, ignore_class=None):
    """-sum of target times logarithm of the normalised exponentials, row by row."""
    x = np.moveaxis(x, axis, -1)
    classes = x.shape[-1]
    if labels.ndim == x.ndim:
        targets = np.moveaxis(labels, axis, -1)
        counted = np.ones(x.shape[:-1], bool)
    else:
        counted = labels != ignore_class
        targets = (np.arange(classes) == labels[..., None]) * 1.0
    targets = targets * (1 - label_smoothing) + label_smoothing / classes
    logs = x - np.logaddexp.reduce(x, axis=-1, keepdims=True)
    values = np.where(counted, -np.sum(targets * logs, axis=-1), 0.0)
    if weight is not None:
        values = values * weight
    if reduction == "mean" and ignore_class is not None:
        return np.sum(values) / np.sum(counted)
    return reduced(values, reduction)


def sigmoid_reference(x, z, weight=None, *, reduction="none", label_smoothing=0.0):
    z = z * (1 - label_smoothing) + label_smoothing / 2
    values = z * np.logaddexp(0, -x) + (1 - z) * np.logaddexp(0, x)
    if weight is not None:
        values = values * (weight[..., None] if weight.ndim < x.ndim else weight)
    return reduced(values, reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("classes", [1, 7, 8, 9, 15, 16, 17, 33])
def test_softmax_with_integer_labels(rng, classes, reduction):
    x = 3 * rng.standard_normal((4, classes))
    labels = rng.integers(0, classes, 4)
    check_op(ops.softmax_cross_entropy, softmax_reference, x, labels, reduction=reduction)
    check_op(
        lambda x, w: ops.softmax_cross_entropy(x, labels, w, reduction=reduction, label_smoothing=0.2),
        lambda x, w: softmax_reference(x, labels, w, reduction=reduction, label_smoothing=0.2),
        x,
        rng.uniform(0.5, 2, 4),
        wrt=[0],
    )


@pytest.mark.parametrize("classes", [3, 10, 16])
def test_short_rows_side_by_side(rng, classes):
    """Up to 16 classes, rows lie in the lanes of a vector: any number of them, weighted, some that do not count."""
    for rows in (1, 2, 15, 16, 17, 35):
        x, weight = 3 * rng.standard_normal((rows, classes)), rng.uniform(0.5, 2, rows)
        labels = rng.integers(-1, classes, rows)
        check_op(
            lambda x, w, labels=labels: ops.softmax_cross_entropy(x, labels, w, ignore_class=-1),
            lambda x, w, labels=labels: softmax_reference(x, labels, w, ignore_class=-1),
            x,
            weight,
            wrt=[0],
        )
    x[3, 1], x[4, 2] = np.inf, np.nan
    loss = ops.softmax_cross_entropy(x, np.zeros(35, int))
    assert np.isnan(loss).nonzero()[0].tolist() == [3, 4]
    x[3], x[4], x[5] = -np.inf, 0, 0
    x[5, 0] = -np.inf
    loss = ops.softmax_cross_entropy(x, np.zeros(35, int))
    assert np.isnan(loss[3]) and loss[5] == np.inf
    np.testing.assert_allclose(loss[4], np.log(classes))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("classes", [1, 8, 17])
def test_softmax_with_floating_labels(rng, classes, reduction, smoothing):
    # Labels that are no distribution: the gradient has to keep their sum.
    x, labels = 3 * rng.standard_normal((4, classes)), rng.uniform(0, 2, (4, classes))
    check_op(
        ops.softmax_cross_entropy, softmax_reference, x, labels, wrt=[0], reduction=reduction, label_smoothing=smoothing
    )


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_softmax_over_another_axis(rng, axis):
    x = rng.standard_normal((3, 4, 5))
    rest = tuple(n for i, n in enumerate(x.shape) if i != axis % 3)
    check_op(ops.softmax_cross_entropy, softmax_reference, x, rng.integers(0, 3, rest), axis=axis)
    check_op(ops.softmax_cross_entropy, softmax_reference, x, rng.uniform(0, 1, x.shape), wrt=[0], axis=axis)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("ignored", [-1, 2, 255])
def test_ignored_rows_count_nothing(rng, ignored, reduction):
    x, labels = rng.standard_normal((2, 3, 5)), np.array([[0, ignored, 4], [ignored, 1, 3]])
    check_op(ops.softmax_cross_entropy, softmax_reference, x, labels, reduction=reduction, ignore_class=ignored)
    _, pullback = vjp(lambda a: ops.softmax_cross_entropy(a, labels, ignore_class=ignored), x)
    dx = pullback(np.ones((2, 3)))[0]
    assert not dx[labels == ignored].any() and dx[labels != ignored].all()


def test_a_mean_of_nothing_but_ignored_rows_is_zero():
    x = np.zeros((2, 3), np.float32)
    assert ops.softmax_cross_entropy(x, np.array([-1, -1]), reduction="mean", ignore_class=-1) == 0


def test_labels_of_any_integer_type_and_whole_floats(rng):
    x = rng.standard_normal((3, 4)).astype(np.float32)
    expected = ops.softmax_cross_entropy(x, np.array([2, 0, 3]))
    for dtype in (np.uint8, np.int8, np.int32, np.uint64, np.float32, np.float64):
        np.testing.assert_array_equal(ops.softmax_cross_entropy(x, np.array([2, 0, 3], dtype)), expected)
    one_hot = np.eye(4, dtype=np.int64)[[2, 0, 3]]
    np.testing.assert_allclose(ops.softmax_cross_entropy(x, one_hot), expected, rtol=1e-6)


def test_large_logits_lose_nothing():
    x = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    np.testing.assert_array_equal(ops.softmax_cross_entropy(x, np.array([0, 0])), [0, 2e4])
    np.testing.assert_array_equal(ops.softmax_cross_entropy(x, np.array([[1.0, 0], [1, 0]])), [0, 2e4])


def test_a_certain_label_forgives_an_infinite_logit_elsewhere():
    x = np.array([[0.0, -np.inf]], np.float32)
    np.testing.assert_array_equal(ops.softmax_cross_entropy(x, np.array([[1.0, 0.0]])), [0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 1, 2, 10]), r"expected labels in \[0, 10\), got 10 at row 3"),
        (np.array([0, -1, 2, 3]), r"expected labels in \[0, 10\), got -1 at row 1"),
        (np.array([0, 1, np.nan, 3]), r"expected finite labels, got nan at row 2"),
        (np.array([0, 1, np.inf, 3]), r"expected finite labels, got inf at row 2"),
        (np.array([0, 1.5, 2, 3]), r"expected whole numbers as labels, or one-hot .*, got 1.5 at row 1"),
        (np.zeros(3, int), r"expected integer labels of shape \(4,\), got \(3,\)"),
        (np.zeros(3), r"expected integer labels \(4,\) or floating ones \(4, 10\), got float64 \(3,\)"),
        (np.zeros((4, 9)), r"expected floating labels of shape \(4, 10\), got \(4, 9\)"),
        (np.where(np.arange(40).reshape(4, 10) == 25, np.nan, 0.0), r"expected finite labels, got nan at row 2"),
        (np.where(np.arange(40).reshape(4, 10) == 39, -np.inf, 0.0), r"expected finite labels, got -inf at row 3"),
    ],
)
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=r"\[softmax_cross_entropy\] " + message):
        ops.softmax_cross_entropy(np.zeros((4, 10), np.float32), labels)


def test_bad_settings_are_refused():
    x, labels = np.zeros((2, 3), np.float32), np.zeros(2, int)
    with pytest.raises(ValueError, match=r"expected reduction to be one of \('none', 'sum', 'mean'\), got 'max'"):
        ops.softmax_cross_entropy(x, labels, reduction="max")
    with pytest.raises(ValueError, match=r"expected label_smoothing in \[0, 1\], got 2"):
        ops.softmax_cross_entropy(x, labels, label_smoothing=2)
    with pytest.raises(ValueError, match=r"expected sample_weight of shape \(2,\), got \(3,\)"):
        ops.softmax_cross_entropy(x, labels, np.ones(3))
    with pytest.raises(ValueError, match=r"at least 1 axis, got a scalar"):
        ops.softmax_cross_entropy(np.float32(1), np.array(0))
    with pytest.raises(TypeError, match=r"expected integer or floating labels, got <U1"):
        ops.softmax_cross_entropy(x, np.array(["a", "b"]))


@pytest.mark.parametrize("shape", [(0, 3), (0, 0)])
def test_no_rows(shape):
    x, labels = np.zeros(shape, np.float32), np.zeros(0, int)
    assert ops.softmax_cross_entropy(x, labels).shape == (0,)
    assert ops.softmax_cross_entropy(x, labels, reduction="sum") == 0
    assert np.isnan(ops.softmax_cross_entropy(x, labels, reduction="mean"))
    assert np.isnan(ops.sigmoid_cross_entropy(x, x, reduction="mean"))
    assert ops.sigmoid_cross_entropy(x, x).shape == shape


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("n", [1, 7, 8, 9, 15, 16, 17, 33])
def test_sigmoid(rng, n, reduction):
    x, z = 3 * rng.standard_normal((3, n)), rng.uniform(0, 1, (3, n))
    op = ops.sigmoid_cross_entropy
    check_op(op, sigmoid_reference, x, z, wrt=[0], reduction=reduction)
    check_op(op, sigmoid_reference, x, z, rng.uniform(0.5, 2, 3), wrt=[0], reduction=reduction, label_smoothing=0.3)
    check_op(op, sigmoid_reference, x, z, rng.uniform(0.5, 2, (3, n)), wrt=[0], reduction=reduction)


def test_sigmoid_of_large_logits_is_exact():
    x = np.array([1e4, -1e4, 1e4, -1e4], np.float32)
    np.testing.assert_array_equal(ops.sigmoid_cross_entropy(x, np.array([1.0, 0.0, 0.0, 1.0])), [0, 0, 1e4, 1e4])


def test_sigmoid_refuses_what_does_not_fit():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"\[sigmoid_cross_entropy\] expected labels of .* shape \(2, 3\), got \(2,\)"):
        ops.sigmoid_cross_entropy(x, np.zeros(2))
    with pytest.raises(ValueError, match=r"expected finite labels, got nan at row 0"):
        ops.sigmoid_cross_entropy(x, np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match=r"expected sample_weight of shape \(2, 3\) or \(2,\), got \(3,\)"):
        ops.sigmoid_cross_entropy(x, x, np.ones(3))


@pytest.mark.parametrize("rows", [5, 6000])
def test_bits_do_not_depend_on_threads(rng, rows):
    x = rng.standard_normal((rows, 11)).astype(np.float32)
    labels, weight = rng.integers(0, 11, rows), rng.uniform(0, 1, rows)
    cases = [
        lambda a: ops.softmax_cross_entropy(a, labels, weight, reduction="mean"),
        lambda a: ops.softmax_cross_entropy(a, labels),
        lambda a: ops.sigmoid_cross_entropy(a, x > 0, weight, reduction="mean"),
        lambda a: ops.sigmoid_cross_entropy(a, x > 0, reduction="sum"),
    ]
    before = backend.get_num_threads()
    for case in cases:
        found = set()
        for n in (1, 2, 3, 8):
            backend.set_num_threads(n)
            y, pullback = vjp(case, x)
            dx = pullback(np.ones_like(y))[0]
            found.add(hashlib.sha256(y.tobytes() + dx.tobytes()).hexdigest())
        assert len(found) == 1
    backend.set_num_threads(before)
    expected = softmax_reference(x.astype(np.float64), labels, weight, reduction="mean")
    np.testing.assert_allclose(cases[0](x), expected, rtol=1e-6)


# ---- functions of targets and outputs --------------------------------------------------------------------------------


def test_functions_of_targets_and_outputs(rng):
    p, target = rng.dirichlet(np.ones(4), 6), rng.dirichlet(np.ones(4), 6)
    labels, logits = rng.integers(0, 4, 6), rng.standard_normal((6, 4))
    log_softmax = logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True))
    rows = np.arange(6)
    for ours, expected in (
        (ops.categorical_crossentropy(target, p), -np.sum(target * np.log(p), axis=1)),
        (ops.categorical_crossentropy(target, 3 * p / 4), -np.sum(target * np.log(p), axis=1)),
        (ops.categorical_crossentropy(target.T, p.T, axis=0), -np.sum(target * np.log(p), axis=1)),
        (ops.categorical_crossentropy(target, logits, True), -np.sum(target * log_softmax, axis=1)),
        (ops.sparse_categorical_crossentropy(labels, p), -np.log(p[rows, labels])),
        (ops.sparse_categorical_crossentropy(labels[:, None], logits, from_logits=True), -log_softmax[rows, labels]),
        (ops.binary_crossentropy(target, p), -target * np.log(p) - (1 - target) * np.log(1 - p)),
        (ops.binary_crossentropy(target, logits, True), np.log1p(np.exp(logits)) - target * logits),
        (ops.binary_crossentropy([0, 1], [0.25, 0.5]), -np.log([0.75, 0.5])),
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_targets_and_outputs_that_do_not_fit_are_refused():
    p = np.full((2, 3), 1 / 3)
    for call, message in (
        (lambda: ops.categorical_crossentropy([0, 1], p), r"expected target \(2, 3\), got \(2,\)"),
        (lambda: ops.binary_crossentropy([0, 1], p), r"expected target \(2, 3\), got \(2,\)"),
        (lambda: ops.sparse_categorical_crossentropy([0, 3], p), r"expected labels in \[0, 3\), got 3"),
        (lambda: ops.categorical_crossentropy(p, 9 * p), "expected probabilities"),
        (lambda: ops.binary_crossentropy(p, -p), "expected probabilities"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
