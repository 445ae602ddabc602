"""Activations as layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import activations, constraints, initializers, ops, regularizers
from fastnn.arrays import PartialShape
from fastnn.autograd import raw
from fastnn.layers.layer import Layer
from fastnn.registry import serialize


class _Elementwise(Layer):
    """A layer whose output has its input's shape."""

    supports_masking = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.built = True

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return tuple(input_shape)


class Activation(_Elementwise):
    """Any activation: y = activation(x). activation: a name or a function."""

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = activations.get(activation)

    def call(self, x: Any) -> Any:
        return self.activation(x)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        halves = self.activation is activations.glu
        return Layer.compute_output_shape(self, input_shape) if halves else tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(_Elementwise):
    """Rectified linear unit: y = x where x > threshold, negative_slope (x - threshold) elsewhere, at most max_value."""

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **options: Any
    ) -> None:
        super().__init__(**options)
        for name, value in (("max_value", max_value), ("negative_slope", negative_slope), ("threshold", threshold)):
            if (value is None and name != "max_value") or (value is not None and value < 0):
                raise ValueError(f"[ReLU] expected {name} >= 0, got {value}")
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, x: Any) -> Any:
        return activations.relu(x, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        own = {"max_value": self.max_value, "negative_slope": self.negative_slope, "threshold": self.threshold}
        return {**super().get_config(), **own}


class LeakyReLU(_Elementwise):
    """Leaky rectified linear unit: y = x where x > 0, negative_slope x elsewhere."""

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        super().__init__(**options)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(f"[LeakyReLU] expected negative_slope >= 0, got {negative_slope}")
        self.negative_slope = negative_slope

    def call(self, x: Any) -> Any:
        return activations.leaky_relu(x, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class PReLU(Layer):
    """Rectified linear unit with learned slopes: y = x where x > 0, alpha x elsewhere. Source: He et al., 2015.

    One slope for each feature. shared_axes: the axes, counted with the batch's as 0, along which one is shared; (1, 2)
    for one slope per channel of images.
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes
        self.shared_axes = None if axes is None else [int(axis) for axis in axes]

    def build(self, input_shape: PartialShape) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            if not 0 < axis <= len(shape):
                raise ValueError(f"[{self.name}] expected shared_axes in [1, {len(shape)}], got {axis}")
            shape[axis - 1] = 1
        lengths = [length for length in shape if length is not None]
        if len(lengths) < len(shape):
            raise ValueError(f"[{self.name}] expected known lengths but for shared axes, got {input_shape}")
        self.alpha = self.add_weight(
            lengths,
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )

    def call(self, x: Any) -> Any:
        return ops.prelu(x, self.alpha)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": serialize(self.alpha_initializer),
            "alpha_regularizer": serialize(self.alpha_regularizer),
            "alpha_constraint": serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


class ELU(_Elementwise):
    """Exponential linear unit: y = x where x > 0, alpha (e^x - 1) elsewhere. Source: Clevert et al., 2015."""

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        if alpha is None or alpha < 0:
            raise ValueError(f"[ELU] expected alpha >= 0, got {alpha}")
        self.alpha = alpha

    def call(self, x: Any) -> Any:
        return activations.elu(x, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


#: Far below any logit, so that its exponential is 0, and still far from overflow.
_MASKED = -1e9


class Softmax(_Elementwise):
    """Softmax over axis, one or several: y = exp(x) / sum(exp(x)).

    mask of a call: in x's shape, True, or above 1/2, for what takes part. Anything else gets 0; where nothing takes
    part, all does. A mask of steps, which lacks x's last axes, is handed on and changes nothing.
    """

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = list(axis) if isinstance(axis, (tuple, list)) else axis

    def call(self, x: Any, mask: Any = None) -> Any:
        if mask is None or (np.ndim(raw(mask)) > 1 and np.shape(raw(mask)) == x.shape[: np.ndim(raw(mask))] != x.shape):
            return activations.softmax(x, self.axis)
        mask = raw(mask)
        shape = np.shape(mask)
        if len(shape) > len(x.shape) or any(m not in (1, n) for m, n in zip(shape[::-1], x.shape[::-1], strict=False)):
            raise ValueError(f"[{self.name}] expected a mask that broadcasts to x {x.shape}, got {shape}")
        chosen = mask if np.asarray(mask).dtype == bool else ops.greater(mask, 0.5)
        y = activations.softmax(ops.where(chosen, x, _MASKED), self.axis)
        return ops.where(chosen, y, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class Maxout(Layer):
    """Largest of several affine functions: y[u] = max over p of (x kernel + bias)[u, p].

    units: number of outputs u. pieces: how many functions each chooses from. The gradient goes to the winner.
    kernel: (i, u pieces), bias: (u pieces,), the pieces of a unit side by side. Not one of Keras's layers.
    Source: Goodfellow et al., 2013.
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        pieces: int = 2,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for name, value in (("units", units), ("pieces", pieces)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value <= 0:
                raise ValueError(f"[Maxout] expected {name} to be a positive integer, got {value!r}")
        self.units, self.pieces, self.use_bias = int(units), int(pieces), bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, input_shape: PartialShape) -> None:
        features = input_shape[-1] if input_shape else None
        if features is None:
            raise ValueError(f"[{self.name}] expected an input whose last axis has a known length, got {input_shape}")
        width = self.units * self.pieces
        self.kernel = self.add_weight((features, width), self.kernel_initializer, name="kernel")
        self.bias = self.add_weight((width,), self.bias_initializer, name="bias") if self.use_bias else None

    def call(self, x: Any) -> Any:
        return ops.maxout(ops.dense(x, self.kernel, self.bias), self.units)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "use_bias": self.use_bias,
            "kernel_initializer": serialize(self.kernel_initializer),
            "bias_initializer": serialize(self.bias_initializer),
        }
