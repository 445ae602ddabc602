import numpy as np
import pytest

from fastnn import GradientTape, Input, Model, Variable, ops, set_floatx


@pytest.fixture
def isa():
    """Nothing is computed."""


def test_new_arrays_have_floatx():
    made = [
        ops.zeros((2, 3)),
        ops.ones(3),
        ops.full((2,), 7),
        ops.empty(4),
        ops.eye(3, 4, 1),
        ops.identity(2),
        ops.tri(3),
    ]
    assert {y.dtype.name for y in made} == {"float32"}
    set_floatx("float64")
    try:
        assert {y.dtype.name for y in (ops.ones(2), ops.eye(2), ops.linspace(0, 1), ops.array(1.5))} == {"float64"}
    finally:
        set_floatx("float32")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
def test_values_and_dtypes(dtype):
    np.testing.assert_array_equal(ops.zeros((2, 3), dtype), np.zeros((2, 3), dtype))
    np.testing.assert_array_equal(ops.ones(3, dtype), np.ones(3, dtype))
    np.testing.assert_array_equal(ops.full((2, 2), 1, dtype), np.full((2, 2), 1, dtype))
    np.testing.assert_array_equal(ops.eye(3, 4, 1, dtype), np.eye(3, 4, 1, dtype))
    np.testing.assert_array_equal(ops.tri(3, 4, -1, dtype), np.tri(3, 4, -1, dtype))
    for op in (ops.zeros, ops.ones, ops.identity):
        assert op(2, dtype=dtype).dtype == dtype
    like = np.ones((2, 3), dtype)
    for y in (ops.zeros_like(like), ops.ones_like(like), ops.full_like(like, 1)):
        assert y.dtype == dtype and y.shape == (2, 3)
    assert ops.zeros_like(like, "float64").dtype == "float64"


def test_ranges():
    np.testing.assert_array_equal(ops.arange(5), np.arange(5))
    np.testing.assert_array_equal(ops.arange(1, 2, 0.25), np.arange(1, 2, 0.25))
    assert (
        ops.arange(3).dtype == "int64"
        and ops.arange(3.0).dtype == "float32"
        and ops.arange(3, dtype="int32").dtype == "int32"
    )
    np.testing.assert_allclose(ops.linspace(0, 1, 5), np.linspace(0, 1, 5))
    numbers, step = ops.linspace(0, 1, 4, endpoint=False, retstep=True)
    assert numbers.tolist() == [0, 0.25, 0.5, 0.75] and step == 0.25


def test_conversions():
    x = np.arange(3)
    assert ops.convert_to_tensor(x) is x
    assert ops.convert_to_tensor([1.0, 2.0]).dtype == "float32"
    assert ops.convert_to_tensor(x, "float64").dtype == "float64"
    assert ops.array(x) is not x and ops.array([1, 2]).dtype == "int64"
    v = Variable(np.ones((2, 3), "float32"))
    assert ops.shape(v) == (2, 3) and ops.ndim(v) == 2 and ops.size(v) == 6
    with GradientTape() as tape:
        t = tape.watch(np.ones(2, "float32")) * 2.0
        assert ops.convert_to_tensor(t) is t
        np.testing.assert_array_equal(ops.convert_to_numpy(t), [2, 2])
        with pytest.raises(TypeError, match=r"\[convert_to_tensor\] expected dtype float32 or None for a Tensor, got"):
            ops.convert_to_tensor(t, "float64")


def test_stop_gradient():
    with GradientTape() as tape:
        x = tape.watch(np.array([3.0]))
        y = x * ops.stop_gradient(x)
    np.testing.assert_array_equal(tape.gradient(y, x), [3.0])


def test_linspace_between_symbolic_tensors():
    x = Input((3,))
    y = ops.linspace(x, 2.0, 5, axis=-1)
    assert y.shape == (None, 3, 5)
    given = np.array([[0.0, 1, 2]], "float32")
    np.testing.assert_allclose(Model(x, y)(given), np.linspace(given, 2.0, 5, axis=-1), rtol=1e-6)
