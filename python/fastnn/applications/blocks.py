"""What the architectures are made of."""

from __future__ import annotations

from typing import Any

from fastnn import layers


def scaled(channels: int, width: float) -> int:
    """channels times width, as a multiple of 8, at least 8. At width 1 what it is."""
    return channels if width == 1 else max(8, int(channels * width + 4) // 8 * 8)


def convolution(
    x: Any, filters: int, size: Any, strides: int = 1, padding: Any = "same", activation: str | None = "relu"
) -> Any:
    """Convolution and bias. padding: a name, or zeros on every side."""
    return layers.Conv2D(filters, size, strides, padding, activation=activation)(x)


def normalised(
    x: Any,
    filters: int,
    size: Any,
    strides: int = 1,
    padding: Any = "same",
    activation: str | None = "relu",
    epsilon: float = 1e-5,
) -> Any:
    """Convolution without bias, batch normalisation, activation. padding: a name, or zeros on every side."""
    x = layers.Conv2D(filters, size, strides, padding, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=epsilon)(x)
    return x if activation is None else layers.Activation(activation)(x)


def normalised_depthwise(x: Any, size: int, strides: int = 1, epsilon: float = 1e-5) -> Any:
    """The same with one filter for each channel. As much padding on both sides as keeps the size at stride 1."""
    padding = "same" if strides == 1 else size // 2
    x = layers.DepthwiseConv2D(size, strides, padding, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=epsilon)(x)
    return layers.Activation("relu")(x)


def max_pooling(x: Any, size: int = 3, strides: int = 2, padding: str = "same") -> Any:
    return layers.MaxPooling2D(size, strides, padding)(x)
