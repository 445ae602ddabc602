"""MobileNet: convolutions in two steps, within each channel and across channels."""

from __future__ import annotations

from typing import Any

from fastnn import layers
from fastnn.applications.blocks import normalised, normalised_depthwise, scaled
from fastnn.models import Model


def _separable(x: Any, filters: int, strides: int, epsilon: float = 1e-5) -> Any:
    return normalised(normalised_depthwise(x, 3, strides, epsilon), filters, 1, epsilon=epsilon)


def MobileNet(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.001,
    classifier_activation: str | None = "softmax",
) -> Model:
    """MobileNet v1: 4,231,976 trained parameters. Source: Howard et al., 2017."""
    x = inputs = layers.Input(input_shape)
    x = normalised(x, scaled(32, width), 3, 2, padding=1)
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for filters, strides in plan:
        x = _separable(x, scaled(filters, width), strides)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    return Model(inputs, layers.Dense(classes, classifier_activation)(x))


def MobileNetCifar(
    input_shape: tuple[int, int, int] = (32, 32, 3), classes: int = 10, classifier_activation: str | None = "softmax"
) -> Model:
    """A MobileNet for small images: 32 to 256 channels in five separable convolutions."""
    x = inputs = layers.Input(input_shape)
    x = normalised(x, 32, 3)
    for filters, strides in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        x = _separable(x, filters, strides)
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, layers.Dense(classes, classifier_activation)(x))
