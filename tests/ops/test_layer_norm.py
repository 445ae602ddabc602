import numpy as np
import pytest

from fastnn import backend, vjp
from fastnn.backend import kernels
from fastnn.ops import (
    layer_norm,
    layer_normalization,
    moments,
    normalize,
    rms_norm,
    rms_normalization,
    unit_norm,
)
from fastnn.testing import check_op, covering_sample, missing_pairs


def over_axes(function):
    """function(vector, gamma, beta) of each vector along axis: a loop, one after the other."""

    def reference(x, gamma=None, beta=None, axis=-1, epsilon=1e-3):
        axes = [a % x.ndim for a in ([axis] if isinstance(axis, int) else axis)]
        order = [*(a for a in range(x.ndim) if a not in axes), *axes]
        moved = np.transpose(x, order)
        lengths = moved.shape[x.ndim - len(axes) :]
        rows = moved.reshape(-1, int(np.prod(lengths)))
        scale = np.ones(rows.shape[1]) if gamma is None else gamma.ravel()
        shift = np.zeros(rows.shape[1]) if beta is None else beta.ravel()
        y = np.array([function(row, epsilon) * scale + shift for row in rows]).reshape(moved.shape)
        return np.transpose(y, np.argsort(order))

    return reference


@over_axes
def layer_reference(row, epsilon):
    center = sum(row) / len(row)
    return (row - center) / np.sqrt(sum((row - center) ** 2) / len(row) + epsilon)


@over_axes
def rms_reference(row, epsilon):
    return row / np.sqrt(sum(row * row) / len(row) + epsilon)


@over_axes
def unit_reference(row, epsilon):
    return row / max(np.sqrt(sum(row * row)), epsilon)


@pytest.fixture(autouse=True)
def threads():
    before = backend.get_num_threads()
    yield
    backend.set_num_threads(before)


def parameters(rng, *shape):
    return rng.uniform(0.5, 2, shape), rng.standard_normal(shape)


# Lengths around the vector widths and four vectors; rows around the blocks of 8 and chunks of 64.
@pytest.mark.parametrize(
    ("rows", "cols"),
    [(3, 1), (2, 2), (5, 7), (9, 8), (2, 9), (8, 15), (1, 16), (3, 17), (7, 33), (2, 65), (65, 3), (2, 130)],
)
def test_matches_reference(rng, rows, cols):
    x = 1 + 2 * rng.standard_normal((rows, cols))
    gamma, beta = parameters(rng, cols)
    check_op(layer_norm, layer_reference, x, gamma, beta)
    check_op(rms_norm, rms_reference, x, gamma, epsilon=1e-6)
    check_op(unit_norm, unit_reference, x, epsilon=1e-12)


def test_without_scale_or_shift(rng):
    x, (gamma, beta) = rng.standard_normal((6, 5)), parameters(rng, 5)
    check_op(layer_norm, layer_reference, x)
    check_op(layer_norm, layer_reference, x, gamma)
    check_op(lambda x, b: layer_norm(x, None, b), lambda x, b: layer_reference(x, None, b), x, beta)
    check_op(rms_norm, rms_reference, x, epsilon=1e-6)


@pytest.mark.parametrize("axis", [0, 1, -2, (1, 2), (0, 2), (-2, -1), [0, 1, 2]])
def test_over_other_axes(rng, axis):
    x = rng.standard_normal((3, 4, 2))
    gamma, beta = parameters(rng, *(x.shape[a] for a in ([axis] if isinstance(axis, int) else axis)))
    check_op(layer_norm, layer_reference, x, gamma, beta, axis=axis)
    check_op(rms_norm, rms_reference, x, gamma, axis=axis, epsilon=1e-6)
    check_op(unit_norm, unit_reference, x, axis=axis, epsilon=1e-12)


def test_a_vector_is_one_row(rng):
    check_op(layer_norm, layer_reference, rng.standard_normal(9), *parameters(rng, 9))


def test_short_vectors_are_scaled_by_epsilon():
    """Below epsilon the length is taken as epsilon: a linear function, whose gradient keeps the direction, too."""
    x = np.array([[3e-3, 4e-3], [0.0, 0.0], [3.0, 4.0]])
    y, pullback = vjp(lambda x: unit_norm(x, epsilon=0.01), x)
    np.testing.assert_allclose(y, [[0.3, 0.4], [0, 0], [0.6, 0.8]], rtol=1e-14)
    dx = pullback(np.array([[1.0, 2.0], [1.0, 2.0], [3.0, 4.0]]))[0]
    np.testing.assert_allclose(dx, [[100, 200], [100, 200], [0, 0]], atol=1e-14)


@pytest.mark.parametrize("cols", [1000, 5000])
def test_long_rows_far_from_zero(rng, cols):
    """The sum of squares about 0 would have no right digit here."""
    x = (1e5 + rng.standard_normal((3, cols))).astype("float32")
    y, center, inverse = kernels(x).layer_norm(x, None, None, 0.0)
    np.testing.assert_allclose(center, x.mean(1, np.float64), rtol=2e-7)
    np.testing.assert_allclose(inverse, 1 / x.std(1, dtype=np.float64), rtol=1e-4)  # the mean has an ulp of 0.008
    np.testing.assert_allclose(y.std(1), 1, rtol=1e-4)


@pytest.mark.parametrize("shape", [(1000, 70), (33, 2000), (70000, 2)])
def test_same_bits_at_any_thread_count(rng, shape):
    x, dy = (rng.standard_normal(shape).astype("float32") for _ in range(2))
    gamma, beta = (p.astype("float32") for p in parameters(rng, shape[-1]))
    results = []
    for threads in (1, 2, 3, 8):
        backend.set_num_threads(threads)
        y, pullback = vjp(layer_norm, x, gamma, beta)
        results.append((y, *pullback(dy)))
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


def test_gradients_of_many_rows(rng):
    x, dy = (rng.standard_normal((3001, 20)) for _ in range(2))
    gamma, beta = parameters(rng, 20)
    dx, dgamma, dbeta = vjp(layer_norm, x, gamma, beta)[1](dy)
    xhat = layer_reference(x)
    np.testing.assert_allclose(dbeta, np.einsum("rc->c", dy), rtol=1e-11)
    np.testing.assert_allclose(dgamma, np.einsum("rc,rc->c", dy, xhat), rtol=1e-11)
    g = dy * gamma
    through = g - g.mean(1, keepdims=True) - xhat * np.mean(g * xhat, axis=1, keepdims=True)
    np.testing.assert_allclose(dx, through / np.sqrt(x.var(1, keepdims=True) + 1e-3), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
def test_empty(shape):
    x, gamma = np.zeros(shape, "float32"), np.ones(shape[-1], "float32")
    y, pullback = vjp(layer_norm, x, gamma, gamma)
    dx, dgamma, dbeta = pullback(x)
    assert y.shape == dx.shape == unit_norm(x).shape == shape
    np.testing.assert_array_equal(dgamma, 0)
    np.testing.assert_array_equal(dbeta, 0)


def test_a_nan_spoils_its_row_alone(rng):
    x = rng.standard_normal((3, 5)).astype("float32")
    x[1, 2] = np.nan
    for op in (layer_norm, rms_norm, unit_norm):
        assert np.isnan(op(x)).sum(axis=1).tolist() == [0, 5, 0]


def test_gradients_go_where_they_are_wanted(rng):
    x, dy = (rng.standard_normal((6, 4)).astype("float32") for _ in range(2))
    gamma, beta = (p.astype("float32") for p in parameters(rng, 4))
    run = kernels(x)
    _, center, inverse = run.layer_norm(x, gamma, beta, 1e-3)
    every = run.layer_norm_backward(x, gamma, center, inverse, dy)
    flat = np.full(8, np.nan, "float32")
    some = run.layer_norm_backward(x, gamma, center, inverse, dy, False, True, True, flat[:4], flat[4:])
    assert some[0] is None
    np.testing.assert_array_equal(flat[:4], every[1])
    np.testing.assert_array_equal(flat[4:], every[2])


@pytest.mark.parametrize("op", [layer_norm, rms_norm, unit_norm])
def test_out_is_filled_and_returned(rng, op):
    x = rng.standard_normal((3, 5, 2)).astype("float32")
    for axis in (-1, 1):
        out = np.empty_like(x)
        assert op(x, axis=axis, out=out) is out
        np.testing.assert_array_equal(out, op(x, axis=axis))


# ---- Keras's names -------------------------------------------------------------------------------------------------


def test_keras_names(rng):
    x, (gamma, beta) = rng.standard_normal((4, 3, 5)), parameters(rng, 3, 5)
    check_op(layer_normalization, layer_reference, x, gamma, beta, axis=(1, 2), epsilon=1e-2)
    check_op(rms_normalization, rms_reference, x, gamma[0], axis=2, epsilon=1e-2)
    np.testing.assert_array_equal(layer_normalization(x), layer_norm(x, epsilon=1e-7))
    np.testing.assert_array_equal(rms_normalization(x), rms_norm(x, epsilon=1e-7))
    scaled = x / np.sqrt(x.var(axis=1, keepdims=True) + 1e-3) * gamma[:, :1]
    got = layer_normalization(x, gamma[:, 0], axis=1, epsilon=1e-3, rms_scaling=True)
    np.testing.assert_allclose(got, scaled, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("axis", [-1, (0, 1)])
def test_normalize(rng, order, axis):
    def reference(x, axis, order):
        return x / np.sum(np.abs(x) ** order, axis, keepdims=True) ** (1 / order)

    x = rng.standard_normal((4, 3, 5))
    check_op(normalize, reference, x, axis=axis, order=order)
    np.testing.assert_array_equal(normalize(np.zeros((2, 3)), order=order), 0)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axes", [None, 0, (0, 2)])
def test_moments(rng, axes, keepdims):
    x = rng.standard_normal((4, 3, 5))
    check_op(lambda x: moments(x, axes, keepdims)[0], lambda x: x.mean(axes, keepdims=keepdims), x)
    check_op(lambda x: moments(x, axes, keepdims)[1], lambda x: x.var(axes, keepdims=keepdims), x)


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layer_norm(zeros(4, 3), zeros(2)), r"\[layer_norm\] expected gamma of shape \(3,\), got \(2,\)"),
        (lambda: layer_norm(zeros(4, 3), None, zeros(2)), r"\[layer_norm\] expected beta of shape \(3,\), got \(2,\)"),
        (lambda: rms_norm(zeros(4, 3), zeros(2)), r"\[rms_norm\] expected gamma of shape \(3,\), got \(2,\)"),
        (lambda: layer_norm(zeros()), r"\[layer_norm\] expected x with at least 1 axis, got a scalar"),
        (lambda: unit_norm(zeros(4, 3), axis=2), r"\[unit_norm\] expected axis in \[-2, 2\), got 2"),
        (lambda: normalize(zeros(4, 3), order=0), r"\[normalize\] expected order to be an integer >= 1, got 0"),
        (lambda: normalize(zeros(4, 3), order=1.5), r"\[normalize\] expected order to be an integer >= 1, got 1.5"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


FACTORS = {
    "c": [1, 3, 8, 15, 16, 17, 64],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
    "op": ["layer", "rms", "unit"],
    "axis": [-1, 1, (2, 3), (1, 2, 3)],
    "scale": [False, True],
    "center": [False, True],
    "epsilon": [1e-3, 1e-5],
}


def fits(c, h, w, n, op, axis, scale, center, epsilon):
    without = (op == "unit" and scale) or (op != "layer" and center)
    return max(n, 1) * h * w * c < 6_000 and not without


SAMPLE = covering_sample(FACTORS, fits, count=70)


def test_the_sample_holds_every_pair_of_values_that_fits():
    assert missing_pairs(FACTORS, SAMPLE) == {
        (("op", "unit"), ("scale", "True")),
        (("op", "unit"), ("center", "True")),
        (("op", "rms"), ("center", "True")),
    }


def all_at_once(x, *own, op, axis, epsilon):
    """As the references above, for all vectors together. own: gamma, then beta."""
    if op == "unit":
        return x / np.maximum(np.sqrt((x**2).sum(axis, keepdims=True)), epsilon)
    z = x - x.mean(axis, keepdims=True) if op == "layer" else x
    y = z / np.sqrt((z**2).mean(axis, keepdims=True) + epsilon)
    axes = [a % x.ndim for a in np.atleast_1d(axis)]
    gamma, beta = (*own, None, None)[:2]
    wide = [length if a in axes else 1 for a, length in enumerate(x.shape)]
    return y * (1 if gamma is None else gamma.reshape(wide)) + (0 if beta is None else beta.reshape(wide))


@pytest.mark.parametrize("g", SAMPLE, ids=lambda g: "-".join(map(str, g.values())))
def test_every_geometry(g):
    rng = np.random.default_rng(SAMPLE.index(g))
    shape = (g["n"], g["h"], g["w"], g["c"])
    x = rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)  # none near 0, where the slope is 1 / sqrt(epsilon)
    gamma, beta = parameters(rng, *(shape[a] for a in np.atleast_1d(g["axis"])))
    op = {"layer": layer_norm, "rms": rms_norm, "unit": unit_norm}[g["op"]]
    moves = {"axis": g["axis"], "epsilon": g["epsilon"]}

    def slow(x, *own):
        return all_at_once(x, *own, op=g["op"], **moves)

    # A vector of one value is 0, and the gradient too, but for roundings of dy times 1 / sqrt(epsilon), which is 316.
    tol = 2e-4 if np.prod(gamma.shape) == 1 else None
    if g["center"] and not g["scale"]:
        check_op(lambda x, beta: op(x, None, beta, **moves), lambda x, beta: slow(x, None, beta), x, beta, tol=tol)
    else:
        own = (gamma, beta)[: g["scale"] + g["center"]]
        check_op(lambda *given: op(*given, **moves), slow, x, *own, tol=tol)
