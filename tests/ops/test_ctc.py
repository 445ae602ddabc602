import hashlib
import itertools

import numpy as np
import pytest

from fastnn import backend, losses, ops
from fastnn.autograd import GradientTape, vjp
from fastnn.testing import check_op, covering, missing_pairs


def collapsed(path, blank):
    return tuple(one for one, _ in itertools.groupby(path) if one != blank)


def every_path(logs, blank):
    """The probability of every labelling, by adding up all paths there are."""
    t, c = logs.shape
    found = {}
    for path in itertools.product(range(c), repeat=t):
        p = np.exp(sum(logs[i, one] for i, one in enumerate(path)))
        found[collapsed(path, blank)] = found.get(collapsed(path, blank), 0.0) + p
    return found


def log_softmax(x):
    return x - x.max(-1, keepdims=True) - np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True))


def plain(logits, labels, label_lengths, logit_lengths, blank):
    """By brute force."""
    losses = []
    for x, label, n, t in zip(logits, labels, label_lengths, logit_lengths, strict=True):
        p = every_path(log_softmax(x[:t]), blank).get(tuple(label[:n]), 0.0)
        losses.append(-np.log(p) if p else np.inf)
    return np.array(losses)


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize(
    ("labels", "label_lengths", "logit_lengths"),
    [
        ([[1, 1, 3], [3, 1, 1]], [3, 2], [5, 4]),
        ([[1, 3, 1], [1, 1, 1]], [3, 0], [5, 3]),
        ([[3], [1]], [1, 1], [1, 5]),
    ],
)
def test_loss_and_gradient_are_those_of_all_paths_added_up(rng, labels, label_lengths, logit_lengths, blank):
    logits = rng.standard_normal((2, 5, 4))
    labels, label_lengths, logit_lengths = map(np.array, (labels, label_lengths, logit_lengths))
    if blank == 0:
        labels = np.where(labels == 3, 2, labels)
    check_op(
        lambda x: ops.ctc_loss(labels, x, label_lengths, logit_lengths, blank),
        lambda x: plain(x, labels, label_lengths, logit_lengths, blank),
        logits,
    )


@pytest.mark.parametrize(("t", "c", "n"), [(17, 8, 7), (33, 9, 8), (40, 33, 16)])
def test_the_gradient_of_longer_sequences_is_that_of_differences(rng, t, c, n):
    logits, labels = rng.standard_normal((1, t, c)), rng.integers(1, c, (1, n))
    direction = rng.standard_normal(logits.shape)
    y, pullback = vjp(lambda x: ops.ctc_loss(labels, x, [n], [t]), logits)
    ends = [ops.ctc_loss(labels, logits + s * 1e-6 * direction, [n], [t]) for s in (-1, 1)]
    np.testing.assert_allclose(np.sum(pullback(np.ones(1))[0] * direction), (ends[1] - ends[0])[0] / 2e-6, rtol=1e-6)
    single = ops.ctc_loss(labels, logits.astype(np.float32), [n], [t])
    np.testing.assert_allclose(single, y, rtol=1e-5)


FACTORS = {
    "n": [3, 1, 32],
    "t": [17, 2, 1, 0],
    "l": [2, 1, 0, 17],
    "c": [7, 2, 16, 33],
    "blank": ["first", "last", "between"],
    "labels": ["at random", "repeated", "no two alike"],
    "label_lengths": ["some", "all"],
    "logit_lengths": ["all", "some"],
}
CASES = covering(**FACTORS)


def by_matrices(logits, labels, label_lengths, logit_lengths, blank):
    """The probabilities of all states, blanks and labels by turns, times a matrix of the ways from each to each."""
    losses = []
    for x, label, n, t in zip(logits, labels, label_lengths, logit_lengths, strict=True):
        states = [blank, *(one for k in label[:n] for one in (k, blank))]
        ways = np.array(
            [
                [i in (j, j - 1) or (i == j - 2 and states[j] not in (blank, states[i])) for j in range(len(states))]
                for i in range(len(states))
            ],
            float,
        )
        p = np.eye(len(states))[0]
        for step, one in enumerate(np.exp(log_softmax(x[:t]))):
            p = (p @ ways if step else (np.arange(len(states)) < 2).astype(float)) * one[states]
        total = p[-2:].sum()
        losses.append(-np.log(total) if total > 0 else np.inf)
    return np.array(losses)


def test_the_sample_holds_every_pair_of_values():
    assert not missing_pairs(FACTORS, CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_loss_and_gradient_of_padded_batches(rng, case):
    """Of sequences of all lengths: what does not fit has an infinite loss and no gradient, all else that of the sum."""
    n, t, l, c = (case[name] for name in ("n", "t", "l", "c"))  # noqa: E741
    blank = {"first": 0, "last": c - 1, "between": c // 2}[case["blank"]]
    classes = np.delete(np.arange(c), blank)
    drawn = {
        "at random": rng.integers(0, c - 1, (n, l)),
        "repeated": np.arange(l) // 2 % (c - 1) + np.zeros((n, 1), int),
        "no two alike": np.arange(l) % (c - 1) + np.zeros((n, 1), int),
    }
    labels = classes[drawn[case["labels"]]]
    label_lengths, logit_lengths = (
        np.full(n, most) if case[name] == "all" else rng.integers(0, most + 1, n)
        for name, most in (("label_lengths", l), ("logit_lengths", t))
    )
    for row, length in zip(labels, label_lengths, strict=True):
        row[length:] = -1  # padding is not looked at
    logits = rng.standard_normal((n, t, c))
    rest = labels, label_lengths, logit_lengths, blank
    fits = np.isfinite(by_matrices(logits, *rest))
    check_op(
        lambda x: ops.where(fits, ops.ctc_loss(labels, x, *rest[1:]), 0.0),
        lambda x: np.where(fits, by_matrices(x, *rest), 0),
        logits,
    )
    y, pullback = vjp(lambda x: ops.ctc_loss(labels, x, *rest[1:]), logits)
    np.testing.assert_array_equal(np.isposinf(y), ~fits)
    dx = pullback(np.ones(n))[0]
    assert np.isfinite(dx).all() and not dx[~fits].any()
    assert not dx[np.arange(t) >= logit_lengths[:, None]].any()


def test_the_two_references_agree(rng):
    logits, labels = rng.standard_normal((2, 5, 4)), np.array([[1, 1, 3], [3, 1, 1]])
    given = logits, labels, [3, 2], [5, 3], 2
    np.testing.assert_allclose(by_matrices(*given), plain(*given), rtol=1e-12)


def test_a_target_that_does_not_fit_has_an_infinite_loss_and_no_gradient(rng):
    logits = rng.standard_normal((2, 2, 3))
    y, pullback = vjp(lambda x: ops.ctc_loss([[1, 1], [1, 2]], x, [2, 2], [2, 2]), logits)
    assert np.isinf(y[0]) and np.isfinite(y[1])
    (dx,) = pullback(np.ones(2))
    assert not dx[0].any() and dx[1].any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_of_what_is_no_number_is_none(value):
    logits = np.zeros((2, 3, 3))
    logits[0, 1, 2] = value
    y, pullback = vjp(lambda x: ops.ctc_loss([[1], [1]], x, [1, 1], [3, 3]), logits)
    assert np.isnan(y[0]) and np.isfinite(y[1])
    (dx,) = pullback(np.ones(2))
    assert np.isnan(dx[0]).all() and np.isfinite(dx[1]).all()


def test_what_lies_behind_the_end_is_not_read():
    logits = np.zeros((1, 4, 3))
    logits[0, 3] = np.nan
    y, pullback = vjp(lambda x: ops.ctc_loss([[1]], x, [1], [3]), logits)
    (dx,) = pullback(np.ones(1))
    assert np.isfinite(y).all() and np.isfinite(dx).all()


def test_empty_targets_and_outputs():
    logits = np.zeros((2, 3, 2))
    np.testing.assert_allclose(ops.ctc_loss(np.zeros((2, 0), int), logits, [0, 0], [3, 0]), [3 * np.log(2), 0])
    assert ops.ctc_loss(np.zeros((0, 2), int), np.zeros((0, 3, 2)), np.zeros(0, int), np.zeros(0, int)).shape == (0,)


@pytest.mark.parametrize(
    ("labels", "label_length", "logit_length", "message"),
    [
        ([[3]], [1], [2], r"\[ctc\] expected labels in \[0, 3\) other than the blank 0, got 3"),
        ([[0]], [1], [2], r"other than the blank 0, got 0"),
        ([[1]], [2], [2], r"\[ctc\] expected target lengths in \[0, 1\], got 2"),
        ([[1]], [1], [3], r"\[ctc\] expected output lengths in \[0, 2\], got 3"),
        ([[1]], [1, 1], [2], r"\[ctc\] expected lengths \(1,\), got \(2,\)"),
    ],
)
def test_what_is_out_of_range_is_refused(labels, label_length, logit_length, message):
    with pytest.raises(ValueError, match=message):
        ops.ctc_loss(labels, np.zeros((1, 2, 3)), label_length, logit_length)


def test_bits_do_not_depend_on_threads(rng):
    logits, labels = rng.standard_normal((9, 60, 20)).astype(np.float32), rng.integers(1, 20, (9, 12))
    lengths = np.full(9, 12), np.full(9, 60)
    before, found = backend.get_num_threads(), set()
    for n in (1, 2, 3, 8):
        backend.set_num_threads(n)
        y, pullback = vjp(lambda x: ops.ctc_loss(labels, x, *lengths), logits)
        found.add(hashlib.sha256(y.tobytes() + pullback(y)[0].tobytes()).hexdigest())
    backend.set_num_threads(before)
    assert len(found) == 1


# ---- decoding ----


def test_the_worked_collapse():
    assert "".join(ops.ctc_collapse("ttt_h_eee___ ___qqq__", "_")) == "the q"
    assert ops.ctc_collapse("__aa_ab", "_") == list("aab")
    assert ops.ctc_collapse([], 0) == ops.ctc_collapse([0, 0], 0) == []


def test_greedy_decoding_takes_the_best_class_of_each_step():
    path = np.array([[1, 1, 0, 1, 2, 2], [0, 2, 0, 0, 2, 1]])
    logits = 5.0 * np.eye(3)[path]
    labels, scores = ops.ctc_decode(logits, [6, 5])
    np.testing.assert_array_equal(labels, [[[1, 1, 2, -1, -1, -1], [2, 2, -1, -1, -1, -1]]])
    np.testing.assert_array_equal(scores, [[-30], [-25]])
    unmerged, _ = ops.ctc_decode(logits, [6, 5], merge_repeated=False)
    np.testing.assert_array_equal(unmerged[0, 0], [1, 1, 1, 2, 2, -1])


@pytest.mark.parametrize("blank", [0, 1])
def test_prefix_beams_that_keep_everything_find_the_most_probable_labels(rng, blank):
    logits = 2 * rng.standard_normal((3, 4, 3))
    labels, scores = ops.ctc_decode(logits, [4, 3, 0], "beam_search", beam_width=200, top_paths=3, mask_index=blank)
    for i, t in enumerate((4, 3)):
        ranked = sorted(every_path(log_softmax(logits[i, :t]), blank).items(), key=lambda item: -item[1])
        for path, (label, p) in enumerate(ranked[:3]):
            assert labels[path, i].tolist() == [*label, *[-1] * (4 - len(label))]
            assert scores[i, path] == pytest.approx(np.log(p))
    assert (labels[:, 2] == -1).all() and scores[2].tolist() == [0, -np.inf, -np.inf]


def test_beams_find_what_greedy_decoding_misses():
    logits = np.log(np.array([[[0.6, 0.4], [0.6, 0.4]]]))  # blank twice: 0.36; one label: 0.64
    assert ops.ctc_decode(logits, [2])[0][0, 0].tolist() == [-1, -1]
    assert ops.ctc_decode(logits, [2], "beam_search", beam_width=2)[0][0, 0].tolist() == [1, -1]
    with pytest.raises(ValueError, match=r"\[ctc_decode\] expected strategy 'greedy' or 'beam_search', got 'best'"):
        ops.ctc_decode(logits, [2], "best")
    for strategy in ("greedy", "beam_search"):
        for length in (3, -1):
            with pytest.raises(ValueError, match=r"\[ctc_decode\] expected lengths in \[0, 2\], got"):
                ops.ctc_decode(logits, [length], strategy)
        with pytest.raises(ValueError, match=r"\[ctc_decode\] expected mask_index in \[0, 2\), got 2"):
            ops.ctc_decode(logits, [2], strategy, mask_index=2)
        labels, scores = ops.ctc_decode(logits[:, :0], [0], strategy)
        assert labels.shape == (1, 1, 0) and scores.tolist() == [[0]]


def test_a_class_that_cannot_come_is_left_out():
    logits = np.zeros((1, 3, 3))
    logits[0, 1] = [0, -np.inf, 0]
    check = plain(logits, np.array([[1]]), [1], [3], 0)
    y, pullback = vjp(lambda x: ops.ctc_loss([[1]], x, [1], [3]), logits)
    np.testing.assert_allclose(y, check, rtol=1e-12)
    assert np.isfinite(pullback(np.ones(1))[0]).all()


# ---- the loss ----


def test_the_loss_counts_labels_up_to_the_zeros(rng):
    logits, labels = rng.standard_normal((3, 6, 4)).astype(np.float32), np.array([[1, 2, 0], [3, 3, 1], [2, 0, 0]])
    each = ops.ctc_loss(labels, logits, [2, 3, 1], [6, 6, 6])
    np.testing.assert_allclose(losses.CTC()(labels, logits), each.mean(), rtol=1e-6)
    np.testing.assert_allclose(losses.CTC("none")(labels, logits, [1.0, 2.0, 0.0]), each * [1, 2, 0], rtol=1e-6)
    from fastnn.masks import masked

    seen = np.arange(6) < np.array([[6], [5], [4]])
    short = ops.ctc_loss(labels, logits, [2, 3, 1], [6, 5, 4])
    np.testing.assert_allclose(losses.CTC("none")(labels, masked(logits, seen)), short, rtol=1e-6)
    with GradientTape() as tape:
        x = tape.watch(logits)
        loss = losses.CTC()(labels, x)
    assert np.isfinite(tape.gradient(loss, x)).all()
