"""Activations as layers."""

from __future__ import annotations

from typing import Any

from fastnn import activations
from fastnn.arrays import PartialShape
from fastnn.layers.layer import Layer


class _Elementwise(Layer):
    """A layer whose output has its input's shape."""

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


class Softmax(_Elementwise):
    """Softmax over axis: y = exp(x) / sum(exp(x))."""

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def call(self, x: Any) -> Any:
        return activations.softmax(x, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
