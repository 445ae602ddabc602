"""Residual networks."""

from __future__ import annotations

from typing import Any

from fastnn import layers
from fastnn.applications.blocks import normalised, scaled
from fastnn.models import Model


def _joined(x: Any, main: Any, filters: int, strides: int) -> Any:
    """relu(main + x), x projected where its shape is another."""
    if strides > 1 or x.shape[-1] != filters:
        x = normalised(x, filters, 1, strides, "valid", activation=None)
    return layers.Activation("relu")(layers.Add()([main, x]))


def _basic(x: Any, filters: int, strides: int) -> Any:
    main = normalised(x, filters, 3, strides, 1 if strides > 1 else "same")
    return _joined(x, normalised(main, filters, 3, activation=None), filters, strides)


def _bottleneck(x: Any, filters: int, strides: int) -> Any:
    main = normalised(x, filters, 1)
    main = normalised(main, filters, 3, strides, 1 if strides > 1 else "same")
    return _joined(x, normalised(main, 4 * filters, 1, activation=None), 4 * filters, strides)


def _resnet(
    block: Any,
    counts: tuple[int, ...],
    input_shape: tuple[int, int, int],
    classes: int,
    width: float,
    classifier_activation: str | None,
) -> Model:
    x = inputs = layers.Input(input_shape)
    x = normalised(x, scaled(64, width), 7, 2, padding=3)
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))  # after relu, zeros are as good as no padding
    for stage, count in enumerate(counts):
        for number in range(count):
            x = block(x, scaled(64 * 2**stage, width), 2 if stage and number == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, layers.Dense(classes, classifier_activation)(x))


def ResNet18(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    classifier_activation: str | None = "softmax",
) -> Model:
    """ResNet-18: 11,689,512 trained parameters. Source: He, Zhang, Ren and Sun, 2016."""
    return _resnet(_basic, (2, 2, 2, 2), input_shape, classes, width, classifier_activation)


def ResNet50(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    classifier_activation: str | None = "softmax",
) -> Model:
    """ResNet-50: 25,557,032 trained parameters; convolutions have no bias, and 3x3 ones the stride.

    Source: He, Zhang, Ren and Sun, 2016.
    """
    return _resnet(_bottleneck, (3, 4, 6, 3), input_shape, classes, width, classifier_activation)


def ResNetCifar(
    input_shape: tuple[int, int, int] = (32, 32, 3), classes: int = 10, classifier_activation: str | None = "softmax"
) -> Model:
    """A residual network for small images: two blocks each of 16, 32 and 64 channels."""
    x = inputs = layers.Input(input_shape)
    x = normalised(x, 16, 3)
    for filters in (16, 32, 64):
        x = _basic(x, filters, 1 if filters == 16 else 2)
        x = _basic(x, filters, 1)
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inputs, layers.Dense(classes, classifier_activation)(x))
