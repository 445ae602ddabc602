"""Sums and moving averages over runs of flat buffers."""

import numpy as np
import pytest

from fastnn import _core

LENGTHS = [0, 1, 7, 8, 9, 15, 16, 17, 33, 70_001]


def inside(length):
    """A buffer with room before and behind, and the run in it."""
    return np.arange(length + 6) % 7 + 1.0, np.array([[2, length, 1]]), slice(2, 2 + length)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length", LENGTHS)
def test_accumulate_adds_inside_its_runs(rng, length, dtype):
    total, runs, part = inside(length)
    total = total.astype(dtype)
    x = rng.standard_normal(total.size).astype(dtype)
    expected = total.copy()
    expected[part] += x[part]
    _core.accumulate(total, x, runs)
    np.testing.assert_array_equal(total, expected)
    expected[part] = 0
    _core.accumulate(total, None, runs)
    np.testing.assert_array_equal(total, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length", LENGTHS)
def test_averages_move_inside_their_runs(rng, length, dtype):
    average, runs, part = inside(length)
    average = average.astype(dtype)
    x = rng.standard_normal(average.size).astype(dtype)
    expected = average.astype(np.float64)
    expected[part] = 0.9 * expected[part] + 0.1 * x[part]
    _core.move_average(average, x, runs, np.array([2]), 0.9)
    np.testing.assert_allclose(average, expected, rtol=1e-6 if dtype == "float32" else 1e-14, atol=1e-7)


@pytest.mark.parametrize(("step", "momentum"), [(1, 0.9), (0, 0.9), (5, 0.0)])
def test_the_first_average_and_one_without_momentum_are_the_value_itself(step, momentum):
    average, x = np.array([np.nan, 5.0, 5.0]), np.array([1.0, 2.0, 3.0])
    _core.move_average(average, x, np.array([[0, 2, 1]]), np.array([step]), momentum)
    np.testing.assert_array_equal(average, [1.0, 2.0, 5.0])


def test_what_does_not_fit_is_refused():
    runs = np.array([[0, 4, 1]])
    with pytest.raises(ValueError, match=r"\[accumulate\] expected x of shape \(4,\), got \(3,\)"):
        _core.accumulate(np.ones(4), np.ones(3), runs)
    with pytest.raises(ValueError, match=r"\[accumulate\] expected runs inside the buffer"):
        _core.accumulate(np.ones(3), None, runs)
    with pytest.raises(TypeError, match=r"\[move_average\] expected x of float64, got float32"):
        _core.move_average(np.ones(4), np.ones(4, "float32"), runs, np.array([1]), 0.5)
    with pytest.raises(ValueError, match=r"\[move_average\] expected step of 1 elements"):
        _core.move_average(np.ones(4), np.ones(4), runs, np.array([1, 2]), 0.5)
