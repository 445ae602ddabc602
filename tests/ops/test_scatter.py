import numpy as np
import pytest

from fastnn import Input, Model, ops
from fastnn.testing import check_op


@pytest.fixture
def isa():
    """Made of `take` and its gradient, which have tests on every instruction set."""


def test_sums_of_segments(rng):
    data, ids = rng.standard_normal((6, 3)), np.array([2, 0, 2, 2, 4, 0])

    def reference(x, segments):
        y = np.zeros((5, 3))
        for row, s in zip(x, segments, strict=True):
            y[s] += row
        return y

    check_op(lambda x, s: ops.segment_sum(x, s), reference, data, ids, linear=(0,))
    assert ops.segment_sum(data, ids, 7).shape == (7, 3)
    assert ops.segment_sum(np.zeros((0, 2), "float32"), np.zeros(0, int)).shape == (0, 2)
    for bad in ([0, 5], [-1, 0]):
        with pytest.raises(ValueError, match=r"\[segment_sum\] expected segment_ids in \[0, 5\)"):
            ops.segment_sum(np.zeros((2, 1), "float32"), np.array(bad), 5)
    with pytest.raises(ValueError, match=r"expected segment_ids of shape \(2,\), got \(3,\)"):
        ops.segment_sum(np.zeros((2, 1), "float32"), np.array([0, 1, 2]))


def test_scatter_adds_what_comes_twice(rng):
    indices, values = np.array([[1, 2], [0, 0], [1, 2]]), rng.standard_normal((3, 4))

    def reference(x):
        y = np.zeros((2, 3, 4))
        for at, row in zip(indices, x, strict=True):
            y[tuple(at)] += row
        return y

    check_op(lambda x: ops.scatter(indices, x, (2, 3, 4)), reference, values, linear=(0,))
    np.testing.assert_array_equal(ops.scatter([[3], [1]], np.array([5.0, 7.0]), (5,)), [0, 7, 0, 5, 0])
    with pytest.raises(ValueError, match=r"\[scatter\] expected indices in \[0, \(5,\)\)"):
        ops.scatter([[5]], np.array([1.0]), (5,))


@pytest.mark.parametrize("reduction", [None, "add", "max", "min", "mul"])
def test_scatter_update(rng, reduction):
    x, updates, indices = rng.standard_normal((4, 3)), rng.standard_normal((5, 3)), np.array([[1], [3], [1], [0], [1]])
    combine = {None: lambda a, b: b, "add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}[reduction]

    def reference(x, updates):
        y = x.copy()
        for (at,), row in zip(indices, updates, strict=True):
            y[at] = combine(y[at], row)
        return y

    check_op(lambda x, u: ops.scatter_update(x, indices, u, reduction), reference, x, updates)
    with pytest.raises(ValueError, match="expected reduction None, add, max, min or mul, got 'sum'"):
        ops.scatter_update(x, indices, updates, "sum")


def test_slices(rng):
    x, part = rng.standard_normal((5, 4)), rng.standard_normal((2, 3))
    check_op(lambda x: ops.slice(x, (2, 1), (2, 3)), lambda x: x[2:4, 1:4], x, linear=(0,))

    def reference(x, part):
        y = x.copy()
        y[1:3, 1:] = part
        return y

    check_op(lambda x, part: ops.slice_update(x, (1, 1), part), reference, x, part)
    np.testing.assert_array_equal(ops.slice(x, (9, -9), (2, 3)), x[3:, :3])  # as near as it can be
    np.testing.assert_array_equal(ops.slice(x, (-4, -2), (2, 2)), x[1:3, 2:])
    np.testing.assert_array_equal(ops.slice(x, (-2, -1), (-1, 2)), x[3:, 2:])
    np.testing.assert_array_equal(ops.slice_update(x, (-4, -3), part), reference(x, part))
    np.testing.assert_array_equal(ops.slice(x, (3, 0), (-1, 2)), x[3:, :2])
    for shape in ((6, 1), (-2, 1), (1,)):
        with pytest.raises(ValueError, match=r"\[slice\] expected starts and a part for each axis of \(5, 4\)"):
            ops.slice(x, (0, 0), shape)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_take_along_axis(rng, axis):
    x = rng.standard_normal((3, 4, 2))
    indices = rng.integers(-2, 2, (3, 4, 2) if axis is not None else 5)
    check_op(
        lambda x: ops.take_along_axis(x, indices, axis),
        lambda x: np.take_along_axis(x, indices, axis),
        x,
        linear=(0,),
    )


def test_take_along_axis_broadcasts_and_refuses(rng):
    x, order = rng.standard_normal((3, 4)), np.array([[2, 0]])
    np.testing.assert_array_equal(ops.take_along_axis(x, order, 1), np.take_along_axis(x, np.tile(order, (3, 1)), 1))
    with pytest.raises(ValueError, match=r"\[take_along_axis\] expected indices in \[-4, 4\), got 4 to 4"):
        ops.take_along_axis(x, np.array([[4]]), 1)
    with pytest.raises(ValueError, match="expected integer indices with 2 axes"):
        ops.take_along_axis(x, np.array([1]), 1)


def test_in_a_graph():
    x = Input((4,))
    model = Model(x, ops.slice(ops.take_along_axis(x, np.array([[3, 0]]), 1), (0, 0), (2, 1)))
    np.testing.assert_array_equal(model(np.arange(8.0).reshape(2, 4)), [[3], [7]])
