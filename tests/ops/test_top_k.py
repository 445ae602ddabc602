import numpy as np
import pytest

from fastnn import ops, vjp
from fastnn.testing import check_op, covering_sample, missing_pairs


@pytest.mark.parametrize(("n", "k"), [(1, 1), (7, 3), (8, 8), (17, 1), (33, 5), (100, 20), (5, 0), (0, 0)])
def test_values_and_places_are_those_of_a_sort(rng, n, k):
    x = rng.standard_normal((3, n))
    check_op(lambda x: ops.top_k(x, k)[0], lambda x: -np.sort(-x, axis=-1)[:, :k], x)
    for dtype in (np.float32, np.float64, np.int32):
        rounded = np.round(3 * x).astype(dtype)
        values, places = ops.top_k(rounded, k)
        expected = np.argsort(-rounded, axis=-1, kind="stable")[:, :k]
        np.testing.assert_array_equal(places, expected)
        assert values.dtype == dtype and places.dtype == np.int64
        np.testing.assert_array_equal(values, np.take_along_axis(rounded, expected, -1))


FACTORS = {
    "n": [0, 1, 3, 32],
    "width": [1, 2, 7, 16, 17, 33, 100],
    "share": [0, 0.01, 0.5, 1],
    "values": ["any", "few", "sorted"],
    "dtype": ["float32", "float64", "int32", "uint8"],
    "axes": [1, 2],
}
SAMPLE = covering_sample(FACTORS, count=44)


def test_every_pair_of_settings_is_in_the_sample():
    assert not missing_pairs(FACTORS, SAMPLE)


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: "-".join(map(str, case.values())))
def test_the_largest_of_every_row(rng, case):
    x = 50 + 20 * rng.standard_normal((case["n"], *[2] * (case["axes"] - 1), case["width"]))
    if case["values"] == "few":
        x = np.round(x / 20) * 20
    x = (np.sort(x) if case["values"] == "sorted" else x).clip(0, 255).astype(case["dtype"])
    k = int(np.ceil(case["share"] * case["width"]))
    values, places = ops.top_k(x, k)
    for at in np.ndindex(x.shape[:-1]):
        left = list(range(case["width"]))
        for rank in range(k):
            best = max(left, key=lambda place: (x[at][place], -place))
            left.remove(best)
            assert places[at][rank] == best
            assert values[at][rank] == x[at][best]
    assert values.shape == places.shape == (*x.shape[:-1], k) and values.dtype == x.dtype
    if x.dtype.kind == "f" and k:
        y, pullback = vjp(lambda x: ops.top_k(x, k)[0], x)
        dy = rng.standard_normal(y.shape).astype(x.dtype)
        dx = np.zeros_like(x)
        np.put_along_axis(dx, places, dy, -1)
        np.testing.assert_array_equal(pullback(dy)[0], dx)


def test_nan_counts_as_less_than_everything():
    x = np.array([np.nan, 1, -np.inf, np.nan, 3, 2] + [0.0] * 20, np.float32)
    values, places = ops.top_k(x, 3)
    np.testing.assert_array_equal(values, [3, 2, 1])
    np.testing.assert_array_equal(places, [4, 5, 1])
    values, places = ops.top_k(x, len(x))
    np.testing.assert_array_equal(places[-3:], [2, 0, 3])
    assert np.isnan(values[-2:]).all() and np.isneginf(values[-3])


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"\[top_k\] expected k in \[0, 3\], got 4"):
        ops.top_k(np.zeros((2, 3)), 4)
    with pytest.raises(ValueError, match=r"\[top_k\] expected x with at least 1 axis, got a scalar"):
        ops.top_k(1.0, 1)
    with pytest.raises(TypeError):
        ops.top_k(np.zeros(3), 1.5)


def test_integers_that_floats_have_not_got_keep_their_order_and_their_values():
    big = 2**62
    for dtype in (np.int64, np.uint64):
        x = np.array([[big, big + 1, big + 1, 3], [big + 3, big + 2, big + 1, big]]).astype(dtype)
        values, places = ops.top_k(x, 2)
        np.testing.assert_array_equal(places, [[1, 2], [0, 1]])
        np.testing.assert_array_equal(values, [[big + 1, big + 1], [big + 3, big + 2]])
        assert values.dtype == dtype and places.dtype == np.int64
        with pytest.raises(ValueError, match=r"\[top_k\] expected k in \[0, 4\], got 5"):
            ops.top_k(x, 5)
    lowest = np.array([np.iinfo(np.int64).min, 0, np.iinfo(np.int64).max])
    assert ops.top_k(lowest, 3)[1].tolist() == [2, 1, 0]
