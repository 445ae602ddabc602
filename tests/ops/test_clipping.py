"""Norms of runs of a flat buffer, and the factors that bring them below a limit."""

import numpy as np
import pytest

import fastnn
from fastnn import _core


def norms(g, runs):
    squares = np.full(len(runs), -1.0)
    _core.squared_norms(g, squares, np.array(runs))
    return squares


def factors(squares, limit=1.0, factor=1.0, joint=False):
    scales = np.full(len(squares), -1.0)
    _core.clip_factors(np.array(squares), scales, limit, factor, joint)
    return scales


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 15, 16, 17, 33, 2049, 70_001])
def test_squared_norms_are_sums_of_squares(rng, length, dtype):
    g = rng.standard_normal(length + 5).astype(dtype)
    expected = np.sum(g[3 : 3 + length].astype(np.float64) ** 2)
    (found,) = norms(g, [[3, length, 1]])
    np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype == "float32" else 1e-14)


def test_every_run_has_its_own_norm_and_what_lies_between_has_none():
    g = np.array([1.0, 2.0, 100.0, 3.0, np.nan])
    np.testing.assert_array_equal(norms(g, [[0, 2, 1], [3, 1, 0], [1, 0, 1]]), [5.0, 9.0, 0.0])


def test_a_million_equal_squares_add_up_in_float32():
    (found,) = norms(np.full(1_000_000, 0.1, np.float32), [[0, 1_000_000, 1]])
    np.testing.assert_allclose(found, 1e6 * np.float64(np.float32(0.1)) ** 2, rtol=1e-6)


def test_same_bits_at_any_thread_count(rng):
    g = rng.standard_normal(300_001).astype("float32")
    found = set()
    for n in (1, 2, 3, 8):
        with fastnn.threads(n):
            found.add(norms(g, [[1, 300_000, 1]]).tobytes())
    assert len(found) == 1


def test_factors_leave_small_norms_alone_and_cut_large_ones():
    np.testing.assert_allclose(factors([0.0, 1.0, 4.0, 9.0], limit=2.0), [1, 1, 1, 2 / 3])
    np.testing.assert_allclose(factors([4.0, 9.0], limit=2.0, factor=0.5), [0.5, 0.5])  # norms 1 and 1.5
    np.testing.assert_allclose(factors([4.0, 9.0], limit=1.2, factor=0.5), [0.5, 0.5 * 1.2 / 1.5])


def test_joint_factors_are_those_of_the_norm_of_all():
    np.testing.assert_allclose(factors([9.0, 16.0], limit=2.0, joint=True), [0.4, 0.4])
    np.testing.assert_allclose(factors([9.0, 16.0], limit=6.0, joint=True), [1.0, 1.0])


def test_lost_norms_are_seen():
    found = factors([np.inf, np.nan, 4.0])
    assert found[0] == 0 and np.isnan(found[1]) and found[2] == 0.5
    assert np.isnan(factors([np.inf, 1.0], joint=True)).all()
    assert np.isnan(factors([np.nan, 1.0], joint=True)).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\[squared_norms\] expected squares of 2 elements, got 1"):
        _core.squared_norms(np.ones(4), np.zeros(1), np.array([[0, 2, 1], [2, 2, 1]]))
    with pytest.raises(ValueError, match=r"\[squared_norms\] expected runs inside the buffer"):
        _core.squared_norms(np.ones(4), np.zeros(1), np.array([[2, 3, 1]]))
    with pytest.raises(ValueError, match=r"\[clip_factors\] expected scales of 2 elements, got 1"):
        _core.clip_factors(np.ones(2), np.zeros(1), 1.0, 1.0, False)
    with pytest.raises(TypeError, match=r"\[clip_factors\] expected squares of float64, got float32"):
        _core.clip_factors(np.ones(2, "float32"), np.zeros(2), 1.0, 1.0, False)
