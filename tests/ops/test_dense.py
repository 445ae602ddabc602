import math

import numpy as np
import pytest

from fastnn import GradientTape, Variable, backend, ops, vjp
from fastnn.autograd import Want
from fastnn.backend import kernels, unary_codes
from fastnn.ops import dense
from fastnn.ops.dense import ACTIVATIONS
from fastnn.testing import check_op

ERF = np.vectorize(math.erf, otypes=[np.float64])
REFERENCES = {
    None: lambda z: z,
    "linear": lambda z: z,
    "relu": lambda z: np.where(z > 0, z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.2 * z),
    "sigmoid": lambda z: 0.5 * (1 + np.tanh(z / 2)),
    "tanh": lambda z: 2 / (1 + np.exp(-2 * z)) - 1,
    "gelu": lambda z: z * 0.5 * (1 + ERF(z / np.sqrt(2))),
    "gelu_tanh": lambda z: z / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
}


def reference(x, w, b=0.0, activation=None):
    return REFERENCES[activation](np.einsum("...i,iu->...u", x, w) + b)


@pytest.fixture(autouse=True)
def threads():
    before = backend.get_num_threads()
    yield
    backend.set_num_threads(before)


def away_from_kinks(rng, x, w):
    """A bias that keeps every x w + b at least 0.05 away from 0, where relu has no derivative."""
    z = x @ w
    while True:
        b = rng.standard_normal(w.shape[1])
        if (np.abs(z + b) > 0.05).all():
            return b


@pytest.mark.parametrize("activation", REFERENCES)
def test_activations_match_reference(rng, activation):
    x, w = rng.standard_normal((4, 5)), rng.standard_normal((5, 3))
    check_op(dense, reference, x, w, away_from_kinks(rng, x, w), activation=activation)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"linear", "gelu", "gelu_tanh"}))
def test_a_fused_activation_is_the_op_of_that_name(rng, activation):
    op = ops.exp if activation == "exponential" else getattr(ops, activation)
    x, w, b, dy = (2 * rng.standard_normal(shape) for shape in ((7, 5), (5, 19), (19,), (7, 19)))
    y, pullback = vjp(lambda *given: dense(*given, activation=activation), x, w, b)
    expected, apart = vjp(lambda *given: op(dense(*given)), x, w, b)
    np.testing.assert_allclose(y, expected, rtol=1e-13)
    for got, wanted in zip(pullback(dy), apart(dy), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 4, 3), (2, 1, 2, 3)])
def test_any_number_of_leading_axes(rng, shape):
    x, w = rng.standard_normal(shape), rng.standard_normal((3, 5))
    check_op(dense, reference, x, w, rng.standard_normal(5))
    check_op(dense, reference, x, w, linear=(0, 1))


# Widths around the vector lengths and tiles, batches around the rows that are summed together (64).
@pytest.mark.parametrize("units", [1, 7, 8, 9, 15, 16, 17, 33, 49])
@pytest.mark.parametrize("samples", [1, 2, 17, 65, 129])
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_widths_and_batches(rng, samples, units, activation):
    x, w, b = rng.standard_normal((samples, 9)), rng.standard_normal((9, units)), rng.standard_normal(units)
    dy = rng.standard_normal((samples, units))
    y, pullback = vjp(lambda *given: dense(*given, activation=activation), x, w, b)
    dx, dw, db = pullback(dy)
    z, step = np.einsum("ri,iu->ru", x, w) + b, 1e-6
    slope = (REFERENCES[activation](z + step) - REFERENCES[activation](z - step)) / (2 * step)
    np.testing.assert_allclose(y, REFERENCES[activation](z), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dx, np.einsum("ru,iu->ri", dy * slope, w), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(dw, np.einsum("ri,ru->iu", x, dy * slope), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(db, np.einsum("ru->u", dy * slope), rtol=1e-6, atol=1e-7)


# One for each plan of the product: stream, tiles, one column, packed.
@pytest.mark.parametrize(("samples", "features", "units"), [(2, 100, 40), (70, 50, 60), (40, 60, 1), (64, 300, 450)])
@pytest.mark.parametrize("activation", [None, "relu", "gelu"])
def test_fused_is_the_product_then_bias_then_activation(rng, samples, features, units, activation):
    x = rng.standard_normal((samples, features)).astype(np.float32)
    w = rng.standard_normal((features, units)).astype(np.float32)
    b = rng.standard_normal(units).astype(np.float32)
    z = dense(x, w)
    expected = REFERENCES[activation](z.astype(np.float64) + b)
    np.testing.assert_allclose(dense(x, w, b, activation=activation), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("samples", "features", "units"), [(3, 300, 700), (200, 130, 70), (300, 512, 512)])
def test_same_bits_at_any_thread_count(rng, samples, features, units):
    x, w, b, dy = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in ((samples, features), (features, units), (units,), (samples, units))
    )
    results = []
    for threads in (1, 2, 3, 8):
        backend.set_num_threads(threads)
        y, pullback = vjp(lambda *given: dense(*given, activation="gelu"), x, w, b)
        results.append((y, *pullback(dy)))
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


def test_only_what_is_needed_is_computed_and_written_where_it_is_wanted(rng):
    x, w, dy = (rng.standard_normal(shape).astype(np.float32) for shape in ((6, 5), (5, 4), (6, 4)))
    y = dense(x, w, activation="tanh")
    run, code = kernels(x), unary_codes["tanh"]
    every = run.dense_backward(x, w, y, dy, code)
    for needs in np.ndindex(2, 2, 2):
        some = run.dense_backward(x, w, y, dy, code, 0.0, 0.0, 0.0, *map(bool, needs))
        for need, got, expected in zip(needs, some, every, strict=True):
            assert got is None if not need else np.array_equal(got, expected)
    flat = np.full(24, np.nan, np.float32)
    dw, db = flat[:20].reshape(5, 4), flat[20:]
    _, dw_got, db_got = run.dense_backward(x, w, y, dy, code, 0.0, 0.0, 0.0, False, True, True, dw, db)
    assert dw_got is dw and db_got is db
    np.testing.assert_array_equal(flat, np.concatenate([every[1].ravel(), every[2]]))


def test_gradients_of_variables_go_to_their_buffers(rng):
    x = rng.standard_normal((6, 5)).astype(np.float32)
    w, b = Variable(rng.standard_normal((5, 4)).astype(np.float32)), Variable(np.zeros(4, np.float32))
    buffers = np.empty((5, 4), np.float32), np.empty(4, np.float32)
    w.want, b.want = map(Want, buffers)
    with GradientTape() as tape:
        y = dense(x, w, b=b, activation="relu")
    grads = tape.gradient(y, [w, b])
    assert grads[0] is buffers[0] and grads[1] is buffers[1]
    on = (x @ w.numpy() > 0).astype(np.float32)
    np.testing.assert_allclose(buffers[0], x.T @ on, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(buffers[1], on.sum(0), rtol=1e-5)


def test_negative_slope(rng):
    x, w = np.array([[-2.0, 1.0]], np.float32), np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(dense(x, w, activation="leaky_relu", negative_slope=0.5), [[-1.0, 1.0]])


@pytest.mark.parametrize(("x", "w"), [((0, 3), (3, 2)), ((4, 0), (0, 2)), ((4, 3), (3, 0)), ((2, 0, 3), (3, 2))])
def test_empty(x, w):
    b = np.arange(1.0, w[1] + 1, dtype=np.float32)
    ones = np.ones(x, np.float32), np.ones(w, np.float32)
    y, pullback = vjp(lambda *given: dense(*given, activation="relu"), *ones, b)
    np.testing.assert_array_equal(y, np.broadcast_to(b + x[-1], (*x[:-1], w[1])))
    dx, dw, db = pullback(np.ones(y.shape, np.float32))
    rows = math.prod(x[:-1])
    np.testing.assert_array_equal(dx, np.full(x, w[1]))
    np.testing.assert_array_equal(dw, np.full(w, rows))
    np.testing.assert_array_equal(db, np.full(w[1], rows))


def test_out_is_filled_and_returned(rng):
    x, w = rng.standard_normal((3, 4)).astype(np.float32), rng.standard_normal((4, 5)).astype(np.float32)
    out = np.empty((3, 5), np.float32)
    assert dense(x, w, activation="relu", out=out) is out
    np.testing.assert_array_equal(out, dense(x, w, activation="relu"))


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((zeros(32, 63), zeros(64, 10)), r"\[dense\] expected x \(..., 64\) for w \(64, 10\), got x \(32, 63\)"),
        ((zeros(), zeros(64, 10)), r"\[dense\] expected x \(..., 64\) for w \(64, 10\), got x \(\)"),
        ((zeros(2, 3), zeros(3)), r"\[dense\] expected w with 2 axes \(i, u\), got \(3,\)"),
        ((zeros(2, 3), zeros(3, 4), zeros(5)), r"\[dense\] expected b \(4,\) for w \(3, 4\), got b \(5,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        dense(*arguments)


def test_unknown_activation_is_refused():
    with pytest.raises(ValueError, match=r"\[dense\] expected activation None or one of linear, .*, got 'softmax'"):
        dense(zeros(2, 3), zeros(3, 4), activation="softmax")


def test_backward_refuses_another_dy():
    x, w = zeros(2, 3), zeros(3, 4)
    with pytest.raises(ValueError, match=r"\[dense_backward\] expected dy of shape \(2, 4\), got \(2, 5\)"):
        kernels(x).dense_backward(x, w, zeros(2, 4), zeros(2, 5))
