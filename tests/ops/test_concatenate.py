import numpy as np
import pytest

from fastnn import backend, ops
from fastnn.autograd import vjp
from fastnn.testing import check_op


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize("lengths", [(1,), (7, 8), (9, 0, 15), (16, 17, 33)])
def test_concatenate(rng, axis, lengths):
    shapes = [(2, n) if axis in (1, -1) else (n, 2) for n in lengths]
    check_op(
        lambda *xs: ops.concatenate(xs, axis),
        lambda *xs: np.concatenate(xs, axis),
        *(rng.standard_normal(shape) for shape in shapes),
        linear=[0] if len(lengths) == 1 else (),
    )


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_stack(rng, axis):
    xs = rng.standard_normal((3, 2, 4))
    check_op(lambda *a: ops.stack(a, axis), lambda *a: np.stack(a, axis), *xs)


def test_large_arrays(rng):
    xs = [rng.standard_normal((3, n)).astype(np.float32) for n in (50_000, 1, 70_000)]
    before = backend.get_num_threads()
    for n in (1, 2, 3, 8):
        backend.set_num_threads(n)
        np.testing.assert_array_equal(ops.concatenate(xs, 1), np.concatenate(xs, 1))
        np.testing.assert_array_equal(ops.concatenate(xs[:1] * 3, 0), np.concatenate(xs[:1] * 3, 0))
    backend.set_num_threads(before)


def test_dtypes_are_promoted_as_numpy_does():
    a, b = np.ones(2, np.float32), np.ones(2, np.float64)
    assert ops.concatenate([a, b]).dtype == np.float64
    assert ops.concatenate([np.ones(2, np.uint8), np.ones(2, np.int16)]).dtype == np.int16
    _, pullback = vjp(lambda x, y: ops.concatenate([x, y]), a, b)
    da, db = pullback(np.arange(4.0))
    assert da.dtype == np.float32 and db.dtype == np.float64
    np.testing.assert_array_equal(da, [0, 1])


def test_out_is_filled_and_returned():
    a, b = np.zeros((2, 1), np.float32), np.ones((2, 2), np.float32)
    for out in (np.empty((2, 3), np.float32), np.empty((3, 2), np.float32).T):
        assert ops.concatenate([a, b], 1, out=out) is out
        np.testing.assert_array_equal(out, [[0, 1, 1], [0, 1, 1]])


def test_what_does_not_fit_is_refused():
    a = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"\[concatenate\] expected at least 1 array, got none"):
        ops.concatenate([])
    with pytest.raises(
        ValueError, match=r"\[concatenate\] expected shapes that differ in axis 0 only, got \(2, 3\) and \(2,\)"
    ):
        ops.concatenate([a, a[:, 0]])
    with pytest.raises(ValueError, match=r"\[concatenate\] expected axis in \[-2, 2\), got 2"):
        ops.concatenate([a, a], 2)
    with pytest.raises(ValueError, match=r"\[stack\] expected arrays of one shape, got \(2, 3\) and \(3, 2\)"):
        ops.stack([a, a.T])


@pytest.mark.parametrize(("cuts", "axis"), [(2, 0), (3, 1), ([1], 0), ([2, 2, 5], 1), ([], 0), (1, -1)])
def test_split(rng, cuts, axis):
    x = rng.standard_normal((4, 6))
    expected = np.split(x, cuts, axis)
    parts = ops.split(x, cuts, axis)
    assert len(parts) == len(expected)
    for i, (part, reference) in enumerate(zip(parts, expected, strict=True)):
        np.testing.assert_array_equal(part, reference)
        check_op(lambda a, i=i: ops.split(a, cuts, axis)[i], lambda a, i=i: np.split(a, cuts, axis)[i], x, linear=[0])


def test_unequal_parts_are_refused():
    with pytest.raises(ValueError, match=r"\[split\] expected a number of equal parts of an axis of length 4, got 3"):
        ops.split(np.zeros((4, 6)), 3)
