"""Properties of windows, padding and normalisation over geometries that are drawn, beside those that others chose.

References are nested loops over every output and every tap. The examples are the same in every run.
"""

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fastnn import ops, vjp
from fastnn.testing import check_op

few = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
seeds = st.integers(0, 2**32 - 1)
channels = st.sampled_from([1, 2, 3, 5, 8, 9, 16, 17])


@st.composite
def axes(draw):
    """(length, kernel, stride, dilation, (before, after)) of an axis on which at least one window fits."""
    kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    reach = (kernel - 1) * dilation + 1
    before, after = draw(st.integers(0, 3 * kernel)), draw(st.integers(0, 3 * kernel))
    length = draw(st.integers(max(1, reach - before - after), 9))
    return length, kernel, draw(st.integers(1, 4)), dilation, (before, after)


def starts(length, kernel, stride, dilation, sides):
    """First positions of the windows on the padded axis."""
    return range(0, length + sum(sides) - (kernel - 1) * dilation, stride)


def convolved(x, w, b=None, *, strides, padding, dilation_rate, groups):
    (n, h, width, c), (kh, kw, _, o) = x.shape, w.shape
    rows = starts(h, kh, strides[0], dilation_rate[0], padding[0])
    cols = starts(width, kw, strides[1], dilation_rate[1], padding[1])
    y = np.zeros((n, len(rows), len(cols), o))
    for i, top in enumerate(rows):
        for j, left in enumerate(cols):
            for k in range(kh):
                for m in range(kw):
                    p = top + k * dilation_rate[0] - padding[0][0]
                    q = left + m * dilation_rate[1] - padding[1][0]
                    if not (0 <= p < h and 0 <= q < width):
                        continue
                    for g in range(groups):
                        seen, made = (slice(g * s // groups, (g + 1) * s // groups) for s in (c, o))
                        y[:, i, j, made] += x[:, p, q, seen] @ w[k, m, :, made]
    return y if b is None else y + b


@few
@given(axes(), axes(), st.sampled_from([1, 2, 3]), st.integers(1, 3), st.integers(1, 6), st.integers(0, 2), seeds)
def test_convolution_is_the_sum_over_its_windows(h, w, groups, inside, out, n, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, h[0], w[0], inside * groups))
    kernel = rng.standard_normal((h[1], w[1], inside, out * groups))
    moves = {"strides": (h[2], w[2]), "padding": (h[4], w[4]), "dilation_rate": (h[3], w[3]), "groups": groups}
    check_op(ops.conv2d, convolved, x, kernel, rng.standard_normal(out * groups), **moves)
    check_op(ops.conv2d, convolved, x, kernel, wrt=(0,), linear=(0,), **moves)


@few
@given(axes(), axes(), channels, st.integers(1, 2), seeds)
def test_depthwise_convolution_is_one_with_as_many_groups(h, w, c, each, seed):
    rng = np.random.default_rng(seed)
    x, kernel = rng.standard_normal((2, h[0], w[0], c)), rng.standard_normal((h[1], w[1], c, each))
    moves = {"strides": (h[2], w[2]), "padding": (h[4], w[4]), "dilation_rate": (h[3], w[3])}

    def reference(x, kernel, **moves):
        return convolved(x, kernel.reshape(*kernel.shape[:2], 1, c * each), groups=c, **moves)

    check_op(ops.depthwise_conv2d, reference, x, kernel, linear=(0,), **moves)


@few
@given(axes(), axes(), st.integers(1, 6), st.integers(1, 9), seeds)
def test_transposed_convolution_is_the_adjoint(h, w, c, o, seed):
    """<y, conv(x)> = <conv_transpose(y), x>, with x as large as conv_transpose says."""
    rng = np.random.default_rng(seed)
    moves = {"strides": (h[2], w[2]), "dilation_rate": (h[3], w[3])}
    y = rng.standard_normal((2, h[0], w[0], o))
    kernel = rng.standard_normal((h[1], w[1], c, o))
    back = ops.conv_transpose2d(y, kernel, **moves)
    x = rng.standard_normal(back.shape)
    ahead = convolved(x, kernel, padding=((0, 0), (0, 0)), groups=1, **moves)[:, : h[0], : w[0]]
    np.testing.assert_allclose(np.vdot(ahead, y), np.vdot(back, x), rtol=1e-10, atol=1e-9)


def pooled(x, *, pool_size, strides, padding, of):
    (n, h, w, c), (kh, kw) = x.shape, pool_size
    rows, cols = (starts(*a, 1, p) for *a, p in zip((h, w), pool_size, strides, padding, strict=True))
    y = np.empty((n, len(rows), len(cols), c))
    for i, top in enumerate(rows):
        for j, left in enumerate(cols):
            places = [(top + k - padding[0][0], left + m - padding[1][0]) for k in range(kh) for m in range(kw)]
            y[:, i, j] = of(np.stack([x[:, p, q] for p, q in places if 0 <= p < h and 0 <= q < w]), axis=0)
    return y


@st.composite
def pooled_axes(draw):
    """(length, window, stride, (before, after)): no window in padding alone."""
    size, stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    before, after = draw(st.integers(0, size - 1)), draw(st.integers(0, size - 1))
    return draw(st.integers(max(1, size - before - after), 9)), size, stride, (before, after)


def pooling(h, w):
    return {"pool_size": (h[1], w[1]), "strides": (h[2], w[2]), "padding": (h[3], w[3])}


def no_window_in_padding_alone(h, w):
    return all(max(starts(a[0], a[1], a[2], 1, a[3])) < a[0] + a[3][0] for a in (h, w))


@few
@given(pooled_axes(), pooled_axes(), channels, st.integers(1, 3), seeds)
def test_the_largest_of_each_window_gets_its_gradient(h, w, c, n, seed):
    assume(no_window_in_padding_alone(h, w))
    spread = np.random.default_rng(seed).permutation(n * h[0] * w[0] * c).reshape(n, h[0], w[0], c) / 10
    check_op(ops.max_pool2d, lambda x, **g: pooled(x, of=np.max, **g), spread, **pooling(h, w))


@few
@given(pooled_axes(), pooled_axes(), channels, st.integers(1, 3), seeds)
def test_equal_elements_give_the_gradient_to_the_first(h, w, c, n, seed):
    """Values of which many are equal, and some not a number: dx by the rule that is documented."""
    assume(no_window_in_padding_alone(h, w))
    rng = np.random.default_rng(seed)
    x = rng.choice([0.0, 1.0, 2.0, -np.inf, np.nan], (n, h[0], w[0], c), p=[0.4, 0.25, 0.15, 0.15, 0.05])
    y, pullback = vjp(lambda x: ops.max_pool2d(x, **pooling(h, w)), x)
    dy = rng.integers(-8, 9, y.shape).astype(float)
    expected = np.zeros(x.shape)
    rows, cols = starts(h[0], h[1], h[2], 1, h[3]), starts(w[0], w[1], w[2], 1, w[3])
    for a, k, i, j in np.ndindex(n, c, len(rows), len(cols)):
        best = None
        for p in range(max(0, rows[i] - h[3][0]), min(h[0], rows[i] - h[3][0] + h[1])):
            for q in range(max(0, cols[j] - w[3][0]), min(w[0], cols[j] - w[3][0] + w[1])):
                v = x[a, p, q, k]
                if best is None or np.isnan(v) or v > x[a, *best, k]:
                    best = p, q
        expected[a, *best, k] += dy[a, i, j, k]
    (dx,) = pullback(dy)
    np.testing.assert_array_equal(dx, expected)


@few
@given(pooled_axes(), pooled_axes(), channels, st.integers(1, 3), seeds)
def test_means_are_those_of_each_window(h, w, c, n, seed):
    assume(no_window_in_padding_alone(h, w))
    x = np.random.default_rng(seed).standard_normal((n, h[0], w[0], c))
    check_op(ops.avg_pool2d, lambda x, **g: pooled(x, of=np.mean, **g), x, linear=(0,), **pooling(h, w))


@few
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=4),
    st.sampled_from(["constant", "edge", "reflect", "symmetric"]),
    seeds,
)
def test_padding_is_numpys(given, mode, seed):
    x = np.random.default_rng(seed).standard_normal([length for length, *_ in given])
    widths = [sides for _, *sides in given]
    check_op(ops.pad, lambda x, **options: np.pad(x, **options), x, linear=(0,), pad_width=widths, mode=mode)


def normalised(x, gamma, beta, axis, epsilon=1e-3):
    mean, variance = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


@few
@given(st.lists(st.integers(1, 7), min_size=1, max_size=3), st.integers(1, 40), seeds)
def test_normalisation_over_the_batch_and_over_the_channels(shape, c, seed):
    rng = np.random.default_rng(seed)
    x, gamma, beta = rng.standard_normal((*shape, c)), rng.standard_normal(c), rng.standard_normal(c)
    over_batch = tuple(range(len(shape)))
    check_op(ops.batch_norm, lambda x, g, b: normalised(x, g, b, over_batch), x, gamma, beta)
    check_op(ops.layer_norm, lambda x, g, b: normalised(x, g, b, -1), x, gamma, beta)


@few
@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(1, 9), seeds)
def test_normalisation_over_groups_of_channels(n, pixels, groups, each, seed):
    rng = np.random.default_rng(seed)
    c = groups * each
    x, gamma, beta = rng.standard_normal((n, pixels, c)), rng.standard_normal(c), rng.standard_normal(c)

    def reference(x, gamma, beta):
        parts = normalised(x.reshape(n, pixels, groups, each), 1, 0, (1, 3))
        return parts.reshape(n, pixels, c) * gamma + beta

    check_op(lambda *given: ops.group_norm(*given, groups=groups), reference, x, gamma, beta)
