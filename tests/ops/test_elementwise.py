from math import erf

import numpy as np
import pytest

from fastnn import _core, ops
from fastnn.autograd import vjp
from fastnn.ops.activation import ROWS
from fastnn.testing import check_op

# Around every vector width in use (1, 2, 4, 8, 16).
LENGTHS = [0, 1, 7, 8, 9, 15, 16, 17, 33]
ABOVE_THE_GRAIN = 2 * 32 * 1024 + 5


def off_zero(x):
    """x without the numbers near 0, where a kink may be."""
    return x + np.copysign(0.1, x)


def between(low, high):
    return lambda x: low + (high - low) / (1 + np.exp(-x))


# op, the same in NumPy, and what makes its inputs of normal numbers
UNARY = [
    (ops.negative, lambda x: 0 - x, np.asarray),
    (ops.absolute, np.abs, off_zero),
    (ops.square, lambda x: np.power(x, 2), np.asarray),
    (ops.sqrt, np.sqrt, between(0.1, 9)),
    (ops.exp, np.exp, np.asarray),
    (ops.log, np.log, between(0.1, 9)),
    (ops.expm1, lambda x: np.exp(x) - 1, np.asarray),
    (ops.log1p, lambda x: np.log(1 + x), between(-0.9, 9)),
    (ops.sin, lambda x: np.cos(x - np.pi / 2), np.asarray),
    (ops.cos, lambda x: np.sin(x + np.pi / 2), np.asarray),
    (ops.erf, np.vectorize(erf, otypes=[float]), np.asarray),
    (ops.sign, lambda x: (x > 0) * 1.0 - (x < 0), off_zero),
    (ops.floor, lambda x: x - x % 1, lambda x: np.trunc(3 * x) + 0.3),
    (ops.round, np.rint, lambda x: np.trunc(3 * x) + 0.3),
    (ops.arctan, lambda x: np.arctan2(x, 1), np.asarray),
    (ops.ceil, lambda x: x + -x % 1, lambda x: np.trunc(3 * x) + 0.3),
]
BINARY = [
    (ops.add, lambda a, b: a - (-b), np.asarray),
    (ops.subtract, lambda a, b: a + (-b), np.asarray),
    (ops.multiply, lambda a, b: a * b, np.asarray),
    (ops.divide, lambda a, b: a * b**-1.0, lambda x: off_zero(off_zero(x))),
    (ops.power, lambda a, b: np.exp(b * np.log(a)), between(0.3, 3)),
    (ops.maximum, lambda a, b: np.where(a > b, a, b), np.asarray),
    (ops.minimum, lambda a, b: np.where(a > b, b, a), np.asarray),
    (ops.prelu, lambda a, b: np.maximum(a, 0) + b * np.minimum(a, 0), off_zero),
]
COMPARISONS = [
    (ops.equal, np.equal),
    (ops.not_equal, np.not_equal),
    (ops.less, np.less),
    (ops.less_equal, np.less_equal),
    (ops.greater, np.greater),
    (ops.greater_equal, np.greater_equal),
]
BROADCASTS = [
    ((3, 5), (3, 5)),
    ((3, 5), ()),
    ((), (3, 5)),
    ((), ()),
    ((3, 5), (5,)),
    ((5,), (3, 5)),
    ((3, 5), (3, 1)),
    ((3, 1), (1, 5)),
    ((1, 1), (3, 5)),
    ((4, 1), (4, 1)),
    ((2, 3, 1), (4,)),
    ((2, 1, 5), (3, 1)),
    ((5, 1, 6, 1), (1, 7, 1, 3)),
    ((17,), (1,)),
    ((0, 4), (4,)),
    ((0, 4), (1, 4)),
    ((3, 0), (3, 1)),
    ((0,), ()),
]


def name_of(value):
    return getattr(value, "__name__", None) or str(value)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("op", "reference", "domain"), UNARY, ids=name_of)
def test_unary_matches_reference(rng, op, reference, domain, length):
    check_op(op, reference, domain(rng.standard_normal(length)))


@pytest.mark.parametrize(("op", "reference", "domain"), UNARY, ids=name_of)
def test_unary_keeps_shapes(rng, op, reference, domain):
    check_op(op, reference, domain(rng.standard_normal((2, 3, 5))))
    check_op(op, reference, domain(rng.standard_normal(())))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("op", "reference", "domain"), BINARY, ids=name_of)
def test_binary_matches_reference(rng, op, reference, domain, length):
    check_op(op, reference, *(domain(rng.standard_normal(length)) for _ in range(2)))


@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
@pytest.mark.parametrize(("op", "reference", "domain"), BINARY, ids=name_of)
def test_binary_broadcasts(rng, op, reference, domain, shapes):
    check_op(op, reference, *(domain(rng.standard_normal(shape)) for shape in shapes))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("op", "domain"), [(op, domain) for op, _, domain in UNARY + BINARY], ids=name_of)
def test_long_arrays_are_their_pieces(rng, op, domain, dtype):
    """Values and gradients above the threading grain, bit for bit those of short arrays, which check_op has proved."""
    count = 2 if (op, domain) in [(op, domain) for op, _, domain in BINARY] else 1
    inputs = [domain(rng.standard_normal(ABOVE_THE_GRAIN)).astype(dtype) for _ in range(count)]
    dy = rng.standard_normal(ABOVE_THE_GRAIN).astype(dtype)
    y, pullback = vjp(op, *inputs)
    whole = [y, *pullback(dy)]
    for start in range(0, ABOVE_THE_GRAIN, 4093):
        piece = slice(start, start + 4093)
        y, pullback = vjp(op, *(x[piece] for x in inputs))
        for got, expected in zip(whole, [y, *pullback(dy[piece])], strict=True):
            np.testing.assert_array_equal(got[piece], expected)


@pytest.mark.parametrize(
    ("left", "right"),
    [((150, 300), (300,)), ((150, 300), (150, 1)), ((1, 300), (150, 1)), ((20, 1, 30, 7), (9, 1, 7)), ((80_000,), ())],
)
def test_broadcasting_above_the_grain(rng, left, right):
    a, b = rng.standard_normal(left), rng.standard_normal(right)
    np.testing.assert_array_equal(ops.multiply(a, b), a * b)
    np.testing.assert_array_equal(ops.less(a, b), a < b)
    np.testing.assert_array_equal(ops.where(a < b, a, b), np.minimum(a, b))
    y, pullback = vjp(ops.multiply, a, b)
    da, db = pullback(y)
    axes = tuple(i for i in range(y.ndim) if i < y.ndim - b.ndim or b.shape[i - y.ndim + b.ndim] == 1)
    np.testing.assert_allclose(db, np.sum(y * a, axes).reshape(right), rtol=1e-12)
    assert da.shape == left


@pytest.mark.parametrize("bounds", [(-0.5, 0.7), (None, 0.2), (-0.3, None), (None, None)])
def test_clip(rng, bounds):
    x = rng.standard_normal(40)
    for bound in bounds:
        x = x if bound is None else bound + off_zero(x - bound)
    low, high = (-np.inf if bounds[0] is None else bounds[0]), (np.inf if bounds[1] is None else bounds[1])
    check_op(
        ops.clip, lambda x, x_min, x_max: np.minimum(np.maximum(x, low), high), x, x_min=bounds[0], x_max=bounds[1]
    )


def test_clip_to_arrays(rng):
    x, low, high = rng.standard_normal((4, 5)), rng.standard_normal(5) - 1, rng.standard_normal((4, 1)) + 2
    check_op(ops.clip, np.clip, x, low, high)


# ---- special values ----------------------------------------------------------------------------------------------

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -2.5]
LIKE_NUMPY = [
    (ops.negative, np.negative),
    (ops.absolute, np.absolute),
    (ops.square, np.square),
    (ops.sqrt, np.sqrt),
    (ops.exp, np.exp),
    (ops.log, np.log),
    (ops.tanh, np.tanh),
    (ops.expm1, np.expm1),
    (ops.log1p, np.log1p),
    (ops.sin, np.sin),
    (ops.cos, np.cos),
    (ops.sign, np.sign),
    (ops.floor, np.floor),
    (ops.ceil, np.ceil),
    (ops.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    (ops.softplus, lambda x: np.logaddexp(0, x)),
    (ops.relu, lambda x: np.where(x < 0, 0, x).astype(x.dtype)),
    (ops.leaky_relu, lambda x: np.where(x > 0, x, np.float32(0.2) * x)),
    (ops.add, np.add),
    (ops.subtract, np.subtract),
    (ops.multiply, np.multiply),
    (ops.divide, np.divide),
    (ops.power, np.power),
    (ops.maximum, np.maximum),
    (ops.minimum, np.minimum),
    *COMPARISONS,
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("op", "numpy_op"), LIKE_NUMPY, ids=name_of)
def test_special_values_are_numpys(op, numpy_op, dtype):
    count = 2 if getattr(numpy_op, "nin", 1) == 2 else 1
    inputs = [grid.ravel() for grid in np.meshgrid(*[np.array(SPECIAL, dtype)] * count)]
    with np.errstate(all="ignore"):
        expected = numpy_op(*inputs)
    y = op(*inputs)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=0)
    if expected.dtype.kind == "f":
        numbers = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(y)[numbers], np.signbit(expected)[numbers], err_msg="signs of zero")


@pytest.mark.parametrize("approximate", [True, False])
def test_gelu_at_the_ends(approximate):
    y = ops.gelu(np.array([np.nan, np.inf, -np.inf, -30.0, 30.0, 0.0], np.float32), approximate=approximate)
    np.testing.assert_array_equal(y, [np.nan, np.inf, 0.0, 0.0, 30.0, 0.0])


def test_sine_and_cosine_of_large_arguments():
    """Beyond what the vectors reduce, the C library's: an element alone or between small ones."""
    for dtype, tolerance in ((np.float32, 3e-7), (np.float64, 5e-16)):
        x = np.array([1e8, 0.5, -1e30, 6001, 2e6, np.inf, -3.0, 1e22] * 5, dtype)
        with np.errstate(invalid="ignore"):
            np.testing.assert_allclose(ops.sin(x), np.sin(x.astype(float)), rtol=0, atol=tolerance)
            np.testing.assert_allclose(ops.cos(x), np.cos(x.astype(float)), rtol=0, atol=tolerance)


def test_exp_overflows_and_vanishes():
    np.testing.assert_array_equal(ops.exp(np.array([100.0, -200.0], np.float32)), np.array([np.inf, 0], np.float32))
    np.testing.assert_array_equal(ops.exp(np.array([1000.0, -1000.0])), [np.inf, 0])


def test_clip_keeps_nan():
    np.testing.assert_array_equal(ops.clip(np.array([np.nan, -5.0, 5.0]), -1, 1), [np.nan, -1, 1])


# ---- dtypes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (np.float32(1) * np.ones(3, np.float32), np.ones(3, np.float32), "float32"),
        (np.ones(3, np.float32), np.ones(3), "float64"),
        (np.ones(3, np.float32), np.ones(3, np.int8), "float32"),
        (np.ones(3, np.float32), np.ones(3, np.int16), "float32"),
        (np.ones(3, np.float32), np.ones(3, np.int32), "float64"),
        (np.ones(3, np.float32), np.ones(3, bool), "float32"),
        (np.ones(3, np.float16), np.ones(3, np.float16), "float32"),
        (np.ones(3, np.int64), np.ones(3, np.int64), "int64"),
        (np.ones(3, np.int64), 2.0, "float64"),
        (np.ones(3, np.float32), 2.0, "float32"),
        (np.ones(3, np.float32), 2, "float32"),
        (2.0, np.ones(3, np.float32), "float32"),
        (np.ones(3), 2.0, "float64"),
        (np.ones(3, np.float32), np.float64(2), "float64"),
        (np.ones(3, np.float32), [1.0, 2.0, 3.0], "float32"),
        (1.0, 2.0, "float32"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
)
def test_dtypes_promote_as_numpys_do_and_python_numbers_are_weak(a, b, expected):
    assert ops.add(a, b).dtype == expected
    assert ops.add(b, a).dtype == expected
    np.testing.assert_array_equal(ops.add(a, b), np.add(a, b, dtype=expected, casting="unsafe"))


@pytest.mark.parametrize(
    ("x", "expected"),
    [(2.0, "float32"), (3, "float32"), (np.arange(3), "float64"), (np.ones(3, np.float16), "float32")],
)
def test_unary_dtypes(x, expected):
    assert ops.exp(x).dtype == expected
    np.testing.assert_array_equal(ops.square(x), np.square(x))


@pytest.mark.parametrize("x", [np.ones(3, complex), np.array(["a"]), np.array([None])])
@pytest.mark.parametrize("op", [ops.exp, lambda x: ops.add(x, np.ones(1))])
def test_what_is_not_real_is_refused(op, x):
    with pytest.raises(TypeError, match=r"\[\w+\] expected .* got"):
        op(x)


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x[::-1],
        lambda x: x.astype(x.dtype.newbyteorder()),
        lambda x: np.frombuffer(b"?" + x.tobytes(), np.uint8)[1:].view(x.dtype),  # not aligned
        lambda x: np.broadcast_to(x[:1], x.shape),
        lambda x: np.stack([x] * 3, 1)[:, 1],
    ],
    ids=["reversed", "byte-swapped", "unaligned", "stride 0", "column"],
)
def test_awkward_memory(rng, layout):
    for dtype in (np.float32, np.float64):
        x = layout(rng.standard_normal(19).astype(dtype))
        np.testing.assert_array_equal(ops.add(x, x), x + x)
        assert ops.add(x, x).dtype == dtype


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\[add\] expected shapes that broadcast together, got \(2, 3\) and \(4,\)"):
        ops.add(np.zeros((2, 3)), np.zeros(4))
    with pytest.raises(ValueError, match=r"\[where\] expected shapes .* got \(2,\) and \(3,\) and \(\)"):
        ops.where(np.zeros(2, bool), np.zeros(3), 0.0)


# ---- out= --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [5, 17, 80_000])
def test_out_may_be_an_input_exactly(rng, length):
    a, b = rng.standard_normal((2, length))
    expected = a * b
    for k in range(2):
        inputs = [a.copy(), b.copy()]
        assert ops.multiply(*inputs, out=inputs[k]) is inputs[k]
        np.testing.assert_array_equal(inputs[k], expected)
    x = a.copy()
    assert ops.square(x, out=x) is x
    np.testing.assert_array_equal(x, a * a)


def test_out_may_be_strided_and_alias_a_strided_input(rng):
    store = rng.standard_normal((6, 10))
    x, before = store[::2, 1::3], store.copy()
    assert ops.multiply(x, 2.0, out=x) is x
    expected = before.copy()
    expected[::2, 1::3] *= 2
    np.testing.assert_array_equal(store, expected)


def test_out_of_comparisons_and_where(rng):
    a, b = rng.standard_normal((2, 9))
    flags, chosen = np.empty(9, bool), np.empty(9)
    assert ops.less(a, b, out=flags) is flags
    np.testing.assert_array_equal(flags, a < b)
    assert ops.where(flags, a, b, out=chosen) is chosen
    np.testing.assert_array_equal(chosen, np.minimum(a, b))


def read_only(x):
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.empty(4), ValueError, r"expected out of shape \(3,\), got \(4,\)"),
        (np.empty((1, 3)), ValueError, r"expected out of shape \(3,\), got \(1, 3\)"),
        (np.empty(3, np.float32), TypeError, "expected out of float64, got float32"),
        (np.empty(3, ">f8"), TypeError, "expected out of float64, got >f8"),
        (read_only(np.empty(3)), ValueError, "expected a writable out, got a read-only array"),
    ],
)
@pytest.mark.parametrize(("name", "inputs"), [("exp", 1), ("add", 2)])
def test_an_out_that_does_not_fit_is_refused(name, inputs, out, error, message):
    with pytest.raises(error, match=rf"\[{name}\] {message}"):
        getattr(ops, name)(*[np.ones(3)] * inputs, out=out)


def test_a_partial_overlap_is_refused():
    store = np.zeros(9)
    for x, out in ((store[1:], store[:-1]), (store[::-1], store), (store.reshape(3, 3), store.reshape(3, 3).T)):
        with pytest.raises(
            ValueError, match=r"\[negative\] expected out to be exactly an input .* got a partial overlap"
        ):
            ops.negative(x, out=out)
    with pytest.raises(ValueError, match="partial overlap"):
        ops.add(store.reshape(3, 3), store[:3], out=store.reshape(3, 3))
    flags = np.zeros(8, bool)
    with pytest.raises(ValueError, match="overlap"):
        ops.less(flags.view(np.float64), 1.0, out=flags[:1])


# ---- gradients at kinks, as documented -----------------------------------------------------------------------------


def gradient(op, *inputs):
    y, pullback = vjp(op, *(np.array(x, np.float32) for x in inputs))
    return [dx.tolist() for dx in pullback(np.ones_like(y))]


def test_gradients_at_kinks():
    assert gradient(ops.absolute, [0.0, -0.0]) == [[0, 0]]
    assert gradient(lambda x: ops.clip(x, -1, 2), [-1.0, 2.0, -1.1, 2.1]) == [[1, 1, 0, 0]]
    assert gradient(ops.maximum, [1.0, 0.0], [1.0, -0.0]) == [[0.5, 0.5], [0.5, 0.5]]
    assert gradient(ops.minimum, [1.0, 0.0], [1.0, -0.0]) == [[0.5, 0.5], [0.5, 0.5]]


def test_gradients_of_power_at_zero():
    assert gradient(ops.power, [0.0, 0.0], [2.0, 0.0]) == [[0, 0], [0, 0]]
    assert gradient(lambda x: ops.power(x, 1.0), [0.0]) == [[1]]
    assert gradient(lambda x: ops.power(x, 2.0), [-3.0]) == [[-6]]


# ---- comparisons and where -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("op", "numpy_op"), COMPARISONS, ids=name_of)
def test_comparisons(rng, op, numpy_op, length):
    a, b = rng.integers(0, 3, (2, length)).astype(np.float32)
    y = op(a, b)
    assert y.dtype == bool
    np.testing.assert_array_equal(y, numpy_op(a, b))
    np.testing.assert_array_equal(op(a, 1.0), numpy_op(a, 1))
    np.testing.assert_array_equal(op(1.0, b), numpy_op(1, b))


@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
def test_comparisons_broadcast(rng, shapes):
    a, b = (rng.integers(0, 3, shape).astype(np.float64) for shape in shapes)
    np.testing.assert_array_equal(ops.less_equal(a, b), a <= b)


@pytest.mark.parametrize("length", LENGTHS)
def test_where_matches_reference(rng, length):
    condition = rng.random(length) < 0.5
    check_op(ops.where, lambda c, a, b: np.choose(c, [b, a]), condition, *rng.standard_normal((2, length)))


@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
def test_where_broadcasts(rng, shapes):
    a, b = (rng.standard_normal(shape) for shape in shapes)
    shape = np.broadcast_shapes(*shapes)
    for condition in (rng.random(shape) < 0.5, rng.random(shape[-1:]) < 0.5, np.True_):
        check_op(ops.where, np.where, condition, a, b)


def test_where_takes_any_condition():
    np.testing.assert_array_equal(ops.where([1, 0, 2], 1.0, np.zeros(3, np.float32)), [1, 0, 1])
    np.testing.assert_array_equal(ops.where(np.array([True, False, True]))[0], [0, 2])
    with pytest.raises(ValueError, match=r"\[where\] expected both x1 and x2 or neither, got one"):
        ops.where([True], 1.0)


def test_every_row_of_the_table_is_tested():
    """The table as the extension was built with, against the functions named above and in test_activation.py."""
    activations = {row for row, _ in ROWS.values()} | {"threshold", "bounded_relu"}
    assert set(_core.unary_saved) == {op.__name__ for op, *_ in UNARY} | {"clip"} | activations
    # in no table above, since only a fused epilogue uses it
    np.testing.assert_array_equal(_core.linear(np.arange(20.0)), np.arange(20.0))
    np.testing.assert_array_equal(_core.linear_backward(np.zeros(20), np.arange(20.0)), np.arange(20.0))
