"""Normalisation of rows: by mean and variance, by the mean square, to length 1; and Keras's names for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastnn import backend
from fastnn.arrays import Array, normalize_axes
from fastnn.autograd import Needs, composite, primitive
from fastnn.backend import floats, kernels
from fastnn.ops import elementwise
from fastnn.ops.reduce import mean, sum
from fastnn.ops.transpose import reshape, to_last_axis

Axis = int | Sequence[int]


class _Rows:
    """x with the normalised axes last, merged into one, and the way back."""

    def __init__(self, x: Array, axis: Axis, where: str) -> None:
        self.axis, self.where = axis, where
        self.plain = axis == -1 and x.ndim > 0
        self.restore: Callable[..., Array] | None = None
        self.rows = x
        if not self.plain:
            self.rows, self.restore = to_last_axis(x, axis, where)

    def of(self, dy: Array) -> Array:
        return dy if self.plain else to_last_axis(dy, self.axis, self.where)[0]

    def back(self, y: Any, out: Array | None = None) -> Any:
        return y if self.restore is None or y is None else self.restore(y, out)


def _flat(parameter: Any, x: Array) -> tuple[Array | None, Any]:
    """A parameter in x's dtype as one axis, and its shape."""
    if parameter is None:
        return None, None
    parameter = backend.cast(floats(parameter), x.dtype)
    return parameter if parameter.ndim == 1 else kernels(x).dense(parameter).reshape(-1), parameter.shape


def _out(need: Any) -> Array | None:
    return need.out.reshape(-1) if need is not None and need.out is not None else None


def _pullback(
    view: _Rows, gamma: Array | None, center: Array | None, inverse: Array, shapes: Sequence[Any]
) -> Callable[[Array, Needs], tuple[Array | None, ...]]:
    run = kernels(view.rows)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, ...]:
        need_x, need_gamma, need_beta = (*needs, None, None)[:3]
        dx, *own = run.layer_norm_backward(
            *(view.rows, gamma, center, inverse, view.of(dy)),
            *(need is not None for need in (need_x, need_gamma, need_beta)),
            *(_out(need_gamma), _out(need_beta)),
        )
        own = [d if d is None or len(shape) == 1 else d.reshape(shape) for d, shape in zip(own, shapes, strict=False)]
        return (view.back(dx), *own)[: len(needs)]

    return pullback


@primitive
def layer_norm(
    x: Any, gamma: Any = None, beta: Any = None, *, axis: Axis = -1, epsilon: float = 1e-3, out: Array | None = None
) -> Any:
    """Layer normalisation: y = (x - mean) / sqrt(variance + epsilon) gamma + beta.

    Mean and variance are those over axis, for each place along the others. x: real, at least 1 axis. axis: one or
    several, in ascending order. gamma, beta: of the shape of these axes, or None for 1 and 0. Returns x's dtype and
    shape. Raises ValueError for shapes that do not fit. Source: Ba, Kiros and Hinton, 2016.
    """
    x = floats(x)
    (gamma, gamma_shape), (beta, beta_shape) = _flat(gamma, x), _flat(beta, x)
    view = _Rows(x, axis, "layer_norm")
    y, center, inverse = kernels(x).layer_norm(view.rows, gamma, beta, epsilon, out if view.plain else None)
    return view.back(y, out), _pullback(view, gamma, center, inverse, (gamma_shape, beta_shape))


@primitive
def rms_norm(x: Any, gamma: Any = None, *, axis: Axis = -1, epsilon: float = 1e-6, out: Array | None = None) -> Any:
    """Normalisation by the root of the mean square over axis: y = x / sqrt(mean(x^2) + epsilon) gamma.

    x, axis, gamma: as in layer_norm. Returns x's dtype and shape. Source: Zhang and Sennrich, 2019.
    """
    x = floats(x)
    gamma, shape = _flat(gamma, x)
    view = _Rows(x, axis, "rms_norm")
    y, _, inverse = kernels(x).rms_norm(view.rows, gamma, epsilon, out if view.plain else None)
    return view.back(y, out), _pullback(view, gamma, None, inverse, (shape,))


@primitive
def unit_norm(x: Any, *, axis: Axis = -1, epsilon: float = 1e-12, out: Array | None = None) -> Any:
    """Vectors along axis at length 1: y = x / max(sqrt(sum(x^2)), epsilon).

    x: real, at least 1 axis. axis: one or several. Returns x's dtype and shape.
    """
    x = floats(x)
    run, view = kernels(x), _Rows(x, axis, "unit_norm")
    y, inverse = run.unit_norm(view.rows, epsilon, out if view.plain else None)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (view.back(run.unit_norm_backward(y, inverse, view.of(dy), epsilon)),)

    return view.back(y, out), pullback


def _axes(x: Any, axis: Axis, where: str) -> Axis:
    """axis as layer_norm takes it: -1 wherever that is what is meant."""
    ndim = len(x.shape) if hasattr(x, "shape") else floats(x).ndim
    axes = normalize_axes(axis, ndim, where)
    return -1 if axes == (ndim - 1,) else axes


@composite
def layer_normalization(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: Axis = -1,
    epsilon: float | None = None,
    *,
    rms_scaling: bool = False,
) -> Any:
    """Layer normalisation, as Keras names it: y = (x - mean) / sqrt(variance + epsilon) gamma + beta.

    x: real. axis: one or several. gamma, beta: of the shape of these axes. epsilon: 1e-7 by default. rms_scaling: x is
    scaled by its standard deviation and neither centred nor shifted, which Keras keeps for old models.
    """
    eps, axes = 1e-7 if epsilon is None else epsilon, _axes(x, axis, "layer_normalization")
    if not rms_scaling:
        return layer_norm(x, gamma, beta, axis=axes, epsilon=eps)
    spread = elementwise.sqrt(elementwise.add(moments(x, axes, True)[1], eps))
    y = elementwise.divide(x, spread)
    if gamma is None:
        return y
    kept = normalize_axes(axes, x.ndim, "layer_normalization")
    return elementwise.multiply(y, reshape(gamma, [n if i in kept else 1 for i, n in enumerate(x.shape)]))


def rms_normalization(x: Any, scale: Any = None, axis: Axis = -1, epsilon: float | None = None) -> Any:
    """Normalisation by the root of the mean square, as Keras names it: y = x / sqrt(mean(x^2) + epsilon) scale.

    x: real. axis: one or several. scale: of the shape of these axes. epsilon: 1e-7 by default.
    """
    eps = 1e-7 if epsilon is None else epsilon
    return rms_norm(x, scale, axis=_axes(x, axis, "rms_normalization"), epsilon=eps)


def normalize(x: Any, axis: Axis = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """Vectors along axis at length 1: y = x / max(norm, epsilon), norm = sum(|x|^order)^(1 / order).

    x: real. axis: one or several. epsilon: 1e-7 by default. Returns x's dtype and shape. Raises ValueError unless order
    is a positive integer.
    """
    if not isinstance(order, int) or isinstance(order, bool) or order < 1:
        raise ValueError(f"[normalize] expected order to be an integer >= 1, got {order!r}")
    eps, axes = 1e-7 if epsilon is None else epsilon, _axes(x, axis, "normalize")
    if order == 2:
        return unit_norm(x, axis=axes, epsilon=eps)
    total = sum(elementwise.power(elementwise.absolute(x), float(order)), axes, True)
    return elementwise.divide(x, elementwise.maximum(elementwise.power(total, 1 / order), eps))


def moments(x: Any, axes: Axis | None, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """(mean, variance) over axes: variance = mean((x - mean)^2).

    x: real. axes: None for all, one or several. keepdims: leave them in, with length 1. synchronized: taken for
    Keras's sake; one process is all there is here.
    """
    center = mean(x, axes, True)
    variance = mean(elementwise.square(elementwise.subtract(x, center)), axes, keepdims)
    return (center if keepdims else mean(x, axes, False)), variance
