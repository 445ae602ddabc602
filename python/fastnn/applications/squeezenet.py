"""SqueezeNet."""

from __future__ import annotations

from typing import Any

from fastnn import layers
from fastnn.applications.blocks import convolution, max_pooling, scaled
from fastnn.models import Model


def _fire(x: Any, squeeze: int, expand: int) -> Any:
    """Few channels, then many, half of them from windows of one pixel."""
    x = convolution(x, squeeze, 1)
    return layers.Concatenate()([convolution(x, expand, 1), convolution(x, expand, 3)])


def SqueezeNet(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Model:
    """SqueezeNet 1.0: 1,248,424 parameters. Source: Iandola et al., 2016."""
    x = inputs = layers.Input(input_shape)
    x = max_pooling(convolution(x, scaled(96, width), 7, 2, padding="valid"))
    for squeeze, expand in ((16, 64), (16, 64), (32, 128)):
        x = _fire(x, scaled(squeeze, width), scaled(expand, width))
    x = max_pooling(x)
    for squeeze, expand in ((32, 128), (48, 192), (48, 192), (64, 256)):
        x = _fire(x, scaled(squeeze, width), scaled(expand, width))
    x = _fire(max_pooling(x), scaled(64, width), scaled(256, width))
    x = convolution(layers.Dropout(dropout)(x), classes, 1)
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, x if classifier_activation is None else layers.Activation(classifier_activation)(x))
