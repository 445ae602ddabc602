import numpy as np
import pytest

from fastnn import backend, ops, vjp
from fastnn.ops import gru
from fastnn.testing import check_op, covering


def sigmoid(z):
    return 0.5 * (1 + np.tanh(z / 2))


FUNCTIONS = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "silu": lambda z: z * sigmoid(z),
    "softplus": lambda z: np.logaddexp(0, z),
}


def reference(x, w, r, b, h, drop, mask=None, reverse=False, zero_masked=False, activation="tanh",
              recurrent_activation="sigmoid", reset_after=False, sequences=True):  # fmt: skip
    """One step after the other, one gate after the other."""
    g, gate = FUNCTIONS[activation], FUNCTIONS[recurrent_activation]
    u, steps, y = r.shape[0], list(range(x.shape[1])), []
    (wz, wr, wh), (rz, rr, rh) = np.split(w, 3, 1), np.split(r, 3, 1)
    bz, br, bh, *others = np.split(b.ravel(), len(b.ravel()) // u)
    pz, pr, ph = others if reset_after else np.zeros((3, u))
    for at in steps[::-1] if reverse else steps:
        a = drop * h
        update = gate(x[:, at] @ wz + bz + a @ rz + pz)
        reset = gate(x[:, at] @ wr + br + a @ rr + pr)
        inner = reset * (a @ rh + ph) if reset_after else (reset * a) @ rh
        new = update * h + (1 - update) * g(x[:, at] @ wh + bh + inner)
        valid = np.ones((len(x), 1), bool) if mask is None else mask[:, at, None]
        h = np.where(valid, new, h)
        y.append(np.where(valid, h, 0) if zero_masked else h)
    y = np.stack(y, 1) if y else np.zeros((len(x), 0, u))
    return np.concatenate([part.ravel() for part in ((y, h) if sequences else (h,))])


def every_output(x, w, r, b, h0, drop, **options):
    outputs = gru(x, w, r, b, h0, drop=drop, **options)
    return ops.concatenate([ops.reshape(part, (-1,)) for part in outputs])


def inputs(rng, n=3, t=4, i=5, u=6, reset_after=False):
    shapes = (n, t, i), (i, 3 * u), (u, 3 * u), (2, 3 * u) if reset_after else (3 * u,), (n, u)
    drop = np.where(rng.random((n, u)) < 0.7, 1 / 0.7, 0.0)
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
    reset_after=[False, True],
    sequences=[True, False],
    # silu of a state that gates below 0 turn round grows too fast for differences: they would be right to 1e-6.
    functions=[("tanh", "sigmoid"), ("softplus", "sigmoid"), ("tanh", "softsign"), ("silu", "sigmoid")],
)
# What x gives to the gates is computed for half a megabyte at a time: 41 steps of these in float32, 20 in float64.
CASES += [{**CASES[0], "n": 32, "t_reverse": (45, False), "u": 33, "reset_after": after} for after in (False, True)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_matches_reference_step_by_step(rng, case):
    """With bias and first states or without, and with a factor of the state, as dropout is, or without."""
    (t, reverse), (masked, zeroed), (dropped, begun) = list(case.values())[:3]
    x, w, r, *rest, drop = inputs(rng, case["n"], t, case["i"], case["u"], case["reset_after"])
    options = {"reverse": reverse, "zero_masked": zeroed, **{name: case[name] for name in ("reset_after", "sequences")}}
    options["activation"], options["recurrent_activation"] = case["functions"]
    options["mask"] = rng.random((case["n"], t)) < 0.6 if masked else None

    def op(*given):
        factors = drop.astype(given[0].dtype) if dropped else None
        return every_output(*given, *[None] * (5 - len(given)), factors, **options)

    def expected(*given):
        missing = [np.zeros_like(one) for one in rest][len(given) - 3 :]
        return reference(*given, *missing, drop if dropped else np.ones_like(drop), **options)

    # sums of up to 17 * 32 products, carried through 17 steps
    check_op(op, expected, x, w, r, *(rest if begun else []), tol=1e-4)


@pytest.mark.parametrize("reset_after", [False, True])
def test_states_bias_and_dropout_may_be_left_out(rng, reset_after):
    x, w, r, b, h0, _ = inputs(rng, reset_after=reset_after)
    y, h = gru(x, w, r, reset_after=reset_after)
    none = np.zeros_like(h0)
    whole = gru(x, w, r, 0 * b, none, drop=none + 1, reset_after=reset_after)
    for got, expected in zip((y, h), whole, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert [part.shape for part in gru(x, w, r, sequences=False)] == [h.shape]


def test_without_a_bias_both_forms_agree_where_the_reset_gate_is_open(rng):
    """Course, E41: the GRU of joined and of separate matrices is one. With r = 1 the two places of the reset are."""
    x, w, r, _, h0, _ = inputs(rng)
    open_gate = np.concatenate([np.zeros(6), np.full(6, 800.0), np.zeros(6)])
    before, _ = gru(x, w, r, open_gate, h0)
    after, _ = gru(x, w, r, np.stack([open_gate, 0 * open_gate]), h0, reset_after=True)
    np.testing.assert_allclose(before, after, rtol=1e-12)
    joined = np.concatenate([w, r])  # the course's [a, x] with one matrix for both
    h = h0
    for at in range(x.shape[1]):
        z, _, g = np.split(np.concatenate([x[:, at], h], 1) @ joined, 3, 1)
        h = sigmoid(z) * h + (1 - sigmoid(z)) * np.tanh(g)
    np.testing.assert_allclose(before[:, -1], h, rtol=1e-12)


# Sequences whose steps stream the weights, that are one task, and that are several; few, whose units are shared.
@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize(("n", "t", "u"), [(3, 2, 48), (40, 20, 33), (67, 9, 64), (2, 8, 150)])
def test_same_bits_at_any_thread_count(rng, n, t, u, reset_after):
    given = [a.astype(np.float32) for a in inputs(rng, n, t, 9, u, reset_after)[:5]]
    mask, drop = rng.random((n, t)) < 0.8, (2 * rng.random((n, u))).astype(np.float32)
    before, results = backend.get_num_threads(), []
    for threads in (1, 2, 3, 8):
        backend.set_num_threads(threads)
        outputs, pullback = vjp(lambda *a: gru(*a, mask=mask, drop=drop, reset_after=reset_after), *given)
        results.append((*outputs, *pullback(tuple(np.ones_like(part) for part in outputs))))
    backend.set_num_threads(before)
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((zeros(3, 5, 4), zeros(4, 6), zeros(2, 8)), {}, r"\[gru\] expected r \(u, 3 u\), got \(2, 8\)"),
        (
            (zeros(3, 5, 4), zeros(4, 6), zeros(2, 6), zeros(2, 6)),
            {},
            r"\[gru\] expected b of shape \(6,\), got \(2, 6\)",
        ),
        (
            (zeros(3, 5, 4), zeros(4, 6), zeros(2, 6), zeros(6)),
            {"reset_after": True},
            r"\[gru\] expected b of shape \(2, 6\), got \(6,\)",
        ),
        (
            (zeros(3, 5, 4), zeros(4, 6), zeros(2, 6)),
            {"recurrent_activation": "softmax"},
            r"\[gru\] expected recurrent_activation None or one of linear, .*, got 'softmax'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        gru(*arguments, **settings)
