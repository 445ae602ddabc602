import numpy as np
import pytest

from fastnn import ops
from fastnn.autograd import GradientTape, vjp
from fastnn.testing import check_op

KEYS = [
    0,
    -1,
    slice(1, 3),
    slice(None, None, -2),
    (1, 2),
    (1, 2, 3),
    (slice(None), 1),
    (..., 0),
    (None, 1, ..., slice(2)),
    (slice(1, 1), ...),
    ...,
    (),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_basic_keys(rng, key):
    x = rng.standard_normal((2, 3, 4)) if key != slice(1, 3) else rng.standard_normal((4, 3, 2))
    check_op(ops.getitem, lambda a, key: a[key], x, key=key, linear=[0])


@pytest.mark.parametrize("key", [np.array([1, 0, 1]), [2, -1], np.array([[0], [1]])], ids=str)
def test_one_array_of_integers_takes_rows(rng, key):
    check_op(lambda a: ops.getitem(a, key), lambda a: a[key], rng.standard_normal((3, 4)), linear=[0])


def test_a_basic_key_gives_a_view():
    x = np.zeros((3, 4), np.float32)
    assert np.shares_memory(ops.getitem(x, (1, slice(2))), x)


def test_tensors_are_indexed_by_brackets():
    with GradientTape() as tape:
        x = tape.watch(np.arange(6.0).reshape(2, 3))
        y = x[1, ::2] * x[0, 1]
    dx = tape.gradient(y, x)
    np.testing.assert_array_equal(dx, [[0, 8, 0], [1, 0, 1]])


@pytest.mark.parametrize("key", [np.array([True, False]), (np.array([0]), 1), True, 1.5, "a"], ids=str)
def test_other_keys_are_refused(key):
    with pytest.raises(TypeError, match=r"\[getitem\] expected integers, slices, None and Ellipsis, or one array"):
        ops.getitem(np.zeros((2, 3)), key)


def test_a_key_that_does_not_fit_is_refused():
    with pytest.raises(IndexError, match=r"\[getitem\] expected a key for shape \(2, 3\), got \(2, Ellipsis\)"):
        ops.getitem(np.zeros((2, 3)), 2)


def test_parts_used_twice_get_both_gradients():
    _, pullback = vjp(lambda x: ops.getitem(x, 0) + ops.getitem(x, slice(1)), np.ones((2, 2)))
    np.testing.assert_array_equal(pullback(np.ones((1, 2)))[0], [[2, 2], [0, 0]])
