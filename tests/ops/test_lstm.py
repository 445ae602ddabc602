import numpy as np
import pytest

from fastnn import GradientTape, Variable, backend, ops, vjp
from fastnn.autograd import Want
from fastnn.ops import lstm
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


def reference(x, w, r, b, h, c, drop, mask=None, reverse=False, zero_masked=False, activation="tanh",
              recurrent_activation="sigmoid", sequences=True):  # fmt: skip
    """One step after the other, one gate after the other."""
    g, gate = FUNCTIONS[activation], FUNCTIONS[recurrent_activation]
    u, steps, y = r.shape[0], list(range(x.shape[1])), []
    for at in steps[::-1] if reverse else steps:
        zi, zf, zg, zo = (
            x[:, at] @ w[:, k : k + u] + (drop * h) @ r[:, k : k + u] + b[k : k + u] for k in range(0, 4 * u, u)
        )
        new_c = gate(zf) * c + gate(zi) * g(zg)
        new_h = gate(zo) * g(new_c)
        valid = np.ones((len(x), 1), bool) if mask is None else mask[:, at, None]
        h, c = np.where(valid, new_h, h), np.where(valid, new_c, c)
        y.append(np.where(valid, h, 0) if zero_masked else h)
    y = np.stack(y, 1) if y else np.zeros((len(x), 0, u))
    return np.concatenate([part.ravel() for part in ((y, h, c) if sequences else (h, c))])


def every_output(x, w, r, b, h0, c0, drop, **options):
    outputs = lstm(x, w, r, b, h0, c0, drop=drop, **options)
    return ops.concatenate([ops.reshape(part, (-1,)) for part in outputs])


def inputs(rng, n=3, t=4, i=5, u=6):
    shapes = (n, t, i), (i, 4 * u), (u, 4 * u), (4 * u,), (n, u), (n, u)
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
    sequences=[True, False],
    functions=[("tanh", "sigmoid"), ("softplus", "sigmoid"), ("tanh", "softsign"), ("silu", "softsign")],
)
# What x gives to the gates is computed for half a megabyte at a time: 31 steps of these in float32, 15 in float64.
CASES.append({**CASES[0], "n": 32, "t_reverse": (45, False), "u": 33})


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_matches_reference_step_by_step(rng, case):
    """With bias and first states or without, and with a factor of the state, as dropout is, or without."""
    (t, reverse), (masked, zeroed), (dropped, begun) = list(case.values())[:3]
    x, w, r, *rest, drop = inputs(rng, case["n"], t, case["i"], case["u"])
    options = {"reverse": reverse, "zero_masked": zeroed, "sequences": case["sequences"]}
    options["activation"], options["recurrent_activation"] = case["functions"]
    options["mask"] = rng.random((case["n"], t)) < 0.6 if masked else None

    def op(*given):
        factors = drop.astype(given[0].dtype) if dropped else None
        return every_output(*given, *[None] * (6 - len(given)), factors, **options)

    def expected(*given):
        missing = [np.zeros_like(one) for one in rest][len(given) - 3 :]
        return reference(*given, *missing, drop if dropped else np.ones_like(drop), **options)

    # sums of up to 17 * 32 products, carried through 17 steps
    check_op(op, expected, x, w, r, *(rest if begun else []), tol=1e-4)


def test_states_bias_and_dropout_may_be_left_out(rng):
    x, w, r, b, h0, *_ = inputs(rng)
    y, h, c = lstm(x, w, r)
    none = np.zeros_like(h0)
    for got, expected in zip((y, h, c), lstm(x, w, r, 0 * b, none, none, drop=none + 1), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert [part.shape for part in lstm(x, w, r, sequences=False)] == [h.shape, c.shape]


def test_a_sequence_cut_in_two_is_one_sequence(rng):
    x, w, r, b, h0, c0, _ = inputs(rng, t=9)
    y, h, c = lstm(x, w, r, b, h0, c0)
    first, h, c = lstm(np.ascontiguousarray(x[:, :4]), w, r, b, h0, c0)
    second, h, c = lstm(np.ascontiguousarray(x[:, 4:]), w, r, b, h, c)
    np.testing.assert_allclose(np.concatenate([first, second], 1), y, rtol=1e-12)
    np.testing.assert_allclose(h, y[:, -1], rtol=1e-12)


def test_masked_steps_change_nothing(rng):
    """A sequence with gaps gives what it gives without them, and its gaps get no gradient."""
    x, w, r, b, h0, c0, _ = inputs(rng, n=1, t=7)
    mask = np.array([[True, False, True, True, False, False, True]])
    (y, h, c), pullback = vjp(lambda x: lstm(x, w, r, b, h0, c0, mask=mask), x)
    short = lstm(np.ascontiguousarray(x[:, mask[0]]), w, r, b, h0, c0)
    np.testing.assert_allclose(y[:, mask[0]], short[0], rtol=1e-12)
    np.testing.assert_allclose([h, c], short[1:], rtol=1e-12)
    np.testing.assert_array_equal(y[:, 1], y[:, 0])
    (dx,) = pullback((np.ones_like(y), np.ones_like(h), np.ones_like(c)))
    np.testing.assert_array_equal(dx[:, ~mask[0]], 0)
    assert (dx[:, mask[0]] != 0).all()


def test_outputs_that_are_not_used_need_no_gradient(rng):
    x, w, r, b, h0, c0, _ = inputs(rng)
    for used in range(3):
        with GradientTape() as tape:
            xt = tape.watch(x)
            outputs = lstm(xt, w, r, b, h0, c0)
            loss = ops.sum(outputs[used])
        dx = tape.gradient(loss, xt)
        _, pullback = vjp(lambda x: lstm(x, w, r, b, h0, c0), x)
        dys = tuple(np.full(part.shape, float(k == used)) for k, part in enumerate(outputs))
        np.testing.assert_array_equal(dx, pullback(dys)[0])


# Sequences whose steps stream the weights, that are one task, and that are several; few, whose units are shared.
@pytest.mark.parametrize(("n", "t", "u"), [(3, 2, 48), (40, 20, 33), (67, 9, 64), (2, 8, 150), (1, 1, 512)])
def test_same_bits_at_any_thread_count(rng, n, t, u):
    given = [a.astype(np.float32) for a in inputs(rng, n, t, 9, u)[:6]]
    mask, drop = rng.random((n, t)) < 0.8, (2 * rng.random((n, u))).astype(np.float32)
    before, results = backend.get_num_threads(), []
    for threads in (1, 2, 3, 8):
        backend.set_num_threads(threads)
        outputs, pullback = vjp(lambda *a: lstm(*a, mask=mask, drop=drop), *given)
        results.append((*outputs, *pullback(tuple(np.ones_like(part) for part in outputs))))
    backend.set_num_threads(before)
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


def test_a_sequence_does_not_depend_on_its_batch(rng):
    x, w, r, b, h0, c0, _ = (a.astype(np.float32) for a in inputs(rng, n=40, u=40))
    y, h, c = lstm(x, w, r, b, h0, c0)
    for some in (slice(0, 8), slice(5, 39)):
        parts = lstm(x[some], w, r, b, h0[some], c0[some])
        for part, whole in zip(parts, (y, h, c), strict=True):
            np.testing.assert_array_equal(part, whole[some])


def test_gradients_of_variables_go_to_their_buffers(rng):
    x, w, r, b, *_ = (a.astype(np.float32) for a in inputs(rng))
    variables = [Variable(a) for a in (w, r, b)]
    _, pullback = vjp(lambda w, r, b: lstm(x, w, r, b)[0], w, r, b)
    for variable in variables:
        variable.want = Want(np.full(variable.shape, np.nan, np.float32))
    with GradientTape() as tape:
        y, _, _ = lstm(x, *variables)
    grads = tape.gradient(y, variables)
    for got, variable, expected in zip(grads, variables, pullback(np.ones(y.shape, np.float32)), strict=True):
        assert got is variable.want.out
        np.testing.assert_array_equal(got, expected)


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((zeros(3, 4), zeros(4, 8), zeros(2, 8)), r"\[lstm\] expected x with 3 axes \(n, t, i\), got \(3, 4\)"),
        ((zeros(3, 5, 4), zeros(4, 8), zeros(2, 6)), r"\[lstm\] expected r \(u, 4 u\), got \(2, 6\)"),
        (
            (zeros(3, 5, 4), zeros(3, 8), zeros(2, 8)),
            r"\[lstm\] expected w \(4, 8\) for x \(3, 5, 4\) and r \(2, 8\), got \(3, 8\)",
        ),
        ((zeros(3, 5, 4), zeros(4, 8), zeros(2, 8), zeros(2)), r"\[lstm\] expected b of shape \(8,\), got \(2,\)"),
        (
            (zeros(3, 5, 4), zeros(4, 8), zeros(2, 8), None, zeros(2, 2)),
            r"\[lstm\] expected h0 of shape \(3, 2\), got \(2, 2\)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        lstm(*arguments)


def test_other_arguments_that_do_not_fit_are_refused():
    layer = zeros(3, 5, 4), zeros(4, 8), zeros(2, 8)
    with pytest.raises(ValueError, match=r"\[lstm\] expected mask of shape \(3, 5\), got \(3, 4\)"):
        lstm(*layer, mask=np.ones((3, 4), bool))
    with pytest.raises(TypeError, match=r"\[lstm\] expected mask of bool, got float32"):
        lstm(*layer, mask=zeros(3, 5))
    with pytest.raises(ValueError, match=r"\[lstm\] expected activation None or one of linear, .*, got 'softmax'"):
        lstm(*layer, activation="softmax")
