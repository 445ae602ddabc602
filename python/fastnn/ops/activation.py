"""Activation functions of the elementwise family. Names, arguments and defaults are Keras's.

Each is a row of cpp/include/fastnn/elementwise.def with some parameters. Where a function has a kink, the docstring
says what its gradient is there.
"""

from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import primitive
from fastnn.ops import direct
from fastnn.ops.elementwise import binary, from_row, unary
from fastnn.ops.integers import by_numpy, integral_array

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

#: By the name of an activation: its row in the table of kernels, and that row's parameters by default.
ROWS: dict[str, tuple[str, tuple[float, ...]]] = {
    **{
        name: (name, (0.0, 0.0, 0.0))
        for name in (
            "linear", "relu", "sigmoid", "tanh", "softplus", "gelu", "gelu_tanh", "log_sigmoid", "silu", "hard_silu",
            "mish", "softsign", "tanh_shrink", "sparse_plus", "binary_step",
        )
    },
    "leaky_relu": ("leaky_relu", (0.2, 0.0, 0.0)),
    "relu6": ("bounded_relu", (0.0, 6.0, 0.0)),
    "elu": ("elu", (1.0, 1.0, 1.0)),
    "celu": ("elu", (1.0, 1.0, 1.0)),
    "selu": ("elu", (SELU_ALPHA * SELU_SCALE, 1.0, SELU_SCALE)),
    "exponential": ("exp", (0.0, 0.0, 0.0)),
    "hard_sigmoid": ("hard_sigmoid", (3.0, 1 / 6, 0.0)),
    "sparse_sigmoid": ("hard_sigmoid", (1.0, 0.5, 0.0)),
    "hard_tanh": ("clip", (-1.0, 1.0, 0.0)),
    "soft_shrink": ("soft_shrink", (0.5, 0.0, 0.0)),
    "hard_shrink": ("hard_shrink", (0.5, 0.0, 0.0)),
    "squareplus": ("squareplus", (4.0, 0.0, 0.0)),
}  # fmt: skip


@primitive
def activate(x: Any, *, activation: str, negative_slope: float = 0.2) -> Any:
    """y = activation(x), of a name in ROWS, with its defaults but for leaky_relu's negative_slope."""
    row, parameters = ROWS[activation]
    return from_row(row, x, (negative_slope, 0.0, 0.0) if activation == "leaky_relu" else parameters, None)


def _activation(name: str, doc: str) -> Any:
    row, parameters = ROWS[name]
    return unary(name, doc, row, *parameters)


sigmoid = _activation("sigmoid", "Logistic function: y = 1 / (1 + e^-x).")
tanh = _activation("tanh", "Hyperbolic tangent: y = (e^x - e^-x) / (e^x + e^-x).")
softplus = _activation("softplus", "Smooth rectifier: y = ln(1 + e^x).")
log_sigmoid = _activation("log_sigmoid", "Logarithm of the logistic function: y = -ln(1 + e^-x).")
hard_sigmoid = _activation(
    "hard_sigmoid", "Ramp for the logistic function: y = x / 6 + 1/2, clipped to [0, 1]. The gradient at -3 and 3 is 0."
)
sparse_sigmoid = _activation(
    "sparse_sigmoid", "Steeper ramp: y = (x + 1) / 2, clipped to [0, 1]. The gradient at -1 and 1 is 0."
)
hard_tanh = _activation("hard_tanh", "Ramp for tanh: y = x, clipped to [-1, 1]. The gradient at -1 and 1 is 1.")
silu = _activation(
    "silu", "Sigmoid linear unit, also called swish: y = x / (1 + e^-x). Source: Ramachandran et al., 2017."
)
hard_silu = _activation(
    "hard_silu",
    "Ramp for silu: y = x hard_sigmoid(x). The gradient at -3 is 0, at 3 it is 1. Source: Howard et al., 2019.",
)
mish = _activation("mish", "Mish: y = x tanh(ln(1 + e^x)). Source: Misra, 2019.")
softsign = _activation("softsign", "Softsign: y = x / (1 + |x|).")
selu = _activation(
    "selu",
    "Scaled exponential linear unit: y = s x where x > 0, s a (e^x - 1) elsewhere, whose slope s a is the gradient at "
    "0;\n    s = 1.0507, a = 1.6733. Source: Klambauer et al., 2017.",
)
relu6 = _activation("relu6", "Bounded rectifier: y = min(max(x, 0), 6). The gradient at 0 and 6 is 0.")
tanh_shrink = _activation("tanh_shrink", "What tanh takes away: y = x - tanh(x), exact to the last bits near 0.")
sparse_plus = _activation(
    "sparse_plus", "Smooth rectifier of bounded support: y = 0 where x < -1, x where x > 1, (x + 1)^2 / 4 between."
)
binary_step = _activation("binary_step", "Step: y = 0 where x < 0, 1 where x >= 0. The gradient is 0.")
swish = silu
hard_swish = hard_silu

prelu = binary(
    "prelu",
    "Rectifier with learned slopes x2: y = x1 where x1 > 0, x2 x1 elsewhere, which also holds for the gradients at 0."
    "\n\n    Source: He et al., 2015.",
)


@direct.unary("relu")
@primitive
def relu(
    x: Any,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
    *,
    out: Array | None = None,
) -> Any:
    """Rectified linear unit: y = x where x > threshold, negative_slope (x - threshold) elsewhere, at most max_value.

    By default max(x, 0). The gradient at the threshold is negative_slope, at max_value 0.
    x: real, any shape. Returns x's dtype and shape. NaN stays NaN; integers stay integers in max(x, 0). Raises
    ValueError for a negative setting.
    """
    if negative_slope < 0 or (max_value is not None and max_value < 0) or threshold < 0:
        raise ValueError(
            "[relu] expected negative_slope, max_value and threshold >= 0, "
            f"got {negative_slope}, {max_value} and {threshold}"
        )
    if max_value is not None or threshold:
        high = float("inf") if max_value is None else float(max_value)
        return from_row("bounded_relu", x, (float(negative_slope), high, float(threshold)), out)
    if integral_array(x) and not negative_slope:
        return by_numpy("maximum", x, 0, out=out), None
    return from_row("leaky_relu" if negative_slope else "relu", x, (float(negative_slope), 0.0, 0.0), out)


@direct.unary(
    *ROWS["leaky_relu"][:1],
    *ROWS["leaky_relu"][1],
    setting="negative_slope",
    choose=lambda slope: ("leaky_relu", (slope, 0.0, 0.0)) if type(slope) is float else None,
)
@primitive
def leaky_relu(x: Any, negative_slope: float = 0.2, *, out: Array | None = None) -> Any:
    """Leaky rectified linear unit: y = x where x > 0, negative_slope x elsewhere, which is also the gradient at 0.

    x: real, any shape. Returns x's dtype and shape. Source: Maas et al., 2013.
    """
    return from_row("leaky_relu", x, (float(negative_slope), 0.0, 0.0), out)


@direct.unary(
    "gelu_tanh",
    setting="approximate",
    choose=lambda approximate: ("gelu_tanh" if approximate else "gelu", ()) if type(approximate) is bool else None,
)
@primitive
def gelu(x: Any, approximate: bool = True, *, out: Array | None = None) -> Any:
    """Gaussian error linear unit: y = x P(X <= x) for a standard normal X, or its tanh approximation.

    x: real, any shape. approximate: take 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). Returns x's dtype and
    shape.
    Source: Hendrycks and Gimpel, 2016.
    """
    return from_row("gelu_tanh" if approximate else "gelu", x, (0.0, 0.0, 0.0), out)


@direct.unary("elu", 1.0, 1.0, 1.0)
@primitive
def elu(x: Any, alpha: float = 1.0, *, out: Array | None = None) -> Any:
    """Exponential linear unit: y = x where x > 0, alpha (e^x - 1) elsewhere; the gradient at 0 is alpha.

    x: real, any shape. Returns x's dtype and shape. Raises ValueError if alpha < 0. Source: Clevert et al., 2015.
    """
    if not alpha >= 0:
        raise ValueError(f"[elu] expected alpha >= 0, got {alpha}")
    return from_row("elu", x, (float(alpha), 1.0, 1.0), out)


@direct.unary("elu", 1.0, 1.0, 1.0)
@primitive
def celu(x: Any, alpha: float = 1.0, *, out: Array | None = None) -> Any:
    """Continuously differentiable ELU: y = x where x > 0, alpha (e^(x / alpha) - 1) elsewhere.

    x: real, any shape. Returns x's dtype and shape. Raises ValueError if alpha <= 0. Source: Barron, 2017.
    """
    if not alpha > 0:
        raise ValueError(f"[celu] expected alpha > 0, got {alpha}")
    return from_row("elu", x, (float(alpha), 1 / float(alpha), 1.0), out)


def _shrink(name: str, x: Any, threshold: float, out: Array | None) -> Any:
    if not threshold >= 0:
        raise ValueError(f"[{name}] expected threshold >= 0, got {threshold}")
    return from_row(name, x, (float(threshold), 0.0, 0.0), out)


@direct.unary("soft_shrink", 0.5)
@primitive
def soft_shrink(x: Any, threshold: float = 0.5, *, out: Array | None = None) -> Any:
    """Soft shrinkage: y = x - threshold where x > threshold, x + threshold where x < -threshold, 0 between.

    The gradient at both kinks is 0. x: real, any shape. Returns x's dtype and shape. Raises ValueError if
    threshold < 0.
    """
    return _shrink("soft_shrink", x, threshold, out)


@direct.unary("hard_shrink", 0.5)
@primitive
def hard_shrink(x: Any, threshold: float = 0.5, *, out: Array | None = None) -> Any:
    """Hard shrinkage: y = x where |x| > threshold, 0 elsewhere, which also holds for the gradient.

    x: real, any shape. Returns x's dtype and shape. Raises ValueError if threshold < 0.
    """
    return _shrink("hard_shrink", x, threshold, out)


@primitive
def threshold(x: Any, threshold: float, default_value: float, *, out: Array | None = None) -> Any:
    """Threshold: y = x where x > threshold, default_value elsewhere. The gradient at the threshold is 0.

    x: real, any shape. Returns x's dtype and shape.
    """
    return from_row("threshold", x, (float(threshold), float(default_value), 0.0), out)


@direct.unary("squareplus", 4.0)
@primitive
def squareplus(x: Any, b: float = 4, *, out: Array | None = None) -> Any:
    """Smooth rectifier without an exponential: y = (x + sqrt(x^2 + b)) / 2.

    x: real, any shape. Returns x's dtype and shape. Raises ValueError if b < 0. Source: Barron, 2021.
    """
    if not b >= 0:
        raise ValueError(f"[squareplus] expected b >= 0, got {b}")
    return from_row("squareplus", x, (float(b), 0.0, 0.0), out)
