import numpy as np
import pytest

from fastnn import backend, ops, vjp
from fastnn.ops import simple_rnn
from fastnn.testing import check_op, covering

FUNCTIONS = {
    "tanh": np.tanh,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "silu": lambda z: z * 0.5 * (1 + np.tanh(z / 2)),
}


def reference(x, w, r, b, h, drop, mask=None, reverse=False, zero_masked=False, activation="tanh", sequences=True):
    """One sequence after the other, one step after the other."""
    n, t, _ = x.shape
    y, last = np.zeros((n, t, len(b))), h.copy()
    for k in range(n):
        for step, at in enumerate(range(t)[::-1] if reverse else range(t)):
            valid = mask is None or mask[k, at]
            if valid:
                last[k] = FUNCTIONS[activation](x[k, at] @ w + (drop[k] * last[k]) @ r + b)
            y[k, step] = 0 if zero_masked and not valid else last[k]
    return np.concatenate([y.ravel(), last.ravel()]) if sequences else last.ravel()


def every_output(x, w, r, b, h0, drop, **options):
    outputs = simple_rnn(x, w, r, b, h0, drop=drop, **options)
    return ops.concatenate([ops.reshape(part, (-1,)) for part in outputs])


def inputs(rng, n=3, t=4, i=5, u=6):
    drop = np.where(rng.random((n, u)) < 0.7, 1 / 0.7, 0.0)
    shapes = (n, t, i), (i, u), (u, u), (u,), (n, u)
    return *(rng.standard_normal(shape) / np.sqrt(shape[0] if len(shape) == 2 else 1) for shape in shapes), drop


FLAGS = [(False, False), (False, True), (True, False), (True, True)]
# Settings by twos, so that each two of these meet all values of everything else.
CASES = covering(
    t_reverse=[(17, True), (17, False), (2, False), (2, True), (1, True), (0, False)],
    masked_zeroed=FLAGS,
    dropped_begun=FLAGS,
    u=[7, 16, 33, 1],
    n=[3, 1, 32],
    i=[4, 1],
    sequences=[True, False],
    activation=["tanh", "softsign", "silu"],
)
CASES.append({**CASES[0], "n": 35, "u": 80})  # sequences shared out in two parts


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_matches_reference_step_by_step(rng, case):
    """With bias and first states or without, and with a factor of the state, as dropout is, or without."""
    (t, reverse), (masked, zeroed), (dropped, begun) = list(case.values())[:3]
    x, w, r, *rest, drop = inputs(rng, case["n"], t, case["i"], case["u"])
    options = {"reverse": reverse, "zero_masked": zeroed, **{name: case[name] for name in ("sequences", "activation")}}
    options["mask"] = rng.random((case["n"], t)) < 0.6 if masked else None

    def op(*given):
        factors = drop.astype(given[0].dtype) if dropped else None
        return every_output(*given, *[None] * (5 - len(given)), factors, **options)

    def expected(*given):
        missing = [np.zeros_like(one) for one in rest][len(given) - 3 :]
        return reference(*given, *missing, drop if dropped else np.ones_like(drop), **options)

    # sums of up to 17 * 32 products, carried through 17 steps
    check_op(op, expected, x, w, r, *(rest if begun else []), tol=1e-4)


def test_states_bias_and_dropout_may_be_left_out(rng):
    x, w, r, b, h0, _ = inputs(rng)
    none = np.zeros_like(h0)
    for got, expected in zip(simple_rnn(x, w, r), simple_rnn(x, w, r, 0 * b, none, drop=none + 1), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(("n", "t", "u"), [(3, 100, 64), (40, 40, 65), (6, 9, 150)])
def test_same_bits_at_any_thread_count(rng, n, t, u):
    given = [a.astype(np.float32) for a in inputs(rng, n, t, 9, u)[:5]]
    mask, drop = rng.random((n, t)) < 0.8, (2 * rng.random((n, u))).astype(np.float32)
    before, results = backend.get_num_threads(), []
    for threads in (1, 2, 3, 8):
        backend.set_num_threads(threads)
        outputs, pullback = vjp(lambda *a: simple_rnn(*a, mask=mask, drop=drop, activation="tanh"), *given)
        results.append((*outputs, *pullback(tuple(np.ones_like(part) for part in outputs))))
    backend.set_num_threads(before)
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


def test_the_gradient_of_a_far_step_is_a_product_of_slopes(rng):
    """Course, 12.02 and 12.08: da^<T>/da^<0> is the product of r and tanh' over the steps, and vanishes for small r."""
    x, w, b = np.zeros((1, 30, 1)), np.ones((1, 1)), np.zeros(1)
    for r, steps in ((0.5, 30), (0.9, 30), (1.0, 10)):
        h0 = np.array([[0.3]])
        (y, h), pullback = vjp(lambda h, r=r, t=steps: simple_rnn(x[:, :t], w, np.array([[r]]), b, h), h0)
        (slope,) = pullback((np.zeros_like(y), np.ones_like(h)))
        np.testing.assert_allclose(slope, [[np.prod(r * (1 - y[0, :, 0] ** 2))]], rtol=1e-12)
        if r == 0.5:
            assert slope < 1e-8


def test_shapes_that_do_not_fit_are_refused():
    zeros = np.zeros
    with pytest.raises(ValueError, match=r"\[simple_rnn\] expected r \(u, 1 u\), got \(2, 3\)"):
        simple_rnn(zeros((3, 5, 4)), zeros((4, 2)), zeros((2, 3)))
    with pytest.raises(ValueError, match=r"\[simple_rnn\] expected activation None or one of .*, got 'softmax'"):
        simple_rnn(zeros((3, 5, 4)), zeros((4, 2)), zeros((2, 2)), activation="softmax")
