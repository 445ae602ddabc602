"""Activation functions by name, as layers take them. Arguments and defaults are those of Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn import ops
from fastnn.registry import Registry

_registry = Registry("activations")
deserialize = _registry.deserialize


def linear(x: Any) -> Any:
    """Identity: y = x."""
    return x


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Rectified linear unit: y = x where x > threshold, negative_slope (x - threshold) elsewhere, at most max_value."""
    if negative_slope < 0 or (max_value is not None and max_value < 0) or threshold < 0:
        raise ValueError(
            "[relu] expected negative_slope, max_value and threshold >= 0, "
            f"got {negative_slope}, {max_value} and {threshold}"
        )
    if threshold:
        y = ops.where(ops.greater(x, threshold), x, negative_slope * (x - threshold))
    else:
        y = ops.leaky_relu(x, negative_slope) if negative_slope else ops.relu(x)
    return y if max_value is None else ops.minimum(y, max_value)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """Leaky rectified linear unit: y = x where x > 0, negative_slope x elsewhere."""
    return ops.leaky_relu(x, negative_slope)


def sigmoid(x: Any) -> Any:
    """Logistic function: y = 1 / (1 + e^-x)."""
    return ops.sigmoid(x)


def softplus(x: Any) -> Any:
    """Smooth rectifier: y = ln(1 + e^x)."""
    return ops.softplus(x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent: y = (e^x - e^-x) / (e^x + e^-x)."""
    return ops.tanh(x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """Gaussian error linear unit: y = x P(X <= x) for a standard normal X, or its tanh approximation."""
    return ops.gelu(x, approximate)


def exponential(x: Any) -> Any:
    """Exponential: y = e^x."""
    return ops.exp(x)


def softmax(x: Any, axis: Any = -1) -> Any:
    """Softmax over axis: y = exp(x) / sum(exp(x))."""
    return ops.softmax(x, axis)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """Logarithm of softmax over axis: y = x - ln(sum(exp(x)))."""
    return ops.log_softmax(x, axis)


#: The activations that a dense layer computes in its own kernel.
FUSED: dict[Callable[..., Any], str] = {linear: "linear", relu: "relu", sigmoid: "sigmoid", tanh: "tanh", gelu: "gelu"}

for _function in (linear, relu, leaky_relu, sigmoid, softplus, tanh, gelu, exponential, softmax, log_softmax):
    _registry.add(_function)


def get(identifier: Any) -> Callable[..., Any]:
    """The function of that name; linear for None; a function or layer as it is."""
    if identifier is None:
        return linear
    found: Callable[..., Any] = _registry.get(identifier)
    return found


def serialize(activation: Callable[..., Any]) -> str:
    """The name get() finds it by. Raises ValueError for a function of the user's own."""
    name = getattr(activation, "__name__", None)
    if name is None or name not in _registry or _registry.find(name) is not activation:
        raise ValueError(
            f"[activations.serialize] expected a built-in activation, got {activation!r}; make it a layer of your own"
        )
    return str(name)
