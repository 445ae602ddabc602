"""Activation functions: values and gradients, what happens at kinks, far out, and with odd settings."""

from math import erf, inf

import numpy as np
import pytest

from fastnn import ops
from fastnn.autograd import vjp
from fastnn.ops.activation import ROWS
from fastnn.testing import check_op

ERF = np.vectorize(erf, otypes=[float])
SELU = (1.6732632423543772, 1.0507009873554805)


def piecewise(x, *pieces):
    """pieces: (upper end, function) from the left."""
    y = np.full(x.shape, np.nan)
    for end, function in reversed(pieces):
        y = np.where(x < end, function(x), y)
    return y


def sigmoid(x):
    return 0.5 + 0.5 * np.tanh(x / 2)


def bounded_relu(x, negative_slope=0.0, max_value=inf, threshold=0.0):
    top = inf if max_value is None else max_value
    return np.where(x > threshold, np.minimum(x, top), negative_slope * (x - threshold))


# name, options, the same in NumPy, where the kinks are
CASES = [
    ("linear", {}, lambda x: x, ()),
    ("relu", {}, bounded_relu, (0,)),
    ("relu", {"negative_slope": 0.1}, bounded_relu, (0,)),
    ("relu", {"max_value": 1.5}, bounded_relu, (0, 1.5)),
    ("relu", {"threshold": 1.0}, bounded_relu, (1,)),
    ("relu", {"negative_slope": 0.1, "max_value": 2.0, "threshold": 1.0}, bounded_relu, (1, 2)),
    ("relu6", {}, lambda x: np.clip(x, 0, 6), (0, 6)),
    ("leaky_relu", {}, lambda x: bounded_relu(x, 0.2), (0,)),
    ("leaky_relu", {"negative_slope": 0.5}, bounded_relu, (0,)),
    ("sigmoid", {}, sigmoid, ()),
    ("tanh", {}, lambda x: 1 - 2 / (np.exp(2 * x) + 1), ()),
    ("softplus", {}, lambda x: np.logaddexp(0, x), ()),
    ("gelu", {"approximate": False}, lambda x, approximate: x * (0.5 + 0.5 * ERF(x / 2**0.5)), ()),
    ("gelu", {}, lambda x: x * sigmoid(2 * (2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)), ()),
    ("elu", {}, lambda x: np.where(x > 0, x, np.exp(x) - 1), ()),
    ("elu", {"alpha": 1.7}, lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(x) - 1)), (0,)),
    ("selu", {}, lambda x: SELU[1] * np.where(x > 0, x, SELU[0] * (np.exp(x) - 1)), (0,)),
    ("celu", {}, lambda x: np.maximum(x, 0) + np.minimum(np.exp(x) - 1, 0), ()),
    ("celu", {"alpha": 0.6}, lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(x / alpha) - 1)), ()),
    ("log_sigmoid", {}, lambda x: np.log(sigmoid(x)), ()),
    ("hard_sigmoid", {}, lambda x: np.clip(x + 3, 0, 6) / 6, (-3, 3)),
    ("sparse_sigmoid", {}, lambda x: np.clip((x + 1) / 2, 0, 1), (-1, 1)),
    ("hard_tanh", {}, lambda x: np.clip(x, -1, 1), (-1, 1)),
    ("silu", {}, lambda x: x / (1 + np.exp(-x)), ()),
    ("hard_silu", {}, lambda x: x * np.clip(x + 3, 0, 6) / 6, (-3, 3)),
    ("mish", {}, lambda x: x * np.tanh(np.log1p(np.exp(x))), ()),
    ("softsign", {}, lambda x: np.sign(x) * (1 - 1 / (1 + np.abs(x))), ()),
    ("soft_shrink", {}, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), (-0.5, 0.5)),
    ("soft_shrink", {"threshold": 1.2}, lambda x, threshold: x - np.clip(x, -threshold, threshold), (-1.2, 1.2)),
    ("hard_shrink", {}, lambda x: x * (np.abs(x) > 0.5), (-0.5, 0.5)),
    ("hard_shrink", {"threshold": 1.2}, lambda x, threshold: x * (np.abs(x) > threshold), (-1.2, 1.2)),
    ("tanh_shrink", {}, lambda x: x - np.tanh(x), ()),
    ("threshold", {"threshold": 0.7, "default_value": -2.0},
     lambda x, threshold, default_value: np.where(x > threshold, x, default_value), (0.7,)),
    ("squareplus", {}, lambda x: (x + np.sqrt(x**2 + 4)) / 2, ()),
    ("squareplus", {"b": 0.3}, lambda x, b: (x + np.sqrt(x**2 + b)) / 2, ()),
    ("sparse_plus", {},
     lambda x: piecewise(x, (-1, lambda x: 0 * x), (1, lambda x: ((x + 1) / 2) ** 2), (inf, lambda x: x)), (-1, 1)),
    ("exponential", {}, np.exp, ()),
    ("binary_step", {}, lambda x: np.heaviside(x, 1), (0,)),
]  # fmt: skip

IDS = [name + "".join(f"-{key}" for key in options) for name, options, *_ in CASES]


def op_of(name):
    return {"exponential": ops.exp, "linear": lambda x: ops.multiply(x, 1.0)}.get(name) or getattr(ops, name)


def apart_from(x, kinks):
    for kink in kinks:
        x = np.where(np.abs(x - kink) < 0.02, kink + 0.05, x)
    return x


@pytest.mark.parametrize(("name", "options", "reference", "kinks"), CASES, ids=IDS)
def test_matches_reference(rng, name, options, reference, kinks):
    check_op(op_of(name), reference, apart_from(2 * rng.standard_normal((5, 7)), kinks), **options)


def test_every_activation_of_the_table_is_tested():
    assert {name for name, *_ in CASES} | {"gelu_tanh"} == {*ROWS, "threshold"}


@pytest.mark.parametrize("name", sorted({*ROWS, "swish", "hard_swish"} - {"linear", "gelu_tanh", "exponential"}))
def test_out_is_filled_and_returned(rng, name):
    x = rng.standard_normal(19).astype(np.float32)
    out = np.empty_like(x)
    op = getattr(ops, name)
    assert op(x, out=out) is out
    np.testing.assert_array_equal(out, op(x))


# ---- far out: the limits of values and slopes at -infinity and infinity --------------------------------------------

LIMITS = {
    "relu": (0, inf, 0, 1),
    "relu6": (0, 6, 0, 0),
    "leaky_relu": (-inf, inf, 0.2, 1),
    "sigmoid": (0, 1, 0, 0),
    "tanh": (-1, 1, 0, 0),
    "softplus": (0, inf, 0, 1),
    "gelu": (0, inf, 0, 1),
    "elu": (-1, inf, 0, 1),
    "selu": (-SELU[0] * SELU[1], inf, 0, SELU[1]),
    "celu": (-1, inf, 0, 1),
    "log_sigmoid": (-inf, 0, 1, 0),
    "hard_sigmoid": (0, 1, 0, 0),
    "sparse_sigmoid": (0, 1, 0, 0),
    "hard_tanh": (-1, 1, 0, 0),
    "silu": (0, inf, 0, 1),
    "hard_silu": (0, inf, 0, 1),
    "mish": (0, inf, 0, 1),
    "softsign": (-1, 1, 0, 0),
    "soft_shrink": (-inf, inf, 1, 1),
    "hard_shrink": (-inf, inf, 1, 1),
    "tanh_shrink": (-inf, inf, 1, 1),
    "squareplus": (0, inf, 0, 1),
    "sparse_plus": (0, inf, 0, 1),
    "binary_step": (0, 1, 0, 0),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LIMITS)
def test_limits_and_nan(name, dtype):
    x = np.array([-inf, -1e30, inf, 1e30, np.nan], dtype)
    y, pullback = vjp(getattr(ops, name), x)
    (slope,) = pullback(np.ones_like(x))
    low, high, low_slope, high_slope = LIMITS[name]
    far_low, far_high = (low if low > -inf else -1e30 * low_slope), (high if high < inf else 1e30 * high_slope)
    expected = [low, far_low, high, far_high, np.nan]
    np.testing.assert_allclose(y, np.array(expected, dtype), rtol=1e-6, atol=1e-29)
    np.testing.assert_allclose(slope[:4], [low_slope, low_slope, high_slope, high_slope], rtol=1e-6, atol=1e-14)


def test_limits_are_listed_for_every_activation():
    assert set(LIMITS) == set(ROWS) - {"linear", "exponential", "gelu_tanh"}


def test_bounded_relu_at_infinity():
    x = np.array([-inf, inf, np.nan])
    np.testing.assert_array_equal(ops.relu(x, 0.5, 3.0, 1.0), [-inf, 3, np.nan])
    np.testing.assert_array_equal(ops.relu(x, 0.0, 3.0, 1.0), [0, 3, np.nan])


# Few roundings from the exact value also where a naive formula cancels, overflows or vanishes.
EXACT = {
    "softplus": lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
    "log_sigmoid": lambda x: -np.log1p(np.exp(-np.abs(x))) + np.minimum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "squareplus": lambda x: np.where(x < 0, 2 / (np.hypot(x, 2) - x), (x + np.hypot(x, 2)) / 2),
    "tanh_shrink": lambda x: np.where(np.abs(x) < 1e-2, x**3 / 3 - 2 * x**5 / 15 + 17 * x**7 / 315, x - np.tanh(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
}


@pytest.mark.parametrize("name", EXACT)
def test_relative_accuracy(name):
    x = np.concatenate([np.linspace(-80, 80, 4001), np.geomspace(1e-6, 1, 500), -np.geomspace(1e-6, 1, 500)])
    x = x.astype(np.float32)
    rtol = 1.5e-6 if name == "tanh_shrink" else 6e-7  # its polynomial is fitted to the accuracy of tanh
    np.testing.assert_allclose(getattr(ops, name)(x), EXACT[name](x.astype(np.float64)), rtol=rtol, atol=1e-37)


# ---- gradients at kinks, as documented -----------------------------------------------------------------------------

KINKS = [
    ("relu", (), {-0.0: 0}),
    ("relu", (0.25,), {0.0: 0.25}),
    ("relu", (0.25, 2.0, 1.0), {1.0: 0.25, 2.0: 0}),
    ("relu6", (), {0.0: 0, 6.0: 0}),
    ("leaky_relu", (), {-0.0: 0.2}),
    ("elu", (1.5,), {0.0: 1.5}),
    ("selu", (), {0.0: SELU[0] * SELU[1]}),
    ("hard_sigmoid", (), {-3.0: 0, 3.0: 0}),
    ("sparse_sigmoid", (), {-1.0: 0, 1.0: 0}),
    ("hard_tanh", (), {-1.0: 1, 1.0: 1}),
    ("hard_silu", (), {-3.0: 0, 3.0: 1}),
    ("soft_shrink", (), {-0.5: 0, 0.5: 0}),
    ("hard_shrink", (), {-0.5: 0, 0.5: 0}),
    ("threshold", (1.0, 7.0), {1.0: 0}),
    ("sparse_plus", (), {-1.0: 0, 1.0: 1}),
    ("binary_step", (), {0.0: 0}),
    ("squareplus", (0.0,), {0.0: 0}),
]


@pytest.mark.parametrize(("name", "arguments", "slopes"), KINKS, ids=[f"{name}{args}" for name, args, _ in KINKS])
def test_gradients_at_kinks(name, arguments, slopes):
    x = np.array(list(slopes))
    y, pullback = vjp(lambda x: getattr(ops, name)(x, *arguments), x)
    np.testing.assert_allclose(pullback(np.ones_like(y))[0], list(slopes.values()), rtol=1e-15)


# ---- prelu ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (1, 5), (4, 5), (4, 1), (1, 1), (3, 4, 5), (1, 4, 1)])
def test_prelu(rng, shape):
    x = apart_from(rng.standard_normal((3, 4, 5) if len(shape) == 3 else (4, 5)), (0,))
    check_op(ops.prelu, lambda x, alpha: np.maximum(x, 0) + alpha * np.minimum(x, 0), x, rng.standard_normal(shape))


def test_prelu_with_a_slope_above_one_keeps_its_branches():
    """max(alpha x, x) would take the wrong one."""
    np.testing.assert_array_equal(ops.prelu(np.array([-1.0, 0.0, 1.0]), 2.0), [-2, 0, 1])


def test_prelu_at_its_kink():
    _, pullback = vjp(ops.prelu, np.array([0.0, -0.0]), np.array([0.3, 0.3]))
    dx, dalpha = pullback(np.ones(2))
    np.testing.assert_array_equal(dx, [0.3, 0.3])
    np.testing.assert_array_equal(dalpha, [0, 0])


# ---- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.elu(x, -1.0), r"\[elu\] expected alpha >= 0, got -1.0"),
        (lambda x: ops.celu(x, 0.0), r"\[celu\] expected alpha > 0, got 0.0"),
        (lambda x: ops.soft_shrink(x, -0.5), r"\[soft_shrink\] expected threshold >= 0, got -0.5"),
        (lambda x: ops.hard_shrink(x, -0.5), r"\[hard_shrink\] expected threshold >= 0, got -0.5"),
        (lambda x: ops.squareplus(x, -4), r"\[squareplus\] expected b >= 0, got -4"),
        (lambda x: ops.relu(x, max_value=-1), r"\[relu\] expected negative_slope, max_value and threshold >= 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones(3, np.float32))


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("leaky_relu", "negative_slope", 0.1),
        ("leaky_relu", "negative_slope", 1),
        ("gelu", "approximate", False),
        ("gelu", "approximate", True),
        ("softmax", "axis", -1),
        ("softmax", "axis", 0),
        ("log_softmax", "axis", -1),
    ],
)
def test_a_setting_by_name_is_the_one_by_position(rng, name, setting, value):
    """By name, plain arrays go straight to the kernel; by position, through the op."""
    x = rng.standard_normal((5, 7)).astype(np.float32)
    op = getattr(ops, name)
    np.testing.assert_array_equal(op(x, **{setting: value}), op(x, value))
    with pytest.raises(TypeError):
        op(x, no_such_setting=value)
