"""New arrays, dense copies and assignments: what moves memory and computes nothing."""

import numpy as np
import pytest

from fastnn import _core, ops
from fastnn.backend import full
from fastnn.testing import check_op

LENGTHS = [0, 1, 7, 8, 9, 15, 16, 17, 33, 2 * 32 * 1024 + 5]
LAYOUTS = {
    "dense": lambda x: x,
    "transposed": lambda x: x.T,
    "reversed": lambda x: x[::-1, ::-1],
    "every second": lambda x: x[::2, ::2],
    "a column": lambda x: x[:, 1:2],
    "broadcast": lambda x: np.broadcast_to(x[:1], (5, *x.shape)),
    "four axes": lambda x: x.reshape(3, -1, x.shape[1]).transpose(2, 0, 1)[..., None],
    "empty": lambda x: x[:, :0].T,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", LENGTHS)
def test_full(length, dtype):
    y = full((length,), -1.5, dtype)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.full(length, -1.5, dtype))


def test_full_refuses_negative_lengths_and_other_dtypes():
    with pytest.raises(ValueError, match=r"\[full\] expected lengths >= 0, got \(2, -1\)"):
        full((2, -1), 0.0, np.float32)
    with pytest.raises(TypeError, match=r"\[full\] expected dtype of float32 or float64, got int64"):
        full((2,), 0, np.int64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.int8, bool])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_dense_copies_what_is_not_dense(rng, layout, dtype):
    x = LAYOUTS[layout](rng.integers(0, 100, (99, 41)).astype(dtype))
    y = _core.dense(x)
    assert y.flags.c_contiguous and y.flags.aligned and y.dtype == dtype
    assert (y is x) == x.flags.c_contiguous
    np.testing.assert_array_equal(y, x)


def test_dense_makes_bytes_native():
    x = np.arange(7.0).astype(">f8")
    y = _core.dense(x)
    assert y.dtype == np.float64 and y.dtype.isnative
    np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize("source", LAYOUTS)
@pytest.mark.parametrize("target", ["dense", "transposed", "every second"])
def test_assign_copies_between_any_two_layouts(rng, source, target):
    x = LAYOUTS[source](rng.standard_normal((99, 41)))
    store = np.full(tuple(2 * n for n in x.shape), np.nan)
    y = {
        "dense": lambda: store[tuple(slice(n) for n in x.shape)],
        "transposed": lambda: np.full(x.shape[::-1], np.nan).T,
        "every second": lambda: store[tuple(slice(None, None, 2) for _ in x.shape)],
    }[target]()
    around = np.isnan(store).sum()
    _core.assign(x, y)
    np.testing.assert_array_equal(y, x)
    if y.base is store:
        assert np.isnan(store).sum() == around - x.size, "expected the elements between to stay"


def test_assign_refuses_what_does_not_fit():
    y = np.zeros(3)
    with pytest.raises(ValueError, match=r"\[assign\] expected x of shape \(3,\), got \(4,\)"):
        _core.assign(np.zeros(4), y)
    with pytest.raises(TypeError, match=r"\[assign\] expected x of float64, got float32"):
        _core.assign(np.zeros(3, np.float32), y)
    y.flags.writeable = False
    with pytest.raises(ValueError, match=r"\[assign\] expected a writable y, got a read-only array"):
        _core.assign(np.zeros(3), y)


@pytest.mark.parametrize("axes", [None, (0, 1, 2), (1, 0, 2), (2, 0, 1), (-1, 0, 1)])
def test_transpose(rng, axes):
    check_op(ops.transpose, lambda x, axes: np.einsum("abc->" + "".join("abc"[a] for a in axes or (2, 1, 0)), x),
             rng.standard_normal((2, 3, 4)), axes=axes)  # fmt: skip


@pytest.mark.parametrize("axes", [(0,), (0, 0), (0, 1, 2)])
def test_transpose_refuses_other_axes(axes):
    with pytest.raises(ValueError, match=r"\[transpose\] expected each axis of x \(2, 3\) once"):
        ops.transpose(np.zeros((2, 3)), axes)


@pytest.mark.parametrize("shape", [6, (6,), (2, 3), (3, -1), (1, 6, 1), -1])
def test_reshape(rng, shape):
    check_op(ops.reshape, lambda x, newshape: np.array(list(x.flat)).reshape(newshape), rng.standard_normal((3, 2)),
             newshape=shape)  # fmt: skip


def test_reshape_refuses_another_size():
    with pytest.raises(ValueError, match=r"\[reshape\] expected a shape of 6 elements, got \(4,\) for x \(3, 2\)"):
        ops.reshape(np.zeros((3, 2)), 4)


@pytest.mark.parametrize("key", [np.s_[:, 1], np.s_[::-1, ::2, 0], np.s_[..., None, 1:], np.s_[:0]])
def test_masks_are_copied_byte_by_byte(rng, key):
    x = rng.standard_normal((5, 6, 7)) > 0
    dense = _core.dense(x[key])
    assert dense.flags.c_contiguous and dense.dtype == bool
    np.testing.assert_array_equal(dense, x[key])
