"""The tester is tested: every kind of wrong op fails check_op, each for its own reason."""

import numpy as np
import pytest

from fastnn.autograd import primitive
from fastnn.backend import kernels
from fastnn.testing import check_op, gradcheck
from fastnn.testing.soiled_memory import soil_memory


def product_reference(a, b):
    return a * b


@primitive
def product(a, b):
    y = np.multiply(a, b, out=np.empty(np.broadcast(a, b).shape, a.dtype))  # an array even where a is a scalar
    return y, lambda dy, needs: (dy * b, dy * a)


@primitive
def wrong_value(a, b):
    return a * b * 1.0001, lambda dy, needs: (dy * b, dy * a)


@primitive
def wrong_gradient(a, b):
    return a * b, lambda dy, needs: (dy * b * 1.002, dy * a)


@primitive
def wrong_second_gradient(a, b):
    return a * b, lambda dy, needs: (dy * b, -dy * a)


@primitive
def swapped_gradients(a, b):
    return a * b, lambda dy, needs: (dy * a, dy * b)


@primitive
def gradient_without_dy(a, b):
    return a * b, lambda dy, needs: (b + 0, a + 0)


@primitive
def missing_gradient(a, b):
    return a * b, lambda dy, needs: (dy * b, None)


@primitive
def gradient_that_leans_on_the_other(a, b):
    return a * b, lambda dy, needs: (dy * b * (1 if needs[1] else 2), dy * a)


@primitive
def gradient_of_another_dtype(a, b):
    return a * b, lambda dy, needs: ((dy * b).astype(np.float64), dy * a)


@primitive
def changed_input(a, b):
    y = a * b
    if a.flags.writeable:
        a[...] = 0
    return y, None


@primitive
def wrong_dtype(a, b):
    return (a * b).astype(np.float64), lambda dy, needs: (dy * b, dy * a)


@primitive
def wrong_on_strided_inputs(a, b):
    y = a.copy(order="K").ravel(order="K").reshape(a.shape) * b
    return y, lambda dy, needs: (dy * b, dy * a)


@primitive
def wrong_in_the_float32_tail(a, b):
    y = a * b
    if y.dtype == np.float32 and y.size % 8:
        y[..., -1] = 0
    return y, lambda dy, needs: (dy * b, dy * a)


@primitive
def fails_on_read_only_inputs(a, b):
    a[...] = a
    return a * b, lambda dy, needs: (dy * b, dy * a)


@primitive
def wrong_gradient_far_from_the_first_elements(a, b):
    def pullback(dy, needs):
        da = dy * b
        da[-1, -1] = 0
        return da, dy * a

    return a * b, pullback


@pytest.fixture
def inputs(rng):
    return rng.standard_normal((3, 5)), rng.standard_normal((3, 5))


def test_a_right_op_passes(inputs):
    check_op(product, product_reference, *inputs)
    check_op(product, product_reference, *inputs, linear=(0, 1))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (40, 30)])
def test_right_ops_of_any_shape_pass(rng, shape):
    check_op(product, product_reference, rng.standard_normal(shape), rng.standard_normal(shape))


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (wrong_value, "float32, dense inputs: value"),
        (wrong_gradient, "gradient 0"),
        (wrong_second_gradient, "gradient 1"),
        (swapped_gradients, "gradient 0"),
        (gradient_without_dy, "gradient 0"),
        (missing_gradient, "gradient 1"),
        (gradient_that_leans_on_the_other, "gradient 0 depends on which others are wanted"),
        (gradient_of_another_dtype, "gradient 0 is float64"),
        (wrong_dtype, "expected dtype float32, got float64"),
        (wrong_on_strided_inputs, "strided inputs: value"),
        (wrong_in_the_float32_tail, "float32, dense inputs: value"),
    ],
)
def test_a_wrong_op_fails(inputs, op, message):
    with pytest.raises(AssertionError, match=message):
        check_op(op, product_reference, *inputs)


def test_an_op_that_changes_its_input_fails(inputs):
    with pytest.raises(AssertionError, match="dense inputs: input 0 was changed"):
        check_op(changed_input, product_reference, *inputs, wrt=())


def test_an_op_that_needs_writable_inputs_fails(inputs):
    with pytest.raises(ValueError, match="read-only"):
        check_op(fails_on_read_only_inputs, product_reference, *inputs)


def test_one_wrong_element_among_many_fails(rng):
    with pytest.raises(AssertionError, match="gradient 0"):
        check_op(wrong_gradient_far_from_the_first_elements, product_reference, *rng.standard_normal((2, 40, 30)))


def test_an_op_that_is_not_linear_fails_the_adjoint(inputs):
    @primitive
    def square(x):
        return x * x, lambda dy, needs: (2 * x * dy,)

    check_op(square, np.square, inputs[0])
    with pytest.raises(AssertionError, match="adjoint 0"):
        check_op(square, np.square, inputs[0], linear=(0,))


def test_gradcheck_tells_right_from_wrong(inputs):
    assert gradcheck(product, *inputs) is True
    for wrong in (wrong_gradient, swapped_gradients, missing_gradient, gradient_without_dy):
        with pytest.raises(AssertionError, match=r"\[gradcheck\] gradient of argument"):
            gradcheck(wrong, *inputs)


def test_gradcheck_refuses_float32(inputs):
    with pytest.raises(TypeError, match=r"\[gradcheck\] expected float64 arrays, got float32 at position 1"):
        gradcheck(product, inputs[0], inputs[1].astype(np.float32))


def test_ops_are_called_on_memory_full_of_nan():
    one = np.zeros((1, 1, 1, 1), np.float32)
    soil_memory()
    *_, unwritten = kernels(one).attention(one, one, one, None, None, None, 1.0, 0.0, False)  # state of no dropout
    assert np.isnan(unwritten.view(np.float32)).all()
