import numpy as np
import pytest

from fastnn import backend, ops, vjp
from fastnn.backend import kernels, unary_codes
from fastnn.ops import batch_norm, batch_norm_inference, batch_normalization
from fastnn.testing import check_op, covering_sample, missing_pairs

ACTIVATIONS = {
    None: lambda z: z,
    "relu": lambda z: z * (z > 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.2 * z),
    "relu6": lambda z: np.clip(z, 0, 6),
    "silu": lambda z: z / (1 + np.exp(-z)),
}


def reference(x, gamma=1.0, beta=0.0, axis=-1, epsilon=1e-3, activation=None, mask=None):
    """Channel by channel, statistics of the plain list of what counts."""
    x = np.moveaxis(x, axis, -1)
    gamma, beta = (np.broadcast_to(p, x.shape[-1:]) for p in (gamma, beta))
    y = np.empty(x.shape)
    for c in range(x.shape[-1]):
        counted = x[..., c].ravel() if mask is None else x[..., c][mask]
        mean = sum(counted) / len(counted)
        variance = sum((counted - mean) ** 2) / len(counted)
        y[..., c] = ACTIVATIONS[activation]((x[..., c] - mean) / np.sqrt(variance + epsilon) * gamma[c] + beta[c])
    return np.moveaxis(y, -1, axis)


def given_reference(x, gamma, beta, mean, variance, axis=-1, epsilon=1e-3, activation=None):
    x = np.moveaxis(x, axis, -1)
    return np.moveaxis(ACTIVATIONS[activation]((x - mean) * gamma / np.sqrt(variance + epsilon) + beta), -1, axis)


@pytest.fixture(autouse=True)
def threads():
    before = backend.get_num_threads()
    yield
    backend.set_num_threads(before)


def parameters(rng, channels):
    return rng.uniform(0.5, 2, channels), rng.standard_normal(channels)


# Channels around the vector widths and the strips of 64 columns; few rows, and more than share one shift (64).
@pytest.mark.parametrize(
    ("rows", "channels"),
    [(5, 1), (3, 7), (2, 8), (9, 3), (4, 15), (7, 16), (3, 17), (6, 33), (2, 65), (70, 2), (131, 3), (16, 100)],
)
def test_matches_reference(rng, rows, channels):
    x = 1 + 2 * rng.standard_normal((rows, channels))
    check_op(batch_norm, reference, x, *parameters(rng, channels))


@pytest.mark.parametrize("shape", [(4, 3, 2, 5), (2, 6, 5), (7, 4)])
def test_any_number_of_axes(rng, shape):
    check_op(batch_norm, reference, rng.standard_normal(shape), *parameters(rng, shape[-1]))


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_over_other_axes(rng, axis):
    x = rng.standard_normal((3, 4, 5))
    check_op(batch_norm, reference, x, *parameters(rng, x.shape[axis]), axis=axis)
    center, spread = rng.standard_normal(x.shape[axis]), rng.uniform(0.5, 2, x.shape[axis])
    check_op(batch_norm_inference, given_reference, x, *parameters(rng, x.shape[axis]), center, spread, axis=axis)


def test_without_scale_or_shift(rng):
    x, (gamma, beta) = rng.standard_normal((6, 5)), parameters(rng, 5)
    check_op(batch_norm, reference, x)
    check_op(batch_norm, reference, x, gamma)
    check_op(lambda x, beta: batch_norm(x, None, beta), lambda x, beta: reference(x, beta=beta), x, beta)


def away_from_kinks(rng, activation, rows=9, channels=5):
    """x, gamma and beta for which no value before the activation lies within 0.02 of 0 or 6."""
    while True:
        x, (gamma, beta) = rng.standard_normal((rows, channels)), parameters(rng, channels)
        gamma *= 3
        z = reference(x, gamma, beta)
        if activation == "silu" or min(np.abs(z).min(), np.abs(z - 6).min()) > 0.02:
            return x, gamma, beta


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS, key=str))
def test_activations(rng, activation):
    x, gamma, beta = away_from_kinks(rng, activation)
    check_op(batch_norm, reference, x, gamma, beta, activation=activation)
    mean, variance = x.mean(axis=0), x.var(axis=0)
    check_op(
        batch_norm_inference, given_reference, x, gamma, beta, mean, variance, activation=activation, wrt=(0, 1, 2)
    )


# What is fused has the bits of the two ops one after the other, so a model may use either.
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "relu6", "silu"])
@pytest.mark.parametrize("op", [batch_norm, batch_norm_inference])
def test_a_fused_activation_has_the_bits_of_the_op_of_that_name(rng, op, activation):
    x, dy = (rng.standard_normal((300, 40)).astype("float32") for _ in range(2))
    given = [rng.uniform(0.5, 2, 40).astype("float32") for _ in range(4)]
    weights = given[:2] if op is batch_norm else given
    y, pullback = vjp(lambda *a: op(*a, activation=activation), x, *weights[:2], *weights[2:])
    expected, apart = vjp(lambda *a: getattr(ops, activation)(op(*a)), x, *weights)
    np.testing.assert_array_equal(y, expected)
    for got, wanted in zip(pullback(dy), apart(dy), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_given_statistics_have_gradients(rng):
    x, (gamma, beta) = rng.standard_normal((6, 2, 5)), parameters(rng, 5)
    mean, variance = rng.standard_normal(5), rng.uniform(0.5, 2, 5)
    check_op(batch_norm_inference, given_reference, x, gamma, beta, mean, variance)
    check_op(
        lambda x, m, v, b, g: batch_normalization(x, m, v, -1, b, g, 1e-2),
        lambda x, m, v, b, g: given_reference(x, g, b, m, v, epsilon=1e-2),
        *(x, mean, variance, beta, gamma),
    )
    check_op(
        lambda x, m, v: batch_normalization(x, m, v, 0),
        lambda x, m, v: given_reference(x, 1.0, 0.0, m, v, axis=0),
        *(rng.standard_normal((4, 3)), rng.standard_normal(4), rng.uniform(0.5, 2, 4)),
    )


@pytest.mark.parametrize("rows", [7, 150])
def test_masked_rows_are_normalised_but_do_not_count(rng, rows):
    x, (gamma, beta) = rng.standard_normal((2, rows, 5)), parameters(rng, 5)
    mask = rng.random((2, rows)) < 0.6
    check_op(batch_norm, reference, x, gamma, beta, mask=mask)


def test_a_mask_of_all_is_none(rng):
    x, dy = (rng.standard_normal((90, 5)) for _ in range(2))
    expected, expected_pullback = vjp(batch_norm, x)
    y, pullback = vjp(lambda x: batch_norm(x, mask=np.ones(90, bool)), x)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(pullback(dy)[0], expected_pullback(dy)[0], rtol=1e-12, atol=1e-12)


def test_where_nothing_counts_statistics_are_0_and_moving_ones_stay(rng):
    x, moving = rng.standard_normal((4, 3)).astype("float32"), [np.full(3, v, "float32") for v in (2.0, 3.0)]
    y = batch_norm(x, None, None, *moving, mask=np.zeros(4, bool), epsilon=0.25)
    np.testing.assert_allclose(y, x / 0.5, rtol=1e-6)
    assert [m.tolist() for m in moving] == [[2.0] * 3, [3.0] * 3]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moving_statistics_follow(rng, dtype):
    x = (3 + rng.standard_normal((200, 5))).astype(dtype)
    mean, variance = np.arange(5, dtype=dtype), np.arange(1, 6, dtype=dtype)
    expected = 0.9 * mean + 0.1 * x.mean(0, np.float64), 0.9 * variance + 0.1 * x.var(0, np.float64)
    batch_norm(x, None, None, mean, variance, momentum=0.9)
    for got, wanted in zip((mean, variance), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("offset", [0.0, 1e4, -3e6])
def test_variance_far_from_zero(rng, offset):
    """The sum of squares about 0 would have no right digit here: (3e6)^2 has an ulp of 10^6 in float32."""
    x = (offset + np.round(8 * rng.standard_normal((1000, 3)))).astype("float32")
    _, mean, inverse = kernels(x).batch_norm(x, None, None, None, None, None, 0.0, 0.0)
    np.testing.assert_allclose(mean, x.mean(0, np.float64), rtol=1e-7, atol=1e-6)
    np.testing.assert_allclose(inverse, 1 / x.std(0, dtype=np.float64), rtol=1e-6)


def test_the_worst_first_row(rng):
    """A block is shifted by its first row; the farthest that can be from the mean costs 6 bits and no more."""
    x = rng.standard_normal((64, 4)).astype("float32")
    x[0] += 1e6
    _, _, inverse = kernels(x).batch_norm(x, None, None, None, None, None, 0.0, 0.0)
    np.testing.assert_allclose(inverse, 1 / x.std(0, dtype=np.float64), rtol=64 * 2**-22)


@pytest.mark.parametrize("shape", [(3, 300, 7), (5000, 16), (40, 3000)])
def test_same_bits_at_any_thread_count(rng, shape):
    x, dy = (rng.standard_normal(shape).astype("float32") for _ in range(2))
    gamma, beta = (p.astype("float32") for p in parameters(rng, shape[-1]))
    results = []
    for threads in (1, 2, 3, 8):
        backend.set_num_threads(threads)
        y, pullback = vjp(lambda *given: batch_norm(*given, activation="relu"), x, gamma, beta)
        results.append((y, *pullback(dy)))
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


def test_many_rows_match_reference(rng):
    """Several blocks, each of them more than one shift, and rows that are left over: 21 lie side by side."""
    x, (gamma, beta) = rng.standard_normal((40003, 3)), parameters(rng, 3)
    dy = rng.standard_normal(x.shape)
    y, pullback = vjp(batch_norm, x, gamma, beta)
    xhat = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
    np.testing.assert_allclose(y, xhat * gamma + beta, rtol=1e-10, atol=1e-10)
    dx, dgamma, dbeta = pullback(dy)
    np.testing.assert_allclose(dbeta, np.einsum("rc->c", dy), rtol=1e-10)
    np.testing.assert_allclose(dgamma, np.einsum("rc,rc->c", dy, xhat), rtol=1e-10)
    through = dy - dy.mean(0) - xhat * np.mean(dy * xhat, axis=0)
    np.testing.assert_allclose(dx, gamma / np.sqrt(x.var(0) + 1e-3) * through, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3)])
def test_empty(shape):
    x, moving = np.zeros(shape, "float32"), np.full(shape[-1], 2, "float32")
    y, pullback = vjp(lambda x, g, b: batch_norm(x, g, b, moving, moving.copy()), x, moving, moving)
    dx, dgamma, dbeta = pullback(x)
    assert y.shape == dx.shape == shape
    np.testing.assert_array_equal(moving, 2)
    np.testing.assert_array_equal(dgamma, 0)
    np.testing.assert_array_equal(dbeta, 0)


def test_one_row_is_its_own_mean():
    x = np.array([[3.0, -1.0]], "float32")
    np.testing.assert_array_equal(batch_norm(x, None, np.array([1, 2], "float32")), [[1.0, 2.0]])


def test_a_nan_spoils_its_channel_alone(rng):
    x = rng.standard_normal((5, 3)).astype("float32")
    x[2, 1] = np.nan
    assert np.isnan(batch_norm(x)).sum(axis=0).tolist() == [0, 5, 0]


def test_gradients_go_where_they_are_wanted(rng):
    x, dy = (rng.standard_normal((6, 4)).astype("float32") for _ in range(2))
    gamma, beta = (p.astype("float32") for p in parameters(rng, 4))
    run = kernels(x)
    _, mean, inverse = run.batch_norm(x, gamma, beta, None, None, None, 0.9, 1e-3)
    every = run.batch_norm_backward(x, gamma, beta, None, mean, inverse, dy)
    flat = np.full(8, np.nan, "float32")
    linear = unary_codes["linear"], 0.0, 0.0, 0.0
    wanted = False, True, True, flat[:4], flat[4:]
    some = run.batch_norm_backward(x, gamma, beta, None, mean, inverse, dy, False, *linear, *wanted)
    assert some[0] is None
    np.testing.assert_array_equal(flat[:4], every[1])
    np.testing.assert_array_equal(flat[4:], every[2])


def test_out_is_filled_and_returned(rng):
    x = rng.standard_normal((3, 5, 2)).astype("float32")
    for axis in (-1, 1):
        out = np.empty_like(x)
        assert batch_norm(x, axis=axis, out=out) is out
        np.testing.assert_array_equal(out, batch_norm(x, axis=axis))


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((zeros(4, 3), zeros(2)), {}, r"\[batch_norm\] expected gamma of shape \(3,\), got \(2,\)"),
        ((zeros(4, 3), None, zeros(3, 1)), {}, r"\[batch_norm\] expected beta of shape \(3,\), got \(3, 1\)"),
        ((zeros(),), {}, r"\[batch_norm\] expected x with at least 1 axis, got a scalar"),
        ((zeros(4, 3),), {"axis": 2}, r"\[batch_norm\] expected axis in \[-2, 2\), got 2"),
        ((zeros(4, 3),), {"activation": "tanh"}, r"expected activation None or one of linear, relu, .*, got 'tanh'"),
        ((zeros(4, 3), None, None, zeros(2)), {}, r"expected moving_mean of shape \(3,\), got \(2,\)"),
        ((zeros(4, 3),), {"mask": zeros(4, 3)}, r"expected a mask of one axis less than x, .* got mask \(4, 3\)"),
        ((zeros(4, 3),), {"mask": zeros(4), "axis": 0}, r"and axis the last, got .* and axis 0"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        batch_norm(*arguments, **options)


def test_moving_statistics_of_another_type_or_read_only_are_refused():
    fixed = zeros(3)
    fixed.flags.writeable = False
    with pytest.raises(TypeError, match=r"\[batch_norm\] expected moving_mean of float32, got float64"):
        batch_norm(zeros(4, 3), None, None, np.zeros(3))
    with pytest.raises(ValueError, match=r"expected moving_mean as a dense, writable array, got one that is not"):
        batch_norm(zeros(4, 3), None, None, fixed)


def test_backward_refuses_another_dy():
    with pytest.raises(ValueError, match=r"\[batch_norm_backward\] expected dy of shape \(4, 3\), got \(4, 2\)"):
        kernels(zeros()).batch_norm_backward(zeros(4, 3), None, None, None, zeros(3), zeros(3), zeros(4, 2))


FACTORS = {
    "c": [1, 3, 8, 15, 16, 17, 64],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
    "statistics": ["batch", "masked", "given"],
    "axis": [-1, 1],
    "scale": [False, True],
    "center": [False, True],
    "epsilon": [1e-3, 1e-5],
    "activation": [None, "relu", "silu"],
}


def fits(c, h, w, n, statistics, axis, **flags):
    return max(n, 1) * h * w * c < 6_000 and (axis == -1 or statistics != "masked")


SAMPLE = covering_sample(FACTORS, fits, count=70)


def test_the_sample_holds_every_pair_of_values_that_fits():
    assert missing_pairs(FACTORS, SAMPLE) == {(("statistics", "masked"), ("axis", "1"))}


def of_columns(x, gamma, beta, mean=None, variance=None, *, mask=None, axis, epsilon, activation):
    """As reference and given_reference, all channels at once."""
    if not x.size:
        return x
    wide, others = [1] * x.ndim, tuple(a for a in range(x.ndim) if a != axis % x.ndim)
    wide[axis] = -1
    if mean is None:
        counts = np.ones(x.shape) if mask is None else np.broadcast_to(mask[..., None], x.shape)
        total = counts.sum(others)
        mean = (x * counts).sum(others) / total
        variance = ((x - mean.reshape(wide)) ** 2 * counts).sum(others) / total
    z = (x - mean.reshape(wide)) / np.sqrt(variance + epsilon).reshape(wide)
    z = z * (1 if gamma is None else gamma.reshape(wide)) + (0 if beta is None else beta.reshape(wide))
    return ACTIVATIONS[activation](z)


@pytest.mark.parametrize("g", SAMPLE, ids=lambda g: "-".join(map(str, g.values())))
def test_every_geometry(g):
    rng = np.random.default_rng(SAMPLE.index(g))
    shape = (g["n"], g["h"], g["w"], g["c"]) if g["axis"] == -1 else (g["n"], g["c"], g["h"], g["w"])
    own = [p if flag else None for p, flag in zip(parameters(rng, g["c"]), (g["scale"], g["center"]), strict=True)]
    options = {name: g[name] for name in ("axis", "epsilon", "activation")}
    given = (rng.standard_normal(g["c"]), rng.uniform(0.5, 2, g["c"])) if g["statistics"] == "given" else ()
    fixed = {"mask": rng.random(shape[:-1]) < 0.7} if g["statistics"] == "masked" and g["n"] else {}
    while True:  # until nothing before an activation is so near to 0 that a difference or a rounding moves it across
        x = 1 + 2 * rng.standard_normal(shape)
        z = of_columns(x, *own, *given, **fixed, **options | {"activation": None})
        if g["activation"] != "relu" or np.abs(z).min(initial=1) > 2e-5 or np.abs(z).max(initial=0) == 0:
            break
    arrays = [x, *(p for p in own if p is not None), *given]

    def placed(function):
        def call(x, *rest, **options):
            rest = list(rest)
            both = [rest.pop(0) if p is not None else None for p in own]
            return function(x, *both, *rest, **options)

        return call

    op = batch_norm_inference if given else batch_norm
    check_op(placed(op), placed(of_columns), *arrays, **fixed, **options)
