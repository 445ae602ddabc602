"""AlexNet and ZFNet."""

from __future__ import annotations

from typing import Any

from fastnn import layers
from fastnn.applications.blocks import convolution, max_pooling, scaled
from fastnn.models import Model


def AlexNet(
    input_shape: tuple[int, int, int] = (227, 227, 3),
    classes: int = 1000,
    width: float = 1.0,
    groups: int = 2,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Model:
    """AlexNet: 60,965,224 parameters, 62,378,344 with groups=1.

    groups: into how many parts the second, fourth and fifth convolution are divided: the paper's two GPUs. The image is
    227 x 227: of the 224 that the paper names, windows 11 long and 4 apart do not come out even.
    Source: Krizhevsky, Sutskever and Hinton, 2012.
    """
    x = inputs = layers.Input(input_shape)
    x = layers.Conv2D(scaled(96, width), 11, 4, activation="relu")(x)
    x = max_pooling(layers.LocalResponseNormalization()(x), padding="valid")
    x = layers.Conv2D(scaled(256, width), 5, padding="same", groups=groups, activation="relu")(x)
    x = max_pooling(layers.LocalResponseNormalization()(x), padding="valid")
    x = layers.Conv2D(scaled(384, width), 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(scaled(384, width), 3, padding="same", groups=groups, activation="relu")(x)
    x = layers.Conv2D(scaled(256, width), 3, padding="same", groups=groups, activation="relu")(x)
    x = max_pooling(x, padding="valid")
    return Model(inputs, _classifier(x, classes, width, dropout, classifier_activation))


def ZFNet(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
) -> Model:
    """AlexNet with smaller windows at the beginning, 7x7 and 2 apart: 62,357,608 parameters.

    Source: Zeiler and Fergus, 2014.
    """
    x = inputs = layers.Input(input_shape)
    x = convolution(x, scaled(96, width), 7, 2, padding=1)
    x = layers.LocalResponseNormalization()(max_pooling(x))
    x = convolution(x, scaled(256, width), 5, 2, padding="valid")
    x = layers.LocalResponseNormalization()(max_pooling(x))
    for filters in (384, 384, 256):
        x = convolution(x, scaled(filters, width), 3)
    x = max_pooling(x, padding="valid")
    return Model(inputs, _classifier(x, classes, width, dropout, classifier_activation))


def _classifier(x: Any, classes: int, width: float, dropout: float, activation: str | None) -> Any:
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dropout(dropout)(layers.Dense(scaled(4096, width), "relu")(x))
    return layers.Dense(classes, activation)(x)
